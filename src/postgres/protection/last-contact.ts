/**
 * When a patient was last in touch: the newest write of anything in the record (deletions by the trail), the end of a stay,
 * an appointment, death. Unknown while something is open: then the record stays. SECURITY DP-01; docs/data-protection.md
 */
import { parseDate } from '../../standards/fhir/search/date.ts';
import type { TypeParameters } from '../../standards/fhir/search/parameter.ts';
import { kindNumber } from '../audit/kinds.ts';
import type { Keys } from '../keys.ts';
import type { Pipeline } from '../pools.ts';
import { tableOf } from '../tables.ts';
import { SEALED } from './mentions.ts';
import { tokensOf } from './record.ts';
import { usedTypes } from './used-types.ts';

export interface ContactTools {
  /** In plaintext. */
  readonly reads: Pipeline;
  readonly keys: Keys;
  readonly parametersOf: (type: string) => TypeParameters;
}

/** A patient whose own resource has not changed for long enough. */
export interface Candidate {
  readonly rid: string;
  readonly id: string;
  readonly lu: string;
}

const PAGE = 100;
const LOWEST = String(-(2n ** 63n));
const DAY_MS = 24 * 60 * 60 * 1000;
/** Days that a year or a month may have beside its first. */
const UNSAID_DAYS = new Map([
  [4, 366],
  [7, 31],
]);
/** An end that is not known: see `row.ts`. */
const OPEN_END = '8000000000000000';

/** The next patients in the order of their last change, apart from those that were seen not to be due yet. */
export async function findCandidates(
  reads: Pipeline,
  cutoff: number,
  now: number,
  after: Candidate | undefined,
): Promise<readonly Candidate[]> {
  const rows = await reads.query({
    text: `select p.rid::text, p.id, p.lu::text from fhir.patient p left join protection.not_due d on d.rid = p.rid
where p.lu <= $1::bigint and (d.rid is null or d.look_again <= $2::bigint) and (p.lu, p.rid) > ($3::bigint, $4::bigint)
order by p.lu, p.rid limit ${PAGE}`,
    values: [cutoff, now, after?.lu ?? '0', after?.rid ?? LOWEST],
  });
  return rows.map(([rid, id, lu]) => ({ rid: rid as string, id: id as string, lu: lu as string }));
}

/** States that keep a record, as they are open still, or not known. */
const OPEN = new Map([
  ['MedicationRequest', ['active', 'on-hold', 'draft', 'unknown', '']],
  ['Encounter', ['arrived', 'triaged', 'in-progress', 'onleave', 'unknown', '']],
]);
/** Stands in texts with sealed values: what decides may be one of them, so these are opened. */
const isSealed = `position('${SEALED}' in m.content) > 0`;
/** Types whose main date is a contact. */
const CONTACTS: ReadonlySet<string> = new Set(['Encounter', 'Appointment']);

/** By rid, ms UTC; those in doubt are left out. */
export async function lastContacts(
  { reads, keys, parametersOf }: ContactTools,
  patients: readonly Candidate[],
): Promise<ReadonlyMap<string, number>> {
  const latest = new Map(patients.map(({ rid, lu }) => [rid, Number(lu)]));
  const inDoubt = new Set<string>();
  const see = (rid: string, at: number): void => void latest.set(rid, Math.max(latest.get(rid) ?? 0, at));
  await Promise.all(
    (await usedTypes(reads)).current.map(async (type) => {
      const pairs = patients.flatMap(({ rid, id }) =>
        tokensOf(keys, parametersOf(type), [id]).map((token) => [String(token), rid] as const),
      );
      const open = OPEN.get(type);
      const end = CONTACTS.has(type) ? `max(case when m.se < ${OPEN_END} then m.se else m.sd end)` : 'null::bigint';
      const isOpen = open
        ? `bool_or(m.content <> '' and not ${isSealed} and coalesce(m.content::jsonb->>'status', 'unknown') = any($3::text[]))`
        : 'false';
      if (open || CONTACTS.has(type)) await seeSealed(reads, type, pairs, see, inDoubt);
      const rows = await reads.query({
        // The token index serves each pair.
        text: `select t.rid, max(m.lu), ${end}, ${isOpen}
from unnest($1::bigint[], $2::text[]) t(tok, rid) join ${tableOf(type).main} m on m.tok @> array[t.tok]
group by t.rid`,
        values: [pairs.map(([token]) => token), pairs.map(([, rid]) => rid), ...(open ? [open] : [])],
      });
      for (const [rid, lu, at, isDoubt] of rows) {
        see(rid as string, Math.max(Number(lu), Number(at ?? 0)));
        if (isDoubt) inDoubt.add(rid as string);
      }
    }),
  );
  await seeTrail(reads, patients, see);
  await seeDeaths(reads, patients, see, inDoubt);
  for (const rid of inDoubt) latest.delete(rid);
  return latest;
}

