/**
 * The driving index of a search, chosen here and not by the planner: among the conditions that an index serves, the one
 * that is estimated to leave the fewest rows. docs/decisions/0003-storage.md
 */
import type { SearchParameter } from '../../standards/fhir/search/parameter.ts';
import { lanesToBigInt } from '../keys.ts';
import { tableOf } from '../tables.ts';
import type { KeyedRange } from './common-ranges.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import type { Frequencies } from './frequencies.ts';
import { rarestWords, textFilter } from './full-text.ts';
import { atomKeys } from './hashes.ts';
import { nearBoxes, nearShare } from './near.ts';
import { numberDriver } from './number-driver.ts';
import type { Params } from './sql.ts';
import { tokenAlternatives } from './token-keys.ts';
import { prefixRange } from './value-filters.ts';

export interface Driver {
  /** Estimated rows that it yields. */
  readonly rows: number;
  /** `from` item that yields alias `m`; its parameters are added when it is written. */
  from(params: Params): string;
  /** Column that is in the order of rid, newest first, as rows come: the page can stop early. */
  readonly ordered?: 'd.rid';
  /** Conditions that it answers in full, so that no filter is needed. */
  readonly answers: readonly StoreCondition[];
  /** It yields rows that were named one by one: no walk is shorter. */
  readonly isNamed?: true;
  /** Where statistics say nothing of how many rows there are: they can be counted before they are read. */
  readonly entries?: IndexEntries;
}

/** What an index holds of a condition. */
export interface IndexEntries {
  /** The condition. */
  readonly of: StoreCondition;
  readonly ranges: readonly KeyedRange[];
  /** Statements of a column `rid` each, which may repeat. */
  rids(params: Params): readonly string[];
  /** The driver's `from` item over a source of such rids. */
  from(source: string): string;
}

/** Rows an index entry leads to when nothing is known. */
const PATIENT_ROWS = 100;
const REFERENCE_ROWS = 20;
const STRING_SHARE = 0.02;
const WORD_SHARE = 0.001;
/** Further tokens are intersected in the same index look-up while they are at most this much more common. */
const INTERSECT_FACTOR = 50;
/** So many rows that are named cost less than a wrong guess about what is not. */
const NAMED_MAX = 200;

/** The best driver, or undefined when no condition has one. */
export function chooseDriver(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  conditions: readonly StoreCondition[],
): Driver | undefined {
  const named = conditions.find((condition) => (namedRids(context, condition)?.length ?? Number.NaN) <= NAMED_MAX);
  const naming = named && driverOf(context, frequencies, type, named);
  if (naming) return { ...naming, isNamed: true };
  // A code that statistics do not know yet, such as the status of what was begun since, looks rare and may be most of the
  // table; what belongs to one patient never is.
  const isOfOne = conditions.some((condition) => patientRids(context, type, condition)?.length === 1);
  const driving = isOfOne ? conditions.filter((condition) => !isCode(condition)) : conditions;
  const found = driving.flatMap((condition) => driverOf(context, frequencies, type, condition) ?? []);
  const tokens = tokenDriver(context, frequencies, type, driving);
  return best(tokens ? [...found, tokens] : found);
}

const best = (drivers: readonly Driver[]): Driver | undefined =>
  drivers.reduce<Driver | undefined>((least, next) => (least && least.rows <= next.rows ? least : next), undefined);

const isCode = (condition: StoreCondition): boolean =>
  condition.kind === 'token' &&
  condition.parameter.atoms.every(({ leaves }) => leaves.every((leaf) => leaf.type !== 'Identifier'));

