/**
 * What the Spine's answer to a message changes in the record. A table by interaction; each row names resources and says how
 * they are from now on. Nothing is removed: what was wrong is marked as entered in error, with why. docs/eps.md
 */
import { COURSES } from '../../mapping/eps/inbound/medication-request.ts';
import { ITEM_STATUSES } from '../../mapping/eps/inbound/tracker-tables.ts';
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../../mapping/eps/systems.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import type { Resource } from '../../ports/resource-store.ts';
import type { Coding, Issue } from '../../standards/fhir/outcome.ts';
import { INTERACTIONS } from '../../standards/hl7v3/interaction.ts';

/** A change of the resources that a search finds. */
export interface Effect {
  readonly type: string;
  /** FHIR search, such as `identifier=…`. */
  readonly query: string;
  /** Which of those that the search finds; all unless given. */
  readonly fits?: (found: Resource) => boolean;
  readonly change: (current: Resource) => Resource;
}

export interface Answered {
  readonly kind: string;
  /** What the Spine decided; `dead`: it was never sent. */
  readonly verdict: 'accepted' | 'refused' | 'dead';
  /** The answer as FHIR, where there is one. */
  readonly answer: FhirResource | undefined;
  /** What was asked, as far as V3 tells it. */
  readonly asked: FhirResource | undefined;
  /** What is stored of the message itself. */
  readonly own: readonly Resource[];
  /** What is stored of the message that it amends or takes back. */
  readonly earlier: readonly Resource[];
}

type EffectsOf = (answered: Answered) => readonly Effect[];

/** The reason of a message that was given up: whether the Spine has it is not known. */
export const NEVER_SENT = 'It could not be sent to the Spine';

const EFFECTS: ReadonlyMap<string, EffectsOf> = new Map<string, EffectsOf>([
  [INTERACTIONS.ParentPrescription, ofOrder],
  [INTERACTIONS.CancellationRequest, ofCancellation],
  [INTERACTIONS.DispenseNotification, ofNotification],
  [INTERACTIONS.DispenseClaim, ofClaim],
  [INTERACTIONS.DispenseProposalReturn, ofReturn],
  [INTERACTIONS.ETPWithdraw, ofWithdrawal],
]);

export const effectsOf: EffectsOf = (answered) => EFFECTS.get(answered.kind)?.(answered) ?? [];

const ofType = (resources: readonly Resource[], type: string): readonly Resource[] =>
  resources.filter(({ resourceType }) => resourceType === type);
const byId = ({ resourceType, ...rest }: Resource, change: Effect['change']): Effect => ({
  type: resourceType,
  query: `_id=${String(rest['id'])}`,
  change,
});
const itemQuery = (itemId: string): string => `identifier=${ID_SYSTEM.orderItem}|${itemId}`;

/** A refused order never was one; one that could not be sent waits until somebody sends it. */
function ofOrder({ verdict, answer, own }: Answered): readonly Effect[] {
  const requests = ofType(own, 'MedicationRequest');
  if (verdict === 'accepted')
    return requests
      .filter(({ status }) => status === 'on-hold')
      .map((one) => byId(one, ({ statusReason: _waited, ...rest }) => ({ ...rest, status: 'active' }) as Resource));
  const status = verdict === 'refused' ? 'entered-in-error' : 'on-hold';
  const statusReason = verdict === 'refused' ? reasonIn(answer) : { text: NEVER_SENT };
  return requests.map((one) => byId(one, (current) => ({ ...current, status, statusReason })));
}

/** The codes of the Spine's refusal, which are no patient's. */
export function reasonIn(answer: FhirResource | undefined): Node {
  const issues = (answer?.resourceType === 'OperationOutcome' ? answer['issue'] : []) as readonly Issue[]; // made by us
  const coding = issues.flatMap(({ details }) => details?.coding ?? []);
  const said = coding.map(({ display, code }: Coding) => display ?? code).join('; ');
  return { ...(coding.length > 0 && { coding }), text: `The Spine refused it${said === '' ? '' : `: ${said}`}` };
}

/** The item as the Spine says it is, and why, where the cancellation took effect or will. */
function ofCancellation({ answer, asked }: Answered): readonly Effect[] {
  const response = resourcesIn(answer, 'MedicationRequest')[0];
  const itemId = response && identifierIn(response, ID_SYSTEM.orderItem);
  if (response === undefined || itemId === undefined) return [];
  const history = extensionsIn(response).find(({ url }) => url === EXTENSION.statusHistory);
  const reason = resourcesIn(asked, 'MedicationRequest')[0]?.['statusReason'];
  const status = String(response['status']);
  const isTaken = status === 'cancelled' || status === 'active';
  return [
    {
      type: 'MedicationRequest',
      query: itemQuery(itemId),
      change: (current) => ({
        ...current,
        ...(history && { extension: withExtension(current, history) }),
        // "Asked for by another prescriber" says nothing of the item.
        ...(status !== 'unknown' && { status }),
        ...(isTaken && reason !== undefined && { statusReason: reason }),
      }),
    },
  ];
}

