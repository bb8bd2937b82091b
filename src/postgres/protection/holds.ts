/**
 * Legal holds, kept in `protection.hold`: placed by one person and approved by another, and lifted likewise. What a hold
 * is on and why are sealed: a query may name somebody. SECURITY DP-02
 */
import { randomUUID } from 'node:crypto';
import { isSecondPerson } from '../../policy/segregation.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Decided, Deed, Hold, HoldBook, HoldState, HoldTarget } from '../../ports/protection.ts';
import { translated } from '../database-error.ts';
import { inTransaction, type Send } from '../in-transaction.ts';
import type { Pools, Row } from '../pools.ts';
import type { RidCodec } from '../rid.ts';

/** Approvals take it alone, batches of a removal together: an approval waits for the batch under way, and stops the next. */
export const HOLD_LOCK = 0x686f6c64;
/** States in which a hold holds. */
export const HOLDING = "('active', 'lifting')";

const COLUMNS = `id, target, reason, state, proposed_by, proposed_at, decided_by, decided_at, lift_reason, lift_by, lift_at,
  lifted_by, lifted_at`;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface HoldBookOptions {
  readonly pools: Pick<Pools, 'reads' | 'transactions'>;
  readonly cipher: Cipher;
  readonly rids: RidCodec;
}

export function createHoldBook({ pools, cipher, rids }: HoldBookOptions): HoldBook {
  const open = holdOpener(cipher);

  /** Changes one hold under its lock. `change` says what follows from it, as `set …` of a statement. */
  function decide(
    id: string,
    from: HoldState,
    asker: (hold: Hold) => Deed | undefined,
    change: { readonly set: string; readonly values: readonly unknown[]; readonly who: Deed; readonly locks?: boolean },
  ): Promise<Decided<Hold>> {
    return translated(async () => {
      if (!UUID.test(id)) return { outcome: 'absent' };
      return inTransaction(pools.transactions, async (send): Promise<Decided<Hold>> => {
        if (change.locks) await send({ text: `select pg_advisory_xact_lock(${HOLD_LOCK})`, values: [] });
        const [row] = await send({
          text: `select ${COLUMNS} from protection.hold where id = $1 for update`,
          values: [id],
        });
        const hold = row && open(row);
        if (!hold || hold.state !== from) return { outcome: 'absent' };
        const askedBy = asker(hold)?.by;
        if (askedBy !== undefined && !isSecondPerson(askedBy, change.who.by)) return { outcome: 'same-person' };
        const [changed] = await send({
          text: `update protection.hold set ${change.set} where id = $1 returning ${COLUMNS}`,
          values: [id, change.who.by, new Date(change.who.at), ...change.values],
        });
        return { outcome: 'done', value: open(changed as Row) }; // it is locked
      });
    });
  }

  return {
    propose: (target, reason, who) =>
      translated(async () => {
        const id = randomUUID();
        const [row] = await inTransaction(pools.transactions, (send) =>
          send({
            text: `insert into protection.hold (id, kind, type, rid, target, reason, state, proposed_by, proposed_at)
values ($1, $2, $3, $4, $5, $6, 'proposed', $7, $8) returning ${COLUMNS}`,
            values: [
              id,
              target.kind,
              target.kind === 'patient' ? 'Patient' : target.type,
              target.kind === 'query' ? null : String(rids.rid(target.id)),
              cipher.seal(Buffer.from(JSON.stringify(target)), targetContext(id)),
              cipher.seal(Buffer.from(reason), reasonContext(id)),
              who.by,
              new Date(who.at),
            ],
          }),
        );
        return open(row as Row); // inserted
      }),

    approve: (id, who) =>
      decide(id, 'proposed', ({ proposed }) => proposed, {
        set: "state = 'active', decided_by = $2, decided_at = $3",
        values: [],
        who,
        locks: true,
      }),
    reject: (id, who) =>
      decide(id, 'proposed', () => undefined, {
        set: "state = 'rejected', decided_by = $2, decided_at = $3",
        values: [],
        who,
      }),
    lift: (id, reason, who) =>
      decide(id, 'active', () => undefined, {
        set: "state = 'lifting', lift_by = $2, lift_at = $3, lift_reason = $4",
        values: [cipher.seal(Buffer.from(reason), liftContext(id))],
        who,
      }),
    approveLift: (id, who) =>
      decide(id, 'lifting', ({ lift }) => lift, {
        set: "state = 'lifted', lifted_by = $2, lifted_at = $3",
        values: [],
        who,
      }),

    list: (state, limit) =>
      translated(async () => {
        const rows = await pools.reads.query({
          text: `select ${COLUMNS} from protection.hold where $1::text is null or state = $1 order by proposed_at desc, id limit $2`,
          values: [state ?? null, limit],
        });
        return rows.map(open);
      }),
  };
}

const targetContext = (id: string): string => `hold ${id} target`;
const reasonContext = (id: string): string => `hold ${id} reason`;
const liftContext = (id: string): string => `hold ${id} lift`;

type Columns = [
  string,
  Buffer,
  Buffer,
  HoldState,
  string,
  Date,
  string | null,
  Date | null,
  Buffer | null,
  string | null,
  Date | null,
  string | null,
  Date | null,
];

const holdOpener =
  (cipher: Cipher) =>
  (row: Row): Hold => {
    const [id, target, reason, state, proposedBy, proposedAt, ...later] = row as unknown as Columns;
    const [decidedBy, decidedAt, liftReason, liftBy, liftAt, liftedBy, liftedAt] = later;
    const [decided, lift, lifted] = [deed(decidedBy, decidedAt), deed(liftBy, liftAt), deed(liftedBy, liftedAt)];
    return {
      id,
      target: JSON.parse(cipher.open(target, targetContext(id)).toString()) as HoldTarget, // we sealed it
      reason: cipher.open(reason, reasonContext(id)).toString(),
      state,
      proposed: { by: proposedBy, at: proposedAt.getTime() },
      ...(decided && { decided }),
      ...(lift && liftReason && { lift: { ...lift, reason: cipher.open(liftReason, liftContext(id)).toString() } }),
      ...(lifted && { lifted }),
    };
  };

/** A deed from its two columns. */
export const deed = (by: string | null, at: Date | null): Deed | undefined =>
  by === null || at === null ? undefined : { by, at: at.getTime() };

/** A query hold as the removals need it. */
export interface QueryHold {
  readonly id: string;
  readonly type: string;
  readonly query: string;
}

/** The query holds that hold now. */
export async function activeQueryHolds(send: Send, cipher: Cipher): Promise<readonly QueryHold[]> {
  const rows = await send({
    text: `select id, target from protection.hold where kind = 'query' and state in ${HOLDING}`,
    values: [],
  });
  return rows.map(([id, target]) => {
    const { type, query } = JSON.parse(
      cipher.open(target as Buffer, targetContext(id as string)).toString(),
    ) as QueryHold; // we sealed it
    return { id: id as string, type, query };
  });
}
