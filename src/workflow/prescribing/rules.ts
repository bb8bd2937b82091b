/**
 * The rules of prescribing, as data: each with its code, what it says of one item, and whether it stops a request, an
 * order, or neither. docs/prescribing.md lists them. MISSION M9
 */
import { type CatalogueEntry, isScheduled, type Severity } from './catalogue/entry.ts';
import { readDosing, unitsPerDay } from './dosing.ts';
import { earliestRepeat, limitsOf, supplyDays } from './limits.ts';

/** Who is asked: a patient asks for something, or a prescriber orders it. */
export type Stage = 'request' | 'order';

export interface RuleItem {
  readonly entry?: CatalogueEntry;
  /** As the request names it. */
  readonly name: string;
  readonly quantity: number;
  /** Dose, frequency and instructions together. */
  readonly instructions: string;
  readonly repeats: number;
}

export interface CurrentMedicine {
  readonly name: string;
  readonly entry?: CatalogueEntry;
  /** Whole days. */
  readonly suppliedDays?: number;
  /** ms UTC */
  readonly authoredAt: number;
}

export interface Allergy {
  /** What the record calls it, in lower case. */
  readonly substance: string;
}

export interface RuleContext {
  readonly stage: Stage;
  /** ms UTC */
  readonly now: number;
  /** Whole years; undefined where the record has no birth date. */
  readonly age: number | undefined;
  readonly allergies: readonly Allergy[];
  readonly current: readonly CurrentMedicine[];
  readonly items: readonly RuleItem[];
}

export interface Finding {
  readonly code: RuleCode;
  readonly isError: boolean;
  /** `allergy`, `interaction` …: as seed 001 names warnings. */
  readonly type: string;
  readonly severity: Severity;
  readonly message: string;
  /** Of the items. */
  readonly index: number;
}

interface Rule {
  readonly code: string;
  readonly type: string;
  readonly severity: Severity;
  /** At which stages it stops what is asked for. */
  readonly stops: readonly Stage[];
  /** Messages, perhaps each with a severity of its own; none where there is nothing to say. */
  readonly check: (
    item: RuleItem,
    context: RuleContext,
    index: number,
  ) => readonly (string | { readonly message: string; readonly severity: Severity })[];
}

const ALWAYS: readonly Stage[] = ['request', 'order'];
const when = (condition: boolean, message: () => string): readonly string[] => (condition ? [message()] : []);
const sharesSubstance = (a: CatalogueEntry, b: CatalogueEntry): boolean =>
  a.substances.some((one) => b.substances.includes(one));
const groupsOf = ({ substances, classes }: CatalogueEntry): readonly string[] => [
  ...substances,
  ...classes.map((one) => `class:${one}`),
];
/** `penicillins` is also said as `penicillin`. */
const singular = (text: string): string => text.replace(/s$/, '');