/** Single tokens in one `@>`: the index intersects them. */
function tokenDriver(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  conditions: readonly StoreCondition[],
): Driver | undefined {
  const singles = conditions
    .flatMap((condition) => {
      // `pat` serves conditions on the patient better: its index is in the order of the main date.
      const asToken = positive(condition) && patientRids(context, type, condition) === undefined;
      const keys = asToken ? tokenAlternatives(context, condition) : undefined;
      const key = keys?.length === 1 ? keys[0] : undefined;
      return key === undefined ? [] : [{ condition, key, rows: tokenRows(frequencies, type, condition, [key]) }];
    })
    .sort((a, b) => a.rows - b.rows);
  const best = singles[0];
  if (!best) return undefined;
  const taken = singles.filter((s) => s.rows <= best.rows * INTERSECT_FACTOR);
  return {
    rows: best.rows,
    answers: taken.map((s) => s.condition),
    from: (params) =>
      `(select * from ${tableOf(type).main} where tok @> ${params.add(
        taken.map((s) => String(s.key)),
        'bigint[]',
      )} offset 0) m`,
  };
}

const positive = (condition: StoreCondition): boolean => condition.kind !== 'token' || condition.modifier !== 'not';

/** References are many and none of them is common: statistics say little about them. */
function tokenRows(frequencies: Frequencies, type: string, condition: StoreCondition, keys: readonly bigint[]): number {
  const rows = frequencies.tokenRows(type, keys);
  if (condition.kind === 'compartment') return Math.min(rows, PATIENT_ROWS);
  const references = condition.kind === 'reference' || condition.kind === 'targets';
  return references ? Math.min(rows, REFERENCE_ROWS * keys.length) : rows;
}

function driverOf(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  condition: StoreCondition,
): Driver | undefined {
  const { main } = tableOf(type);
  const make = (rows: number, from: Driver['from']): Driver => ({ rows, from, answers: [condition] });
  const rids = namedRids(context, condition);
  const answers = condition.kind === 'rids' ? [condition] : [];
  if (rids) return { ...make(rids.length, (params) => byRids(main, params, rids)), answers };
  const patients = patientRids(context, type, condition);
  if (patients)
    return make(
      patients.length * PATIENT_ROWS,
      (params) =>
        `(select * from ${main} where pat = ${patients.length === 1 ? params.add(String(patients[0]), 'bigint') : `any(${params.add(patients.map(String), 'bigint[]')})`} offset 0) m`,
    );
  if (condition.kind === 'string' && condition.modifier === undefined)
    return stringDriver(context, frequencies, type, condition);
  if (condition.kind === 'near')
    return {
      rows: Math.max(1, frequencies.rows(type) * nearShare(condition.values)),
      answers: [], // what lies in the corners is not near
      from: (params) =>
        `(select * from ${main} where position('"position"' in content) > 0 and ${nearBoxes(params, condition.values)} offset 0) m`,
    };
  if (condition.kind === 'any') return anyDriver(context, frequencies, type, condition, condition.conditions);
  if (condition.kind === 'text') return textDriver(frequencies, type, condition);
  const numbers = numberDriver(context, frequencies, type, condition);
  if (numbers) return numbers;
  if (!positive(condition)) return undefined;
  const keys = tokenAlternatives(context, condition);
  if (!keys || keys.length < 2) return undefined;
  return make(
    tokenRows(frequencies, type, condition, keys),
    (params) => `(select * from ${main} where tok && ${params.add(keys.map(String), 'bigint[]')} offset 0) m`,
  );
}

/** Rows that are named one by one, and those of other conditions beside them, each by an index of its own. */
function anyDriver(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  whole: StoreCondition,
  branches: readonly StoreCondition[],
): Driver | undefined {
  if (!branches.some(({ kind }) => kind === 'rids')) return undefined;
  const drivers = branches.flatMap((one) => chooseDriver(context, frequencies, type, [one]) ?? []);
  if (drivers.length < branches.length) return undefined;
  return {
    rows: drivers.reduce((sum, { rows }) => sum + rows, 0),
    answers: drivers.every(({ answers }, i) => answers.includes(branches[i] as StoreCondition)) ? [whole] : [],
    from: (params) =>
      `(select * from ${tableOf(type).main} where rid in (${drivers
        .map((driver) => `select m.rid from ${driver.from(params)}`)
        .join(' union ')}) offset 0) m`,
  };
}

