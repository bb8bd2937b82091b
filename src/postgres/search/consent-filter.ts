/**
 * What Consents say of a row, asked of their rules (`mortar.consent_rule`): one look into the index of the patient, and no
 * more where the patient has none. SECURITY FA-06
 */
import { ACTIONS } from '../../policy/consent.ts';
import type { ConsentAsker } from '../../ports/policy.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { isOfPatient, type Pointer, patientsOf, pointersOf, sealedText } from './row-patients.ts';
import { and } from './sql.ts';

const RULES = 'mortar.consent_rule';

/** No rule that denies holds, but where an exception to it does. Index: `consent_rule (pat)`. */
export function undeniedFilter(
  context: FilterContext,
  type: string,
  m: string,
  { asker }: Extract<StoreCondition, { kind: 'undenied' }>,
): string {
  if (type === 'Binary') return undeniedBinary(context, m, asker);
  return undenied(context, { type, m, asker, isOf: isOfPatient(context, type, m, 'any'), isWhole: type === 'Bundle' });
}

interface Asked {
  readonly type: string;
  readonly m: string;
  readonly asker: ConsentAsker;
  /** That a rule is of a patient of the row. */
  readonly isOf: (alias: string) => string;
  /** Whether the row may hold anything of the patient: it is denied with whatever is denied. */
  readonly isWhole?: boolean;
}

function undenied(context: FilterContext, { type, m, asker, isOf, isWhole = false }: Asked): string {
  const { perhaps, surely } = holding(context, type, m, asker, isWhole);
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

/**
 * A Binary is kept back with whatever document points to it, and with its security context; and by rules of their patients
 * that name it. Of a context of an unusual type it is not looked at which rule fits: any that denies does.
 */
function undeniedBinary(context: FilterContext, m: string, asker: ConsentAsker): string {
  const t = `${m}d`;
  const { usual, unusual } = pointersOf(context, m, t);
  const anyOf =
    (pointers: readonly Pointer[]) =>
    (k: string): string =>
      `${k}.pat in (${pointers.map(({ type, from }) => `select p.pat from ${from}, lateral (${patientsOf(context, type, t)}) p`).join(' union all ')})`;
  return and([
    ...usual.map(
      ({ type, from }) =>
        `not exists (select from ${from} where not ${undenied(context, { type, m: t, asker, isOf: isOfPatient(context, type, t, 'any') })} offset 0)`,
    ),
    undenied(context, { type: 'Binary', m, asker, isOf: anyOf(usual) }),
    undenied(context, { type: 'Binary', m, asker, isOf: anyOf(unusual), isWhole: true }),
  ]);
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
  isWhole = false,
): { readonly perhaps: Holds; readonly surely: Holds } {
  const { params, now } = context;
  const at = params.add(now, 'bigint');
  const action = params.add(ACTIONS[asker.action], 'int');
  const actors = params.add(asker.actors, 'text[]');
  const purposes = asker.purposes && params.add(asker.purposes, 'text[]');
  const name = params.add(type, 'text');
  const used = (k: string, purpose: Holds): readonly string[] => [
    `${k}.from_ms <= ${at}`,
    `${k}.until_ms > ${at}`,
    `${k}.actions & ${action} <> 0`,
    `(${k}.actors is null or ${k}.actors && ${actors})`,
    `(${k}.purposes is null or ${purpose(k)})`,
  ];
  const said = (k: string, refers: Holds): readonly string[] => [
    `(${k}.types is null or ${name} = any(${k}.types))`,
    `(${k}.resources is null or ${name} || '/' || ${m}.id = any(${k}.resources) or ${refers(k)})`,
    `(${k}.labels is null or exists (select from ${labelsOf(m)} where l = any(${k}.labels)))`,
  ];
  const stated: Holds | undefined = purposes === undefined ? undefined : (k) => `${k}.purposes && ${purposes}`;
  const refers = refersIn(m);
  const sealed = sealedFilter(context, type, m);
  const mayRefer: Holds = sealed ? (k) => `${refers(k)} or ${sealed(k)}` : refers;
  return {
    perhaps: (k) => and([...used(k, stated ?? (() => 'true')), ...(isWhole ? [] : said(k, mayRefer))]),
    surely: (k) => and([...used(k, stated ?? (() => 'false')), ...said(k, refers)]),
  };
}

/** That the text refers to one of the resources, to whatever version of it and by whatever address. */
const refersIn =
  (m: string): Holds =>
  (k) =>
    `exists (select from unnest(${k}.referring) r where position(r || '"' in ${m}.content) > 0 or position(r || '/_history/' in ${m}.content) > 0)`;

/** That an encrypted element, which cannot be read here, may refer to one of the resources; undefined where none may. */
function sealedFilter(context: FilterContext, type: string, m: string): Holds | undefined {
  const isSealed = sealedText(context, m);
  const targets = context.sealedTargets?.(type) ?? [];
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
