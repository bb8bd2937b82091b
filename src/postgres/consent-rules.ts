/** Rules of Consents as rows of `mortar.consent_rule`: written in the statement that writes the Consent. SECURITY FA-06 */
import type pg from 'pg';
import { type ConsentRule, consentRules } from '../policy/consent.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { toBigInt } from './hash.ts';
import { type Row, sendStatement } from './pools.ts';
import type { SearchRow } from './row.ts';
import { findTable } from './tables.ts';
import type { RowBuilder } from './writer.ts';

/** Raised when Consents are read another way: those that are stored are then read anew. */
const READING = 2;
/** Before it a Consent was its patient's own when it said so. */
const TOLD_BY_WRITER = 2;

const EFFECT = { deny: 'D', permit: 'P', neutral: 'N' } as const satisfies Record<ConsentRule['effect'], string>;

/** The rules of a Consent of this server. */
export function readConsentRules(consent: Readonly<Record<string, unknown>>, baseUrl: string): readonly ConsentRule[] {
  const base = `${baseUrl}/`;
  const localOf = (reference: string): string | undefined => {
    const [type = '', id = ''] = (reference.startsWith(base) ? reference.slice(base.length) : reference).split('/');
    return id !== '' && findTable(type) ? `${type}/${id}` : undefined;
  };
  return consentRules(consent, { localOf, isType: (code) => findTable(code) !== undefined });
}

/** They as JSON, without the columns that say whose they are; undefined when there are none. */
export function formatConsentRules(consent: Readonly<Record<string, unknown>>, baseUrl: string): string | undefined {
  const rules = readConsentRules(consent, baseUrl);
  if (rules.length === 0) return undefined;
  return JSON.stringify(
    rules.map(({ effect, from, until, ...rule }) => ({
      ...rule,
      effect: EFFECT[effect],
      from_ms: from,
      until_ms: until,
    })),
  );
}

interface Ruled {
  readonly ver: number;
  readonly row: SearchRow;
}

/** The rules of these versions as one parameter; a Consent that is of no patient has none. */
export function joinConsentRules(versions: readonly Ruled[]): string {
  const all = versions.flatMap(({ ver, row: { rules, isByPatient, pat, ridHi, ridLo } }) => {
    if (rules === undefined || !pat) return [];
    const consent = String(toBigInt(ridHi, ridLo));
    const whose = { consent, ver, pat: String(toBigInt(pat.hi, pat.lo)), by_patient: isByPatient === true };
    return (JSON.parse(rules) as object[]).map((rule) => ({ ...whose, ...rule })); // our own text
  });
  return JSON.stringify(all);
}

const COLUMNS =
  'consent, ver, number, pat, effect, ancestors, by_patient, actors, purposes, actions, types, labels, resources, referring, from_ms, until_ms';

export const insertConsentRules = (at: number): string => `insert into mortar.consent_rule (${COLUMNS})
  select ${COLUMNS}
  from jsonb_to_recordset($${at}::jsonb) as r(consent bigint, ver int, number int, pat bigint, effect "char",
    ancestors int[], by_patient boolean, actors text[], purposes text[], actions int, types text[], labels text[],
    resources text[], referring text[], from_ms bigint, until_ms bigint)`;

/** Beside an update under the name `u`. Index: the primary key. */
export const DELETE_CONSENT_RULES = 'delete from mortar.consent_rule r using u where r.consent = u.rid';

const BATCH = 500;

/** Reads the Consents of a database that were stored before they were understood as they are now. */
export async function readStoredConsents(
  pool: pg.Pool,
  rowOf: RowBuilder,
  open: (rows: readonly Row[]) => Promise<readonly Row[]>,
): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const send = (text: string, values: readonly unknown[] = []) => sendStatement(client, { text, values });
  const reading = async (): Promise<number> => {
    const [row] = await send("select value from mortar.meta where name = 'consent-rules'");
    return Number(row?.[0] ?? 0);
  };
  try {
    if ((await reading()) === READING) return;
    await send('begin');
    // No Consent is written meanwhile, by whatever process, and of many that start one does the work.
    await send('lock table fhir.consent in share row exclusive mode');
    const before = await reading();
    if (before !== READING) {
      let after: unknown = '-9223372036854775808';
      for (;;) {
        const rows = await open(
          await send(
            `select id, ver, lu, content, rid::text, exists (
  select from mortar.consent_rule r where r.consent = rid and r.ver = c.ver and r.by_patient)
from fhir.consent c where rid > $1::bigint and op <> 'D' order by rid limit ${BATCH}`,
            [after],
          ),
        );
        const ruled = rows.map(([id, ver, lu, content, , wasByPatient]) => {
          const consent = parseJson(content as string) as Record<string, unknown>; // stored text was checked
          const isByPatient = before >= TOLD_BY_WRITER && wasByPatient === true;
          return { ver: ver as number, row: { ...rowOf(consent, 'Consent', id as string, Number(lu)), isByPatient } };
        });
        await send('delete from mortar.consent_rule where consent = any($1::bigint[])', [rows.map((row) => row[4])]);
        await send(insertConsentRules(1), [joinConsentRules(ruled)]);
        after = rows.at(-1)?.[4];
        if (rows.length < BATCH) break;
      }
      await send(`delete from mortar.consent_rule r
where not exists (select from fhir.consent c where c.rid = r.consent and c.ver = r.ver and c.op <> 'D')`);
      await send("update mortar.meta set value = $1 where name = 'consent-rules'", [String(READING)]);
    }
    await send('commit');
  } catch (error) {
    await client.query('rollback').catch((failed: Error) => {
      broken = failed;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
