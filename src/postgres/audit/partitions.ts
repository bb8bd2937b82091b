/** Monthly partitions of entries and links, made ahead of time by the owner's role. SECURITY AU-10, AU-11 */
import { ROLE_NAMES } from '../embedded-roles.ts';

const MONTHS_AHEAD = 2;

type RunText = (text: string) => Promise<unknown>;

/** A month of UTC: its name `202611`, and the ms at which it begins and ends. */
export interface Month {
  readonly name: string;
  readonly from: number;
  readonly until: number;
}

/** The month that an instant lies in, or one some months later. */
export function monthOf(at: number, later = 0): Month {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth() + later;
  const from = Date.UTC(year, month, 1);
  return { name: new Date(from).toISOString().slice(0, 7).replace('-', ''), from, until: Date.UTC(year, month + 1, 1) };
}

/** The month of a partition's name. */
export function parseMonth(name: string): Month | undefined {
  const [, year = '', month = ''] = /^(\d{4})(\d{2})$/.exec(name) ?? [];
  return year === '' ? undefined : monthOf(Date.UTC(Number(year), Number(month) - 1, 1));
}

/**
 * Makes this month's and the next ones' partitions; those that exist stay. Rows of other months go to `entry_other`.
 * A month whose rows lie there already cannot have a partition any more, and keeps them there.
 */
export async function ensureAuditPartitions(run: RunText, now: number): Promise<void> {
  for (let later = 0; later <= MONTHS_AHEAD; later++) {
    const month = monthOf(now, later);
    for (const table of ['entry', 'link']) await makePartition(run, table, month);
  }
}

/** SQLSTATE check_violation: the default partition holds rows of this range. */
const ROWS_ELSEWHERE = '23514';

/** Rows are added through the parent, so that the app needs no right on a partition but to read it. */
async function makePartition(run: RunText, table: string, month: Month): Promise<void> {
  const name = `audit.${table}_${month.name}`;
  try {
    await run(`do $$
begin
  create table if not exists ${name} partition of audit.${table} for values from (${month.from}) to (${month.until});
  if exists (select from pg_roles where rolname = '${ROLE_NAMES.app}') and current_user <> '${ROLE_NAMES.app}' then
    revoke insert, update, delete, truncate on ${name} from ${ROLE_NAMES.app};
  end if;
end
$$`);
  } catch (error) {
    if ((error as { code?: string }).code !== ROWS_ELSEWHERE) throw error;
  }
}
