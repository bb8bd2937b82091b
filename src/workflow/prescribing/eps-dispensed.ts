/**
 * Tells the Spine what was dispensed here by a token: the pharmacy asks for the prescription (release by its number), and
 * when the Spine has given it, a dispense notification goes out for each item. What is done next is read from the record
 * each time; the Tasks and the messages change in one transaction, so that nothing is told twice. docs/eps.md
 */
import { createHash } from 'node:crypto';
import type { EpsContext } from '../../mapping/eps/context.ts';
import { convertToV3 } from '../../mapping/eps/convert.ts';
import { scopesFor } from '../../mapping/eps/permission.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { JobPayload, NewJob } from '../../ports/jobs.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import type { Criteria, ResourceStore, StoreTransaction } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { textOf } from '../../standards/fhir/outcome.ts';
import { stateOf } from '../dispensing/states.ts';
import { entriesIn, type Released, readRelease } from '../eps/released.ts';
import type { Outgoing, Queued } from '../eps/send.ts';
import { idsOf, type SenderSettings } from '../eps/sender.ts';
import { identifierIn, idIn, listOf, type Node, nodeOf, textIn } from './chart.ts';
import { type Found, findAllOf, idQuery } from './desk.ts';
import { versionOf } from './eps-cancel.ts';
import {
  type Dispensers,
  dispenseNotificationMessage,
  missingToDispense,
  releaseParameters,
} from './eps-dispense-message.ts';
import { createPlan, type Plan } from './eps-dispensed-plan.ts';
import { type Group, groupOf } from './eps-group.ts';
import { notificationOf, releaseIdOf, withNotification, withRelease } from './eps-notification.ts';

/** Looks after what was dispensed of one prescription. Payload: `task` of the queue, or `item` of the order; `release`, a message that was settled. */
export const EPS_DISPENSED = 'eps-dispensed';

/** What follows from the dispensing of an order; empty where it is no electronic prescription. */
export function epsDispensedJobs(order: Node, taskId: string): readonly NewJob[] {
  const group = nodeOf(order['groupIdentifier']);
  if (group['system'] !== ID_SYSTEM.orderNumber) return [];
  return [{ kind: EPS_DISPENSED, key: String(group['value']), payload: { task: taskId } }];
}

/** What follows from a pharmacy's request for prescriptions: ours, by its Task; another's, by what it was given. */
export function releaseJobs(
  { id, resources }: Pick<StoredMessage, 'id' | 'resources'>,
  passed: readonly Node[],
): readonly NewJob[] {
  const [task] = resources.filter((one) => one.startsWith('Task/')).map((one) => one.split('/')[1] ?? '');
  if (task !== undefined) return [{ kind: EPS_DISPENSED, payload: { task, release: id } }];
  const items = passed.flatMap(
    (bundle) => identifierIn(entriesIn(bundle).find(isRequest) ?? {}, ID_SYSTEM.orderItem) ?? [],
  );
  return items.map((item) => ({ kind: EPS_DISPENSED, payload: { item, release: id } }));
}

const isRequest = ({ resourceType }: Node): boolean => resourceType === 'MedicationRequest';

export interface EpsDispensedServices {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly messages: Pick<MessageLog, 'read'>;
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly prepareSending: (outgoing: Outgoing) => Queued;
  readonly settings: SenderSettings;
  readonly baseUrl: string;
  readonly now: () => number;
}

/** Rejects where it is to be tried again. */
export type EpsDispensed = (payload: JobPayload) => Promise<void>;

const GATEWAY = serviceCaller('gateway');
type Finding = Pick<StoreTransaction, 'findCurrent'>;

/** What a message says beside the entry itself. */
interface About {
  readonly number: string;
  readonly releaseId: string | undefined;
  readonly nhsNumber: string;
  readonly isLast: boolean;
  /** ms UTC */
  readonly at: number;
}

/** An entry of the queue with its order. */
interface Entry {
  readonly task: Found;
  readonly order: Found;
}

