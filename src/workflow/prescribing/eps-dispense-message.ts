/**
 * What a pharmacy says to the Spine of a prescription that it dispensed here: the request to have it, then a dispense
 * notification for each item; pure. What is missing for it is told. eps/REFERENCE sections 5.5, 5.6, 8.1, 8.2; docs/eps.md
 */
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM, UUID_SYSTEM } from '../../mapping/eps/systems.ts';
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { identifierIn, listOf, type Node, nameOf, nodeOf, textIn, withoutUndefined } from './chart.ts';
import { DMD } from './systems.ts';

/** The pharmacy, and who dispensed there. */
export interface Dispensers {
  readonly pharmacy: Resource | undefined;
  readonly practitioner: Resource | undefined;
  readonly role: Resource | undefined;
}

/** Why nothing can be said to the Spine; empty where it can. */
export function missingToDispense({ pharmacy, practitioner, role }: Dispensers): readonly string[] {
  const jobs = listOf(role?.['code']).flatMap(({ coding }) => listOf(coding));
  const needs: readonly (readonly [boolean, string])[] = [
    [pharmacy !== undefined && odsOf(pharmacy) !== undefined, 'ODS code of the pharmacy'],
    [listOf(pharmacy?.['telecom']).length > 0, 'telephone number of the pharmacy'],
    [listOf(pharmacy?.['address']).length > 0, 'address of the pharmacy'],
    [practitioner !== undefined && identifierIn(practitioner, ID_SYSTEM.sdsUser) !== undefined, 'SDS user id'],
    [role !== undefined && identifierIn(role, ID_SYSTEM.sdsRoleProfile) !== undefined, 'SDS role profile id'],
    [jobs.some(({ system }) => system === CODE_SYSTEM.sdsJobRoleCode), 'SDS job role'],
  ];
  return needs.filter(([has]) => !has).map(([, what]) => what);
}

/** That the pharmacy wants to have the prescription of this number. */
export const releaseParameters = (dispensers: Dispensers, number: string): Node => ({
  resourceType: 'Parameters',
  id: 'release',
  parameter: [
    { name: 'owner', resource: organisationOf(dispensers) },
    { name: 'status', valueCode: 'accepted' },
    { name: 'agent', resource: roleOf(dispensers) },
    { name: 'group-identifier', valueIdentifier: { system: ID_SYSTEM.orderNumber, value: number } },
  ],
});

export interface ToNotify {
  readonly order: Node;
  /** The MedicationDispense of the item, as it is stored. */
  readonly dispense: Node;
  readonly nhsNumber: string;
  /** Of the Spine's answer that released it. */
  readonly releaseId: string;
  /** Whether nothing of the prescription is left to be dispensed. */
  readonly isLast: boolean;
  /** Of this message alone. */
  readonly seed: string;
  /** ms UTC */
  readonly at: number;
}

const EVENT = { code: 'dispense-notification', display: 'Dispense Notification' };
/** Of the prescription as a whole, and of the item: eps/REFERENCE section 8.2. */
const DISPENSED = { code: '0006', display: 'Dispensed' };
const WITH_DISPENSER_ACTIVE = { code: '0003', display: 'With Dispenser - Active' };
const FULLY_DISPENSED = { code: '0001', display: 'Item fully dispensed' };

/** That an item was handed over in full. */
export function dispenseNotificationMessage(dispensers: Dispensers, of: ToNotify): Node {
  const { order, dispense, nhsNumber, releaseId, isLast, seed, at } = of;
  const url = (name: string): string => `urn:uuid:${nameUuid('eps-notification', name, seed)}`;
  const [header, organisation, supplied] = [url('header'), url('organisation'), url('dispense')];
  const id = nameUuid('eps-notification', 'message', seed);
  const sender = { identifier: ods(dispensers), display: textIn(dispensers.pharmacy?.['name']) };
  const subject = { identifier: { system: ID_SYSTEM.nhsNumber, value: nhsNumber } };
  return {
    resourceType: 'Bundle',
    id,
    identifier: { system: UUID_SYSTEM, value: id },
    type: 'message',
    timestamp: new Date(at).toISOString(),
    entry: [
      {
        fullUrl: header,
        resource: {
          resourceType: 'MessageHeader',
          id: header.slice(9),
          eventCoding: { system: CODE_SYSTEM.messageEvent, ...EVENT },
          sender,
          source: { name: 'Mortar', endpoint: `urn:nhs-uk:addressing:ods:${sender.identifier.value}` },
          response: { identifier: releaseId, code: 'ok' },
          focus: [{ reference: supplied }],
        },
      },
      { fullUrl: organisation, resource: { ...organisationOf(dispensers), id: organisation.slice(9) } },
      {
        fullUrl: supplied,
        resource: withoutUndefined({
          resourceType: 'MedicationDispense',
          id: supplied.slice(9),
          contained: [roleOf(dispensers, organisation), requestOf(order, subject)],
          extension: [
            {
              url: EXTENSION.taskBusinessStatus,
              valueCoding: {
                system: CODE_SYSTEM.taskBusinessStatus,
                ...(isLast ? DISPENSED : WITH_DISPENSER_ACTIVE),
              },
            },
          ],
          identifier: [{ system: ID_SYSTEM.dispenseItem, value: supplied.slice(9) }],
          status: 'completed',
          medicationCodeableConcept: medicineIn(dispense),
          subject,
          performer: [{ actor: { reference: '#performer' } }],
          authorizingPrescription: [{ reference: '#item' }],
          type: { coding: [{ system: CODE_SYSTEM.itemStatus, ...FULLY_DISPENSED }] },
          quantity: nodeOf(dispense['quantity']),
          whenHandedOver: dispense['whenHandedOver'],
          dosageInstruction: listOf(dispense['dosageInstruction']).map(({ text }) => ({ text })),
        }),
      },
    ],
  };
}