/** What an item's state is to the order; repeat dispensing goes on after an issue is dispensed. */
const ORDER_STATUS: ReadonlyMap<string, string> = new Map([
  ['0001', 'completed'],
  ['0002', 'stopped'],
  ['0003', 'active'],
  ['0004', 'active'],
  ['0005', 'cancelled'],
  ['0006', 'stopped'],
  ['0007', 'active'],
  ['0008', 'active'],
]);
const ITEM_DISPLAY: ReadonlyMap<string, string> = new Map([...ITEM_STATUSES].map(([display, code]) => [code, display]));
export const WITH_DISPENSER = '0008';
const TO_BE_DISPENSED = '0007';
const REPEAT_DISPENSING = COURSES['continuous-repeat-dispensing'];

/** The order's item in that state. */
export function itemEffect(itemId: string, code: string, more: ItemMore = {}): Effect {
  return { type: 'MedicationRequest', query: itemQuery(itemId), change: itemChange(code, more) };
}

interface ItemMore {
  readonly dispensedAt?: string | undefined;
  /** Of repeat dispensing: whether no issue comes after this one. */
  readonly isLast?: boolean | undefined;
}

const ENDED: readonly (string | undefined)[] = ['completed', 'stopped'];

export const itemChange =
  (code: string, { dispensedAt, isLast = false }: ItemMore = {}) =>
  <T extends FhirResource>(current: T): T => {
    const display = ITEM_DISPLAY.get(code);
    const before = extensionsIn(current).find(({ url }) => url === EXTENSION.dispensingInformation);
    const last = extensionsIn(before).find(({ url }) => url === 'dateLastDispensed');
    const dated = dispensedAt === undefined ? last : { url: 'dateLastDispensed', valueDateTime: dispensedAt };
    const valueCoding = { system: CODE_SYSTEM.itemStatus, code, ...(display !== undefined && { display }) };
    const information = {
      url: EXTENSION.dispensingInformation,
      extension: [...(dated ? [dated] : []), { url: 'dispenseStatus', valueCoding }],
    };
    const status = ORDER_STATUS.get(code);
    const goesOn = codesIn(current['courseOfTherapyType']).some((one) => codesIn(REPEAT_DISPENSING).includes(one));
    return {
      ...current,
      extension: withExtension(current, information),
      ...(status !== undefined && !(goesOn && !isLast && ENDED.includes(status)) && { status }),
    };
  };

const entered =
  (reason: Node): Effect['change'] =>
  (current) => ({
    ...current,
    status: 'entered-in-error',
    statusReasonCodeableConcept: reason,
  });

function ofNotification({ verdict, answer, own, earlier }: Answered): readonly Effect[] {
  const dispenses = ofType(own, 'MedicationDispense');
  if (verdict === 'dead') return [];
  if (verdict === 'refused') return dispenses.map((one) => byId(one, entered(reasonIn(answer))));
  const mine = new Set(dispenses.map(({ id }) => id));
  return [
    ...ofType(earlier, 'MedicationDispense')
      .filter(({ id }) => !mine.has(id))
      .map((one) => byId(one, entered(REPLACED))),
    ...dispenses.flatMap((one) => sameSupplyAs(one, mine)),
    ...itemStatesOf(dispenses),
  ];
}

const REPLACED: Node = { text: 'Another notification stands in its place' };

/** The same supply, told of before under another message that this one does not name: it is not there twice. */
function sameSupplyAs(dispense: Resource, mine: ReadonlySet<unknown>): readonly Effect[] {
  const number = identifierIn(dispense, ID_SYSTEM.dispenseItem);
  const [item] = itemOf(dispense);
  if (number === undefined || item === undefined) return [];
  return [
    {
      type: 'MedicationDispense',
      query: `identifier=${ID_SYSTEM.dispenseItem}|${number}`,
      fits: (found) => !mine.has(found['id']) && found['status'] !== 'entered-in-error' && itemOf(found)[0] === item,
      change: entered(REPLACED),
    },
  ];
}

/** One an item: of several products for it the last says how far it is. */
function itemStatesOf(dispenses: readonly Resource[]): readonly Effect[] {
  const states = new Map<string, Effect>();
  for (const dispense of dispenses) {
    const [itemId] = itemOf(dispense);
    const [code] = codingsIn(dispense['type'], CODE_SYSTEM.itemStatus);
    const at = dispense['whenHandedOver'];
    if (itemId !== undefined && code !== undefined)
      states.set(
        itemId,
        itemEffect(itemId, code, {
          dispensedAt: typeof at === 'string' ? at : undefined,
          isLast: isLastIssue(dispense),
        }),
      );
  }
  return [...states.values()];
}

const requestIn = (dispense: Resource): Node | undefined =>
  (Array.isArray(dispense['contained']) ? dispense['contained'] : [])
    .filter(isNode)
    .find(({ resourceType }) => resourceType === 'MedicationRequest');

