/** Whether a legal hold stands in the way of a removal, asked anew before every batch. SECURITY DP-02 */
import type { Cipher } from '../../ports/cipher.ts';
import type { StoredVersion } from '../../ports/resource-store.ts';
import type { Condition } from '../../standards/fhir/search/request.ts';
import type { Send } from '../in-transaction.ts';
import { activeQueryHolds, HOLD_LOCK, HOLDING, type QueryHold } from './holds.ts';
import type { Held } from './record.ts';

/** A hold is on what was to be removed or changed: nothing of the batch was. */
export class HeldError extends Error {
  readonly holds: readonly string[];
  constructor(holds: readonly string[]) {
    super('a legal hold stands in the way');
    this.name = 'HeldError';
    this.holds = holds;
  }
}

/** What a removal touches. */
export interface Touched {
  /** Rids of the patients whose records lose or change something. */
  readonly patients: readonly string[];
  readonly resources: readonly Held[];
  /** The newest content of each, for holds on queries. */
  readonly contentOf: (held: Held) => Promise<StoredVersion | undefined>;
}

export interface GuardTools {
  readonly cipher: Cipher;
  readonly conditionsOf: (type: string, query: string) => readonly Condition[];
  /** Whether a version would be found by a search. */
  readonly isMatch: (version: StoredVersion, conditions: readonly Condition[]) => Promise<boolean>;
}

export type Guard = (send: Send, touched: Touched) => Promise<readonly string[]>;

/** Gives the ids of the holds that stand in the way. One a run: what a query was found not to hold is not asked again. */
export function createGuard({ cipher, conditionsOf, isMatch }: GuardTools): Guard {
  const cleared = new Set<string>();

  async function holdsByQuery({ id, type, query }: QueryHold, touched: Touched): Promise<boolean> {
    const conditions = conditionsOf(type, query);
    for (const held of touched.resources) {
      if (held.type !== type) continue;
      const name = `${id} ${held.rid}`;
      if (cleared.has(name)) continue;
      const version = await touched.contentOf(held);
      if (version && (await isMatch(version, conditions))) return true;
      cleared.add(name);
    }
    return false;
  }

  return async (send, touched) => {
    // Shared by batches, taken alone by approvals: whoever approves a hold has it stand from the next batch on.
    await send({ text: `select pg_advisory_xact_lock_shared(${HOLD_LOCK})`, values: [] });
    const rows = await send({
      text: `select h.id from protection.hold h
where h.state in ${HOLDING} and (
  (h.kind = 'patient' and h.rid = any($1::bigint[]))
  or (h.kind = 'resource' and (h.type, h.rid) in (select * from unnest($2::text[], $3::bigint[]))))`,
      values: [touched.patients, touched.resources.map(({ type }) => type), touched.resources.map(({ rid }) => rid)],
    });
    const found = rows.map(([id]) => id as string);
    for (const hold of await activeQueryHolds(send, cipher)) if (await holdsByQuery(hold, touched)) found.push(hold.id);
    return found;
  };
}
