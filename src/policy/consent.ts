/**
 * What a Consent says, as rules that a store can ask in SQL. A rule is a provision; those below it are exceptions to it.
 * What cannot be understood narrows no denial and permits nothing. https://hl7.org/fhir/R4/consent.html; SECURITY FA-06
 */
import { parseDate } from '../standards/fhir/search/date.ts';

/** Bits of the kinds of use that a provision is about. */
export const ACTIONS = { access: 1, collect: 2, correct: 4 } as const;
export type Action = keyof typeof ACTIONS;
const EVERY_ACTION = ACTIONS.access | ACTIONS.collect | ACTIONS.correct;

/** Absent lists do not narrow. Within one list any member does; all lists must agree, and those of all ancestors. */
export interface ConsentRule {
  readonly number: number;
  /** `neutral`: only the frame of those below it. */
  readonly effect: 'deny' | 'permit' | 'neutral';
  /** Numbers of the rules above, the nearest last. */
  readonly ancestors: readonly number[];
  /** `Type/id`; `Device` alone: some program. */
  readonly actors?: readonly string[];
  /** Codes of v3-PurposeOfUse. */
  readonly purposes?: readonly string[];
  /** Sum of `ACTIONS`. */
  readonly actions: number;
  readonly types?: readonly string[];
  /** Codes of `meta.security`; `N` is also said of what has no confidentiality. */
  readonly labels?: readonly string[];
  /** The resources themselves, `Type/id`. */
  readonly resources?: readonly string[];
  /** And whatever refers to these. */
  readonly referring?: readonly string[];
  /** ms UTC; `until` is the first moment after. */
  readonly from: number;
  readonly until: number;
}

