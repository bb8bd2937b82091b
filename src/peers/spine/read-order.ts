/** Reads a ParentPrescription and finds everything that is wrong with it by itself. eps/REFERENCE section 7. */
import { missing, prescribeError, Refusal, refuse, type SpineError } from './errors.ts';
import { hasCheckCharacter, isNhsNumber, isShortForm } from './identifiers.ts';
import type { Item } from './prescription.ts';
import { type Agent, idAt, NHS_NUMBER, ODS, readAgent, SHORT_FORM } from './read-parts.ts';
import { readInstant } from './time.ts';
import { all, at, attribute, type Node, textOf } from './xml.ts';

export interface Order {
  readonly id: string;
  readonly messageId: string;
  readonly uuid: string;
  readonly nhsNumber: string;
  readonly treatment: '0001' | '0002' | '0003';
  readonly nominated: string | undefined;
  /** ms UTC: from when it counts. */
  readonly issuedAt: number;
  /** ms UTC */
  readonly signedAt: number;
  readonly repeats: number;
  /** Supply of one issue, in days; eRD only. */
  readonly days: number | undefined;
  readonly author: Agent;
  readonly phone: string;
  readonly items: readonly Item[];
  /** The ParentPrescription itself. */
  readonly node: Node;
}

const ITEMS_MAX = 4;
const REPEATS_MAX = 99;
const DATE = prescribeError('9006');

/** Throws `Refusal` with every fault. */
export function readOrder(node: Node): Order {
  const errors: SpineError[] = [];
  const collect = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.push(...error.errors);
      return undefined;
    }
  };
  const prescription = at(node, 'pertinentInformation1/pertinentPrescription');
  if (prescription === undefined) return refuse(prescribeError('0009'));
  const found = {
    messageId: collect(() => idAt(node, 'id', 'message id')),
    id: collect(() => readShortForm(prescription)),
    uuid: collect(() => idAt(prescription, 'id', 'prescription id')),
    nhsNumber: collect(() => readNhsNumber(node)),
    treatment: collect(() => readTreatment(prescription)),
    issuedAt: collect(() => readInstant(attribute(node, 'effectiveTime', 'value'), DATE)),
    signedAt: collect(() => readInstant(attribute(prescription, 'author/time', 'value'), DATE)),
    author: collect(() => readAuthor(prescription)),
    items: collect(() => readItems(prescription)),
    repeats: collect(() => readRepeats(prescription)),
    days: collect(() => readDays(prescription)),
  };
  const nominated = at(prescription, 'performer/AgentOrgSDS/agentOrganizationSDS/id');
  const nominatedOds =
    nominated &&
    collect(() => idAt(prescription, 'performer/AgentOrgSDS/agentOrganizationSDS/id', 'nominated pharmacy', ODS));
  if (errors.length > 0) throw new Refusal(errors);
  return {
    // Nothing was refused, so that all of it is there; days only where there are several issues.
    ...(found as Required<typeof found> as Omit<Order, 'nominated' | 'phone' | 'node'>),
    nominated: nominatedOds,
    phone: phoneOf(prescription),
    node,
  };
}

function readShortForm(prescription: Node): string {
  const ids = all(prescription, 'id').filter((id) => attribute(id, '', 'root') === SHORT_FORM);
  const [id] = ids.map((node) => attribute(node, '', 'extension'));
  if (id === undefined || ids.length !== 1) return refuse(missing('prescriptionID is missing'));
  if (!isShortForm(id)) return refuse(missing('prescriptionID has invalid format'));
  return hasCheckCharacter(id) ? id : refuse(missing('prescriptionID has invalid checksum'));
}

function readNhsNumber(node: Node): string {
  const id = idAt(node, 'recordTarget/Patient/id', 'patient', NHS_NUMBER);
  if (attribute(node, 'recordTarget/Patient/patientPerson/birthTime', 'value') === undefined)
    return refuse(prescribeError('0008', 'Missing value: birthTime'));
  readInstant(attribute(node, 'recordTarget/Patient/patientPerson/birthTime', 'value'), DATE);
  return isNhsNumber(id) ? id : refuse(prescribeError('0007'));
}

