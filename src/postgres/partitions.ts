/** Daily partitions of the change table, made ahead of time by the owner role. */
const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;

/** Makes today's and the next days' partitions; those that exist stay. Rows of other days go to `change_other`. */
export async function ensurePartitions(run: (text: string) => Promise<unknown>, now: number): Promise<void> {
  const today = Math.floor(now / DAY_MS);
  for (let day = today; day <= today + DAYS_AHEAD; day++) {
    const name = `change_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;
    await run(
      `create table if not exists mortar.${name} partition of mortar.change for values from (${day * DAY_MS}) to (${(day + 1) * DAY_MS})`,
    );
  }
}