/** The order, as far as a notification says of it. */
const requestOf = (order: Node, subject: Node): Node => ({
  resourceType: 'MedicationRequest',
  id: 'item',
  identifier: listOf(order['identifier']).filter(({ system }) => system === ID_SYSTEM.orderItem),
  status: 'active',
  intent: 'order',
  medicationCodeableConcept: medicineIn(order),
  subject,
  groupIdentifier: order['groupIdentifier'],
  courseOfTherapyType: order['courseOfTherapyType'],
  dispenseRequest: { quantity: nodeOf(order['dispenseRequest'])['quantity'] },
});

const medicineIn = (resource: Node): Node => ({
  coding: listOf(nodeOf(resource['medicationCodeableConcept'])['coding']).filter(({ system }) => system === DMD),
});

const odsOf = (organization: Resource): string | undefined => identifierIn(organization, ID_SYSTEM.odsOrganisation);
const ods = ({ pharmacy }: Dispensers): { readonly system: string; readonly value: string } => ({
  system: ID_SYSTEM.odsOrganisation,
  value: (pharmacy && odsOf(pharmacy)) ?? '',
});

/** NHS Prescription Services, who pay pharmacies in England, where the pharmacy's own resource names nobody else. */
const PAYER = { system: ID_SYSTEM.odsOrganisation, value: 'T1450' };

/** The pharmacy as EPS knows it. */
function organisationOf(dispensers: Dispensers): Node {
  const pharmacy: Node = dispensers.pharmacy ?? {};
  const own = listOf(pharmacy['extension']).filter(({ url }) => url === EXTENSION.organisationRelationships);
  const paidBy = { url: 'reimbursementAuthority', valueIdentifier: PAYER };
  return withoutUndefined({
    resourceType: 'Organization',
    id: 'pharmacy',
    extension: own.length > 0 ? own : [{ url: EXTENSION.organisationRelationships, extension: [paidBy] }],
    identifier: [ods(dispensers)],
    name: pharmacy['name'],
    telecom: telecomOf(pharmacy),
    address: listOf(pharmacy['address']).slice(0, 1).map(atWork),
  });
}

/** V3 says the use of each; that of a pharmacy is its work. */
const atWork = (one: Node): Node => ({ use: 'work', ...one });

/** Telephones: a dispenser's first contact point goes to the Spine. */
const telecomOf = (of: Node): readonly Node[] => {
  const all = listOf(of['telecom']);
  const phones = all.filter(({ system }) => system === 'phone');
  return (phones.length > 0 ? phones : all).slice(0, 1).map(atWork);
};

/** Who dispensed, in their role; with the pharmacy's telephone where the role names none. */
function roleOf({ pharmacy, practitioner, role }: Dispensers, organisation?: string): Node {
  const userId = (practitioner && identifierIn(practitioner, ID_SYSTEM.sdsUser)) ?? '';
  const own = telecomOf(role ?? {});
  return withoutUndefined({
    resourceType: 'PractitionerRole',
    id: 'performer',
    identifier: listOf(role?.['identifier']).filter(({ system }) => system === ID_SYSTEM.sdsRoleProfile),
    practitioner: { identifier: { system: ID_SYSTEM.sdsUser, value: userId }, display: nameOf(practitioner ?? {}) },
    organization: organisation === undefined ? undefined : { reference: organisation },
    code: role?.['code'],
    telecom: own.length > 0 ? own : telecomOf(pharmacy ?? {}),
  });
}
