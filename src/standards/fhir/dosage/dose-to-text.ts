/**
 * A structured dosage as one text that a patient can follow. https://hl7.org/fhir/R4/dosage.html
 * The words are those of the national guide to dose syntax. A part that is not understood is refused: a dose with
 * something left out is a wrong dose.
 */
import type { Mapped } from '../../mapped.ts';
import type { Issue } from '../outcome.ts';
import {
  DosageRefusal,
  findNumber,
  findPart,
  findText,
  has,
  listText,
  type Part,
  partOf,
  partsOf,
  refuse,
} from './part.ts';
import {
  AS_DOSE,
  conceptTexts,
  durationText,
  findConcept,
  findQuantity,
  quantityPart,
  quantityText,
  RANGE,
  RATIO,
  rangeText,
  rateText,
} from './quantity.ts';
import { bounds, count, dayAndTime, duration, event, frequencyAndPeriod, offsetAndWhen, timingOf } from './timing.ts';

const DOSAGE = [
  'sequence',
  'text',
  'additionalInstruction',
  'patientInstruction',
  'timing',
  'asNeededBoolean',
  'asNeededCodeableConcept',
  'site',
  'route',
  'method',
  'doseAndRate',
  'maxDosePerPeriod',
  'maxDosePerAdministration',
  'maxDosePerLifetime',
];

type Render = (dosage: Part) => string | undefined;

/** In the order in which they are read out. */
const PARTS: readonly Render[] = [
  dose,
  rate,
  duration,
  frequencyAndPeriod,
  offsetAndWhen,
  dayAndTime,
  (dosage) => findConcept(dosage, 'route'),
  (dosage) => findConcept(dosage, 'site'),
  asNeeded,
  bounds,
  count,
  event,
  maxDosePerPeriod,
  (dosage) => maximum(dosage, 'maxDosePerAdministration', 'per dose'),
  (dosage) => maximum(dosage, 'maxDosePerLifetime', 'for the lifetime of the patient'),
  (dosage) => listText(conceptTexts(dosage, 'additionalInstruction')) || undefined,
  (dosage) => findText(dosage, 'patientInstruction'),
];

/**
 * `structure`: the text says what the structure says, and a dosage without one is its own text. `text`: what the
 * prescriber wrote stands, and the structure speaks only where nothing was written.
 */
export type Preference = 'structure' | 'text';

/**
 * The text of all the dosages of one item: those of one sequence number together, the numbers one after another. Without
 * a value each issue names a part that cannot be told, as a FHIRPath from `Dosage[0]` on. Never throws.
 */
export function doseToText(dosages: unknown, prefer: Preference = 'structure'): Mapped<string> {
  const found: Found = new Map();
  const texts = attempt(found, () => {
    if (!Array.isArray(dosages)) return refuse('structure', 'Dosage', 'The dosages are no list');
    if (dosages.length === 0) return refuse('required', 'Dosage', 'There is no dosage');
    const parts = dosages.map((dosage, n) => ({ dosage, path: `Dosage[${n}]` }));
    return parts.map(({ dosage, path }) => ({
      sequence: attempt(found, () => sequenceOf(dosage, path, dosages.length > 1)),
      text: dosageText(dosage, path, prefer, found),
    }));
  });
  if (texts === undefined || found.size > 0) return { issues: [...found.values()] };
  const bySequence = Map.groupBy(texts, ({ sequence }) => sequence ?? 0);
  const steps = [...bySequence]
    .sort(([a], [b]) => a - b)
    .map(([, together]) => together.map(({ text }) => text).join(', and '));
  return { value: steps.join(', then '), issues: [] };
}

/** What cannot be told, by its place: several parts read the same timing. */
type Found = Map<string | undefined, Issue>;

function attempt<T>(found: Found, render: () => T): T | undefined {
  try {
    return render();
  } catch (error) {
    if (!(error instanceof DosageRefusal)) throw error;
    const place = error.issue.expression?.[0];
    if (!found.has(place)) found.set(place, error.issue);
    return undefined;
  }
}