export function createEpsDispensed(services: EpsDispensedServices): EpsDispensed {
  const { store, messages, criteriaOf, prepareSending, settings, baseUrl, now } = services;
  const desk = { searchOf: criteriaOf };

  async function orderOf(tx: Finding, { task, item }: JobPayload): Promise<Found | undefined> {
    if (typeof item === 'string')
      return (await findAllOf(desk, tx, [['MedicationRequest', `identifier=${ID_SYSTEM.orderItem}|${item}`]]))[0]?.[0];
    const [tasks = []] = await findAllOf(desk, tx, [['Task', idQuery(String(task))]]);
    const orderId = idIn(tasks[0]?.resource['focus'], 'MedicationRequest');
    if (orderId === undefined) return undefined;
    return (await findAllOf(desk, tx, [['MedicationRequest', idQuery(orderId)]]))[0]?.[0];
  }

  /** The pharmacy of the entry, and who the MedicationDispense says has dispensed there. */
  async function dispensersOf(tx: Finding, { task }: Entry, dispense: Node): Promise<Dispensers> {
    const actors = listOf(dispense['performer']).map(({ actor }) => actor);
    const practitionerId = actors.flatMap((one) => idIn(one, 'Practitioner') ?? [])[0] ?? 'none';
    const pharmacyId = idIn(task.resource['owner'], 'Organization') ?? 'none';
    const [pharmacies = [], practitioners = [], roles = []] = await findAllOf(desk, tx, [
      ['Organization', idQuery(pharmacyId)],
      ['Practitioner', idQuery(practitionerId)],
      ['PractitionerRole', `practitioner=Practitioner/${encodeURIComponent(practitionerId)}`],
    ]);
    const theirs = roles.filter(({ resource }) => resource['active'] !== false);
    const here = theirs.find(({ resource }) => idIn(resource['organization'], 'Organization') === pharmacyId);
    return { pharmacy: pharmacies[0]?.resource, practitioner: practitioners[0]?.resource, role: here?.resource };
  }

  function contextOf({ practitioner, role }: Dispensers, seed: string, at: number): EpsContext {
    return {
      now: at,
      toAsid: settings.toAsid,
      fromAsid: settings.fromAsid ?? '',
      fromPartyKey: settings.fromPartyKey ?? '',
      userId: (practitioner && identifierIn(practitioner, ID_SYSTEM.sdsUser)) ?? '',
      roleProfileId: (role && identifierIn(role, ID_SYSTEM.sdsRoleProfile)) ?? '',
      scopes: scopesFor({ prescribing: false, dispensing: true, tracking: false }, true),
      applicationId: '',
      sha1ApplicationIds: new Set(),
      prescribeEnabled: true,
      dispenseEnabled: true,
      newId: idsOf('eps-dispensed', seed),
    };
  }

  /** The message, or why there is none. The same for the same `seed`. */
  function prepared(payload: Node, dispensers: Dispensers, seed: string, at: number): Queued | string {
    const context = contextOf(dispensers, seed, at);
    const { value: v3, issues } = convertToV3(payload, context);
    if (v3 === undefined) return issues.map(textOf).join('; ');
    return prepareSending({
      v3,
      fromPartyKey: context.fromPartyKey,
      toPartyKey: settings.toPartyKey,
      requestId: nameUuid('eps-request-id', seed),
      hash: createHash('sha256').update(formatJson(payload)).digest(),
      at,
    });
  }

  /** The message that asks for the prescription, or tells of an entry; or why there is none. */
  async function messageOf(tx: Finding, entry: Entry, about: About): Promise<Queued | string> {
    const dispense = await dispenseOf(tx, entry);
    const dispensers = await dispensersOf(tx, entry, dispense);
    const missing = missingToDispense(dispensers);
    if (missing.length > 0) return `There is no ${missing.join(', no ')}`;
    const { number, releaseId, nhsNumber, isLast, at } = about;
    const seed = `${entry.task.id} ${entry.task.versionId}`;
    if (releaseId === undefined) return prepared(releaseParameters(dispensers, number), dispensers, seed, at);
    const order = entry.order.resource;
    const told = { order, dispense, nhsNumber, releaseId, isLast, seed, at };
    return prepared(dispenseNotificationMessage(dispensers, told), dispensers, seed, at);
  }

  /** Decides what is to be done for the pharmacy's entries of this prescription, and queues nothing itself. */
  async function decide(tx: Finding, group: Group, number: string, released: Released | undefined): Promise<Plan> {
    const at = now();
    const entries = entriesOf(group, number);
    const plan = createPlan({ group, at, newId: store.newId });
    const known = entries.flatMap(({ task }) => releaseIdOf(task.resource) ?? [])[0];
    const given = released?.releaseIds.get(number);
    if (given !== undefined && given !== known)
      for (const { task } of entries) plan.change(task, (one) => withRelease(one, given));
    const releaseId = given ?? known;
    const asking = entries.filter(({ task }) => notificationOf(task.resource)?.status === 'releasing');
    if (released && given === undefined) {
      for (const { task } of asking) plan.fail(task, released.isSent ? 'refused' : 'not-sent', released.reason);
      return plan;
    }
    const [patients = []] = await findAllOf(desk, tx, [['Patient', idQuery(group.read.patientId)]]);
    const nhsNumber = (patients[0] && identifierIn(patients[0].resource, ID_SYSTEM.nhsNumber)) ?? '';
    const told = new Set(entries.filter(isTold).map(({ order }) => order.id));
    let isAsked = asking.length > 0;
    for (const entry of entries.filter(isWaiting).toSorted(byTime)) {
      if (releaseId === undefined && isAsked) {
        plan.change(entry.task, (task) => withNotification(task, 'releasing', at));
        continue;
      }
      const isLast = group.orders.every(
        ({ id, resource }) => id === entry.order.id || told.has(id) || isGone(resource) || !isOf(resource, number),
      );
      const message = await messageOf(tx, entry, { number, releaseId, nhsNumber, isLast, at });
      if (typeof message === 'string') {
        plan.fail(entry.task, 'not-sent', message);
        continue;
      }
      plan.send(entry.task, releaseId === undefined ? 'releasing' : 'notifying', message);
      if (releaseId === undefined) isAsked = true;
      else told.add(entry.order.id);
    }
    return plan;
  }

  const dispenseOf = async (tx: Finding, { order, task }: Entry): Promise<Node> => {
    const reference = listOf(task.resource['output']).flatMap(
      ({ valueReference }) => idIn(valueReference, 'MedicationDispense') ?? [],
    )[0];
    const query = reference === undefined ? `prescription=MedicationRequest/${order.id}` : idQuery(reference);
    return (await findAllOf(desk, tx, [['MedicationDispense', query]]))[0]?.[0]?.resource ?? {};
  };

  return async (payload) => {
    const release = textIn(payload['release']);
    const released = release === undefined ? undefined : readRelease(await messages.read(GATEWAY, release), baseUrl);
    await store.transaction(GATEWAY, async (tx) => {
      const order = await orderOf(tx, payload);
      const group = await groupOf(desk, tx, order?.resource);
      if (!order || !group) return;
      const number = String(nodeOf(order.resource['groupIdentifier'])['value']);
      const { writes, messages: queue } = await decide(tx, group, number, released);
      if (writes().length === 0) return;
      await tx.write(writes(), async () => {
        const sent = queue.flatMap(({ queued: { message, job }, task }) => [
          tx.messages.queue(message, [versionOf(task)]),
          tx.jobs.add([job]),
        ]);
        for (const one of await Promise.allSettled(sent)) if (one.status === 'rejected') throw one.reason;
      });
    });
  };
}

/** Of the prescription of this number. */
const isOf = (order: Node, number: string): boolean => nodeOf(order['groupIdentifier'])['value'] === number;

function entriesOf({ orders, queue }: Group, number: string): readonly Entry[] {
  return queue.flatMap((task): readonly Entry[] => {
    const order = orders.find(({ id }) => id === idIn(task.resource['focus'], 'MedicationRequest'));
    return order && isOf(order.resource, number) ? [{ task, order }] : [];
  });
}

/** Dispensed, and the Spine was not told. */
const isWaiting = ({ task }: Entry): boolean => {
  const status = notificationOf(task.resource)?.status;
  return stateOf(task.resource) === 'dispensed' && (status === undefined || status === 'releasing');
};
const isTold = ({ task }: Entry): boolean =>
  ['notifying', 'notified'].includes(notificationOf(task.resource)?.status ?? '');
/** Cancelled, here and at the Spine. */
const isGone = (order: Node): boolean => order['status'] === 'cancelled' || order['status'] === 'entered-in-error';
const endOf = ({ task }: Entry): string => String(nodeOf(task.resource['executionPeriod'])['end']);
const byTime = (a: Entry, b: Entry): number => (endOf(a) < endOf(b) ? -1 : 1);
