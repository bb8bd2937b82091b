/** SPM, and OBR-15 of versions before 2.5, as Specimen. Source: segment maps SPM[Specimen] and OBR[Specimen]. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { BODY_SITE, SPECIMEN_TYPE } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { concept, period, text } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { cx, ei } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import { cq } from './timing.ts';
import type { Translation } from './translation.ts';

/** Found again by SPM-2, else by the report and its position there. */
export function mapSpecimen(spm: SegmentCursor, patient: MappedPatient, report: Identifier, to: Translation): Json {
  const system = localSystem(to.reading, 'specimen');
  const numbers = present([ei(spm.at(2).at(1), 'PLAC', system), ei(spm.at(2).at(2), 'FILL', system)]);
  const others = spm.all(31).flatMap((cursor) => cx(cursor, { fallback: system }) ?? []);
  const keys = keysOf(numbers);
  const derived = derivedIdentifier('Specimen', report.system ?? '', report.value, spm.at(1).text);
  const available = spm.at(20).isValued ? spm.at(20).boolean : undefined;
  const rejected = spm.all(21).flatMap((cursor) => concept()(cursor) ?? []);
  const resource = compact({
    resourceType: 'Specimen',
    identifier: [...(keys.length > 0 ? numbers : [derived, ...numbers]), ...others],
    accessionIdentifier: spm.all(30).flatMap((cursor) => cx(cursor, { fallback: system }) ?? [])[0],
    status:
      rejected.length > 0
        ? 'unsatisfactory'
        : available === undefined
          ? undefined
          : available
            ? 'available'
            : 'unavailable',
    type: concept(SPECIMEN_TYPE)(spm.at(4)),
    subject: patient.reference,
    receivedTime: spm.at(18).isValued ? spm.at(18).dateTime : undefined,
    parent: spm
      .all(3)
      .flatMap((cursor) => parentOf(ei(cursor.at(1), undefined, system) ?? ei(cursor.at(2), undefined, system))),
    collection: compact({
      ...collectedOf(spm),
      quantity: cq(spm.at(12)),
      method: concept()(spm.at(7)),
      bodySite: concept()(spm.at(8)),
    }),
    container: containerOf(spm),
    condition: [...spm.all(24).flatMap((cursor) => concept()(cursor) ?? []), ...rejected],
    note: present(spm.all(14).map(text)).map((said) => ({ text: said })),
  }) as FhirResource; // it has its resourceType
  return { reference: to.entries.store(resource, keys.length > 0 ? keys : [derived]) };
}

const parentOf = (identifier: Json | undefined): readonly Json[] =>
  identifier === undefined ? [] : [{ type: 'Specimen', identifier }];

/** A beginning and an end, or one time. */
function collectedOf(spm: SegmentCursor): Json {
  const range = spm.at(17);
  if (!range.isValued) return {};
  if (!range.at(2).isValued) return compact({ collectedDateTime: range.at(1).dateTime }) ?? {};
  return compact({ collectedPeriod: period(range.at(1), range.at(2)) }) ?? {};
}

function containerOf(spm: SegmentCursor): readonly Json[] {
  const [additive] = spm.all(6).flatMap((cursor) => concept()(cursor) ?? []);
  const container = compact({ type: concept()(spm.at(27)), additiveCodeableConcept: additive });
  return container === undefined ? [] : [container];
}

/** Undefined where OBR-15 says nothing of a specimen. */
export function mapLegacySpecimen(
  obr: SegmentCursor,
  patient: MappedPatient,
  report: Identifier,
  to: Translation,
): Json | undefined {
  const source = obr.at(15);
  if (!source.isValued) return undefined;
  const derived = derivedIdentifier('Specimen', report.system ?? '', report.value, 'OBR-15');
  const resource = compact({
    resourceType: 'Specimen',
    identifier: [derived],
    type: partConcept(source.at(1)),
    subject: patient.reference,
    receivedTime: obr.at(14).isValued ? obr.at(14).dateTime : undefined,
    collection: compact({
      collectedDateTime: obr.at(7).isValued ? obr.at(7).dateTime : undefined,
      bodySite: concept(BODY_SITE)(source.at(4)),
    }),
    container: present([compact({ additiveCodeableConcept: concept()(source.at(2)) })]),
    note: present([source.at(3).value, source.at(6).value]).map((said) => ({ text: said })),
  }) as FhirResource; // it has its resourceType
  return { reference: to.entries.store(resource, [derived]) };
}

/** A CE inside a component: its parts are subcomponents. */
const partConcept = concept(SPECIMEN_TYPE);
