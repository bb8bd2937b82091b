/**
 * Removes whole records of patients: every version of what is theirs, its search rows and changes, messages, jobs, accounts
 * and data keys; what is also about others stays without them. In batches, each under the eye of the legal holds. Whoever
 * is killed begins again: what is gone is not found a second time, and the patient goes last. docs/data-protection.md
 */
import type { Cipher } from '../../ports/cipher.ts';
import type { ErasureReview, RemovalCounts } from '../../ports/protection.ts';
import type { DataKeys } from '../encryption/data-keys.ts';
import { sealedWith } from '../encryption/held-keys.ts';
import { inTransaction, type Send } from '../in-transaction.ts';
import type { Pools, Statement } from '../pools.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import { countElsewhere, findMessages, removeAccounts, removeJobs, removeMessages } from './elsewhere.ts';
import { createGuard, type GuardTools, HeldError } from './guard.ts';
import { type Plan, type PlanTools, planRemoval } from './plan.ts';
import { visitRecord } from './record.ts';
import { removeRows } from './remove-rows.ts';
import { type ScrubTools, scrub } from './scrub.ts';
import { endResults, removeTraces } from './traces.ts';

export interface RemovalTools extends PlanTools, GuardTools, ScrubTools {
  readonly pools: Pick<Pools, 'transactions'>;
  readonly cipher: Cipher;
  /** Absent: nothing is stored encrypted. */
  readonly dataKeys: DataKeys | undefined;
}

export interface RemovalOptions {
  readonly signal?: AbortSignal;
  /** Whether exports that are kept end as well; otherwise they go with their time, a day at most. */
  readonly endsResults?: boolean;
  /** Writes down, in the transaction of each batch, what it took away. */
  readonly note?: (send: Send, counts: Partial<RemovalCounts>) => Promise<void>;
}

export interface Removal {
  /** What would go of these patients together, as far as search keys show it. */
  review(...patientIds: readonly string[]): Promise<ErasureReview>;
  /** Throws `HeldError` when a legal hold stands in the way; then the rest stays as it is. */
  remove(patientIds: readonly string[], options?: RemovalOptions): Promise<void>;
}

const BATCH = 200;
/** Writes that come while a record goes are looked for again, so often at most. */
const ROUNDS_MAX = 10;

type Batch = (plan: Plan, work: (send: Send) => Promise<Partial<RemovalCounts>>) => Promise<void>;

