/**
 * The prescription-order message of approved orders, as the Electronic Prescription Service takes it; pure. What is missing
 * for it is told, and then nothing is sent. docs/eps.md; https://digital.nhs.uk/developer/api-catalogue/electronic-prescription-service-fhir
 */
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { identifierIn, listOf, type Node, nodeOf, textIn } from './chart.ts';
import { controlledDrugOf, missingForSchedule } from './eps-controlled-drug.ts';
import type { Item } from './items.ts';
import { DMD } from './systems.ts';

export interface EpsParties {
  readonly patient: Resource;
  readonly practitioner: Resource | undefined;
  readonly role: Resource | undefined;
  readonly practice: Resource | undefined;
  /** That the practice is part of. */
  readonly parent: Resource | undefined;
  readonly pharmacy: Resource | undefined;
}

/** Units of measure of dm+d, by form. */
const UNITS: ReadonlyMap<string, { readonly unit: string; readonly code: string }> = new Map([
  ['tablets', { unit: 'tablet', code: '428673006' }],
  ['capsules', { unit: 'capsule', code: '428641000' }],
  ['oral solution', { unit: 'millilitre', code: '258773002' }],
]);
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';

/** Why it cannot be an electronic prescription; empty where it can. */
export function missingForEps(
  { patient, practitioner, role, practice, parent, pharmacy }: EpsParties,
  items: readonly Item[],
): readonly string[] {
  const needs: readonly (readonly [boolean, string])[] = [
    [identifierIn(patient, ID_SYSTEM.nhsNumber) !== undefined, 'the NHS number of the patient'],
    [listOf(patient['address']).length > 0, 'the address of the patient'],
    [
      practitioner !== undefined && identifierIn(practitioner, ID_SYSTEM.sdsUser) !== undefined,
      'the SDS user id of the prescriber',
    ],
    [
      practitioner !== undefined &&
        [ID_SYSTEM.gmc, ID_SYSTEM.gmp, ID_SYSTEM.nmc, ID_SYSTEM.gphc].some(
          (one) => identifierIn(practitioner, one) !== undefined,
        ),
      'the professional code of the prescriber',
    ],
    [
      role !== undefined && identifierIn(role, ID_SYSTEM.sdsRoleProfile) !== undefined,
      'the SDS role profile id of the prescriber',
    ],
    [role !== undefined && listOf(role['telecom']).length > 0, 'the telephone number of the prescriber'],
    [
      practice !== undefined &&
        odsOf(practice) !== undefined &&
        listOf(practice['telecom']).length > 0 &&
        listOf(practice['address']).length > 0,
      'ODS code, telephone number and address of the practice',
    ],
    [parent !== undefined && odsOf(parent) !== undefined, 'the ODS code of the organisation above the practice'],
    [pharmacy !== undefined && odsOf(pharmacy) !== undefined, 'the ODS code of the pharmacy'],
    [items.length <= 4, 'four items at most'],
    ...items.flatMap(({ entry, name, quantity }): readonly (readonly [boolean, string])[] => [
      [entry?.codes.dmd !== undefined, `the dm+d code of ${name}`],
      [entry !== undefined && UNITS.has(entry.form), `a dm+d unit for ${name}`],
      ...missingForSchedule(entry, quantity).map((what) => [false, `${what} for ${name}`] as const),
    ]),
  ];
  return needs.filter(([has]) => !has).map(([, what]) => what);
}

const odsOf = (organization: Resource): string | undefined => identifierIn(organization, ID_SYSTEM.odsOrganisation);

/** What is missing to cancel in the name of a prescriber. */
export const missingToCancel = ({ practitioner, role }: EpsParties): readonly string[] => [
  ...(practitioner && identifierIn(practitioner, ID_SYSTEM.sdsUser) !== undefined
    ? []
    : ['SDS user id of the prescriber']),
  ...(role && identifierIn(role, ID_SYSTEM.sdsRoleProfile) !== undefined
    ? []
    : ['SDS role profile id of the prescriber']),
];

