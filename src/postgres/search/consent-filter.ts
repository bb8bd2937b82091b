/**
 * What Consents say of a row, asked of their rules (`mortar.consent_rule`): one look into the index of the patient, and no
 * more where the patient has none. SECURITY FA-06
 */
import { ACTIONS } from '../../policy/consent.ts';
import type { ConsentAsker } from '../../ports/policy.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { isInOddContext, isOfPatient, isOfPatientAmong, pointersOf, sealedText } from './row-patients.ts';
import { and, or } from './sql.ts';

const RULES = 'mortar.consent_rule';

/** A row as rules speak of it: the SQL of its type, its alias, and what may be hidden in its text. */
interface Subject {
  readonly type: string;
  readonly m: string;
  readonly sealed: Holds | undefined;
}

/** No rule that denies holds, but where an exception to it does. Index: `consent_rule (pat)`. */
export function undeniedFilter(
  context: FilterContext,
  type: string,
  m: string,
  { asker }: Extract<StoreCondition, { kind: 'undenied' }>,
): string {
  const itself = subjectOf(context, type, m);
  if (type !== 'Binary') {
    const rowByRow = undenied(context, asker, [itself], isOfPatient(context, type, m, 'any'), type === 'Bundle');
    const isOfAny = isOfPatientAmong(context, type, m);
    // Asked once of all rows together: few patients deny anything.
    return isOfAny
      ? `case when (select not exists (select from ${RULES} k where k.effect = 'D' and ${isOfAny('k')})) then true else ${rowByRow} end`
      : rowByRow;
  }
  // A Binary is kept back as itself and as each of those that it belongs to, where that is looked at.
  const d = `${m}d`;
  const pointer: Subject = {
    type: `${d}.type`,
    m: d,
    sealed: sealedFilter({ ...context, isCandidate: false }, ['*'], d),
  };
  return and([
    `not ${isInOddContext(context, m)}`,
    `not exists (
  select from (${pointersOf(context, m)}) ${d}
  where not ${undenied(context, asker, [itself, pointer], (k) => `${k}.pat = ${d}.pat`)} offset 0)`,
  ]);
}

/** `isWhole`: the row may hold anything of the patient, and is denied with whatever is denied. */
function undenied(
  context: FilterContext,
  asker: ConsentAsker,
  subjects: readonly Subject[],
  isOf: Holds,
  isWhole = false,
): string {
  const { perhaps, surely } = holding(context, subjects, asker, isWhole);
  const denies = and([
    isOf('k'),
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
  const { surely } = holding(context, [subjectOf(context, type, m)], asker);
  const permits = and([
    isOfPatient(context, type, m, 'own')('k'),
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

/** SQL about the rule of an alias. */
type Holds = (alias: string) => string;

/**
 * Whether a rule is in force and speaks of this row, this person and this kind of use; the rules above it aside. Of who
 * does not say why they ask it may be that a rule for some purpose holds, but is not sure; nor is what is not said of all
 * subjects.
 */
function holding(
  context: FilterContext,
  subjects: readonly Subject[],
  asker: ConsentAsker,
  isWhole = false,
): { readonly perhaps: Holds; readonly surely: Holds } {
  const { params, now } = context;
  const at = params.add(now, 'bigint');
  const action = params.add(ACTIONS[asker.action], 'int');
  const actors = params.add(asker.actors, 'text[]');
  const purposes = asker.purposes && params.add(asker.purposes, 'text[]');
  const used = (k: string, purpose: Holds): readonly string[] => [
    `${k}.from_ms <= ${at}`,
    `${k}.until_ms > ${at}`,
    `${k}.actions & ${action} <> 0`,
    `(${k}.actors is null or ${k}.actors && ${actors})`,
    `(${k}.purposes is null or ${purpose(k)})`,
  ];
  const said = (k: string, join: typeof and, isSure: boolean): readonly string[] => {
    const each = (test: (subject: Subject) => string): string => join(subjects.map(test));
    const refers = ({ m, sealed }: Subject): string => or([refersIn(m, k), ...(sealed && !isSure ? [sealed(k)] : [])]);
    return [
      `(${k}.types is null or ${each(({ type }) => `${type} = any(${k}.types)`)})`,
      `(${k}.resources is null or ${each((one) => or([`${one.type} || '/' || ${one.m}.id = any(${k}.resources)`, refers(one)]))})`,
      `(${k}.labels is null or ${each(({ m }) => `exists (select from ${labelsOf(m)} where l = any(${k}.labels))`)})`,
    ];
  };
  const stated: Holds | undefined = purposes === undefined ? undefined : (k) => `${k}.purposes && ${purposes}`;
  return {
    perhaps: (k) => and([...used(k, stated ?? (() => 'true')), ...(isWhole ? [] : said(k, or, false))]),
    surely: (k) => and([...used(k, stated ?? (() => 'false')), ...said(k, and, true)]),
  };
}

const subjectOf = (context: FilterContext, type: string, m: string): Subject => ({
  type: context.params.add(type, 'text'),
  m,
  sealed: sealedFilter(context, context.sealedTargets?.(type) ?? [], m),
});

/** That the text refers to one of the resources, to whatever version of it and by whatever address. */
const refersIn = (m: string, k: string): string =>
  `exists (select from unnest(${k}.referring) r where position(r || '"' in ${m}.content) > 0 or position(r || '/_history/' in ${m}.content) > 0)`;

/** That an encrypted element, which cannot be read here, may refer to one of the resources; undefined where none may. */
function sealedFilter(context: FilterContext, targets: readonly string[], m: string): Holds | undefined {
  const isSealed = sealedText(context, m);
  if (isSealed === undefined || targets.length === 0) return undefined;
  let list: string | undefined;
  return (k) => {
    list ??= context.params.add(targets, 'text[]');
    return `(${isSealed} and exists (select from unnest(${k}.referring) r where array[split_part(r, '/', 1), '*'] && ${list}))`;
  };
}

/** Codes of the row's labels; one without a confidentiality is normal. https://hl7.org/fhir/R4/security-labels.html */
const labelsOf = (m: string): string =>
  `(select c #>> '{}' as l from jsonb_path_query(nullif(${m}.content, '')::jsonb, '$.meta.security.code') c
      union all
      select 'N' where not coalesce(jsonb_path_exists(nullif(${m}.content, '')::jsonb, '$.meta.security ? (@.code like_regex "^[UMNRV]$")'), false)) b(l)`;
