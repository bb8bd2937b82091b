/** When senders last said something of resources: rows locked in one order, so that two messages never wait for each other. */
import type { Clock } from '../ports/clock.ts';
import type { SourceTime, SourceTimePurge, SourceTimes } from '../ports/source-times.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

export const createSourceTimes = (
  send: (statement: Statement) => Promise<readonly Row[]>,
  now: Clock,
): SourceTimes => ({
  async lock(feed, resources) {
    if (resources.length === 0) return [];
    const sorted = [...new Set(resources)].toSorted();
    const rows = await send({
      name: 'source-times-lock',
      // Made where it is not there; of two that make it the second waits, and reads what the first has kept.
      text: `insert into mortar.source_time (resource, feed, ver, elements, said_on)
select r, $1, 0, '{}', $3::date from unnest($2::text[]) r
on conflict (resource, feed) do update set feed = excluded.feed
returning resource, ver, elements`,
      values: [feed, sorted, dayOf(now())],
    });
    const found = new Map(rows.map((row) => [row[0] as string, toTime(row)]));
    return resources.map((resource) => found.get(resource) ?? { resource, versionId: 0, elements: {} });
  },

  async read(feed, resources) {
    const rows = await send({
      name: 'source-times-read',
      text: 'select resource, ver, elements from mortar.source_time where feed = $1 and resource = any($2::text[])',
      values: [feed, [...resources]],
    });
    return rows.map(toTime);
  },

  async keep(feed, times) {
    if (times.length === 0) return;
    await send({
      name: 'source-times-keep',
      text: `update mortar.source_time s set ver = n.ver, elements = n.elements, said_on = greatest(s.said_on, $5::date)
from unnest($2::text[], $3::int[], $4::text[]) n(resource, ver, elements)
where s.resource = n.resource and s.feed = $1`,
      values: [
        feed,
        times.map(({ resource }) => resource),
        times.map(({ versionId }) => versionId),
        times.map(({ elements }) => JSON.stringify(elements)),
        dayOf(now()),
      ],
    });
  },
});

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