/** `3C91D7-Z99901-4F2A6D`, with the check character of ISO 7064 MOD 37-2; the same for the same UUID. */
export function shortFormId(uuid: string, odsCode: string): string {
  const hex = uuid.replaceAll('-', '').toUpperCase();
  const body = `${hex.slice(0, 6)}-${odsCode.padStart(6, '0').toUpperCase()}-${hex.slice(6, 11)}`;
  const sum = [...body.replaceAll('-', '')].reduce((rest, one) => ((rest + ALPHABET.indexOf(one)) * 2) % 37, 0);
  return body + (ALPHABET[(38 - sum) % 37] ?? '');
}

/** The order as EPS knows it: its numbers, its type, its unit. */
export function asEpsOrder(
  order: Resource,
  item: Item,
  { role, practice, pharmacy }: EpsParties,
  requestId: string,
): Resource {
  const uuid = nameUuid('eps-prescription', requestId);
  const number = nameUuid('eps-item', String(order['id']));
  const unit = UNITS.get(item.entry?.form ?? '');
  const dispense = nodeOf(order['dispenseRequest']);
  const reference = `PractitionerRole/${String(role?.['id'])}`;
  return {
    ...order,
    resourceType: 'MedicationRequest',
    extension: [
      {
        url: EXTENSION.prescriptionType,
        valueCoding: {
          system: CODE_SYSTEM.prescriptionType,
          code: '0101',
          display: 'Primary Care Prescriber - Medical Prescriber',
        },
      },
      { url: EXTENSION.responsiblePractitioner, valueReference: { reference } },
      ...controlledDrugOf(item.entry, item.quantity),
    ],
    identifier: [...listOf(order['identifier']), { system: ID_SYSTEM.orderItem, value: number }],
    requester: { reference },
    groupIdentifier: {
      extension: [{ url: EXTENSION.prescriptionId, valueIdentifier: { system: ID_SYSTEM.prescription, value: uuid } }],
      system: ID_SYSTEM.orderNumber,
      value: shortFormId(uuid, (practice && odsOf(practice)) ?? ''),
    },
    courseOfTherapyType: {
      coding: [{ system: CODE_SYSTEM.courseOfTherapy, code: 'acute', display: 'Short course (acute) therapy' }],
    },
    dispenseRequest: {
      ...dispense,
      extension: [
        { url: EXTENSION.performerSiteType, valueCoding: { system: CODE_SYSTEM.sitePreference, code: 'P1' } },
      ],
      quantity: { value: item.quantity, unit: unit?.unit, system: DMD, code: unit?.code },
      performer: {
        ...nodeOf(dispense['performer']),
        identifier: { system: ID_SYSTEM.odsOrganisation, value: (pharmacy && odsOf(pharmacy)) ?? '' },
      },
    },
    substitution: { allowedBoolean: false },
  };
}

const ORDER = { code: 'prescription-order', display: 'Prescription Order' };
const UPDATE = { code: 'prescription-order-update', display: 'Prescription Order Update' };

export interface ToCancelItem {
  readonly order: Resource;
  /** Of who prescribed it. */
  readonly parties: EpsParties;
  readonly canceller: EpsParties;
  /** Of this message alone. */
  readonly seed: string;
  /** ms UTC */
  readonly at: number;
  readonly reason: { readonly code: string; readonly display: string };
}

/** That an item is not to be dispensed any more. */
export function epsCancellation({ order, parties, canceller, seed, at, reason }: ToCancelItem): Node {
  const cancelled = {
    ...order,
    status: 'cancelled',
    statusReason: { coding: [{ system: CODE_SYSTEM.cancellationReason, ...reason }] },
    requester: { reference: `PractitionerRole/${String(canceller.role?.['id'])}` },
  };
  return epsMessage([cancelled], parties, seed, at, UPDATE, canceller);
}

