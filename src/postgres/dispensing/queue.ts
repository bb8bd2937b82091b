/** The queues of pharmacies, by rows and counts that a trigger derives from Tasks (migration 0027). MISSION M10 */
import type {
  Counted,
  DispenseQueue,
  Doubtful,
  QueueCounts,
  QueuePage,
  QueueRank,
  QueueRequest,
  QueueStatus,
} from '../../ports/dispense-queue.ts';
import type { ConsentAsker } from '../../ports/policy.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row, Statement } from '../pools.ts';
import { doubtfulStatement } from './queue-consents.ts';

const RANKS: readonly QueueRank[] = ['controlled', 'high_risk', 'routine'];
const STATES: Readonly<Record<QueueStatus, number>> = { pending: 0, dispensed: 1, expired: 2 };
const DAY_MS = 86_400_000;
const OPEN_MAX = 100_000;

export interface QueueOptions {
  readonly reads: Pipeline;
  readonly now: () => number;
}

interface Position {
  readonly rank: number;
  readonly issued: string;
  readonly rid: string;
}

export function createDispenseQueue({ reads, now }: QueueOptions): DispenseQueue {
  /** Whole days by their counts, the day that `since` falls into by its rows. */
  function countsStatement({ pharmacyId, status, since, patientIds }: QueueRequest): Statement {
    const state = STATES[status];
    const at = now();
    if (patientIds)
      return {
        name: 'dispense-counts-patients',
        // dispense_task_of_patient
        text: `select rank, count(*)::int from mortar.dispense_task
where owner = $1 and patient = any($2::text[]) and issued >= $3::bigint and ${stateIs('$4', '$5')} group by rank`,
        values: [pharmacyId, [...patientIds], since ?? 0, state, at],
      };
    const firstDay = since === undefined ? -1 : Math.floor(since / DAY_MS);
    return {
      name: 'dispense-counts',
      // dispense_count_pkey, dispense_task_page, dispense_task_owner_overdue
      text: `select rank, sum(n)::int from (
select rank, sum(n) as n from mortar.dispense_count where owner = $1 and state = $2::smallint and day > $3::int group by rank
union all
select rank, count(*) from mortar.dispense_task
where $3::int >= 0 and owner = $1 and state = $2::smallint and rank in (0, 1, 2) and issued >= $4::bigint and issued < $5::bigint group by rank
union all
select rank, case when $2::smallint = 0 then -count(*) else count(*) end from mortar.dispense_task
where $2::smallint <> 1 and owner = $1 and state = 0 and expires <= $6::bigint and issued >= $4::bigint group by rank
) x group by rank`,
      values: [pharmacyId, state, firstDay, since ?? 0, (firstDay + 1) * DAY_MS, at],
    };
  }

  /** Undefined where nothing is asked for. */
  function rowsStatement(request: QueueRequest): Statement | undefined {
    const { pharmacyId, status, rank, since = 0, patientIds, count, after } = request;
    const position = after === undefined ? undefined : parsePosition(after);
    const isOldestFirst = status === 'pending';
    const [direction, beyond] = isOldestFirst ? ['asc', '>'] : ['desc', '<'];
    const asked = rank === undefined ? [0, 1, 2] : [RANKS.indexOf(rank)];
    const ranks = asked.filter((one) => position === undefined || one >= position.rank);
    const values: unknown[] = [pharmacyId, STATES[status], since, now(), count + 1];
    const add = (value: unknown): string => `$${values.push(value)}`;
    // Of each patient by itself: however many are asked for, no more of a queue is read than a page of theirs.
    const [from, ofPatient] = patientIds
      ? [`unnest(${add([...patientIds])}::text[]) p cross join lateral `, ' and patient = p']
      : ['', ''];
    const order = `order by issued ${direction}, rid ${direction}`;
    const parts = ranks.flatMap((one) => {
      const beyondLast =
        position?.rank === one
          ? ` and (issued, rid) ${beyond} (${add(position.issued)}::bigint, ${add(position.rid)}::bigint)`
          : '';
      const part = (
        states: string,
        table = 'mortar.dispense_task',
      ): string => `(select t.id, t.rank, t.issued, t.rid from ${from}(
select id, rank, issued, rid from ${table}
where owner = $1 and rank = ${one} and issued >= $3::bigint${ofPatient} and ${states}${beyondLast} ${order} limit $5::int
) t ${order} limit $5::int)`;
      if (status === 'pending') return [part('state = $2::smallint and expires > $4::bigint')];
      if (status === 'dispensed') return [part('state = $2::smallint and $4::bigint > 0')];
      return [part('state = $2::smallint'), part('state = 0', OVERDUE)];
    });
    if (parts.length === 0) return undefined;
    // dispense_task_page; dispense_task_of_patient where patients are named
    const text = `select id, rank, issued::text, rid::text from (
${parts.join('\nunion all\n')}
) x order by rank, x.issued ${direction}, x.rid ${direction} limit $5::int`;
    return {
      name: `dispense-page ${status} ${ranks.join('')} ${position?.rank ?? ''} ${patientIds ? 'p' : ''}`,
      text,
      values,
    };
  }

  function doubtfulOf(request: QueueRequest): Statement | undefined {
    const { askers = [], status } = request;
    if (askers.length === 0) return undefined;
    const at = now();
    const isOfState = (add: (value: unknown) => string): string => `${stateIs(add(STATES[status]), '$2')}`;
    return doubtfulStatement({ ...request, askers, isOfState, now: at });
  }

  async function countOpen(pharmacyId: string, askers: readonly ConsentAsker[]): Promise<Counted> {
    const request: QueueRequest = { pharmacyId, status: 'pending', count: 0, askers };
    const doubt = doubtfulOf(request);
    const [counts = [], doubtful = []] = await reads.batch([countsStatement(request), ...(doubt ? [doubt] : [])]);
    return { counts: toCounts(counts), doubtful: doubtful.map(doubtfulFrom) };
  }

  return {
    page: (request) =>
      translated(async (): Promise<QueuePage> => {
        const asked = rowsStatement(request);
        const doubt = doubtfulOf(request);
        const statements = [countsStatement(request), doubt, asked].filter((one) => one !== undefined);
        const results = await reads.batch(statements);
        const [counts = []] = results;
        const doubtful = doubt ? (results[1] ?? []) : [];
        const found = asked ? (results.at(-1) ?? []) : [];
        const rows = found.slice(0, request.count);
        const last = found.length > request.count ? rows.at(-1) : undefined;
        return {
          taskIds: rows.map((row) => row[0] as string),
          counts: toCounts(counts),
          doubtful: doubtful.map(doubtfulFrom),
          ...(last && { next: Buffer.from(last.slice(1).join(' ')).toString('base64url') }),
        };
      }),

    counts: (pharmacyId) => translated(async () => (await countOpen(pharmacyId, [])).counts),

    open: (pharmacyId, askers) => translated(() => countOpen(pharmacyId, askers)),

    doubtful: (pharmacyId, askers) =>
      translated(async () =>
        (await reads.query(doubtfulStatement({ pharmacyId, askers, now: now() }))).map(doubtfulFrom),
      ),

    overdue: (at, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'dispense-overdue',
          text: 'select id from mortar.dispense_task where state = 0 and expires <= $1::bigint order by expires limit $2::int',
          values: [at, limit],
        });
        return rows.map((row) => row[0] as string);
      }),

    pharmaciesWithOpen: (at) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'dispense-open',
          text: `select owner from mortar.dispense_count where state = 0 and day > $1::int and owner <> ''
group by owner having sum(n) > 0 order by owner limit ${OPEN_MAX}`,
          values: [Math.floor(at / DAY_MS) - 400],
        });
        return rows.map((row) => row[0] as string);
      }),

    hasOpenSince: (pharmacyId, issuedBefore) =>
      translated(async () => {
        const [row] = await reads.query({
          name: 'dispense-open-since',
          // dispense_task_page
          text: `select exists (select from mortar.dispense_task
where owner = $1 and state = 0 and rank in (0, 1, 2) and issued < $2::bigint)`,
          values: [pharmacyId, issuedBefore],
        });
        return row?.[0] === true;
      }),

    times: (pharmacyId, from, until, hidden) =>
      translated(async () => {
        const [row] = await reads.query({
          name: 'dispense-times',
          // dispense_task_page, dispense_task_done
          text: `select
  (select count(*)::int from mortar.dispense_task where owner = $1 and state in (0, 1, 2, 3) and rank in (0, 1, 2) and issued >= $2::bigint and issued < $3::bigint and id <> all ($4::text[])),
  (select count(*)::int from mortar.dispense_task where owner = $1 and state = 2 and rank in (0, 1, 2) and issued >= $2::bigint and issued < $3::bigint and id <> all ($4::text[])),
  count(*)::int, avg(done - issued)::float8, percentile_cont(0.5) within group (order by done - issued)
from mortar.dispense_task where owner = $1 and state = 1 and done >= $2::bigint and done < $3::bigint and id <> all ($4::text[])`,
          values: [pharmacyId, from, until, [...hidden]],
        });
        const [issued, expired, dispensed, mean, median] = row as [
          number,
          number,
          number,
          number | null,
          number | null,
        ];
        const hasTimes = mean !== null && median !== null;
        return { issued, dispensed, expired, ...(hasTimes && { meanMs: mean, medianMs: median }) };
      }),
  };
}

/** Few: what is open past its time is soon written so. dispense_task_owner_overdue */
const OVERDUE = `(select * from mortar.dispense_task
where owner = $1 and state = 0 and expires <= $4::bigint offset 0) o`;

/** What is open past its time counts as expired, though nobody has written so yet. */
const stateIs = (state: string, at: string): string =>
  `case when state = 0 and expires <= ${at}::bigint then 2 else state end = ${state}::smallint`;

const doubtfulFrom = ([taskId, rank]: Row): Doubtful => ({
  taskId: taskId as string,
  rank: RANKS[rank as number] as QueueRank, // the statement asks for these ranks alone
});

function toCounts(rows: readonly Row[]): QueueCounts {
  const of = (rank: number): number => Number(rows.find((row) => row[0] === rank)?.[1] ?? 0);
  return { controlled: of(0), high_risk: of(1), routine: of(2) };
}

function parsePosition(text: string): Position {
  const [, rank, issued = '', rid = ''] =
    /^([012]) (\d{1,16}) (-?\d{1,19})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (rank === undefined) throw badValue('The position of the page is none that was given out', 'after');
  return { rank: Number(rank), issued, rid };
}
