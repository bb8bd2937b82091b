/** Which patients a row is about, as SQL: for what these say of it in Consents. SECURITY FA-06 */
import { CONTEXTS, DOCUMENTS } from '../../policy/binaries.ts';
import { OF_NOBODY } from '../../policy/types.ts';
import { MARK } from '../../standards/fhir/encryption/sealed-text.ts';
import { type Lanes, lanesToBigInt } from '../keys.ts';
import { attachmentMask, contextMask } from '../pointers.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import type { FilterContext } from './condition.ts';
import { referenceMasks } from './hashes.ts';

/** `own`: whose record it is in, or for whom it is held. `any`: also whoever else it names, where R4 has it in no compartment. */
export type Reach = 'own' | 'any';

/** That the patient of alias `k` is one whom the row is about. */
export function isOfPatient(context: FilterContext, type: string, m: string, reach: Reach): (k: string) => string {
  if (type === 'Patient') return (k) => `${k}.pat = ${m}.rid`;
  if (type === 'Bundle') return isInBundle(context, m);
  if (context.parameters.get(type)?.singlePatient) return (k) => `${k}.pat = ${m}.pat`;
  const patients = patientsOf(context, type, m, reach);
  // As an array: one look into the index of the rules, whatever is known of how many there are.
  return (k) => `${k}.pat = any(array(${patients}))`;
}

/** The same for any of the rows that the statement names one by one; undefined where each row names its one patient. */
export function isOfPatientAmong(context: FilterContext, type: string, m: string): ((k: string) => string) | undefined {
  const { among } = context;
  const hasOne = ['Patient', 'Bundle', 'Binary'].includes(type) || context.parameters.get(type)?.singlePatient;
  if (among?.alias !== m || hasOne) return undefined;
  const rids = context.params.add(among.rids.map(String), 'bigint[]');
  // Rows of one kind share most of their tokens.
  const tokens = `select distinct e from ${tableOf(type).main} n, unnest(n.tok) e where n.rid = any(${rids})`;
  const patients = `select e # x from (${tokens}) t(e), unnest(${patientMasks(context, type, 'any')}) x`;
  return (k) => `${k}.pat = any(array(${patients}))`;
}

/** The patients as rows of one column, `pat`. */
export function patientsOf(context: FilterContext, type: string, m: string, reach: Reach = 'any'): string {
  if (type === 'Patient') return `select ${m}.rid as pat`;
  if (context.parameters.get(type)?.singlePatient) return `select ${m}.pat as pat`;
  return `select e # x as pat from unnest(${m}.tok) e, unnest(${patientMasks(context, type, reach)}) x`;
}

/** Masks by which a token that names a patient becomes its rid. */
function patientMasks({ keys, params, parameters, beside }: FilterContext, type: string, reach: Reach): string {
  const known = parameters.get(type);
  const codes = new Set(['patient', ...(reach === 'any' ? (beside.get(type) ?? []) : [])]);
  const named = [...codes].flatMap((code) => known?.parameters.get(code) ?? []).filter((one) => !one.custom);
  const masks = [keys.compartment('Patient'), ...named.flatMap((one) => referenceMasks(keys, one, 'Patient'))];
  return params.add([...new Set(masks.map((mask) => String(lanesToBigInt(mask))))], 'bigint[]');
}

/** That the text is sealed, so that some of it cannot be read here; undefined where it never is. */
export const sealedText = ({ isCandidate, sealedTargets }: FilterContext, m: string): string | undefined =>
  isCandidate || !sealedTargets ? undefined : `position('${MARK}' in ${m}.content) > 0`;

/** By a reference to the patient anywhere in it, or a Patient of that id; of a sealed one nobody knows. */
function isInBundle(context: FilterContext, m: string): (k: string) => string {
  const isSealed = sealedText(context, m);
  const named = `array(
    select r[1] from regexp_matches(${m}.content, 'Patient/([A-Za-z0-9.-]{1,64})', 'g') r
    union all
    select p #>> '{}' from jsonb_path_query(nullif(${m}.content, '')::jsonb, '$.** ? (@.resourceType == "Patient").id') p)`;
  const isNamed = (k: string): string =>
    `(select p.id from ${tableOf('Patient').main} p where p.rid = ${k}.pat) = any(${named})`;
  return (k) => (isSealed === undefined ? isNamed(k) : `(${isSealed} or ${isNamed(k)})`);
}

/** What a Binary belongs to: columns type, id, content and pat, a row for each patient of each document or context. */
export function pointersOf(context: FilterContext, m: string): string {
  const { keys, params } = context;
  const x = (mask: Lanes): string => params.add(String(lanesToBigInt(mask)), 'bigint');
  const attached = x(attachmentMask(keys));
  const select = (type: string, from: string, where: string): string =>
    `select '${type}' as type, c.id, c.content, p.pat from ${from}, lateral (${patientsOf(context, type, 'c')}) p ${where}`;
  return [
    ...DOCUMENTS.map((type) => select(type, `${tableOf(type).main} c`, `where c.tok @> array[${m}.rid # ${attached}]`)),
    ...CONTEXTS.map((type) =>
      select(
        type,
        `unnest(${m}.tok) g join ${tableOf(type).main} c on c.rid = (g # ${x(contextMask(keys, type))})`,
        '',
      ),
    ),
  ].join('\nunion all ');
}

/** That a Binary is in the context of something that may be about a patient, and of whom is not looked at; or nobody can read which. */
export function isInOddContext({ parameters, params }: FilterContext, m: string): string {
  const known: ReadonlySet<string> = new Set(CONTEXTS);
  const odd = STORED_TYPES.filter(
    (type) =>
      !known.has(type) &&
      !OF_NOBODY.some((types) => types.has(type)) &&
      [...(parameters.get(type)?.parameters.values() ?? [])].some(
        ({ targets, custom }) => !custom && targets.includes('Patient'),
      ),
  );
  const pattern = params.add(`^$|(^|/)(${odd.join('|')})/`, 'text');
  return `case when position('"securityContext"' in ${m}.content) > 0
    then coalesce(${m}.content::jsonb #>> '{securityContext,reference}', '') ~ ${pattern} else false end`;
}
