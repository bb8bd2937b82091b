/** Months of the audit trail that a legal hold keeps. SECURITY AU-12, DP-02 */
import type pg from 'pg';
import { SHEET } from '../audit/sheet.ts';
import { HOLDING } from './holds.ts';

/**
 * Whether a month of the trail, `202611`, has entries about a patient or a resource under a hold. A hold on a query keeps
 * every month: what it matched when the entries were written is not known; one on a resource, every month with reads that
 * share a row, which names their patients only. Asked as the owner of the tables.
 */
export async function isMonthHeld(client: pg.ClientBase, month: string): Promise<boolean> {
  if (!/^\d{6}$/.test(month)) throw new Error('a month is six digits');
  const { rows } = await client.query<{ held: boolean }>(
    `select exists (select from protection.hold where kind = 'query' and state in ${HOLDING})
  or exists (
    select from protection.hold h, audit.entry_${month} e
    where h.state in ${HOLDING} and h.rid is not null
      and (e.rid = h.rid or (h.kind = 'patient' and (e.pat = h.rid or h.rid = any(e.pats)))
        or (h.kind = 'resource' and e.kind = $1))) as held`,
    [SHEET],
  );
  return rows[0]?.held !== false;
}