export function createRemoval(tools: RemovalTools): Removal {
  const { pools, rawReads } = tools;

  return {
    async review(...patientIds) {
      const plan = await planRemoval(tools, patientIds, { isWhole: false });
      const holds = await inTransaction(pools.transactions, (send) => createGuard(tools)(send, plan.touched));
      const [row] = await rawReads.query(countElsewhere(patientIds, relatedOf(plan), referencesOf(plan)));
      const [accounts, messages] = row as [number, number]; // counts have a row
      const resources = [...plan.own.values(), ...plan.patients];
      return {
        resources: countByType(resources),
        shared: countByType([...plan.staying.values()]),
        messages,
        accounts,
        holds,
      };
    },

    async remove(patientIds, { signal, note, endsResults = false } = {}) {
      const guard = createGuard(tools);
      const batch: Batch = async (plan, work) => {
        signal?.throwIfAborted();
        await sealedWith(tools.shield, () =>
          inTransaction(pools.transactions, async (send) => {
            const holds = await guard(send, plan.touched);
            if (holds.length > 0) throw new HeldError(holds);
            const counts = await work(send);
            await note?.(send, counts);
          }),
        );
      };
      for (let round = 1; round <= ROUNDS_MAX; round++) {
        const plan = await planRemoval(tools, patientIds, { isWhole: true, signal });
        // What was written meanwhile is found in the next round; when there was nothing, the end has come.
        if (await removeOnce(plan, batch, signal)) continue;
        if (await finish(plan, batch, endsResults)) return;
      }
      throw new Error('the record grows faster than it can be removed');
    },
  };

  /** Whether there was a resource to remove or to change. */
  async function removeOnce(plan: Plan, batch: Batch, signal: AbortSignal | undefined): Promise<boolean> {
    // First whoever could write more of it.
    await batch(plan, async (send) => {
      const counts: number[] = [];
      for (const statement of removeAccounts(
        plan.patients.map(({ id }) => id),
        relatedOf(plan),
      ))
        counts.push(Number((await send(statement))[0]?.[0] ?? 0));
      return { grants: counts.at(-2) ?? 0, accounts: counts.at(-1) ?? 0 };
    });
    const references = referencesOf(plan);
    const messages = await findMessages(rawReads, tools.cipher, references, plan.people, signal);
    await batch(plan, async (send) => {
      const [removed] = await send(removeMessages(messages));
      const [jobs] = await send(removeJobs(messages, references));
      await removeTraces(send, {
        patientIds: plan.patients.map(({ id }) => id),
        references,
        taskRids: [...plan.own.values()].flatMap(({ type, rid }) => (type === 'Task' ? [rid] : [])),
      });
      return { messages: Number(removed?.[0]), jobs: Number(jobs?.[0]) };
    });
    let isChanged = plan.own.size > 0;
    for (const held of plan.staying.values())
      await batch(plan, async (send) => {
        if (!(await scrub(tools, send, held, plan))) return {};
        isChanged = true;
        return { rewritten: { [held.type]: 1 } };
      });
    for (const type of STORED_TYPES) {
      const rids = [...plan.own.values()].flatMap((held) => (held.type === type ? [held.rid] : []));
      for (let at = 0; at < rids.length; at += BATCH)
        await batch(plan, async (send) => ({
          resources: { [type]: await removeRows(send, type, rids.slice(at, at + BATCH)) },
        }));
    }
    return isChanged;
  }

  /**
   * The patients themselves, their keys, and what the protection of data remembers of them. False, and nothing is done, when
   * something came since the last look: what was sealed with these keys would be lost.
   */
  async function finish(plan: Plan, batch: Batch, endsResults: boolean): Promise<boolean> {
    const rids = plan.patients.map(({ rid }) => rid);
    let isLate = false;
    await batch(plan, async (send) => {
      // First the rows, then the keys, in the order of whoever writes. From here to the commit no write takes them: it
      // waits, and seals with another.
      await send({
        text: `select from ${tableOf('Patient').main} where rid = any($1::bigint[]) order by rid for update`,
        values: [rids],
      });
      await send({
        text: 'select from mortar.data_key where pat = any($1::bigint[]) order by id for update',
        values: [rids],
      });
      isLate = await hasMore(plan, send);
      if (isLate) return {};
      const [keys] = await send({
        text: `with k as (delete from mortar.data_key where pat = any($1::bigint[]) returning 1) select count(*)::int from k`,
        values: [rids],
      });
      await send({ text: 'delete from protection.not_due where rid = any($1::bigint[])', values: [rids] });
      await send({
        text: `delete from protection.hold where kind = 'patient' and rid = any($1::bigint[])`,
        values: [rids],
      });
      if (endsResults) await endResults(send);
      return { dataKeys: Number(keys?.[0]), resources: { Patient: await removeRows(send, 'Patient', rids) } };
    });
    tools.dataKeys?.forget();
    return !isLate;
  }

  /**
   * Whether there is more than the plan saw: a write to the record since, also of what has been deleted again, or a resource
   * that refers to it. Asked on the connection of the batch: on those of reads the question could stand behind one that
   * waits for the keys.
   */
  async function hasMore({ patients, since, seen }: Plan, send: Send): Promise<boolean> {
    const rids = patients.map(({ rid }) => rid);
    const [change] = await send({
      text: 'select from mortar.change where xid >= $1::xid8 and pat = any($2::bigint[]) and rid <> all($2::bigint[]) limit 1',
      values: [since, rids],
    });
    if (change) return true;
    let isMore = false;
    const onBatch = { query: send, batch: (statements: readonly Statement[]) => Promise.all(statements.map(send)) };
    const ids = patients.map(({ id }) => id);
    await visitRecord({ ...tools, reads: onBatch }, ids, ({ type, rid }, { versionId }) => {
      const isPatient = type === 'Patient' && rids.includes(rid);
      if (!isPatient && seen.get(`${type} ${rid}`) !== versionId) isMore = true;
    });
    return isMore;
  }
}

const relatedOf = ({ own }: Plan): string[] =>
  [...own.values()].flatMap(({ type, id }) => (type === 'RelatedPerson' ? [id] : []));
const referencesOf = (plan: Plan): string[] => [...plan.own.keys(), ...plan.patients.map(({ id }) => `Patient/${id}`)];

function countByType(held: readonly { readonly type: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of held) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
