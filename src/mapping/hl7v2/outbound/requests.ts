/** ServiceRequest as ORC with OBR, its reasons, notes, measurements and specimens. docs/hl7v2.md "FHIR to HL7 v2" */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import { BODY_SITE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { writeDiagnosis } from './encounter.ts';
import { asComponent, cnn, cwe, dtm, ei, identifierOf, plainIdentifier, repeated, xcn, xon } from './fields.ts';
import { firstNotes, lastNote, writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { pl } from './place.ts';
import { writeObservation, writeSpecimen } from './results.ts';
import { listOf, objectOf, referencesOf, textOf } from './source.ts';
import { priorityOf } from './timing.ts';

const SENT = [
  ...['identifier', 'requisition', 'status', 'intent', 'priority', 'code', 'subject', 'encounter'],
  ...['occurrenceDateTime', 'authoredOn', 'requester', 'performer', 'reasonCode', 'supportingInfo', 'specimen'],
  ...['bodySite', 'locationReference', 'note'],
];

/** What the change of status asks for (table 0119), and the status it leaves (table 0038). */
const CONTROLS = new Map([
  ['active', ['NW', 'IP']],
  ['completed', ['SC', 'CM']],
  ['revoked', ['CA', 'CA']],
  ['on-hold', ['HD', 'HD']],
  ['entered-in-error', ['SC', 'ER']],
  ['unknown', ['SC', undefined]],
] as const);

/** `hasTimings`: the structure has a TQ1 (OML^O21); that of ORM^O01 has none, and the timing stands in OBR-27. */
export function writeServiceRequest(request: Json, hasTimings: boolean, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(request, SENT);
  const state = CONTROLS.get((textOf(request['status']) ?? '') as 'active');
  if (state === undefined) {
    from.fail('An order of this status is not sent', 'ServiceRequest.status');
    return;
  }
  const [control, status] = state;
  const placed = ei(identifierOf(request, 'PLAC') ?? plainIdentifier(request));
  const filled = ei(identifierOf(request, 'FILL'));
  if (placed === undefined && filled === undefined)
    from.fail('An order without a number cannot be sent', 'ServiceRequest.identifier');
  const requester = repeated(xcn(request['requester'], from));
  const priority = priorityOf(request);
  const start = dtm(request['occurrenceDateTime']);
  const isTimed = hasTimings && to.version >= 250;
  // A diagnosis of which more is known than its code stands in a DG1 of its own.
  const isReason = (condition: Json): boolean =>
    listOf(request['reasonCode']).some((reason) => isSameCode(reason, condition['code']));
  const diagnoses = from.all('Condition').filter(isReason);
  const reasons = listOf(request['reasonCode']).filter(
    (reason) => !diagnoses.some((condition) => isSameCode(reason, condition['code'])),
  );
  const uses = listOf(from.first('Encounter')?.['diagnosis']);
  out.reset('OBX', 'SPM');
  out.write('ORC', {
    1: control === 'NW' ? to.orderControl : control,
    2: placed,
    3: filled,
    4: ei(objectOf(request['requisition'])),
    5: status,
    9: dtm(request['authoredOn']),
    12: requester,
    13: pl(referencesOf(request['locationReference'])[0], from),
    21: xon(request['requester'], from),
  });
  if (isTimed && (priority !== undefined || start !== undefined)) out.write('TQ1', { 1: '1', 7: start, 9: priority });
  out.write('OBR', {
    1: out.next('OBR'),
    2: placed,
    3: filled,
    4: cwe(request['code']),
    11: request['intent'] === 'reflex-order' ? 'G' : undefined,
    13: firstNotes(request),
    15: siteOf(request),
    16: requester,
    27: isTimed || (priority === undefined && start === undefined) ? undefined : timingOf(start, priority),
    31: repeated(reasons.map((reason) => cwe(reason))),
    34: performerOf(request, to),
    36: start,
  });
  writeNotes(lastNote(request), out);
  for (const condition of diagnoses) writeDiagnosis(condition, uses, to);
  for (const reference of referencesOf(request['supportingInfo'])) {
    const found = from.resolve(reference);
    if (found?.['resourceType'] === 'Observation') writeObservation(found, to);
  }
  for (const reference of referencesOf(request['specimen'])) writeSpecimen(from.resolve(reference), to);
}

const isSameCode = (a: unknown, b: unknown): boolean => JSON.stringify(cwe(a)) === JSON.stringify(cwe(b));

/** TQ: the start and the urgency. */
const timingOf = (start: string | undefined, priority: string | undefined): FieldInput => [
  ...[undefined, undefined, undefined],
  start,
  undefined,
  priority,
];

/** SPS: the site is its fourth component. */
function siteOf(request: Json): FieldInput {
  const site = cwe(listOf(request['bodySite'])[0], BODY_SITE);
  return site && [undefined, undefined, undefined, asComponent(site)];
}

/** NDL: the person is one component. */
function performerOf(request: Json, { from }: Outbound): FieldInput {
  return repeated(
    referencesOf(request['performer'])
      .slice(0, 1)
      .flatMap((reference) => cnn(reference, from)),
  );
}
