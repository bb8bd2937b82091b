/** What a person may tick, and what the ticks mean: any part of what was asked for. SECURITY SL-10, SC-10, SC-11 */
import type { Scope } from '../../standards/smart/scope.ts';
import { parseScope } from '../../standards/smart/scope.ts';

/** One scope that was asked for, with narrower ones that may stand in for it. */
export interface Offer {
  readonly scope: Scope;
  readonly categories: readonly Category[];
}

export interface Category {
  readonly system: string;
  readonly code: string;
  readonly label: string;
}

const OBSERVATION = 'http://terminology.hl7.org/CodeSystem/observation-category';
const CONDITION = 'http://terminology.hl7.org/CodeSystem/condition-category';
const US_CONDITION = 'http://hl7.org/fhir/us/core/CodeSystem/condition-category';

const of = (system: string, words: readonly (readonly [code: string, label: string])[]): readonly Category[] =>
  words.map(([code, label]) => ({ system, code, label }));

/** Categories by which a person may narrow a type. http://hl7.org/fhir/us/core/scopes.html */
const CATEGORIES = new Map<string, readonly Category[]>([
  [
    'Observation',
    of(OBSERVATION, [
      ['laboratory', 'Laboratory results'],
      ['vital-signs', 'Vital signs'],
      ['social-history', 'Social history, such as smoking'],
      ['survey', 'Surveys and assessments'],
      ['imaging', 'Imaging'],
      ['procedure', 'Made during procedures'],
      ['exam', 'Physical examination'],
      ['therapy', 'Therapy'],
      ['activity', 'Activity'],
    ]),
  ],
  [
    'Condition',
    [
      ...of(CONDITION, [
        ['problem-list-item', 'Problem list'],
        ['encounter-diagnosis', 'Diagnoses of visits'],
      ]),
      ...of(US_CONDITION, [['health-concern', 'Health concerns']]),
    ],
  ],
]);

/** Scopes above this many after narrowing would not fit a token. SECURITY SC-10 */
const CONSTRAINED_MAX = 40;

export const makeOffers = (scopes: readonly Scope[]): readonly Offer[] =>
  scopes.map((scope) => ({ scope, categories: categoriesOf(scope) }));

/** Only a plain scope for the type itself can be narrowed. */
const categoriesOf = ({ resource }: Scope): readonly Category[] =>
  resource && resource.constraint === undefined ? (CATEGORIES.get(resource.type) ?? []) : [];

/** Fields of the form: `scope` holds indexes of offers, `only` holds `index.code`. */
export interface Ticks {
  readonly scope: readonly string[];
  readonly only: readonly string[];
}

export type Chosen = { readonly scopes: readonly Scope[] } | { readonly fault: string };

/** The scopes that the ticks grant, never more than was offered. */
export function readTicks(offers: readonly Offer[], ticks: Ticks): Chosen {
  const scopes = offers.flatMap((offer, index) =>
    ticks.scope.includes(String(index)) ? narrow(offer, codesOf(ticks.only, index)) : [],
  );
  if (scopes.length === 0) return { fault: 'Choose at least one thing to share, or refuse' };
  if (scopes.filter(({ resource }) => resource?.constraint !== undefined).length > CONSTRAINED_MAX)
    return { fault: `Choose at most ${CONSTRAINED_MAX} kinds of entries` };
  return { scopes };
}

const codesOf = (only: readonly string[], index: number): readonly string[] =>
  only.filter((tick) => tick.startsWith(`${index}.`)).map((tick) => tick.slice(`${index}.`.length));

/** One scope for each category, or the whole one when none is ticked. */
function narrow({ scope, categories }: Offer, codes: readonly string[]): readonly Scope[] {
  const chosen = categories.filter(({ code }) => codes.includes(code));
  if (chosen.length === 0) return [scope];
  return chosen.map(({ system, code }) => {
    const narrowed = parseScope(`${scope.text}?category=${system}|${code}`);
    if (!narrowed) throw new Error('a narrowed scope cannot be read'); // a plain scope takes any constraint
    return narrowed;
  });
}
