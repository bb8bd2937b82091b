/** A prescription of the system before as FHIR, and what of it the record does not say. docs/prescribing.md "From the system before" */
import { nameUuid } from '../../../mapping/transaction-bundle.ts';
import type { Resource } from '../../../ports/resource-store.ts';
import { namingSystemUrl } from '../../../standards/fhir/canonical.ts';
import { listOf, type Node, nodeOf, textIn } from '../chart.ts';
import { type Item, instructionsText, medicationRequestOf } from '../items.ts';
import { requestTask } from '../request-task.ts';
import { RXNORM } from '../systems.ts';
import type { LegacyItem, LegacyPerson, LegacyPrescription } from './read.ts';

/** Whom and what the system before knew by these ids. */
export const LEGACY_PATIENT = namingSystemUrl('legacy-patient');
export const LEGACY_DOCTOR = namingSystemUrl('legacy-doctor');
export const LEGACY_PRESCRIPTION = namingSystemUrl('legacy-prescription');

/** The same prescription has the same ids however often it is imported. */
export const taskIdOf = ({ id }: LegacyPrescription): string => nameUuid('legacy', 'Task', id);
const orderIdOf = ({ id }: LegacyPrescription, index: number): string =>
  nameUuid('legacy', 'MedicationRequest', id, String(index));
const referenceOf = ({ id }: LegacyPrescription): string => `LEGACY-${id}`;

export function patientOf({ id, firstName, lastName, dob }: LegacyPerson): Resource {
  return {
    resourceType: 'Patient',
    identifier: [{ system: LEGACY_PATIENT, value: id }],
    name: nameOf(id, firstName, lastName),
    ...(dob !== undefined && { birthDate: dob }),
  };
}

export function doctorOf({ id, firstName, lastName, licenceNumber }: LegacyPerson): Resource {
  return {
    resourceType: 'Practitioner',
    identifier: [{ system: LEGACY_DOCTOR, value: id }],
    name: nameOf(id, firstName, lastName),
    ...(licenceNumber !== undefined && {
      qualification: [{ identifier: [{ value: licenceNumber }], code: { text: 'Licence' } }],
    }),
  };
}

/** Of somebody whose name was not kept, the id. */
const nameOf = (id: string, firstName?: string, lastName?: string): readonly object[] =>
  firstName === undefined && lastName === undefined
    ? [{ text: id }]
    : [{ ...(lastName !== undefined && { family: lastName }), ...(firstName !== undefined && { given: [firstName] }) }];

/** The Task that holds the items together, and an order for each item. */
export function resourcesOf(
  prescription: LegacyPrescription,
  { patientId, doctorId }: { readonly patientId: string; readonly doctorId: string },
): readonly Resource[] {
  const { issuedAt, notes, status } = prescription;
  const [reference, requester] = [referenceOf(prescription), `Practitioner/${doctorId}`];
  const legacy = (resource: Resource, value: string): Resource => ({
    ...resource,
    identifier: [...listOf(resource['identifier']), { system: LEGACY_PRESCRIPTION, value }],
  });
  const task = requestTask({
    id: taskIdOf(prescription),
    reference,
    state: status === 'cancelled' ? 'cancelled' : 'approved',
    intent: 'order',
    patientId,
    requester,
    at: issuedAt,
    ...(notes !== undefined && { notes }),
  });
  const orders = prescription.items.map((item, i): Resource => {
    const order = medicationRequestOf({
      id: orderIdOf(prescription, i),
      item: itemOf(item),
      intent: 'order',
      patientId,
      reference,
      at: issuedAt,
      requester,
      ...(notes !== undefined && { note: notes }),
    });
    return legacy(withLegacy(order, item, prescription), `${prescription.id}/${i + 1}`);
  });
  return [legacy(task, prescription.id), ...orders];
}

const itemOf = ({ medication, dose, route, frequency, duration, quantity, instructions }: LegacyItem): Item => ({
  name: medication,
  ...(dose !== undefined && { dose }),
  ...(route !== undefined && { route }),
  ...(frequency !== undefined && { frequency }),
  ...(duration !== undefined && { duration }),
  ...(instructions !== undefined && { instructions }),
  ...amountOf(quantity),
  repeats: 0,
  isAcute: true,
});

/** `30 capsules`: what is no number and its unit is told by the texts alone. */
function amountOf(text = ''): { readonly quantity: number; readonly quantityUnit?: string } {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,6})?)\s*(\D.*)?$/.exec(text) ?? [];
  return { quantity: Number(number ?? 0), ...(unit !== undefined && { quantityUnit: unit.trim() }) };
}