/** As many repeats were issued before as are allowed: counted from 0, beside the first issue. */
function isLastIssue(dispense: Resource): boolean {
  const bases = requestIn(dispense)?.['basedOn'];
  return [dispense, ...(Array.isArray(bases) ? bases.filter(isNode) : [])].some(isLastOf);
}

/** Whether the repeat information beside something says so. */
export function isLastOf(parent: Node): boolean {
  const information = extensionsIn(parent).find(({ url }) => url === EXTENSION.repeatInformation);
  const count = (name: string): number => {
    const found = extensionsIn(information).find(({ url }) => url === name) ?? {};
    return Number(found['valueInteger'] ?? found['valueUnsignedInt'] ?? Number.NaN);
  };
  return count('numberOfRepeatsIssued') >= count('numberOfRepeatsAllowed');
}

/** The order's item that something was dispensed for. */
function itemOf(dispense: Resource): readonly string[] {
  const request = requestIn(dispense);
  const itemId = request && identifierIn(request, ID_SYSTEM.orderItem);
  return itemId === undefined ? [] : [itemId];
}

function ofClaim({ verdict, own, earlier }: Answered): readonly Effect[] {
  if (verdict === 'dead') return [];
  const set = (status: string) => (one: Resource) => byId(one, (current) => ({ ...current, status }));
  const claims = ofType(own, 'Claim');
  if (verdict === 'refused') return claims.map(set('entered-in-error'));
  const mine = new Set(claims.map(({ id }) => id));
  return ofType(earlier, 'Claim')
    .filter(({ id }) => !mine.has(id))
    .map(set('cancelled'));
}

const failed =
  (answer: FhirResource | undefined): Effect['change'] =>
  (current) => ({
    ...current,
    status: 'failed',
    note: [...(Array.isArray(current['note']) ? current['note'] : []), { text: reasonIn(answer)['text'] }],
  });

/** The items of the prescription that a Task gives back. R4 has no search by group: they are among the patient's open ones. */
function ofGroup(task: Resource, code: string): readonly Effect[] {
  const [group, patient] = [task['groupIdentifier'], task['for']];
  const reference = isNode(patient) ? patient['reference'] : undefined;
  if (!isNode(group) || typeof reference !== 'string') return [];
  return [
    {
      type: 'MedicationRequest',
      query: `subject=${reference}&status=active`,
      fits: ({ groupIdentifier }) => isNode(groupIdentifier) && groupIdentifier['value'] === group['value'],
      change: itemChange(code),
    },
  ];
}

function ofReturn({ verdict, answer, own }: Answered): readonly Effect[] {
  if (verdict === 'dead') return [];
  return ofType(own, 'Task').flatMap((task) =>
    verdict === 'refused' ? [byId(task, failed(answer))] : ofGroup(task, TO_BE_DISPENSED),
  );
}

/** The dispenser has again what the notification told of. */
function ofWithdrawal({ verdict, answer, own, earlier }: Answered): readonly Effect[] {
  if (verdict === 'dead') return [];
  if (verdict === 'refused') return ofType(own, 'Task').map((task) => byId(task, failed(answer)));
  const dispenses = ofType(earlier, 'MedicationDispense');
  return [
    ...ofType(own, 'Task').map((task) => byId(task, (current) => ({ ...current, status: 'completed' }))),
    ...dispenses.map((one) => byId(one, entered({ text: 'It was withdrawn' }))),
    ...[...new Set(dispenses.flatMap(itemOf))].map((itemId) => itemEffect(itemId, WITH_DISPENSER)),
  ];
}

export const resourcesIn = (bundle: Node | undefined, type: string): readonly Node[] =>
  (Array.isArray(bundle?.['entry']) ? bundle['entry'] : [])
    .map((entry: unknown) => (isNode(entry) ? entry['resource'] : undefined))
    .filter((resource): resource is Node => isNode(resource) && resource['resourceType'] === type);

export function identifierIn(resource: Node, system: string): string | undefined {
  const list = Array.isArray(resource['identifier']) ? resource['identifier'].filter(isNode) : [];
  const value = list.find((one) => one['system'] === system)?.['value'];
  return typeof value === 'string' ? value : undefined;
}

const extensionsIn = (parent: Node | undefined): readonly Node[] =>
  Array.isArray(parent?.['extension']) ? parent['extension'].filter(isNode) : [];

const withExtension = (current: Node, own: Node): readonly Node[] => [
  ...extensionsIn(current).filter(({ url }) => url !== own['url']),
  own,
];

function codingsIn(concept: unknown, system: string): readonly string[] {
  const list = isNode(concept) && Array.isArray(concept['coding']) ? concept['coding'].filter(isNode) : [];
  return list.filter((one) => one['system'] === system).map((one) => String(one['code']));
}
const codesIn = (concept: unknown): readonly string[] =>
  isNode(concept) && Array.isArray(concept['coding'])
    ? concept['coding'].filter(isNode).map((one) => String(one['code']))
    : [];