function readTreatment(prescription: Node): Order['treatment'] {
  const path = 'pertinentInformation5/pertinentPrescriptionTreatmentType/value';
  const code = attribute(prescription, path, 'code');
  if (code === undefined) return refuse(prescribeError('0008', 'Missing value: pertinentPrescriptionTreatmentType'));
  return code === '0001' || code === '0002' || code === '0003' ? code : refuse(prescribeError('0009'));
}

function readAuthor(prescription: Node): Agent {
  if (at(prescription, 'responsibleParty/AgentPerson') === undefined)
    return refuse(prescribeError('0008', 'Missing value: responsibleParty'));
  if (attribute(prescription, 'pertinentInformation4/pertinentPrescriptionType/value', 'code') === undefined)
    return refuse(prescribeError('0008', 'Missing value: pertinentPrescriptionType'));
  return readAgent(at(prescription, 'author/AgentPerson'), 'author');
}

function readItems(prescription: Node): readonly Item[] {
  const nodes = all(prescription, 'pertinentInformation2/pertinentLineItem');
  if (nodes.length < 1 || nodes.length > ITEMS_MAX) return refuse(prescribeError('0010'));
  const items = nodes.map(readItem);
  const isRepeated = new Set(items.map(({ id }) => id)).size < items.length;
  return isRepeated ? refuse(prescribeError('5008')) : items;
}

function readItem(node: Node): Item {
  const medicine = at(node, 'product/manufacturedProduct/manufacturedRequestedMaterial/code');
  const quantity = at(node, 'component/lineItemQuantity/quantity');
  const value = (name: string, text: string | undefined): string =>
    text ?? refuse(prescribeError('0008', `Missing value: ${name}`));
  return {
    id: idAt(node, 'id', 'line item id'),
    code: value('medication code', attribute(medicine, '', 'code')),
    name: value('medication name', attribute(medicine, '', 'displayName')),
    quantity: value('quantity', attribute(quantity, 'translation', 'value')),
    unit: value('quantity unit', attribute(quantity, 'translation', 'displayName')),
    dosage: textOf(at(node, 'pertinentInformation2/pertinentDosageInstructions/value')),
  };
}

/** How many issues there are; every line must be authorised for as many as the prescription. */
function readRepeats(prescription: Node): number {
  const high = readHigh(prescription);
  const lines = all(prescription, 'pertinentInformation2/pertinentLineItem').map(readHigh);
  const isErd =
    attribute(prescription, 'pertinentInformation5/pertinentPrescriptionTreatmentType/value', 'code') === '0003';
  if (!isErd) return 1;
  if (high === undefined || high < 1 || high > REPEATS_MAX) return refuse(prescribeError('0019'));
  return lines.every((line) => line === high) ? high : refuse(prescribeError('0018'));
}

function readHigh(node: Node): number | undefined {
  const high = attribute(node, 'repeatNumber/high', 'value');
  return high !== undefined && /^\d{1,4}$/.test(high) ? Number(high) : undefined;
}

function readDays(prescription: Node): number | undefined {
  const supply = at(prescription, 'component1/daysSupply');
  if (supply === undefined) return undefined;
  for (const end of ['low', 'high']) {
    const date = at(supply, `effectiveTime/${end}`);
    if (date !== undefined) readInstant(attribute(date, '', 'value'), DATE);
  }
  const width = attribute(supply, 'expectedUseTime/width', 'value');
  return width !== undefined && /^[1-9]\d{0,2}$/.test(width)
    ? Number(width)
    : refuse(prescribeError('0008', 'Missing value: expectedUseTime'));
}

const phoneOf = (prescription: Node): string =>
  attribute(prescription, 'author/AgentPerson/representedOrganization/telecom', 'value')?.replace(/^tel:/, '') ?? '';
