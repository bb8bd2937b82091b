/** OBR with its OBX and SPM as DiagnosticReport, Observation and Specimen. Source: message map ORU_R01. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { organization, practitioners } from './actors.ts';
import { type MappedAdmission, mapAdmission } from './admission.ts';
import { DIAGNOSTIC_SERVICE, REPORT_STATUS } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import type { Cursor, SegmentCursor } from './cursor.ts';
import { concept, instant, keyOfConcept, period } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { mapObservations, noteText, type ObservationContext } from './observation.ts';
import { orderNumbers, orderReference, requesterOf } from './order-numbers.ts';
import { groupObservationOrders, type ObservationOrder } from './order-observations.ts';
import { cursorsOf, sectionsFrom, tellAbout } from './sections.ts';
import { mapLegacySpecimen, mapSpecimen } from './specimen.ts';
import type { Translation } from './translation.ts';

export function mapResults(to: Translation): void {
  const seen = new Map<string, number>();
  for (const section of sectionsFrom(to, 'PID')) {
    const admission = mapAdmission(section);
    const { orders, patientNotes } = groupObservationOrders(section);
    if (admission === undefined) return;
    const note = noteText(patientNotes);
    for (const order of orders) mapReport(order, admission, note, seen, section);
    if (orders.length === 0)
      tellAbout(cursorsOf(section)[0] as SegmentCursor, to.reading, 'error', 'structure', 'No OBR follows the patient');
  }
}

function mapReport(
  order: ObservationOrder,
  admission: MappedAdmission,
  patientNote: string | undefined,
  seen: Map<string, number>,
  to: Translation,
): void {
  const { obr } = order;
  const { patient, encounter } = admission;
  // What becomes of the order is said by the report.
  order.orc?.ignore(1, 5);
  const code = concept()(obr.at(4)) ?? { text: 'Not named' };
  const status = obr.at(25).text;
  if (status === 'Y' || status === 'Z') {
    obr.at(25).tell('error', 'not-found', 'The laboratory knows no such order or patient');
    return;
  }
  const numbers = orderNumbers(order.orc, obr, to);
  const key = onceMore(reportKey(numbers.filled ?? numbers.placed, code, obr, admission, to), seen, obr);
  const basedOn = orderReference(numbers, { code, requester: requesterOf(order, to) }, patient, to);
  const effective = effectiveOf(obr);
  const [specimen, ...specimens] = specimensOf(order, admission, key, to);
  const context: ObservationContext = {
    patient,
    encounter,
    key,
    effective: (effective['effectiveDateTime'] ?? (effective['effectivePeriod'] as Json | undefined)?.['start']) as
      | string
      | undefined,
    basedOn,
    specimen,
  };
  const groups = [...order.observations, ...order.specimens.flatMap(({ observations }) => observations)];
  const { references, attachments } = mapObservations(groups, context, to);
  const resource = compact({
    resourceType: 'DiagnosticReport',
    identifier: [key, ...present([numbers.placed, numbers.filled])],
    basedOn: basedOn && [basedOn],
    status: statusOf(order),
    category: categoryOf(obr),
    code,
    subject: patient.reference,
    encounter: encounter?.reference,
    ...effective,
    issued: obr.at(22).isValued ? instant(obr.at(22)) : undefined,
    performer: performersOf(order, to),
    resultsInterpreter: practitioners([...obr.all(32), ...obr.all(34)].map(personOf), to),
    specimen: present([specimen, ...specimens]),
    result: references,
    conclusion: [noteText(order.notes), patientNote].filter((text) => text !== undefined).join('\n') || undefined,
    presentedForm: attachments,
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, [key]);
}

/** The laboratory's number and what was asked; one number may stand for several reports. */
function reportKey(
  number: Json | undefined,
  code: Json,
  obr: SegmentCursor,
  { patient }: MappedAdmission,
  to: Translation,
): Identifier {
  const [known] = number === undefined ? [] : keysOf([number]);
  const { system = '', value } = known ?? patient.key;
  const time = known === undefined ? obr.at(7).text || to.message.header.value(10) : '';
  return derivedIdentifier('DiagnosticReport', system, value, keyOfConcept(code), time);
}

/** Reports of one message under one number and code, or without a code, are told apart by their order: none may hide another. */
function onceMore(key: Identifier, seen: Map<string, number>, obr: SegmentCursor): Identifier {
  const count = (seen.get(key.value) ?? 0) + 1;
  seen.set(key.value, count);
  if (count === 1) return key;
  obr
    .at(4)
    .warn('business-rule', 'Another report of the message has this number and code: their order tells them apart');
  return derivedIdentifier('DiagnosticReport', key.value, String(count));
}

/** OBR-25; else what the results themselves say. */
function statusOf({ obr, observations }: ObservationOrder): string {
  const sent = obr.at(25);
  const found = REPORT_STATUS.get(sent.text);
  if (found !== undefined) return found;
  if (sent.text !== '') {
    sent.warn('code-invalid', 'The status of the report is not known');
    return 'unknown';
  }
  const statuses = new Set(observations.map(({ obx }) => obx.field(11).value));
  if (statuses.size === 0) return 'registered';
  if (['P', 'R', 'I', 'S', 'O'].some((status) => statuses.has(status))) return 'preliminary';
  return statuses.has('C') ? 'corrected' : 'final';
}

function effectiveOf(obr: SegmentCursor): Json {
  if (!obr.at(7).isValued) return {};
  if (!obr.at(8).isValued) return compact({ effectiveDateTime: obr.at(7).dateTime }) ?? {};
  return compact({ effectivePeriod: period(obr.at(7), obr.at(8)) }) ?? {};
}

function categoryOf(obr: SegmentCursor): readonly Json[] {
  const section = obr.at(24).isValued ? concept(DIAGNOSTIC_SERVICE)(obr.at(24)) : undefined;
  return present([section]);
}

/** NDL has the person in its first component, with subcomponents; some send an XCN. */
function personOf(cursor: Cursor): Cursor {
  const isFlat = cursor.at(1).part.parts.length === 1 && /^\D/.test(cursor.at(2).text);
  return isFlat ? cursor : cursor.at(1);
}

/** Who the results come from: the OBX-23 that is the same in all of them, and ORC-21 is who asked. */
function performersOf({ observations }: ObservationOrder, to: Translation): readonly Json[] {
  const [first] = observations;
  if (first === undefined || !first.obx.at(23).isValued) return [];
  const isShared = observations.every(({ obx }) => obx.field(23).raw === first.obx.field(23).raw);
  return isShared ? present([organization(first.obx.at(23), to)]) : [];
}

function specimensOf(
  { obr, specimens }: ObservationOrder,
  admission: MappedAdmission,
  key: Identifier,
  to: Translation,
): readonly Json[] {
  if (specimens.length > 0) return specimens.map(({ spm }) => mapSpecimen(spm, admission.patient, key, to));
  return present([mapLegacySpecimen(obr, admission.patient, key, to)]);
}
