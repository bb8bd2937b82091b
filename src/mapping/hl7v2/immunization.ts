/** ORC, RXA, RXR and OBX of a vaccination as Immunization. Source: message map VXU_V04. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { type MappedAdmission, mapAdmission } from './admission.ts';
import { BODY_SITE, ROUTE, systemUrl } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { concept, date, keyOfConcept, quantity, text } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { mapObservations, noteOf, type ObservationGroup } from './observation.ts';
import { groupOrders, type Order, type OrderPart } from './order-groups.ts';
import { location } from './place.ts';
import { tellAbout } from './sections.ts';
import { displayOf } from './supply.ts';
import type { Translation } from './translation.ts';

export function mapVaccinations(to: Translation): void {
  const admission = mapAdmission(to);
  if (admission === undefined) return;
  const orders = groupOrders(to);
  const supplies = orders.flatMap(({ supplies: found }) => found);
  for (const segment of to.message.all('RXA'))
    if (!supplies.some((part) => part.segment.segment === segment))
      to.reading.issues.push({
        severity: 'error',
        code: 'structure',
        diagnostics: 'RXA needs an ORC before it',
        expression: ['RXA'],
      });
  for (const order of orders) for (const part of order.supplies) mapVaccination(part, order, admission, to);
}

/** CVX: no vaccine was given; the message is only there for what else it says. */
const NO_VACCINE = '998';

function mapVaccination(part: OrderPart, order: Order, admission: MappedAdmission, to: Translation): void {
  const rxa = part.segment;
  order.orc.segment.ignore(1, 5);
  if (rxa.field(4).raw === rxa.field(3).raw) rxa.ignore(4);
  const { patient, encounter } = admission;
  const vaccine = concept()(rxa.at(5));
  const time = rxa.at(3).isValued ? rxa.at(3).dateTime : undefined;
  if (vaccine === undefined || time === undefined) {
    rxa.at(vaccine === undefined ? 5 : 3).tell('error', 'required', 'A vaccination needs a vaccine and a time');
    return;
  }
  if (rxa.field(5).value === NO_VACCINE) {
    tellAbout(rxa, to.reading, 'warning', 'business-rule', 'No vaccine was given (998): it is not stored');
    return;
  }
  const { identifiers, key } = numbersOf(order, vaccine, time, admission, to);
  const known = part.observations.filter((group) => ELIGIBILITY.has(codeOf(group)) || EDUCATION.has(codeOf(group)));
  const status = statusOf(rxa);
  const route = part.routes[0];
  const resource = compact({
    resourceType: 'Immunization',
    identifier: identifiers,
    status,
    statusReason: status === 'not-done' ? rxa.all(18).flatMap((cursor) => concept()(cursor) ?? [])[0] : undefined,
    vaccineCode: vaccine,
    patient: patient.reference,
    encounter: encounter?.reference,
    occurrenceDateTime: time,
    ...sourceOf(rxa),
    location: rxa.at(11).isValued ? location(rxa.at(11), to) : undefined,
    manufacturer: manufacturerOf(rxa),
    lotNumber: present(rxa.all(15).map(text))[0],
    expirationDate: rxa.at(16).isValued ? date(rxa.at(16)) : undefined,
    site: route?.at(2).isValued ? concept(BODY_SITE)(route.at(2)) : undefined,
    route: route?.at(1).isValued ? concept(ROUTE)(route.at(1)) : undefined,
    doseQuantity: rxa.at(6).text === '999' ? undefined : quantity(rxa.at(6), rxa.at(7)),
    performer: performersOf(rxa, order, to),
    note: noteOf(part.notes),
    reasonCode: rxa.all(19).flatMap((cursor) => concept()(cursor) ?? []),
    ...eligibilityOf(known),
    education: educationOf(known),
  }) as FhirResource; // it has its resourceType
  const reference = { reference: to.entries.store(resource, [key]) };
  const others = part.observations.filter((group) => !known.includes(group));
  mapObservations(others, { patient, encounter, key, effective: time, partOf: reference }, to);
}

/** ORC-3, else ORC-2; else the patient, the vaccine and the time make it the same. */
function numbersOf(
  { orc }: Order,
  vaccine: Json,
  time: string,
  { patient }: MappedAdmission,
  { reading }: Translation,
): { identifiers: readonly Json[]; key: Identifier } {
  const numbers = present([
    ei(orc.segment.at(3), 'FILL', localSystem(reading, 'vaccination')),
    ei(orc.segment.at(2), 'PLAC', localSystem(reading, 'vaccination-order')),
  ]);
  const [known] = keysOf(numbers);
  const { system = '', value } = patient.key;
  // One order may be for several vaccines.
  const { system: by = '', value: number } = known ?? { system, value: `${value} ${time}` };
  const key = derivedIdentifier('Immunization', by, number, keyOfConcept(vaccine));
  return { identifiers: [{ ...key }, ...numbers], key };
}