/** The same for what is stored encrypted: opened here, some at a time. One that cannot be opened is a doubt. */
async function seeSealed(
  reads: Pipeline,
  type: string,
  pairs: readonly (readonly [token: string, rid: string])[],
  see: (rid: string, at: number) => void,
  inDoubt: Set<string>,
): Promise<void> {
  for (let after = LOWEST; ; ) {
    const rows = await reads.query({
      text: `select m.rid::text, m.id, m.content, array_agg(distinct t.rid)
from unnest($1::bigint[], $2::text[]) t(tok, rid) join ${tableOf(type).main} m on m.tok @> array[t.tok]
where m.rid > $3::bigint and ${isSealed}
group by m.rid order by m.rid limit ${PAGE}`,
      values: [pairs.map(([token]) => token), pairs.map(([, rid]) => rid), after],
      unopened: 'as-empty',
    });
    for (const [, , content, rids] of rows) {
      const at = content === '' ? undefined : contactOf(type, JSON.parse(content as string) as Dated); // it was checked when it came
      for (const rid of rids as string[])
        if (at === undefined) inDoubt.add(rid);
        else see(rid, at);
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last[0] as string;
  }
}

interface Dated {
  readonly status?: string;
  readonly period?: { readonly start?: string; readonly end?: string };
  readonly start?: string;
  readonly end?: string;
}

/** When it was a contact, 0 when it was none; undefined while it is open, or when that cannot be read. */
function contactOf(type: string, { status = 'unknown', period, start, end }: Dated): number | undefined {
  if (OPEN.get(type)?.includes(status)) return undefined;
  if (!CONTACTS.has(type)) return 0;
  let last = 0;
  for (const text of [period?.start, period?.end, start, end]) {
    if (text === undefined) continue;
    const range = parseDate(text);
    if (!range) return undefined;
    last = Math.max(last, range.high);
  }
  return last;
}

const WRITES = (['create', 'update', 'patch', 'delete'] as const).map(kindNumber);

/** What was deleted has no keys any more, but the trail tells of it. */
async function seeTrail(
  reads: Pipeline,
  patients: readonly Candidate[],
  see: (rid: string, at: number) => void,
): Promise<void> {
  const rows = await reads.query({
    // entry_patient
    text: `select p.rid, e.at from unnest($1::bigint[]) p(rid), lateral (
  select at from audit.entry where pat = p.rid and kind = any($2::smallint[]) order by at desc limit 1) e`,
    values: [patients.map(({ rid }) => rid), WRITES],
  });
  for (const [rid, at] of rows) see(rid as string, Number(at));
}

/** A date of death that cannot be read is a doubt, and so is a Patient that cannot be opened. */
async function seeDeaths(
  reads: Pipeline,
  patients: readonly Candidate[],
  see: (rid: string, at: number) => void,
  inDoubt: Set<string>,
): Promise<void> {
  const rows = await reads.query({
    text: "select id, rid::text, content from fhir.patient where rid = any($1::bigint[]) and op <> 'D'",
    values: [patients.map(({ rid }) => rid)],
    unopened: 'as-empty',
  });
  for (const [, rid, content] of rows) {
    if (content === '') {
      inDoubt.add(rid as string);
      continue;
    }
    const { deceasedDateTime: death } = JSON.parse(content as string) as { readonly deceasedDateTime?: string };
    if (death === undefined) continue;
    const at = Date.parse(death) + (UNSAID_DAYS.get(death.length) ?? 1) * DAY_MS;
    if (Number.isNaN(at)) inDoubt.add(rid as string);
    else see(rid as string, at);
  }
}
