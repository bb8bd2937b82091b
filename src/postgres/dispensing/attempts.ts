/** The log of tokens that were shown: those that wait together are written together. SECURITY RX-06; MISSION M10 */
import type { AttemptCounts, TokenAttempt, TokenAttempts } from '../../ports/dispensing.ts';
import { translated } from '../database-error.ts';
import type { Pools, Row, Statement } from '../pools.ts';

const BATCH_MAX = 256;
const IN_FLIGHT_MAX = 2;
const REASONS_MAX = 20;
/** Failures of one token in the time asked for that are worth a look. */
const SUSPICIOUS_MIN = 3;

interface Waiting {
  readonly attempt: TokenAttempt;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One statement for all of them. */
export function attemptStatement(attempts: readonly TokenAttempt[]): Statement {
  const column = <T>(of: (attempt: TokenAttempt) => T): T[] => attempts.map(of);
  return {
    name: 'prescription-attempts',
    text: `insert into mortar.prescription_attempt (at, token, pharmacy, pharmacy_name, kind, success, reason, address)
select * from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::text[], $8::text[])`,
    values: [
      column(({ at }) => new Date(at)),
      column(({ tokenId }) => tokenId ?? null),
      column(({ pharmacyId }) => pharmacyId ?? null),
      column(({ pharmacyName }) => pharmacyName ?? null),
      column(({ kind }) => kind),
      column(({ success }) => success),
      column(({ reason }) => reason),
      column(({ address }) => address ?? null),
    ],
  };
}

export function createTokenAttempts({ reads, writes }: Pick<Pools, 'reads' | 'writes'>): TokenAttempts {
  let waiting: Waiting[] = [];
  let inFlight = 0;

  function pump(): void {
    while (waiting.length > 0 && inFlight < IN_FLIGHT_MAX) {
      const batch = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      inFlight += 1;
      void write(batch).finally(() => {
        inFlight -= 1;
        pump();
      });
    }
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    try {
      await translated(() => writes.query(attemptStatement(batch.map(({ attempt }) => attempt))));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    record: (attempt) =>
      new Promise((resolve, reject) => {
        waiting.push({ attempt, resolve, reject });
        pump();
      }),

    ofToken: (tokenId, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'prescription-attempts-of',
          // prescription_attempt_token
          text: `select at, token, pharmacy, pharmacy_name, kind, success, reason, address
from mortar.prescription_attempt where token = $1 order by id desc limit $2::int`,
          values: [tokenId, limit],
        });
        return rows.map(toAttempt).reverse();
      }),

    countAt: (pharmacyId, from, until) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'prescription-attempts-at',
          // prescription_attempt_pharmacy
          text: `with those as materialized (
  select token, success, reason from mortar.prescription_attempt
  where pharmacy = $1 and at >= $2 and at < $3 and kind = 'verify'
)
select 'all', '', count(*)::int from those
union all select 'failed', '', count(*)::int from those where not success
union all (select 'reason', reason, count(*)::int from those where not success group by reason
  order by count(*) desc, reason limit ${REASONS_MAX})
union all (select 'token', token, count(*)::int from those where not success and token is not null group by token
  having count(*) >= ${SUSPICIOUS_MIN} order by count(*) desc, token limit ${REASONS_MAX})`,
          values: [pharmacyId, new Date(from), new Date(until)],
        });
        return toCounts(rows);
      }),

    purge: (before, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'prescription-attempts-purge',
          text: `delete from mortar.prescription_attempt where id in (
  select id from mortar.prescription_attempt where at < $1 order by id limit $2::int for update skip locked)
returning 1`,
          values: [new Date(before), limit],
        });
        return rows.length;
      }),
  };
}

function toCounts(rows: readonly Row[]): AttemptCounts {
  const of = (kind: string) =>
    rows.filter((row) => row[0] === kind).map((row) => [String(row[1]), Number(row[2])] as const);
  return {
    verifications: of('all')[0]?.[1] ?? 0,
    failures: of('failed')[0]?.[1] ?? 0,
    reasons: of('reason').map(([reason, count]) => ({ reason, count })),
    suspicious: of('token').map(([tokenId, count]) => ({ tokenId, count })),
  };
}

function toAttempt([at, token, pharmacy, name, kind, success, reason, address]: Row): TokenAttempt {
  return {
    at: (at as Date).getTime(),
    ...(token !== null && { tokenId: token as string }),
    ...(pharmacy !== null && { pharmacyId: pharmacy as string }),
    ...(name !== null && { pharmacyName: name as string }),
    kind: kind as TokenAttempt['kind'],
    success: success as boolean,
    reason: reason as string,
    ...(address !== null && { address: address as string }),
  };
}