/** What the old system said goes before what ours would work out. */
function withLegacy(order: Resource, item: LegacyItem, { status, expiresAt, issuedAt }: LegacyPrescription): Resource {
  const [before = {}] = listOf(order['dosageInstruction']);
  const {
    quantity,
    expectedSupplyDuration: _days,
    validityPeriod: _valid,
    ...dispense
  } = nodeOf(order['dispenseRequest']);
  const { frequency, quantity: amount, rxnormCode, instructions } = item;
  const isNumber = amountOf(amount).quantity > 0;
  const start = new Date(issuedAt).toISOString();
  const said = {
    ...before,
    ...(instructions !== undefined && { patientInstruction: instructions }),
    ...(frequency !== undefined && { timing: { ...nodeOf(before['timing']), code: { text: frequency } } }),
  };
  const { dosageInstruction: _dosage, ...rest } = order;
  return {
    ...rest,
    resourceType: 'MedicationRequest',
    status,
    medicationCodeableConcept: {
      ...(rxnormCode !== undefined && { coding: [{ system: RXNORM, code: rxnormCode, display: item.medication }] }),
      text: item.medication,
    },
    ...(Object.keys(said).length > 0 && { dosageInstruction: [said] }),
    dispenseRequest: {
      ...dispense,
      ...(expiresAt !== undefined && { validityPeriod: { start, end: new Date(expiresAt).toISOString() } }),
      ...(isNumber && { quantity }),
    },
    // Nothing that was written is lost.
    ...(amount !== undefined && !isNumber && { note: [...listOf(order['note']), { text: `Quantity: ${amount}` }] }),
  };
}

/** Elements of the old prescription that the record says otherwise, or not at all: none where both are the same. */
export function differencesOf(prescription: LegacyPrescription, stored: readonly Resource[]): readonly string[] {
  const { issuedAt, expiresAt, notes, status } = prescription;
  const task = stored.find(({ resourceType }) => resourceType === 'Task');
  const numberOf = (order: Resource): string | undefined =>
    textIn(listOf(order['identifier']).find(({ system }) => system === LEGACY_PRESCRIPTION)?.['value']);
  const differences: string[] = [];
  const same = (at: string, before: unknown, now: unknown): void => {
    if (before !== now) differences.push(at);
  };
  if (!task) differences.push('id');
  const input = listOf(task?.['input']).map((one) => textIn(one['valueString']));
  same(
    'notes',
    notes,
    input.find((text) => text !== undefined),
  );
  for (const [i, item] of prescription.items.entries()) {
    const order = stored.find((one) => numberOf(one) === `${prescription.id}/${i + 1}`);
    const at = `items[${i}]`;
    if (!order) {
      differences.push(at);
      continue;
    }
    same(`${at}.status`, status, order['status']);
    same(`${at}.issuedAt`, issuedAt, Date.parse(String(order['authoredOn'])));
    const end = textIn(nodeOf(nodeOf(order['dispenseRequest'])['validityPeriod'])['end']);
    same(`${at}.expiresAt`, expiresAt, end === undefined ? undefined : Date.parse(end));
    for (const [name, before, now] of textsOf(item, order)) same(`${at}.${name}`, before, now);
  }
  return differences;
}

function textsOf(item: LegacyItem, order: Node): readonly (readonly [string, unknown, unknown])[] {
  const [dosage = {}] = listOf(order['dosageInstruction']);
  const concept = nodeOf(order['medicationCodeableConcept']);
  const quantity = nodeOf(nodeOf(order['dispenseRequest'])['quantity']);
  const amount = amountOf(item.quantity);
  const notes = listOf(order['note']).map(({ text }) => text);
  return [
    ['medication', item.medication, concept['text']],
    ['rxnormCode', item.rxnormCode, listOf(concept['coding'])[0]?.['code']],
    ['dose', item.dose, nodeOf(listOf(dosage['doseAndRate'])[0]?.['type'])['text']],
    ['route', item.route, nodeOf(dosage['route'])['text']],
    ['frequency', item.frequency, nodeOf(nodeOf(dosage['timing'])['code'])['text']],
    ['duration', instructionsText(itemOf(item)) || undefined, dosage['text']],
    ['instructions', item.instructions, dosage['patientInstruction']],
    amount.quantity > 0
      ? ['quantity', amount.quantity, Number(String(quantity['value']))]
      : ['quantity', item.quantity === undefined || notes.includes(`Quantity: ${item.quantity}`), true],
    ['quantity', amount.quantityUnit, amount.quantity > 0 ? quantity['unit'] : amount.quantityUnit],
  ];
}
