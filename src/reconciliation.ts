/** Composition of reconciliation: the message log of one sender against the record. docs/hl7v2.md "Reconciliation" */
import type { Dialect } from './gateways/dialect.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Caller } from './ports/caller.ts';
import type { LoggedMessage, MessageFilter } from './ports/message-log.ts';
import type { OpenStore } from './postgres/store.ts';
import { type Difference, findDifferences, type ReconcileServices } from './workflow/reconcile.ts';

export interface ReconciliationOptions extends ReconcileServices {
  readonly store: OpenStore;
  readonly dialect: Dialect;
  readonly timeZone: string;
}

export interface Reconciliation {
  /** How many messages were looked at. */
  readonly messages: number;
  readonly patients: readonly { readonly patient: string; readonly differences: readonly Finding[] }[];
  /** Differences that are about nobody, or whose resource is not there. */
  readonly others: readonly Finding[];
  /** What came and was never applied. */
  readonly notApplied: readonly Fix[];
  /** Where the next call goes on; absent at the end. */
  readonly next?: string;
}

interface Finding extends Omit<Difference, 'patient'> {
  readonly message: string;
  readonly controlId?: string;
  readonly fix: string;
}
interface Fix {
  readonly message: string;
  readonly kind: string;
  readonly state: string;
  readonly controlId?: string;
  readonly error?: string;
  readonly fix: string;
}

const PAGE = 200;
const GATEWAY = serviceCaller('gateway');

/** One page of the sender's messages, newest first. */
export async function reconcile(
  { store, dialect, timeZone, ...services }: ReconciliationOptions,
  caller: Caller,
  filter: Pick<MessageFilter, 'sender' | 'since' | 'until'>,
  cursor?: string,
): Promise<Reconciliation> {
  const wanted = { ...filter, dialect: dialect.name, direction: 'in' } as const;
  const { messages, next } = await store.messages.list(caller, wanted, PAGE, cursor);
  const patients = new Map<string, Finding[]>();
  const others: Finding[] = [];
  const notApplied: Fix[] = [];
  for (const message of messages) {
    if (message.state !== 'applied') {
      if (message.relation?.kind !== 'conflict') notApplied.push(fixOf(message));
      continue;
    }
    for (const { patient, ...difference } of await differencesOf(message)) {
      const finding = { ...difference, ...idsOf(message), fix: FIXES[difference.kind] };
      if (patient === undefined) others.push(finding);
      else patients.set(patient, [...(patients.get(patient) ?? []), finding]);
    }
  }
  return {
    messages: messages.length,
    patients: [...patients].map(([patient, differences]) => ({ patient, differences })),
    others,
    notApplied,
    ...(next !== undefined && { next }),
  };

  async function differencesOf({ id, sender }: LoggedMessage): Promise<readonly Difference[]> {
    const { raw, receivedAt } = await store.messages.read(caller, id);
    const read = dialect.read(raw);
    const context = { receivedAt, timeZone };
    if (read.message === undefined || dialect.asks?.(read.message, context)) return [];
    const bundle = dialect.translate(read.message, context).value;
    if (bundle === undefined || !dialect.happenedAt) return [];
    const saying = { feed: `${dialect.name} ${sender ?? ''}`, at: dialect.happenedAt(read.message, context) };
    return store.transaction(GATEWAY, (tx) => findDifferences(services, tx, bundle, saying));
  }
}

const FIXES = {
  missing: 'It is not there any more: if it should be, the sender sends it again under a new control id',
  changed:
    'The record says otherwise since: if the sender is right it sends it again, else the sender corrects its own',
} as const;

const idsOf = ({ id, controlId }: LoggedMessage) => ({ message: id, ...(controlId !== undefined && { controlId }) });

function fixOf(message: LoggedMessage): Fix {
  const { id, kind, state, error } = message;
  return {
    ...idsOf(message),
    kind,
    state,
    ...(error !== undefined && { error }),
    fix: `POST /gateway/messages/${id}/replay, with the corrected message as body if its content is at fault`,
  };
}
