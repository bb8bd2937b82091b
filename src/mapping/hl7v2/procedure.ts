/** PR1 as Procedure. Source: segment map PR1[Procedure]. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { SNOMED } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { concept, keyOfConcept } from './data-types.ts';
import type { OpenEncounter } from './encounter.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import { location } from './place.ts';
import { endAfter } from './timing.ts';
import type { Translation } from './translation.ts';

/** Who did what, in SNOMED CT; PR1-12 says it itself or does not. */
const PERFORMERS: readonly (readonly [field: number, code: string | undefined])[] = [
  [8, '88189002'],
  [11, '304292004'],
  [12, undefined],
];

/** Found again by PR1-19, else by visit or patient, code and time. */
export function mapProcedure(
  pr1: SegmentCursor,
  patient: MappedPatient,
  encounter: OpenEncounter | undefined,
  to: Translation,
): void {
  const code = procedureCode(pr1);
  if (code === undefined) return;
  const number = pr1.at(19).isValued ? ei(pr1.at(19), undefined, localSystem(to.reading, 'procedure')) : undefined;
  const keys = number === undefined ? [] : keysOf([number]);
  const { system = '', value } = encounter?.key ?? patient.key;
  const performed = performedOf(pr1);
  const derived = derivedIdentifier('Procedure', system, value, keyOfConcept(code), pr1.field(5).value);
  const resource = compact({
    resourceType: 'Procedure',
    identifier: keys.length > 0 ? [number] : [derived],
    status: statusOf(pr1, to),
    category: concept()(pr1.at(6)),
    code,
    subject: patient.reference,
    encounter: encounter?.reference,
    ...performed,
    performer: PERFORMERS.flatMap(([field, role]) =>
      practitioners(pr1.all(field), to).map((actor) =>
        compact({ function: role === undefined ? undefined : { coding: [{ system: SNOMED, code: role }] }, actor }),
      ),
    ),
    location: pr1.at(23).isValued ? location(pr1.at(23), to) : undefined,
    reasonCode: pr1.all(15).flatMap((cursor) => concept()(cursor) ?? []),
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keys.length > 0 ? keys : [derived]);
}

/** PR1-20 D takes it back; a time that has not come is a plan. */
function statusOf(pr1: SegmentCursor, to: Translation): string {
  if (pr1.at(20).text === 'D') return 'entered-in-error';
  const time = pr1.at(5).isValued ? Date.parse(pr1.at(5).dateTime ?? '') : Number.NaN;
  return time > to.receivedAt ? 'preparation' : 'completed';
}

/** With PR1-7, in minutes, a period. */
function performedOf(pr1: SegmentCursor): Json {
  const start = pr1.at(5).isValued ? pr1.at(5).dateTime : undefined;
  const minutes = pr1.at(7).isValued ? pr1.at(7).number : undefined;
  const end =
    start === undefined || minutes === undefined ? undefined : endAfter(start, { code: 'min', value: minutes });
  if (start === undefined) return {};
  return end === undefined ? { performedDateTime: start } : { performedPeriod: { start, end } };
}

/** The words of PR1-4 stand beside the code. */
function procedureCode(pr1: SegmentCursor): Json | undefined {
  const code = concept()(pr1.at(3));
  const text = pr1.at(4).isValued ? pr1.at(4).value : undefined;
  if (code === undefined) return text === undefined ? undefined : { text };
  return text === undefined || code['text'] !== undefined ? code : { ...code, text };
}
