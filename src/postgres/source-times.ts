/** When senders last said something of resources: rows locked in one order, so that two messages never wait for each other. */
import type { Clock } from '../ports/clock.ts';
import type { SaidOf, SourceTime, SourceTimePurge, SourceTimes } from '../ports/source-times.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

export function createSourceTimes(send: (statement: Statement) => Promise<readonly Row[]>, now: Clock): SourceTimes {
  const timesOf = (rows: readonly Row[]): [string, SourceTime][] =>
    rows.map((row) => [`${row[3]} ${row[0]}`, toTime(row)]);

  /** Rows that are there: read and locked one after another, in the order of `asked`. */
  const lockThere = (asked: readonly SaidOf[]): Promise<readonly Row[]> =>
    send({
      name: 'source-times-lock',
      text: `select s.resource, s.ver, s.elements, s.feed
from unnest($1::text[], $2::text[]) u(resource, feed)
cross join lateral (
  select * from mortar.source_time t where t.resource = u.resource and t.feed = u.feed for update) s`,
      values: [asked.map(({ resource }) => resource), asked.map(({ feed }) => feed)],
    });

  /** Made where there is none; of two that make it the second waits, and reads what the first has kept. */
  const lockMissing = (asked: readonly SaidOf[]): Promise<readonly Row[]> =>
    send({
      name: 'source-times-make',
      text: `insert into mortar.source_time (resource, feed, ver, elements, said_on)
select r, f, 0, '{}', $3::date from unnest($1::text[], $2::text[]) u(r, f)
on conflict (resource, feed) do update set feed = excluded.feed
returning resource, ver, elements, feed`,
      values: [asked.map(({ resource }) => resource), asked.map(({ feed }) => feed), dayOf(now())],
    });

  return {
    async lock(asked) {
      if (asked.length === 0) return [];
      const sorted = [...new Map(asked.map((one) => [keyOf(one), one]))].toSorted(([a], [b]) => (a < b ? -1 : 1));
      const found = new Map(timesOf(await lockThere(sorted.map(([, one]) => one))));
      const missing = sorted.flatMap(([key, one]) => (found.has(key) ? [] : [one]));
      if (missing.length > 0) for (const [key, time] of timesOf(await lockMissing(missing))) found.set(key, time);
      return asked.map((one) => found.get(keyOf(one)) ?? { resource: one.resource, versionId: 0, elements: {} });
    },

    async read(feed, resources) {
      const rows = await send({
        name: 'source-times-read',
        text: 'select resource, ver, elements from mortar.source_time where feed = $1 and resource = any($2::text[])',
        values: [feed, [...resources]],
      });
      return rows.map(toTime);
    },

    async keep(times) {
      if (times.length === 0) return;
      await send({
        name: 'source-times-keep',
        // An upsert and not a join: whatever the statistics say, it goes by the key.
        text: `insert into mortar.source_time as s (resource, feed, ver, elements, said_on)
select n.resource, n.feed, n.ver, n.elements, $5::date
from unnest($1::text[], $2::text[], $3::int[], $4::text[]) n(resource, feed, ver, elements)
on conflict (resource, feed) do update
set ver = excluded.ver, elements = excluded.elements, said_on = greatest(s.said_on, excluded.said_on)`,
        values: [
          times.map(({ resource }) => resource),
          times.map(({ feed }) => feed),
          times.map(({ versionId }) => versionId),
          times.map(({ elements }) => JSON.stringify(elements)),
          dayOf(now()),
        ],
      });
    },
  };
}

const keyOf = ({ feed, resource }: SaidOf): string => `${feed} ${resource}`;

/** Deletes what was last said long ago: a message that is older still is not known any more, and comes no more. */
export const createSourceTimePurge = ({ writes }: { readonly writes: Pipeline }): SourceTimePurge => ({
  purge: (before, limit) =>
    translated(async () => {
      const rows = await writes.query({
        name: 'source-times-purge',
        // source_time_day; a row that a message has just locked is left for the next time.
        text: `delete from mortar.source_time where (resource, feed) in (
  select resource, feed from mortar.source_time where said_on < $1::date order by said_on limit $2 for update skip locked)
returning 1`,
        values: [dayOf(before), limit],
      });
      return rows.length;
    }),
});

/** `2026-03-02` in UTC. */
const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const toTime = ([resource, ver, elements]: Row): SourceTime => ({
  resource: resource as string,
  versionId: ver as number,
  elements: JSON.parse(elements as string) as Record<string, number>, // written above
});