export interface ConsentReader {
  /** `Type/id` of a reference to a resource here. */
  readonly localOf: (reference: string) => string | undefined;
  readonly isType: (code: string) => boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** What one provision says, and whether all of it was understood. */
interface Reading extends Pick<ConsentRule, 'actors' | 'purposes' | 'types' | 'labels' | 'resources' | 'referring'> {
  readonly actions: number;
  readonly from: number;
  readonly until: number;
  readonly isClear: boolean;
  readonly isNarrow: boolean;
}

const EVER = 8.64e15;
/** A Consent with more provisions is read as one that denies everything, as far as it denies at all. */
const PROVISIONS_MAX = 300;
const OPT_OUT = new Set(['OPTOUT', 'OPTOUTE']);
const OPT_IN = new Set(['OPTIN', 'OPTINR']);
/** Roles that say where data come from, not who is to have them. */
const SOURCES = new Set(['AUT', 'CST', 'INF', 'SBJ']);
/** v3-Confidentiality in its order. `L` has no place in it: here it stands for what is sealed by law. */
const CONFIDENTIALITY = ['U', 'M', 'N', 'R', 'V'];
const SEALED = new Set(['L', '_LEGAL']);
const ACTION_OF: ReadonlyMap<string, number> = new Map([
  ['access', ACTIONS.access],
  ['use', ACTIONS.access],
  ['disclose', ACTIONS.access],
  ['collect', ACTIONS.collect],
  ['correct', ACTIONS.correct],
]);
const TYPE_SYSTEMS = new Set(['http://hl7.org/fhir/resource-types', 'http://hl7.org/fhir/fhir-types']);
const PURPOSE_SYSTEMS = new Set([
  'http://terminology.hl7.org/CodeSystem/v3-ActReason',
  'http://hl7.org/fhir/v3/ActReason',
]);

/** https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html: each purpose and those that are kinds of it. */
const PURPOSES: ReadonlyMap<string, string> = new Map(
  (
    [
      ['', 'TREAT HOPERAT HPAYMT HRESCH PATRQT PUBHLTH HMARKT'],
      ['TREAT', 'CAREMGT COC ETREAT POPHLTH'],
      ['ETREAT', 'BTG ERTREAT'],
      ['HOPERAT', 'DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN'],
      ['HOPERAT', 'LABELING METAMGT MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN'],
      ['HPAYMT', 'CLMATTCH COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG REMITADV'],
      ['HRESCH', 'BIORCH CLINTRCH CLINTRCHNPC CLINTRCHPC PRECLINTRCH DSRCH POARCH TRANSRCH'],
      ['PATRQT', 'FAMRQT PWATRNY SUPNWK'],
      ['PUBHLTH', 'DISASTER THREAT'],
    ] as const
  ).flatMap(([parent, codes]) => codes.split(' ').map((code): [string, string] => [code, parent])),
);

/** A purpose and those that it is a kind of. */
export function purposesOf(code: string): readonly string[] {
  const found: string[] = [];
  for (let at = code; at !== ''; at = PURPOSES.get(at) ?? '') found.push(at);
  return found;
}

const list = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter((one): one is Json => typeof one === 'object' && one !== null) : [];
const member = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const codesOf = (concept: unknown): readonly string[] =>
  list(member(concept)['coding']).flatMap(({ code }) => text(code) ?? []);

/** Whether its policy permits what no provision denies. */
export const isOptIn = (consent: Json): boolean => codesOf(consent['policyRule']).some((code) => OPT_IN.has(code));

/** The rules of a Consent; none when it is about something else or not in force. */
export function consentRules(consent: Json, reader: ConsentReader): readonly ConsentRule[] {
  const patient = text(member(consent['patient'])['reference']);
  if (consent['status'] !== 'active' || patient === undefined) return [];
  if (!codesOf(consent['scope']).includes('patient-privacy')) return [];
  const rules: ConsentRule[] = [];
  const add = (
    effect: ConsentRule['effect'],
    reading: Omit<Reading, 'isClear' | 'isNarrow'>,
    above: readonly number[],
  ): number => {
    const number = rules.length;
    rules.push({ number, effect, ancestors: above, ...reading });
    return number;
  };
  const base = codesOf(consent['policyRule']);
  const isOut = base.some((code) => OPT_OUT.has(code));
  const isIn = isOptIn(consent);
  const root = isOut ? [add('deny', EVERYTHING, [])] : [];
  let count = 0;

  function walk(provision: Json, above: readonly number[], isFrameClear: boolean, isRoot: boolean): void {
    count += 1;
    if (count > PROVISIONS_MAX) return;
    const reading = readProvision(provision, reader);
    const below = list(provision['provision']);
    const said = provision['type'];
    // R4 allows no type at the root: there it is an exception to the rule of the policy.
    const bare = isRoot && said === undefined && reading.isNarrow && below.length === 0;
    const type = bare && isOut ? 'permit' : bare && isIn ? 'deny' : said;
    const { isClear, isNarrow: _narrow, ...narrowing } = reading;
    const isWholeClear = isFrameClear && isClear;
    // A program that is denied may be any; one that is permitted is not known by its Device.
    const isNamed = narrowing.actors?.includes('Device') !== true;
    const effect = type === 'deny' ? 'deny' : type === 'permit' && isWholeClear && isNamed ? 'permit' : 'neutral';
    const ancestors = [...above, add(effect, labelled(narrowing, effect), above)];
    // Up to which height a mere frame would reach is not said.
    const isFrame = isWholeClear && !(effect === 'neutral' && narrowing.labels);
    for (const one of below) walk(one, ancestors, isFrame, false);
  }
  const top = consent['provision'];
  if (top !== undefined) walk(member(top), root, true, true);
  if (count <= PROVISIONS_MAX) return rules.some(({ effect }) => effect !== 'neutral') ? rules : [];
  return JSON.stringify(top).includes('"deny"') || isOut
    ? [{ number: 0, effect: 'deny', ancestors: [], ...EVERYTHING }]
    : [];
}

const EVERYTHING = { actions: EVERY_ACTION, from: -EVER, until: EVER } as const;

type Narrowing = Omit<Reading, 'isClear' | 'isNarrow'>;

/**
 * Confidentiality is a mark of height: a permission reaches up to it, and a denial from it upwards. What law has sealed
 * is opened by nobody's consent (FA-05).
 * Deviates: R4 reads it as "up to" in both, by which denying what is restricted would leave what is very restricted open.
 */
function labelled({ labels, ...narrowing }: Narrowing, effect: ConsentRule['effect']): Narrowing {
  if (!labels || effect === 'neutral') return narrowing;
  const reached = labels.flatMap((code) => {
    const height = CONFIDENTIALITY.indexOf(code);
    if (height < 0) return [code];
    return effect === 'deny' ? CONFIDENTIALITY.slice(height) : CONFIDENTIALITY.slice(0, height + 1);
  });
  const opened = effect === 'permit' ? reached.filter((code) => !SEALED.has(code)) : reached;
  return { ...narrowing, labels: [...new Set(opened)] };
}

function readProvision(provision: Json, reader: ConsentReader): Reading {
  let isClear = true;
  /** The meaning of each; undefined where one is not understood, so that the list does not narrow. */
  function each<T>(given: unknown, mean: (one: Json) => T | undefined): readonly T[] | undefined {
    const all = list(given);
    if (given === undefined || (Array.isArray(given) && given.length === 0)) return undefined;
    const meant = all.flatMap((one) => mean(one) ?? []);
    if (meant.length === all.length && all.length > 0) return meant;
    isClear = false;
    return undefined;
  }
  const coded = (one: Json, systems: ReadonlySet<string>, isKnown: (code: string) => boolean): string | undefined => {
    const code = text(one['code']);
    return code !== undefined && systems.has(String(one['system'])) && isKnown(code) ? code : undefined;
  };
  const actors = each(provision['actor'], (one) => actorOf(one, reader));
  const purposes = each(provision['purpose'], (one) => coded(one, PURPOSE_SYSTEMS, (code) => PURPOSES.has(code)));
  const types = each(provision['class'], (one) => coded(one, TYPE_SYSTEMS, reader.isType));
  const labels = each(provision['securityLabel'], ({ code }) => text(code));
  const actions = each(provision['action'], (one) =>
    codesOf(one)
      .map((code) => ACTION_OF.get(code))
      .find(Boolean),
  );
  const data = each(provision['data'], (one) => dataOf(one, reader));
  // Which codes and which times of the data are meant is not looked at.
  for (const name of ['code', 'dataPeriod']) if (provision[name] !== undefined) isClear = false;
  // That something refers to another resource is read from its text: enough to keep it back, not to give it out.
  if (data?.some(({ isReferring }) => isReferring)) isClear = false;
  const period = readPeriod(provision['period']);
  if (!period.isClear) isClear = false;
  const lists = ['actor', 'purpose', 'class', 'securityLabel', 'action', 'data', 'code', 'dataPeriod'];
  return {
    ...(actors && { actors }),
    ...(purposes && { purposes }),
    ...(types && { types }),
    ...(labels && { labels }),
    ...(data && {
      resources: data.flatMap(({ resource }) => resource ?? []),
      referring: data.flatMap(({ isReferring, reference }) => (isReferring ? [reference] : [])),
    }),
    actions: actions ? actions.reduce((sum, bit) => sum | bit, 0) : EVERY_ACTION,
    from: period.from,
    until: period.until,
    isClear,
    isNarrow: lists.some((name) => provision[name] !== undefined),
  };
}

const NAMED = new Set(['Practitioner', 'PractitionerRole', 'Organization', 'RelatedPerson', 'Patient']);

/** Whom an actor names; undefined for those of whom it is not known who they are: groups, teams, people by name. */
export function actorOf({ role, reference }: Json, { localOf }: Pick<ConsentReader, 'localOf'>): string | undefined {
  if (codesOf(role).some((code) => SOURCES.has(code))) return undefined;
  const given = text(member(reference)['reference']);
  const local = given === undefined ? undefined : localOf(given);
  const [type = ''] = local?.split('/') ?? [];
  return type === 'Device' ? 'Device' : NAMED.has(type) ? local : undefined;
}

export interface ConsentData {
  readonly reference: string;
  /** The resource itself, where it is meant. */
  readonly resource?: string;
  readonly isReferring: boolean;
}

/** Which data an item is about; undefined where that is not understood. */
export function dataOf(
  { meaning, reference }: Json,
  { localOf }: Pick<ConsentReader, 'localOf'>,
): ConsentData | undefined {
  const given = text(member(reference)['reference']);
  const local = given === undefined ? undefined : localOf(given);
  if (local === undefined) return undefined;
  if (meaning === 'instance') return { reference: local, resource: local, isReferring: false };
  if (meaning === 'dependents') return { reference: local, resource: local, isReferring: true };
  return meaning === 'authoredby' ? { reference: local, isReferring: true } : undefined;
}

function readPeriod(given: unknown): { readonly from: number; readonly until: number; readonly isClear: boolean } {
  const { start, end } = member(given);
  const [low, high] = [start, end].map((value) => (value === undefined ? undefined : parseDate(String(value))));
  const isClear = (start === undefined || low !== undefined) && (end === undefined || high !== undefined);
  return { from: low?.low ?? -EVER, until: high ? high.high + 1 : EVER, isClear };
}