function sequenceOf(value: unknown, path: string, several: boolean): number | undefined {
  const dosage = partOf(value, path, DOSAGE);
  const text = findNumber(dosage, 'sequence');
  if (text === undefined && several)
    return refuse('required', `${path}.sequence`, 'Of several dosages each needs its sequence');
  if (text !== undefined && !/^\d{1,9}$/.test(text))
    return refuse('value', `${path}.sequence`, 'sequence is no whole number');
  return text === undefined ? undefined : Number(text);
}

function dosageText(value: unknown, path: string, prefer: Preference, found: Found): string | undefined {
  return attempt(found, () => {
    const dosage = partOf(value, path, DOSAGE);
    const own = findText(dosage, 'text');
    if (own !== undefined && (prefer === 'text' || !hasStructure(dosage))) return own;
    const method = attempt(found, () => findConcept(dosage, 'method'));
    const others = PARTS.map((render) => attempt(found, () => render(dosage)));
    const text = [method, others.filter((part) => part !== undefined).join(' - ')].filter(Boolean).join(' ');
    if (text === '' && found.size === 0) refuse('required', path, 'The dosage says nothing');
    return text;
  });
}

const SAYS_NOTHING: ReadonlySet<string> = new Set(['sequence', 'text']);

const hasStructure = (dosage: Part): boolean =>
  DOSAGE.some((name) => !SAYS_NOTHING.has(name) && has(dosage, name)) || timingOf(dosage) !== undefined;

const DOSE_AND_RATE = ['type', 'doseRange', 'doseQuantity', 'rateRatio', 'rateRange', 'rateQuantity'];
const DOSES = ['doseRange', 'doseQuantity'];
const RATES = ['rateRatio', 'rateRange', 'rateQuantity'];

/** The one dose or rate. Deviates: of several the national gateway takes the first; which is meant is not said. */
function onlyOf(dosage: Part, names: readonly string[]): readonly [Part, string] | undefined {
  const found = partsOf(dosage, 'doseAndRate', DOSE_AND_RATE).flatMap((part) =>
    names.filter((name) => has(part, name)).map((name) => [part, name] as const),
  );
  if (found.length > 1)
    return refuse('not-supported', `${dosage.path}.doseAndRate`, 'There is more than one dose or rate to choose from');
  return found[0];
}

function dose(dosage: Part): string | undefined {
  const [part, name] = onlyOf(dosage, DOSES) ?? [];
  if (part === undefined || name === undefined) return undefined;
  if (name === 'doseQuantity') return quantityText(quantityPart(part, name));
  const range = findPart(part, name, RANGE);
  return range && rangeText(range, AS_DOSE);
}

function rate(dosage: Part): string | undefined {
  const [part, name] = onlyOf(dosage, RATES) ?? [];
  if (part === undefined || name === undefined) return undefined;
  if (name === 'rateQuantity') return `at a rate of ${quantityText(quantityPart(part, name))}`;
  const within = findPart(part, name, name === 'rateRatio' ? RATIO : RANGE);
  return within && `at a rate of ${name === 'rateRatio' ? rateText(within) : rangeText(within, AS_DOSE)}`;
}

function asNeeded(dosage: Part): string | undefined {
  const reason = findConcept(dosage, 'asNeededCodeableConcept');
  const { asNeededBoolean: needed } = dosage.members;
  if (needed !== undefined && typeof needed !== 'boolean')
    return refuse('value', `${dosage.path}.asNeededBoolean`, 'asNeededBoolean is neither true nor false');
  if (reason !== undefined && needed === false)
    return refuse('structure', `${dosage.path}.asNeededBoolean`, 'It is needed for a reason, and not as needed');
  if (reason !== undefined) return `as required for ${reason}`;
  return needed === true ? 'as required' : undefined;
}

function maxDosePerPeriod(dosage: Part): string | undefined {
  const ratio = findPart(dosage, 'maxDosePerPeriod', RATIO);
  if (ratio === undefined) return undefined;
  const most = quantityText(quantityPart(ratio, 'numerator'));
  return `up to a maximum of ${most} in ${durationText(quantityPart(ratio, 'denominator'))}`;
}

function maximum(dosage: Part, name: string, per: string): string | undefined {
  const quantity = findQuantity(dosage, name);
  return quantity && `up to a maximum of ${quantityText(quantity)} ${per}`;
}
