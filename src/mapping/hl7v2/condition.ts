/** DG1 as Condition. Source: segment map DG1[Condition]. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioner } from './actors.ts';
import { DIAGNOSIS_TYPE, systemUrl } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { concept, dateTime, keyOfConcept } from './data-types.ts';
import type { OpenEncounter } from './encounter.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import type { Translation } from './translation.ts';

const status = (system: string, code: string): Json => ({ coding: [{ system: systemUrl(system), code }] });

/** A diagnosis of the visit, or of the patient where there is none. */
export function mapDiagnosis(
  dg1: SegmentCursor,
  patient: MappedPatient,
  encounter: OpenEncounter | undefined,
  to: Translation,
): void {
  const code = diagnosisCode(dg1);
  if (code === undefined) return;
  const kind = dg1.at(6);
  const number = ei(dg1.at(20), undefined, localSystem(to.reading, 'diagnosis'));
  const context = encounter?.key ?? patient.key;
  const keys = number === undefined ? [] : keysOf([number]);
  const derived = derivedIdentifier('Condition', context.system ?? '', context.value, keyOfConcept(code), kind.text);
  const identifiers = keys.length > 0 ? keys : [derived];
  const isError = dg1.at(21).text === 'D';
  const asserter = dg1.all(16).flatMap((cursor) => practitioner(cursor, to) ?? [])[0];
  const recorded = [19, 5].flatMap((n) => (dg1.at(n).isValued ? (dateTime(dg1.at(n)) ?? []) : []))[0];
  const resource = compact({
    resourceType: 'Condition',
    identifier: number === undefined || keys.length === 0 ? [derived] : [number],
    // An entry made in error has no clinical status (con-5).
    clinicalStatus: isError ? undefined : status('condition-clinical', 'active'),
    verificationStatus: status('condition-ver-status', isError ? 'entered-in-error' : 'confirmed'),
    category: [status('condition-category', encounter === undefined ? 'problem-list-item' : 'encounter-diagnosis')],
    code,
    subject: patient.reference,
    encounter: encounter?.reference,
    recordedDate: recorded,
    asserter,
  }) as FhirResource; // it has its resourceType
  const reference = to.entries.store(resource, identifiers);
  encounter?.draft.append('diagnosis', diagnosisOf(dg1, { reference }, kind));
}

function diagnosisOf(dg1: SegmentCursor, condition: Json, kind: Cursor): Json | undefined {
  const rank = Number(dg1.at(15).text);
  return compact({
    condition,
    use: kind.isValued ? concept(DIAGNOSIS_TYPE)(kind) : undefined,
    rank: Number.isInteger(rank) && rank > 0 ? rank : undefined,
  });
}

/** Before version 2.4 the system stands in DG1-2 and the words in DG1-4. */
function diagnosisCode(dg1: SegmentCursor): Json | undefined {
  const code = concept()(dg1.at(3));
  const words = dg1.at(4).isValued ? dg1.at(4).value : undefined;
  if (code === undefined) return words === undefined ? undefined : { text: words };
  return words === undefined || code['text'] !== undefined ? code : { ...code, text: words };
}
