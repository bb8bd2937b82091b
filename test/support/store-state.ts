/** What the database holds, for tests that nothing was half written and that search rows say what the content says. */
import type pg from 'pg';
import { toBigInt } from '../../src/postgres/hash.ts';
import { createKeys, type Keys } from '../../src/postgres/keys.ts';
import { createRowBuilder, type SearchRow } from '../../src/postgres/row.ts';
import { STORED_TYPES, tableOf } from '../../src/postgres/tables.ts';
import { parseJson } from '../../src/standards/fhir/json.ts';
import { createExtractors } from '../../src/standards/fhir/search/extract.ts';
import { createSearchParameters } from '../../src/standards/fhir/search/parameters.ts';
import { withClient } from './database.ts';
import { testDefinitions } from './definitions.ts';
import type { TestServer } from './server.ts';

type Target = Pick<TestServer, 'database' | 'fhirBaseUrl'>;

/** One line a table that holds rows, with a digest of all of them: equal before and after = nothing changed. */
export async function storeState({ database }: Pick<Target, 'database'>): Promise<string> {
  return withClient(database.connection('owner'), async (client) => {
    const used = await client.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('fhir', 'mortar') and c.relkind = 'r' and pg_relation_size(c.oid) > 0 and c.relname not in ('worker', 'meta', 'message', 'schedule', 'consumer') order by 1`,
    );
    const parts = used.rows.map(
      ({ name }) =>
        `select '${name}' || ' ' || count(*) || ' ' || md5(string_agg(t::text, '|' order by t::text)) from ${name} t having count(*) > 0`,
    );
    const { rows } = await client.query<string[]>({ text: parts.join(' union all '), rowMode: 'array' });
    return rows.flat().join('\n');
  });
}

/** Stops the server after a suite, having looked whether its store is whole (RL-09). */
export async function stopChecked(server: TestServer): Promise<void> {
  try {
    const faults = await storeFaults(server);
    if (faults.length > 0) throw new Error(`[RL-09] the store is not whole:\n${faults.slice(0, 20).join('\n')}`);
  } finally {
    await server.stop();
  }
}

interface Recomputed {
  readonly keys: Keys;
  readonly rowOf: ReturnType<typeof createRowBuilder>;
}

let compiled: ReturnType<typeof compile> | undefined;
const compile = () => {
  const parameters = createSearchParameters(testDefinitions());
  return { parameters, extractorOf: createExtractors(testDefinitions(), parameters) };
};

async function recompute(client: pg.Client, baseUrl: string): Promise<Recomputed> {
  const { rows } = await client.query<{ value: string }>("select value from mortar.meta where name = 'hash-key'");
  const keys = createKeys(Buffer.from(rows[0]?.value ?? '', 'hex').subarray(0, 16));
  compiled ??= compile();
  const { parameters, extractorOf } = compiled;
  const parametersOf = (type: string) => {
    const found = parameters.get(type);
    if (!found) throw new Error(`no parameters for ${type}`);
    return found;
  };
  return { keys, rowOf: createRowBuilder({ keys, parametersOf, extractorOf, baseUrl }) };
}

/**
 * SECURITY RL-09: every difference between what is stored for search and what the content gives now; every version
 * that is missing; every version without its one row in the change table. Empty = all is well.
 */
export async function storeFaults(server: Target): Promise<string[]> {
  return withClient(server.database.connection('owner'), async (client) => {
    const fresh = await recompute(client, server.fhirBaseUrl);
    const faults: string[] = [];
    for (const type of await typesWithRows(client)) faults.push(...(await faultsOf(client, type, fresh)));
    return faults;
  });
}

/** The faults of one type, as a transaction under way sees them. */
export const faultsOfType = async (client: pg.Client, type: string, baseUrl: string): Promise<string[]> =>
  faultsOf(client, type, await recompute(client, baseUrl));

const faultsOf = async (client: pg.Client, type: string, { rowOf, keys }: Recomputed): Promise<string[]> => [
  ...(await searchFaults(client, type, rowOf, keys)),
  ...(await versionFaults(client, type)),
];

async function typesWithRows(client: pg.Client): Promise<string[]> {
  const parts = STORED_TYPES.map((type) => `select '${type}' where exists (select from ${tableOf(type).main})`);
  const sides = STORED_TYPES.flatMap((type) => {
    const { numbers, strings, history } = tableOf(type);
    return [numbers, strings, history].map((table) => `select '${type}' where exists (select from ${table})`);
  });
  const { rows } = await client.query<string[]>({ text: [...parts, ...sides].join(' union '), rowMode: 'array' });
  return rows.map((row) => row[0] as string);
}

interface StoredRow {
  readonly rid: string;
  readonly pat: string | null;
  readonly lu: string;
  readonly sd: string | null;
  readonly se: string | null;
  readonly pm: string;
  readonly ver: number;
  readonly op: string;
  readonly id: string;
  readonly tok: readonly string[];
  readonly content: string;
  readonly numbers: string;
  readonly strings: string;
}

async function searchFaults(
  client: pg.Client,
  type: string,
  rowOf: Recomputed['rowOf'],
  keys: Keys,
): Promise<string[]> {
  const { main, numbers, strings } = tableOf(type);
  const { rows } =
    await client.query<StoredRow>(`select m.rid, m.pat, m.lu, m.sd, m.se, m.pm, m.ver, m.op, m.id, m.tok::text[], m.content,
  (select coalesce(string_agg(n.h || ' ' || n.v || ' ' || coalesce(n.w::text, ''), ';' order by n.h, n.v, n.w), '') from ${numbers} n where n.rid = m.rid) as numbers,
  (select coalesce(string_agg(s.h || ' ' || s.v, ';' order by s.h, s.v), '') from ${strings} s where s.rid = m.rid) as strings
from ${main} m`);
  const { rows: orphans } = await client.query(
    `select rid from ${numbers} where rid not in (select rid from ${main}) union all select rid from ${strings} where rid not in (select rid from ${main})`,
  );
  const faults = orphans.length > 0 ? [`${type}: ${orphans.length} side rows of nothing`] : [];
  for (const row of rows) {
    const said = (what: string): void => {
      faults.push(`${type}/${row.id} version ${row.ver}: ${what}`);
    };
    if (String(keys.rids.rid(row.id)) !== row.rid) said('rid is not that of the id');
    if (row.op === 'D') {
      if (row.content !== '' || row.tok.length > 0 || row.numbers !== '' || row.strings !== '' || row.sd !== null)
        said('deleted, but something is left to find');
      continue;
    }
    const content = parseJson(row.content) as Record<string, unknown> & {
      meta: { lastUpdated: string; versionId: string };
    };
    if (content['id'] !== row.id || content.meta.versionId !== String(row.ver))
      said('id or version differ from the content');
    if (Date.parse(content.meta.lastUpdated) !== Number(row.lu)) said('lu differs from lastUpdated');
    const fresh = rowOf(content, type, row.id, Number(row.lu));
    const compare = (what: string, stored: unknown, wanted: unknown): void => {
      if (JSON.stringify(stored) !== JSON.stringify(wanted))
        said(`${what}: ${JSON.stringify(stored)}, not ${JSON.stringify(wanted)}`);
    };
    compare('tok', [...row.tok].sort(), bigs(fresh.tok).sort());
    compare('pat', row.pat, fresh.pat ? String(toBigInt(fresh.pat.hi, fresh.pat.lo)) : null);
    compare('sd', row.sd, Number.isNaN(fresh.sd) ? null : String(fresh.sd));
    compare('se', row.se, Number.isNaN(fresh.se) ? null : String(fresh.se));
    compare('pm', row.pm, String(toBigInt(fresh.pmHi, fresh.pmLo)));
    compare('_n', row.numbers.split(';').sort(), numberTexts(fresh));
    compare('_s', row.strings.split(';').sort(), stringTexts(fresh));
  }
  return faults;
}

const bigs = (lanes: readonly number[]): string[] =>
  Array.from({ length: lanes.length / 2 }, (_, i) =>
    String(toBigInt(lanes[2 * i] as number, lanes[2 * i + 1] as number)),
  );

/** A float8 as Postgres writes it. */
function floatText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'Infinity';
  if (value === Number.NEGATIVE_INFINITY) return '-Infinity';
  if (Object.is(value, -0)) return '-0';
  const [, digits = '', exponent = ''] = /^(.*)e([+-]\d+)$/.exec(value.toExponential()) ?? [];
  const power = Number(exponent);
  if (power >= -5 && power < 15) return /e/.test(String(value)) ? value.toFixed(20).replace(/0+$/, '') : String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const numberTexts = (row: SearchRow): string[] =>
  row.nv.length === 0
    ? ['']
    : bigs(row.nh)
        .map(
          (h, i) =>
            `${h} ${floatText(row.nv[i] as number)} ${Number.isNaN(row.nw[i]) ? '' : floatText(row.nw[i] as number)}`,
        )
        .sort();

const stringTexts = (row: SearchRow): string[] => {
  if (row.sv.length === 0) return [''];
  return bigs(row.sh)
    .map((h, i) => `${h} ${row.sv[i]}`)
    .join(';')
    .split(';')
    .sort();
};

async function versionFaults(client: pg.Client, type: string): Promise<string[]> {
  const { main, history, number } = tableOf(type);
  const { rows } = await client.query<{ id: string; ver: number; found: number; last: boolean; changes: number }>(
    `with v as (
  select rid, ver, lu, op from ${main} union all select rid, ver, lu, op from ${history}
)
select m.id, m.ver, (select count(*)::int from v where v.rid = m.rid) as found,
  (select max(v.ver) = m.ver and min(v.ver) = 1 and count(distinct v.ver) = m.ver and max(v.lu) = m.lu from v where v.rid = m.rid) as last,
  (select count(*)::int from mortar.change c join v on v.rid = c.rid and v.ver = c.ver and v.lu = c.at and v.op = c.op
   where c.rid = m.rid and c.type = ${number}) as changes
from ${main} m`,
  );
  const faults = rows
    .filter((row) => row.found !== row.ver || !row.last || row.changes !== row.ver)
    .map((row) => `${type}/${row.id}: ${row.found} versions and ${row.changes} changes up to version ${row.ver}`);
  const { rows: stray } = await client.query(
    `select c.rid from mortar.change c left join ${main} m on m.rid = c.rid where c.type = ${number} and (m.rid is null or c.ver > m.ver)`,
  );
  return stray.length > 0 ? [...faults, `${type}: ${stray.length} changes of nothing`] : faults;
}
