/** When senders last said something of resources: rows locked in one order, so that two messages never wait for each other. */
import type { SourceTime, SourceTimes } from '../ports/source-times.ts';
import type { Row, Statement } from './pools.ts';

export const createSourceTimes = (send: (statement: Statement) => Promise<readonly Row[]>): SourceTimes => ({
  async lock(feed, resources) {
    if (resources.length === 0) return [];
    const sorted = [...new Set(resources)].toSorted();
    const rows = await send({
      name: 'source-times-lock',
      // Made where it is not there; of two that make it the second waits, and reads what the first has kept.
      text: `insert into mortar.source_time (resource, feed, ver, elements)
select r, $1, 0, '{}' from unnest($2::text[]) r
on conflict (resource, feed) do update set feed = excluded.feed
returning resource, ver, elements`,
      values: [feed, sorted],
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
      text: `update mortar.source_time s set ver = n.ver, elements = n.elements
from unnest($2::text[], $3::int[], $4::text[]) n(resource, ver, elements)
where s.resource = n.resource and s.feed = $1`,
      values: [
        feed,
        times.map(({ resource }) => resource),
        times.map(({ versionId }) => versionId),
        times.map(({ elements }) => JSON.stringify(elements)),
      ],
    });
  },
});

const toTime = ([resource, ver, elements]: Row): SourceTime => ({
  resource: resource as string,
  versionId: ver as number,
  elements: JSON.parse(elements as string) as Record<string, number>, // written above
});
