/**
 * What Consents say of a row, asked of their rules (`mortar.consent_rule`): one look into the index of the patient, and no
 * more where the patient has none. SECURITY FA-06
 */
import { ACTIONS } from '../../policy/consent.ts';
import type { ConsentAsker } from '../../ports/policy.ts';
import { lanesToBigInt } from '../keys.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { referenceMasks } from './hashes.ts';
import { and } from './sql.ts';

const RULES = 'mortar.consent_rule';

/** No rule that denies holds, but where an exception to it does. Index: `consent_rule (pat)`. */
export function undeniedFilter(
  context: FilterContext,
  type: string,
  m: string,
  { asker }: Extract<StoreCondition, { kind: 'undenied' }>,
): string {
  const patient = patientOf(context, type, m);
  const { perhaps, surely } = holding(context, type, m, asker);
  const denies = and([
    patient('k'),
    `k.effect = 'D'`,
    perhaps('k'),
    isFramed(perhaps, 'k'),
    `not exists (
      select from ${RULES} x
      where x.consent = k.consent and x.ver = k.ver and x.ancestors = k.ancestors || k.number and x.effect = 'P'
        and ${surely('x')} offset 0)`,
  ]);
  return `not exists (
  select from ${RULES} k
  where ${denies} offset 0)`;
}

/** A rule that permits holds and names who asks; where the row bears labels of the list, it names those too. */
export function permittedFilter(
  context: FilterContext,
  type: string,
  m: string,
  { asker, labels, isByPatient }: Extract<StoreCondition, { kind: 'permitted' }>,
): string {
  const { params } = context;
  const { surely } = holding(context, type, m, asker);
  const permits = and([
    patientOf(context, type, m)('k'),
    `k.effect = 'P'`,
    'k.actors is not null',
    ...(isByPatient ? ['k.by_patient'] : []),
    surely('k'),
    isFramed(surely, 'k'),
    `not exists (
      select from ${labelsOf(m)}
      where l = any(${params.add(labels, 'text[]')}) and (k.labels is null or l <> all (k.labels)) offset 0)`,
  ]);
  return `exists (
  select from ${RULES} k
  where ${permits} offset 0)`;
}

/** All rules above hold as well. */
const isFramed = (holds: Holds, k: string): string => `(k.ancestors = '{}' or not exists (
      select from ${RULES} a
      where a.consent = ${k}.consent and a.ver = ${k}.ver and a.number = any(${k}.ancestors) and not (${holds('a')}) offset 0))`;

/** That the rule is of a patient whom the row is about. */
function patientOf(context: FilterContext, type: string, m: string): (alias: string) => string {
  if (type === 'Patient') return (k) => `${k}.pat = ${m}.rid`;
  const { keys, params, parameters } = context;
  if (parameters.get(type)?.singlePatient) return (k) => `${k}.pat = ${m}.pat`;
  // Tasks and devices are of patients by `patient`, others by the compartment.
  const patient = parameters.get(type)?.parameters.get('patient');
  const masks = [keys.compartment('Patient'), ...(patient ? referenceMasks(keys, patient, 'Patient') : [])];
  const list = params.add(
    masks.map((mask) => String(lanesToBigInt(mask))),
    'bigint[]',
  );
  return (k) => `${k}.pat in (select e # x from unnest(${m}.tok) e, unnest(${list}) x)`;
}

type Holds = (alias: string) => string;

/**
 * Whether a rule is in force and speaks of this row, this person and this kind of use; the rules above it aside. Of who
 * does not say why they ask it may be that a rule for some purpose holds, but is not sure.
 */
function holding(
  context: FilterContext,
  type: string,
  m: string,
  asker: ConsentAsker,
): { readonly perhaps: Holds; readonly surely: Holds } {
  const { params, now } = context;
  const at = params.add(now, 'bigint');
  const action = params.add(ACTIONS[asker.action], 'int');
  const actors = params.add(asker.actors, 'text[]');
  const purposes = asker.purposes && params.add(asker.purposes, 'text[]');
  const name = params.add(type, 'text');
  const holds =
    (purpose: Holds): Holds =>
    (k) =>
      and([
        `${k}.from_ms <= ${at}`,
        `${k}.until_ms > ${at}`,
        `${k}.actions & ${action} <> 0`,
        `(${k}.actors is null or ${k}.actors && ${actors})`,
        `(${k}.purposes is null or ${purpose(k)})`,
        `(${k}.types is null or ${name} = any(${k}.types))`,
        `(${k}.resources is null or ${name} || '/' || ${m}.id = any(${k}.resources) or exists (select from unnest(${k}.referring) r where position(r || '"' in ${m}.content) > 0))`,
        `(${k}.labels is null or exists (select from ${labelsOf(m)} where l = any(${k}.labels)))`,
      ]);
  const stated: Holds | undefined = purposes === undefined ? undefined : (k) => `${k}.purposes && ${purposes}`;
  return { perhaps: holds(stated ?? (() => 'true')), surely: holds(stated ?? (() => 'false')) };
}

/** Codes of the row's labels; one without a confidentiality is normal. https://hl7.org/fhir/R4/security-labels.html */
const labelsOf = (m: string): string =>
  `(select c #>> '{}' as l from jsonb_path_query(nullif(${m}.content, '')::jsonb, '$.meta.security.code') c
      union all
      select 'N' where not coalesce(jsonb_path_exists(nullif(${m}.content, '')::jsonb, '$.meta.security ? (@.code like_regex "^[UMNRV]$")'), false)) b(l)`;
