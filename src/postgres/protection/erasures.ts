/** Requests for erasure, kept in `protection.erasure`; of those that are done a keyed hash and counts stay. SECURITY DP-04 */
import { randomUUID } from 'node:crypto';
import { isSecondPerson } from '../../policy/segregation.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type {
  Decided,
  Deed,
  Erasure,
  ErasureBook,
  ErasureState,
  LegalBasis,
  RemovalCounts,
} from '../../ports/protection.ts';
import { errorCode, translated, UNIQUE_VIOLATION } from '../database-error.ts';
import { inTransaction, type Send } from '../in-transaction.ts';
import type { Pools, Row } from '../pools.ts';
import type { ErasedLine, ErasureList } from './erasure-list.ts';
import { deed } from './holds.ts';

export interface ErasureDesk extends ErasureBook {
  /** Approved ones and those that a hold has stopped, oldest first. */
  open(): Promise<readonly Erasure[]>;
  note(send: Send, id: string, counts: Partial<RemovalCounts>): Promise<void>;
  /** A legal hold stands in the way, or no longer does. */
  setHeld(id: string, isHeld: boolean): Promise<void>;
  /** Leaves nothing that names the patient. */
  finish(id: string, at: number): Promise<void>;
  /** Those that are done, as lines of the list. */
  done(): Promise<readonly ErasedLine[]>;
  /** Writes down one that was done again on a restored database; with the patient's id where a legal hold stopped it. */
  repeat(line: ErasedLine, at: number, heldPatientId?: string): Promise<void>;
}

const COLUMNS = `id, patient_hash, patient, reason, basis, state, proposed_by, proposed_at, decided_by, decided_at, done_at, counts`;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Who is named where an erasure was repeated from the list. */
const LIST = ['list of erasures', 'start of the server'];

export function createErasureDesk({
  pools,
  cipher,
  list,
}: {
  readonly pools: Pick<Pools, 'reads' | 'writes' | 'transactions'>;
  readonly cipher: Cipher;
  readonly list: ErasureList;
}): ErasureDesk {
  const open = erasureOpener(cipher);
  const select = async (where: string, values: readonly unknown[]): Promise<readonly Erasure[]> =>
    (await pools.reads.query({ text: `select ${COLUMNS} from protection.erasure ${where}`, values })).map(open);

  const decide = (id: string, who: Deed, set: string, needsSecond: boolean): Promise<Decided<Erasure>> =>
    translated(async () => {
      if (!UUID.test(id)) return { outcome: 'absent' };
      return inTransaction(pools.transactions, async (send): Promise<Decided<Erasure>> => {
        const [row] = await send({
          text: `select ${COLUMNS} from protection.erasure where id = $1 and state = 'proposed' for update`,
          values: [id],
        });
        if (!row) return { outcome: 'absent' };
        if (needsSecond && !isSecondPerson(open(row).proposed.by, who.by)) return { outcome: 'same-person' };
        const [changed] = await send({
          text: `update protection.erasure set ${set}, decided_by = $2, decided_at = $3 where id = $1 returning ${COLUMNS}`,
          values: [id, who.by, new Date(who.at)],
        });
        return { outcome: 'done', value: open(changed as Row) }; // it is locked
      });
    });

  return {
    propose: (patientId, basis, reason, who) =>
      translated(async () => {
        const id = randomUUID();
        try {
          const [row] = await pools.writes.query({
            text: `insert into protection.erasure (id, patient_hash, patient, reason, basis, state, proposed_by, proposed_at)
values ($1, $2, $3, $4, $5, 'proposed', $6, $7) returning ${COLUMNS}`,
            values: [
              id,
              list.hashOf(patientId),
              cipher.seal(Buffer.from(patientId), patientContext(id)),
              cipher.seal(Buffer.from(reason), reasonContext(id)),
              basis,
              who.by,
              new Date(who.at),
            ],
          });
          return open(row as Row); // inserted
        } catch (error) {
          if (errorCode(error) === UNIQUE_VIOLATION) return 'open';
          throw error;
        }
      }),
    approve: (id, who) => decide(id, who, "state = 'approved'", true),
    reject: (id, who) => decide(id, who, "state = 'rejected', patient = null, reason = null", false),
    find: (id) => translated(async () => (UUID.test(id) ? (await select('where id = $1', [id]))[0] : undefined)),
    list: (limit) => translated(() => select('order by proposed_at desc, id limit $1', [limit])),

    open: () => select("where state in ('approved', 'held') order by decided_at, id", []),
    note: (send, id, counts) => addCounts(send, 'protection.erasure', id, counts),
    async setHeld(id, isHeld) {
      await pools.writes.query({
        text: "update protection.erasure set state = $2 where id = $1 and state in ('approved', 'held')",
        values: [id, isHeld ? 'held' : 'approved'],
      });
    },
    async finish(id, at) {
      await pools.writes.query({
        text: `update protection.erasure set state = 'done', done_at = $2, patient = null, reason = null
where id = $1 and state in ('approved', 'held')`,
        values: [id, new Date(at)],
      });
    },
    async done() {
      const all = await select("where state = 'done' and done_at is not null", []);
      return all.map(({ id, patientHash, basis, doneAt = 0 }) => ({ id, patient: patientHash, at: doneAt, basis }));
    },
    async repeat({ id, patient, basis }, at, heldPatientId) {
      const isHeld = heldPatientId !== undefined;
      await pools.writes.query({
        text: `insert into protection.erasure
  (id, patient_hash, basis, state, patient, reason, proposed_by, proposed_at, decided_by, decided_at, done_at)
values ($1, $2, $3, $4, $5, $6, $7, $9, $8, $9, $10)
on conflict (id) do update set state = excluded.state, done_at = excluded.done_at, patient = excluded.patient,
  reason = excluded.reason, decided_by = excluded.decided_by, decided_at = excluded.decided_at`,
        values: [
          id,
          Buffer.from(patient, 'hex'),
          basis,
          isHeld ? 'held' : 'done',
          isHeld ? cipher.seal(Buffer.from(heldPatientId), patientContext(id)) : null,
          isHeld ? cipher.seal(Buffer.from('repeated from the list'), reasonContext(id)) : null,
          ...LIST,
          new Date(at),
          isHeld ? null : new Date(at),
        ],
      });
    },
  };
}

