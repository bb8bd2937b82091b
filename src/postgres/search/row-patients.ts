/** Which patients a row is about, as SQL: for what these say of it in Consents. SECURITY FA-06 */
import { CONTEXTS, DOCUMENTS } from '../../policy/binaries.ts';
import { BOOKING_TYPES, SHARED_TYPES, TRAIL_TYPES } from '../../policy/types.ts';
import { MARK } from '../../standards/fhir/encryption/sealed-text.ts';
import { lanesToBigInt } from '../keys.ts';
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
  return (k) => `${k}.pat in (${patients})`;
}

/** The patients as rows of one column, `pat`. */
export function patientsOf(context: FilterContext, type: string, m: string, reach: Reach = 'any'): string {
  if (type === 'Patient') return `select ${m}.rid as pat`;
  const { keys, params, parameters, beside } = context;
  const known = parameters.get(type);
  if (known?.singlePatient) return `select ${m}.pat as pat`;
  const codes = new Set(['patient', ...(reach === 'any' ? (beside.get(type) ?? []) : [])]);
  const named = [...codes].flatMap((code) => known?.parameters.get(code) ?? []);
  const masks = [keys.compartment('Patient'), ...named.flatMap((one) => referenceMasks(keys, one, 'Patient'))];
  const list = params.add(
    masks.map((mask) => String(lanesToBigInt(mask))),
    'bigint[]',
  );
  return `select e # x as pat from unnest(${m}.tok) e, unnest(${list}) x`;
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

/** Rows of a type, under the alias that was asked for, by which a Binary is about somebody. */
export interface Pointer {
  readonly type: string;
  readonly from: string;
}

/** Documents that point to a Binary and what it names as its security context; `unusual`: contexts of any other type. */
export function pointersOf(
  context: FilterContext,
  m: string,
  t: string,
): { readonly usual: readonly Pointer[]; readonly unusual: readonly Pointer[] } {
  const { keys, params, parameters } = context;
  const pointer = (type: string, how: 'attached' | 'context'): Pointer => {
    const mask = how === 'attached' ? attachmentMask(keys) : contextMask(keys, type);
    const x = params.add(String(lanesToBigInt(mask)), 'bigint');
    const { main } = tableOf(type);
    const from =
      how === 'attached'
        ? `(select * from ${main} where tok @> array[${m}.rid # ${x}]) ${t}`
        : `(select c.* from unnest(${m}.tok) g join ${main} c on c.rid = (g # ${x})) ${t}`;
    return { type, from };
  };
  const usual: ReadonlySet<string> = new Set(CONTEXTS);
  const isOfSome = (type: string): boolean =>
    !usual.has(type) &&
    !SHARED_TYPES.has(type) &&
    !TRAIL_TYPES.has(type) &&
    !BOOKING_TYPES.has(type) &&
    [...(parameters.get(type)?.parameters.values() ?? [])].some(({ targets }) => targets.includes('Patient'));
  return {
    usual: [...DOCUMENTS.map((type) => pointer(type, 'attached')), ...CONTEXTS.map((type) => pointer(type, 'context'))],
    unusual: STORED_TYPES.filter(isOfSome).map((type) => pointer(type, 'context')),
  };
}
