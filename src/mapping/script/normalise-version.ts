/** 10.6 and 2023011 in the shape of 2017071, so that there is one mapping (reference sections 10, 11). */
import type { ScriptMessage } from '../../standards/script/message.ts';
import { childOf, elementsOf, ownText, type XmlElement, type XmlNode } from '../../standards/xml/tree.ts';

/** The same message where it is of 2017071 and its transaction has the name it has there. */
export function normaliseVersion(message: ScriptMessage): ScriptMessage {
  const change = CHANGES[message.version.readAs];
  if (change === undefined && message.transaction.name === message.kind) return message;
  const changed = change ? rewrite(message.root, change) : message.root;
  const root = { ...changed, children: changed.children.map((node) => withKind(node, message.kind)) };
  const body = childOf(root, 'Body');
  const transaction = body && elementsOf(body)[0];
  return transaction ? { ...message, root, transaction } : message;
}

/** Body with its transaction under the name of 2017071. */
function withKind(node: XmlNode, kind: string): XmlNode {
  if (typeof node === 'string' || node.name !== 'Body') return node;
  const children = node.children.map((one) => (typeof one === 'string' ? one : renamed(one, kind)));
  return { ...node, children };
}

/** What an element becomes: itself changed, several, or none. Children are changed already. */
type Change = (element: XmlElement, parent: string) => readonly XmlElement[];

function rewrite(element: XmlElement, change: Change): XmlElement {
  const children = element.children.flatMap((node): readonly XmlNode[] =>
    typeof node === 'string' ? [node] : change(rewrite(node, change), element.name),
  );
  return { ...element, children };
}

const make = (like: XmlElement, name: string, children: readonly XmlNode[]): XmlElement => ({
  ...like,
  name,
  attributes: [],
  children,
});
const renamed = (element: XmlElement, name: string): XmlElement => ({ ...element, name });

const NAMES_106: ReadonlyMap<string, string> = new Map([
  ['StoreName', 'BusinessName'],
  ['State', 'StateProvince'],
  ['ZipCode', 'PostalCode'],
  ['Filled', 'Dispensed'],
  ['NotFilled', 'NotDispensed'],
  ['PartialFill', 'PartiallyDispensed'],
  ['DenialReasonCode', 'ReasonCode'],
  ['ApprovalReasonCode', 'ReasonCode'],
]);

const CHANGES_106: ReadonlyMap<string, (element: XmlElement) => readonly XmlElement[]> = new Map([
  ['Patient', (element) => [make(element, 'Patient', [renamed(element, 'HumanPatient')])]],
  ['Prescriber', (element) => [make(element, 'Prescriber', [renamed(element, 'NonVeterinarian')])]],
  ['Supervisor', (element) => [make(element, 'Supervisor', [renamed(element, 'NonVeterinarian')])]],
  ['CommunicationNumbers', (element) => [{ ...element, children: numbers106(element) }]],
  ['Quantity', (element) => [{ ...element, children: quantity106(element) }]],
  ['DrugCoded', (element) => [{ ...element, children: drug106(element) }]],
  ['Directions', (element) => [make(element, 'Sig', [renamed(element, 'SigText')])]],
  ['Refills', refills106],
]);

const from106: Change = (element, parent) => {
  // What is renewed is what the answer prescribes.
  if (parent === 'RefillResponse' && element.name === 'MedicationPrescribed')
    return [renamed(element, 'MedicationResponse')];
  if (parent !== 'Body' && element.name === 'Request' && element.children.length > 0) return elementsOf(element);
  const name = NAMES_106.get(element.name);
  if (name !== undefined) return [renamed(element, name)];
  return CHANGES_106.get(element.name)?.(element) ?? [element];
};

const QUALIFIERS_106: ReadonlyMap<string, string> = new Map([
  ['TE', 'PrimaryTelephone'],
  ['FX', 'Fax'],
  ['HP', 'HomeTelephone'],
  ['WP', 'WorkTelephone'],
  ['NP', 'OtherTelephone'],
  ['CP', 'OtherTelephone'],
  ['BN', 'Beeper'],
  ['EM', 'ElectronicMail'],
]);

function numbers106(element: XmlElement): readonly XmlNode[] {
  return elementsOf(element).map((one) => {
    const number = childOf(one, 'Number');
    const qualifier = childOf(one, 'Qualifier');
    const name = QUALIFIERS_106.get(qualifier ? ownText(qualifier).trim() : '');
    if (one.name !== 'Communication' || !number || name === undefined) return one;
    return name === 'ElectronicMail' ? renamed(number, name) : make(one, name, [number]);
  });
}

function quantity106(element: XmlElement): readonly XmlNode[] {
  return elementsOf(element).flatMap((one) => {
    if (one.name === 'PotencyUnitCode') return [make(one, 'QuantityUnitOfMeasure', [renamed(one, 'Code')])];
    // Names the list of the unit's code, of which NCIt is the only one in use.
    return one.name === 'UnitSourceCode' ? [] : [one];
  });
}

/** `ProductCode` and `ProductCodeQualifier` side by side become one inside the other. */
function drug106(element: XmlElement): readonly XmlNode[] {
  const leaf = (name: string): XmlElement | undefined => {
    const found = childOf(element, name);
    return found && elementsOf(found).length === 0 ? found : undefined;
  };
  const paired = new Set([
    'ProductCode',
    'ProductCodeQualifier',
    'DrugDBCode',
    'DrugDBCodeQualifier',
    'Strength',
    'DEASchedule',
  ]);
  const pairs = ['ProductCode', 'DrugDBCode'].flatMap((name) => {
    const code = leaf(name);
    const qualifier = leaf(`${name}Qualifier`);
    return code
      ? [make(code, name, [renamed(code, 'Code'), ...(qualifier ? [renamed(qualifier, 'Qualifier')] : [])])]
      : [];
  });
  const strength = leaf('Strength');
  const schedule = leaf('DEASchedule');
  return [
    ...pairs,
    ...(strength ? [make(strength, 'Strength', [renamed(strength, 'StrengthValue')])] : []),
    ...(schedule ? [make(schedule, 'DEASchedule', [renamed(schedule, 'Code')])] : []),
    ...elementsOf(element).filter(({ name }) => !paired.has(name)),
  ];
}

/** R: a number. PRN: as needed, without one; what has no number stays residue. */
function refills106(element: XmlElement): readonly XmlElement[] {
  const value = childOf(element, 'Value');
  const qualifier = childOf(element, 'Qualifier');
  const isNumber = value && qualifier && ['R', 'A', 'P'].includes(ownText(qualifier).trim());
  return isNumber ? [renamed(value, 'NumberOfRefills')] : [element];
}

/** Shapes seen in public prototypes only. */
const from2023: Change = (element, parent) => {
  if (element.name === 'Names' || element.name === 'GenderAndSex')
    return elementsOf(element).map((one) => (one.name === 'AdministrativeGender' ? renamed(one, 'Gender') : one));
  if (element.name === 'Product' && parent.startsWith('Medication')) return elementsOf(element);
  if (element.name === 'Substitutions' && elementsOf(element).length > 0) return elementsOf(element);
  const quantity = element.name === 'Refills' && childOf(element, 'Quantity');
  return quantity ? [renamed(quantity, 'NumberOfRefills')] : [element];
};

const CHANGES: Readonly<Partial<Record<ScriptMessage['version']['readAs'], Change>>> = {
  '10.6': from106,
  '2023011': from2023,
};