/** Adds to the counts of a row; whoever adds at the same time waits. */
export async function addCounts(send: Send, table: string, id: string, more: object): Promise<void> {
  const [row] = await send({ text: `select counts from ${table} where id = $1 for update`, values: [id] });
  if (!row) return;
  await send({
    text: `update ${table} set counts = $2 where id = $1`,
    values: [id, JSON.stringify(sumCounts(row[0] as Counts, more as Counts))], // ours
  });
}

interface Counts {
  readonly [name: string]: number | Counts;
}

function sumCounts(a: Counts, b: Counts): Counts {
  const sum: Record<string, number | Counts> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const old = sum[name];
    sum[name] =
      typeof value === 'number' ? value + (typeof old === 'number' ? old : 0) : sumCounts((old ?? {}) as Counts, value);
  }
  return sum;
}

const patientContext = (id: string): string => `erasure ${id} patient`;
const reasonContext = (id: string): string => `erasure ${id} reason`;
const NO_COUNTS: RemovalCounts = {
  resources: {},
  rewritten: {},
  messages: 0,
  jobs: 0,
  accounts: 0,
  grants: 0,
  dataKeys: 0,
};

type Columns = [
  string,
  Buffer,
  Buffer | null,
  Buffer | null,
  LegalBasis,
  ErasureState,
  string,
  Date,
  string | null,
  Date | null,
  Date | null,
  Partial<RemovalCounts>,
];

const erasureOpener =
  (cipher: Cipher) =>
  (row: Row): Erasure => {
    const [id, patientHash, patient, reason, basis, state, proposedBy, proposedAt, ...later] =
      row as unknown as Columns;
    const [decidedBy, decidedAt, doneAt, counts] = later;
    const decided = deed(decidedBy, decidedAt);
    return {
      id,
      state,
      patientHash: patientHash.toString('hex'),
      ...(patient && { patientId: cipher.open(patient, patientContext(id)).toString() }),
      ...(reason && { reason: cipher.open(reason, reasonContext(id)).toString() }),
      basis,
      proposed: { by: proposedBy, at: proposedAt.getTime() },
      ...(decided && { decided }),
      ...(doneAt && { doneAt: doneAt.getTime() }),
      counts: { ...NO_COUNTS, ...counts },
    };
  };