export const RULES = [
  {
    code: 'RX-NOT-IN-CATALOGUE',
    type: 'catalogue',
    severity: 'low',
    stops: [],
    check: ({ entry, name }) =>
      when(entry === undefined, () => `${name} is not in the catalogue: nothing is checked of it`),
  },
  {
    code: 'RX-INACTIVE',
    type: 'catalogue',
    severity: 'high',
    stops: ALWAYS,
    check: ({ entry }) => when(entry?.isActive === false, () => `${entry?.name} may no longer be prescribed`),
  },
  {
    code: 'RX-QUANTITY',
    type: 'quantity',
    severity: 'high',
    stops: ALWAYS,
    check: ({ entry, quantity }) =>
      when(
        entry?.maxQuantity !== undefined && quantity > entry.maxQuantity,
        () => `At most ${entry?.maxQuantity} of ${entry?.name} may be prescribed at once`,
      ),
  },
  {
    code: 'RX-AGE',
    type: 'age',
    severity: 'high',
    stops: ALWAYS,
    check: ({ entry }, { age }) =>
      when(
        entry?.minAge !== undefined && age !== undefined && age < entry.minAge,
        () => `${entry?.name} is for people of ${entry?.minAge} years and older`,
      ),
  },
  {
    code: 'RX-CD-SUPPLY',
    type: 'controlled',
    severity: 'high',
    stops: ALWAYS,
    check(item) {
      const days = supplyDays(item);
      const { supplyDays: most } = limitsOf(item.entry);
      const isOver = item.entry !== undefined && isScheduled(item.entry) && (days ?? 0) > most;
      return when(
        isOver,
        () => `A controlled drug of this schedule is supplied for ${most} days at most, and this lasts ${days}`,
      );
    },
  },
  {
    code: 'RX-CD-REPEAT',
    type: 'controlled',
    severity: 'high',
    stops: ALWAYS,
    check: ({ entry, repeats }) =>
      when(
        repeats > 0 && !limitsOf(entry).mayRepeat,
        () =>
          `${entry?.name} is a controlled drug that may not be repeated: each supply needs a prescription of its own`,
      ),
  },
  {
    code: 'RX-CD-DOSE',
    type: 'controlled',
    severity: 'moderate',
    stops: ['order'],
    check: (item) =>
      when(
        item.entry !== undefined && ['2', '3'].includes(item.entry.ukSchedule ?? '') && supplyDays(item) === undefined,
        () => `A prescription of ${item.entry?.name} says how much is taken, and how often`,
      ),
  },
  {
    code: 'RX-EARLY',
    type: 'repeat',
    severity: 'moderate',
    stops: ['request'],
    check({ entry, name }, { current, now }) {
      const last = current
        .filter((one) => isSame({ entry, name }, one))
        .toSorted((a, b) => b.authoredAt - a.authoredAt)[0];
      const from = last && earliestRepeat(last);
      return when(
        from !== undefined && now < from,
        () => `${name} may be asked for again from ${new Date(from ?? 0).toISOString().slice(0, 10)}`,
      );
    },
  },
  {
    code: 'RX-DUPLICATE-ITEM',
    type: 'duplicate',
    severity: 'high',
    stops: ALWAYS,
    check: (item, { items }, index) =>
      when(
        items.slice(0, index).some((other) => isSame(item, other)),
        () => `${item.name} is asked for twice`,
      ),
  },
  {
    code: 'RX-DUPLICATE',
    type: 'duplicate',
    severity: 'moderate',
    stops: [],
    check(item, { current, stage, now }) {
      // A repeat of what is nearly used up is what a repeat is for.
      const others = current.filter(
        (one) =>
          item.entry &&
          one.entry &&
          sharesSubstance(item.entry, one.entry) &&
          !(isSame(item, one) && (stage === 'request' || now >= (earliestRepeat(one) ?? 0))),
      );
      return others.map(({ name }) => `The patient has ${name} already, with the same substance`);
    },
  },
  {
    code: 'RX-ALLERGY',
    type: 'allergy',
    severity: 'high',
    stops: [],
    check: ({ entry, name }, { allergies }) =>
      allergies
        .filter(
          ({ substance }) =>
            entry?.substances.some((one) => substance.includes(one)) === true ||
            (entry === undefined && substance.length > 3 && name.toLowerCase().includes(substance)),
        )
        .map(({ substance }) => `Allergy to ${substance}: ${name} contains it`),
  },
  {
    code: 'RX-ALLERGY-CLASS',
    type: 'allergy',
    severity: 'high',
    stops: [],
    check: ({ entry, name }, { allergies }) =>
      (entry?.classes ?? []).flatMap((of) =>
        allergies
          .filter(({ substance }) => singular(substance).includes(singular(of)))
          .map(({ substance }) => `Allergy to ${substance}: ${name} is one of the ${of}`),
      ),
  },
  {
    code: 'RX-INTERACTION',
    type: 'interaction',
    severity: 'high',
    stops: [],
    check({ entry }, { current, items }, index) {
      if (!entry) return [];
      const earlier = items.slice(0, index).flatMap((one) => one.entry ?? []);
      const others = [...earlier, ...current.flatMap((one) => one.entry ?? [])].filter(({ id }) => id !== entry.id);
      const found = others.flatMap((other) =>
        entry.interactions
          .filter((one) => groupsOf(other).includes(one.with))
          .map((one) => ({ message: `${entry.name} with ${other.name}: ${one.advice}`, severity: one.severity })),
      );
      return [...new Map(found.map((one) => [one.message, one])).values()];
    },
  },
  {
    code: 'RX-DOSE',
    type: 'dose',
    severity: 'high',
    stops: [],
    check({ entry, instructions }) {
      const daily = unitsPerDay(readDosing(instructions, entry?.strength));
      return when(
        entry?.maxDaily !== undefined && (daily ?? 0) > entry.maxDaily,
        () => `At most ${entry?.maxDaily} of ${entry?.name} a day; this is ${daily}`,
      );
    },
  },
] as const satisfies readonly Rule[];

export type RuleCode = (typeof RULES)[number]['code'];

/** Everything that the rules find, errors first. */
export function findAll(context: RuleContext): readonly Finding[] {
  const found = context.items.flatMap((item, index) =>
    RULES.flatMap(({ code, type, severity, stops, check }: Rule & { readonly code: RuleCode }) =>
      check(item, context, index).map(
        (one): Finding => ({
          code,
          type,
          isError: stops.includes(context.stage),
          index,
          ...(typeof one === 'string' ? { message: one, severity } : one),
        }),
      ),
    ),
  );
  return found.toSorted((a, b) => Number(b.isError) - Number(a.isError));
}

function isSame(
  a: { readonly entry?: CatalogueEntry | undefined; readonly name: string },
  b: { readonly entry?: CatalogueEntry | undefined; readonly name: string },
): boolean {
  if (a.entry && b.entry) return a.entry.id === b.entry.id;
  return a.name.trim().toLowerCase() === b.name.trim().toLowerCase();
}
