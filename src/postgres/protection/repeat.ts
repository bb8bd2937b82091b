/** Does erasures again that a database does not know of, as it was restored from a copy made before them. SECURITY DP-04, RL-70 */
import type { Pools } from '../pools.ts';
import type { ErasedLine, ErasureList } from './erasure-list.ts';
import type { ErasureDesk } from './erasures.ts';
import { HeldError } from './guard.ts';
import type { Removal } from './removal.ts';

const PAGE = 1000;
const LOWEST = String(-(2n ** 63n));

/**
 * Compares the list beside the database with what the database says is done, and gives how many erasures were repeated. A
 * patient whose first version is younger than the erasure is somebody new, and stays.
 */
export async function repeatErasures(options: {
  readonly pools: Pick<Pools, 'reads'>;
  readonly list: ErasureList;
  readonly erasures: ErasureDesk;
  readonly removal: Removal;
  readonly now: () => number;
}): Promise<number> {
  const { pools, list, erasures, removal, now } = options;
  const done = await erasures.done();
  const listed = new Set(list.lines().map(({ id }) => id));
  // The list may be another's, or lost: what the database knows is written down again.
  for (const line of done) if (!listed.has(line.id)) list.append(line);
  const known = new Set(done.map(({ id }) => id));
  const missing = new Map(list.lines().flatMap((line) => (known.has(line.id) ? [] : [[line.id, line] as const])));
  if (missing.size === 0) return 0;
  let repeated = 0;
  const held = new Map<string, string>();
  for (let after = LOWEST; ; ) {
    const rows = await pools.reads.query({
      text: `select p.rid::text, p.id, least(p.lu, (select min(h.lu) from fhir.patient_h h where h.rid = p.rid))::text
from fhir.patient p where p.rid > $1::bigint order by p.rid limit ${PAGE}`,
      values: [after],
    });
    for (const [, id, first] of rows as readonly (readonly [string, string, string])[]) {
      const line = list.linesOf(id).find((one) => missing.has(one.id) && Number(first) <= one.at);
      if (!line) continue;
      if (await repeat(removal, id)) repeated++;
      else held.set(line.id, id);
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) break;
    after = last[0] as string;
  }
  for (const line of missing.values()) await erasures.repeat(line satisfies ErasedLine, now(), held.get(line.id));
  return repeated;
}

/** False when a legal hold that the copy knows stands in the way: whoever lifts it lets it go on. */
async function repeat(removal: Removal, patientId: string): Promise<boolean> {
  try {
    await removal.remove([patientId], { endsResults: true });
    return true;
  } catch (error) {
    if (error instanceof HeldError) return false;
    throw error;
  }
}