/** The message; the same for the same orders, however often it is made. `sentBy`: who sends it, where that is another. */
export function epsMessage(
  orders: readonly Resource[],
  parties: EpsParties,
  requestId: string,
  at: number,
  event: typeof ORDER = ORDER,
  sentBy: EpsParties = parties,
): Node {
  const { patient, practitioner, role, practice, parent, pharmacy } = parties;
  const own = [patient, practitioner, role, practice, parent];
  const theirs = [sentBy.practitioner, sentBy.role, sentBy.practice, sentBy.parent];
  const all = [...own, ...theirs].filter((one) => one !== undefined);
  const people = [...new Map(all.map((one) => [pathOf(one), one])).values()];
  const urls = new Map(
    [...orders, ...people].map((one) => [pathOf(one), `urn:uuid:${nameUuid('eps-entry', requestId, pathOf(one))}`]),
  );
  const headerUrl = `urn:uuid:${nameUuid('eps-header', requestId)}`;
  const id = nameUuid('eps-message', requestId);
  const receiver = {
    identifier: { system: ID_SYSTEM.odsOrganisation, value: (pharmacy && odsOf(pharmacy)) ?? '' },
    display: textIn(pharmacy?.['name']),
  };
  const sender = {
    identifier: { system: ID_SYSTEM.odsOrganisation, value: (practice && odsOf(practice)) ?? '' },
    display: textIn(practice?.['name']),
  };
  const header = {
    resourceType: 'MessageHeader',
    id: headerUrl.slice(9),
    eventCoding: { system: CODE_SYSTEM.messageEvent, ...event },
    destination: [{ endpoint: `urn:nhs-uk:addressing:ods:${receiver.identifier.value}`, receiver }],
    sender,
    source: { name: 'Mortar', endpoint: `urn:nhs-uk:addressing:ods:${sender.identifier.value}` },
    focus: [...orders, patient].map((one) => ({ reference: urls.get(pathOf(one)) })),
  };
  const entry = [
    { fullUrl: headerUrl, resource: header },
    ...orders.map((one) => entryOf(withoutOwn(one, validityOf(orders)), one, urls)),
    entryOf(
      {
        ...patient,
        generalPractitioner: [{ identifier: sender.identifier }],
        managingOrganization: undefined,
        extension: undefined,
      },
      patient,
      urls,
    ),
    ...people.slice(1).map((one) => entryOf(one, one, urls)),
  ];
  return {
    resourceType: 'Bundle',
    id,
    identifier: { system: 'https://tools.ietf.org/html/rfc4122', value: id },
    type: 'message',
    timestamp: new Date(at).toISOString(),
    entry,
  };
}

const pathOf = (resource: Resource): string => `${resource.resourceType}/${String(resource['id'])}`;

/** EPS knows one time for all items: that of the one that ends first. */
function validityOf(orders: readonly Resource[]): Node | undefined {
  const periods = orders.flatMap((order) => {
    const period = nodeOf(order['dispenseRequest'])['validityPeriod'];
    return period === undefined ? [] : [nodeOf(period)];
  });
  return periods.toSorted((a, b) => (String(a['end']) < String(b['end']) ? -1 : 1))[0];
}

/** What EPS does not know of; how long an item lasts it asks of repeat dispensing alone. */
function withoutOwn(order: Resource, validityPeriod: Node | undefined): Resource {
  const { basedOn: _basedOn, encounter: _encounter, note: _note, ...rest } = order;
  const concept = nodeOf(order['medicationCodeableConcept']);
  const dispense = nodeOf(order['dispenseRequest']);
  const { numberOfRepeatsAllowed: _repeats, expectedSupplyDuration: _days, ...once } = dispense;
  const { reference: _reference, ...performer } = nodeOf(dispense['performer']);
  return {
    ...rest,
    resourceType: 'MedicationRequest',
    identifier: listOf(order['identifier']).filter(({ system }) => system === ID_SYSTEM.orderItem),
    medicationCodeableConcept: { coding: listOf(concept['coding']).filter(({ system }) => system === DMD) },
    dosageInstruction: listOf(order['dosageInstruction']).map(({ text }) => ({ text })),
    dispenseRequest: { ...once, ...(validityPeriod && { validityPeriod }), performer },
  };
}

function entryOf(shown: Node, resource: Resource, urls: ReadonlyMap<string, string>): object {
  const fullUrl = urls.get(pathOf(resource)) ?? '';
  const { meta: _meta, ...rest } = shown;
  return { fullUrl, resource: rewritten({ ...rest, id: fullUrl.slice(9) }, urls) };
}

function rewritten(value: unknown, urls: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => rewritten(one, urls));
  if (typeof value !== 'object' || value === null || value.constructor !== Object) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    members.map(([name, member]) => [
      name,
      name === 'reference' && typeof member === 'string' ? (urls.get(member) ?? member) : rewritten(member, urls),
    ]),
  );
}