/** Rows that a condition names one by one; it holds for no others. */
export const namedRids = ({ keys }: FilterContext, condition: StoreCondition): readonly bigint[] | undefined =>
  condition.kind === 'rids'
    ? condition.rids
    : condition.kind === 'id'
      ? condition.ids.map((id) => keys.rids.rid(id))
      : undefined;

const byRids = (main: string, params: Params, rids: readonly bigint[]): string =>
  `(select * from ${main} where rid = any(${params.add(rids.map(String), 'bigint[]')}) offset 0) m`;

/** Patients named by a condition that `pat` answers exactly. */
export function patientRids(
  context: FilterContext,
  type: string,
  condition: StoreCondition,
): readonly bigint[] | undefined {
  if (condition.kind !== 'reference' && condition.kind !== 'targets') return undefined;
  if (!isPatientParameter(context, type, condition.parameter)) return undefined;
  if (condition.kind === 'targets') return condition.type === 'Patient' ? condition.rids : undefined;
  const rids: bigint[] = [];
  for (const value of condition.values) {
    if (!('id' in value)) return undefined;
    const named = value.type ?? (onlyPatient(condition.parameter) ? 'Patient' : undefined);
    if (named !== 'Patient') return undefined;
    rids.push(context.keys.rids.rid(value.id));
  }
  return rids;
}

const onlyPatient = ({ onlyTargets, targets }: SearchParameter): boolean => {
  const allowed = onlyTargets.length > 0 ? onlyTargets : targets;
  return allowed.length === 1 && allowed[0] === 'Patient';
};

export function isPatientParameter(context: FilterContext, type: string, parameter: SearchParameter): boolean {
  const parameters = context.parameters.get(type);
  return parameters?.singlePatient === true && parameters.patientCodes.includes(parameter.code);
}

/** Rows with the words: the index on `txt`. */
function textDriver(
  frequencies: Frequencies,
  type: string,
  condition: Extract<StoreCondition, { kind: 'text' }>,
): Driver {
  const all = frequencies.rows(type);
  const rowsOf = (word: string): number => frequencies.wordRows?.(type, word) ?? all * WORD_SHARE;
  const rows = condition.values.reduce((sum, value) => sum + (rarestWords(value, rowsOf)?.rows ?? all), 0);
  return {
    rows: Math.max(1, Math.min(all, rows)),
    answers: [condition],
    from: (params) => `(select * from ${tableOf(type).main} where ${textFilter(params, condition)} offset 0) m`,
  };
}

function stringDriver(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  condition: Extract<StoreCondition, { kind: 'string' }>,
): Driver {
  const { main, strings } = tableOf(type);
  const shortest = Math.min(...condition.values.map((value) => value.length));
  const share = Math.min(1, STRING_SHARE ** (Math.min(shortest, 3) / 3) * condition.values.length);
  const ranges = condition.parameter.atoms.flatMap((atom) => {
    const key = String(lanesToBigInt(atomKeys(context.keys, condition.parameter, atom).plain));
    return condition.values.map((value) => {
      const [from, to] = prefixRange(value);
      return { key, from, to };
    });
  });
  const entries: IndexEntries = {
    of: condition,
    ranges,
    rids: (params) =>
      ranges.map(
        ({ key, from, to }) =>
          `select s.rid from ${strings} s where s.h = ${params.add(key, 'bigint')} and s.v >= ${params.add(from, 'text')} and s.v < ${params.add(to, 'text')}`,
      ),
    from: (source) => `(select distinct s.rid from ${source} s order by s.rid desc offset 0) d
cross join lateral (select * from ${main} where rid = d.rid offset 0) m`,
  };
  return {
    rows: Math.max(1, frequencies.rows(type) * share),
    answers: [condition],
    ordered: 'd.rid',
    from: (params) => entries.from(`(${entries.rids(params).join(' union all ')})`),
    entries,
  };
}