const STATUSES = new Map([
  ['', 'completed'],
  ['CP', 'completed'],
  ['PA', 'completed'],
  ['RE', 'not-done'],
  ['NA', 'not-done'],
]);

function statusOf(rxa: SegmentCursor): string {
  const sent = rxa.at(20);
  const found = STATUSES.get(sent.text);
  if (rxa.at(21).text === 'D') return 'entered-in-error';
  if (found === undefined) sent.warn('code-invalid', 'The completion status is not known: completed was taken');
  return found ?? 'completed';
}

/** RXA-9: 00 is a new record of who gave it; the others are from history. */
function sourceOf(rxa: SegmentCursor): Readonly<Record<string, unknown>> {
  const source = rxa.at(9);
  if (!source.isValued) return {};
  const isPrimary = source.at(1).text === '00';
  const origin = concept()(source);
  return { primarySource: isPrimary, reportOrigin: isPrimary ? undefined : origin };
}

function manufacturerOf(rxa: SegmentCursor): Json | undefined {
  const maker = rxa.at(17).isValued ? concept()(rxa.at(17)) : undefined;
  const [coding] = (maker?.['coding'] ?? []) as readonly Json[];
  const identifier = compact({ system: coding?.['system'], value: coding?.['code'] });
  return maker && compact({ identifier, display: displayOf(maker) });
}

const FUNCTIONS = systemUrl('v2-0443');
const performer = (code: string, actor: Json): Json => ({ function: { coding: [{ system: FUNCTIONS, code }] }, actor });

/** RXA-10 gave it, ORC-12 ordered it. */
const performersOf = (rxa: SegmentCursor, { orc }: Order, to: Translation): readonly Json[] => [
  ...practitioners(rxa.all(10), to).map((actor) => performer('AP', actor)),
  ...practitioners(orc.segment.all(12), to).map((actor) => performer('OP', actor)),
];

const codeOf = ({ obx }: ObservationGroup): string => obx.field(3).value;

/** LOINC codes of what an Immunization has an element for. */
const ELIGIBILITY = new Map([
  ['64994-7', 'programEligibility'],
  ['30963-3', 'fundingSource'],
]);
const EDUCATION = new Map([
  ['29768-9', 'publicationDate'],
  ['29769-7', 'presentationDate'],
  ['69764-9', 'documentType'],
]);

function eligibilityOf(groups: readonly ObservationGroup[]): Readonly<Record<string, unknown>> {
  const found = (name: string): readonly Json[] =>
    present(groups.map((group) => (ELIGIBILITY.get(codeOf(group)) === name ? read(group, concept()) : undefined)));
  return { programEligibility: found('programEligibility'), fundingSource: found('fundingSource')[0] };
}

/** OBX-4 says which belong together. */
function educationOf(groups: readonly ObservationGroup[]): readonly Json[] {
  const sheets = Map.groupBy(
    groups.filter((group) => EDUCATION.has(codeOf(group))),
    ({ obx }) => obx.at(4).text,
  );
  // Several numbers in one message without a type are one sheet with two dates.
  const lists = groups.some((group) => codeOf(group) === '69764-9')
    ? [...sheets.values()]
    : [[...sheets.values()].flat()];
  return present(lists.map(sheetOf));
}

function sheetOf(groups: readonly ObservationGroup[]): Json | undefined {
  const sheet: Record<string, unknown> = {};
  for (const group of groups) {
    const name = EDUCATION.get(codeOf(group)) ?? '';
    const value =
      name === 'documentType' ? displayOf(read(group, concept()) ?? {}) : read(group, (cursor) => cursor.dateTime);
    sheet[name] ??= value;
  }
  // A sheet has a document (imm-1).
  return sheet['documentType'] === undefined && Object.keys(sheet).length > 0
    ? compact({ documentType: 'Vaccine information statement', ...sheet })
    : compact(sheet);
}

/** OBX-5 as `as` reads it; what says only that it is an observation counts as read. */
function read<T>(
  { obx }: ObservationGroup,
  as: (cursor: ReturnType<SegmentCursor['at']>) => T | undefined,
): T | undefined {
  obx.ignore(1, 2, 3, 4, 11, 14);
  return obx.at(5).isValued ? as(obx.at(5)) : undefined;
}
