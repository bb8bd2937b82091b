/** Dosage as TQ1, as the TQ of versions before 2.5, and as RXR. docs/hl7v2.md "FHIR to HL7 v2" */
import type { ComponentInput, FieldInput } from '../../../standards/hl7v2/format.ts';
import { ADMINISTRATION_METHOD, BODY_SITE, ROUTE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { cwe, dtm, type Repetition } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf, textsOf } from './source.ts';

const EVERY = new Map([
  ['s', 'S'],
  ['min', 'M'],
  ['h', 'H'],
  ['d', 'D'],
  ['wk', 'W'],
  ['mo', 'L'],
]);
const TIMES_A_DAY = new Map([
  ['1', 'QD'],
  ['2', 'BID'],
  ['3', 'TID'],
  ['4', 'QID'],
]);
const MOMENTS = new Map([
  ['MORN', 'QAM'],
  ['AFT', 'QPM'],
  ['EVE', 'QPM'],
  ['NIGHT', 'QHS'],
  ['HS', 'QHS'],
  ['AC', 'AC'],
  ['PC', 'PC'],
  ['C', 'IC'],
  ...['M', 'D', 'V'].flatMap((meal): [string, string][] => [
    [`AC${meal}`, `AC${meal}`],
    [`PC${meal}`, `PC${meal}`],
    [`C${meal}`, `IC${meal}`],
  ]),
]);
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** Table 0335: `BID`, `Q6H`, `PRNQ6H`; undefined for what it has no code for. */
export function patternOf(dosage: Json): string | undefined {
  const timing = objectOf(dosage['timing']);
  const inner = repeatPattern(objectOf(timing?.['repeat'])) ?? codePattern(timing);
  if (dosage['asNeededBoolean'] !== true && dosage['asNeededCodeableConcept'] === undefined) return inner;
  return inner === undefined || inner.startsWith('PRN') ? 'PRN' : `PRN${inner}`;
}

const codePattern = (timing: Json | undefined): string | undefined =>
  textOf(listOf(objectOf(timing?.['code'])?.['coding'])[0]?.['code']);

function repeatPattern(repeat: Json | undefined): string | undefined {
  if (repeat === undefined) return undefined;
  const [frequency, period, unit] = [
    textOf(repeat['frequency']) ?? '1',
    textOf(repeat['period']),
    textOf(repeat['periodUnit']),
  ];
  const [moment, another] = textsOf(repeat['when']);
  if (moment !== undefined && another === undefined && MOMENTS.has(moment)) return MOMENTS.get(moment);
  const [day, more] = textsOf(repeat['dayOfWeek']);
  if (day !== undefined && more === undefined && unit === 'wk' && DAYS.includes(day))
    return `Q${period ?? '1'}J${DAYS.indexOf(day) + 1}`;
  if (unit === undefined || period === undefined)
    return repeat['count'] !== undefined && Number(textOf(repeat['count'])) === 1 ? 'Once' : undefined;
  if (period === '1' && unit === 'd')
    return TIMES_A_DAY.get(frequency) ?? (/^\d+$/.test(frequency) ? `${frequency}ID` : undefined);
  const letter = EVERY.get(unit);
  return frequency === '1' && letter !== undefined && /^\d+$/.test(period) ? `Q${period}${letter}` : undefined;
}

/** The words that all dosages of an order share; those of one alone stand in its timing. */
export function sharedText(dosages: readonly Json[]): string | undefined {
  const texts = new Set(dosages.map(ownText));
  return texts.size === 1 ? [...texts][0] : undefined;
}

const ownText = (dosage: Json): string | undefined => textOf(dosage['text']) ?? textOf(dosage['patientInstruction']);

/** A TQ1 for each dosage; several that follow one another keep their numbers. The first says how urgent it is. */
export function writeTimings(dosages: readonly Json[], priority: string | undefined, { out }: Outbound): void {
  out.reset('TQ1');
  const shared = sharedText(dosages);
  if (dosages.length === 0 && priority !== undefined) out.write('TQ1', { 1: '1', 9: priority });
  const doses = new Set(dosages.map((dosage) => JSON.stringify(cqOf(dosage))));
  for (const [index, dosage] of dosages.entries()) {
    const repeat = objectOf(objectOf(dosage['timing'])?.['repeat']);
    const bounds = objectOf(repeat?.['boundsPeriod']);
    const fields: Record<number, FieldInput> = {
      2: doses.size > 1 ? cqOf(dosage) : undefined,
      3: patternOf(dosage),
      4:
        textsOf(repeat?.['timeOfDay']).length > 0
          ? { repeat: textsOf(repeat?.['timeOfDay']).map((time) => time.replaceAll(':', '')) }
          : undefined,
      6: durationOf(objectOf(repeat?.['boundsDuration'])),
      7: dtm(bounds?.['start']),
      8: dtm(bounds?.['end']),
      9: index === 0 ? priority : undefined,
      10: conditionOf(dosage),
      11: shared === undefined ? ownText(dosage) : undefined,
      13: durationOf(
        repeat?.['duration'] === undefined ? undefined : { value: repeat['duration'], code: repeat['durationUnit'] },
      ),
      14: textOf(repeat?.['count']),
    };
    if (Object.values(fields).every((field) => field === undefined)) continue;
    out.write('TQ1', { 1: textOf(dosage['sequence']) ?? String(index + 1), ...fields });
  }
}

function cqOf(dosage: Json): Repetition | undefined {
  const quantity = objectOf(listOf(dosage['doseAndRate'])[0]?.['doseQuantity']);
  const value = textOf(quantity?.['value']);
  return value === undefined ? undefined : [value, textOf(quantity?.['code']) ?? textOf(quantity?.['unit'])];
}

function durationOf(duration: Json | undefined): Repetition | undefined {
  const value = textOf(duration?.['value']);
  return value === undefined ? undefined : [value, textOf(duration?.['code']) ?? textOf(duration?.['unit'])];
}

/** In which case it is taken. */
function conditionOf(dosage: Json): string | undefined {
  const reason = objectOf(dosage['asNeededCodeableConcept']);
  const texts = listOf(dosage['additionalInstruction']).map(
    (instruction) => textOf(instruction['text']) ?? displayOf(instruction),
  );
  return [displayOf(reason), ...texts].filter((text) => text !== undefined).join('; ') || undefined;
}

export const displayOf = (concept: Json | undefined): string | undefined => {
  const [coding] = listOf(concept?.['coding']);
  return textOf(concept?.['text']) ?? textOf(coding?.['display']) ?? textOf(coding?.['code']);
};

const LEGACY_UNITS = new Map([...EVERY].map(([unit, letter]) => [unit, letter]));

/** TQ: quantity, interval, duration, start, end, priority, condition. */
export function legacyTimings(dosages: readonly Json[], priority: string | undefined): FieldInput {
  const repeat = dosages.map((dosage) => {
    const timing = objectOf(objectOf(dosage['timing'])?.['repeat']);
    const bounds = objectOf(timing?.['boundsPeriod']);
    const duration = objectOf(timing?.['boundsDuration']);
    const letter = LEGACY_UNITS.get(textOf(duration?.['code']) ?? '');
    const parts: ComponentInput[] = [
      undefined,
      [
        patternOf(dosage),
        textsOf(timing?.['timeOfDay'])
          .map((time) => time.slice(0, 5).replace(':', ''))
          .join(',') || undefined,
      ],
      letter === undefined ? undefined : `${letter}${textOf(duration?.['value']) ?? ''}`,
      dtm(bounds?.['start']),
      dtm(bounds?.['end']),
      priority,
      conditionOf(dosage),
    ];
    return parts;
  });
  return repeat.length === 0 ? undefined : { repeat };
}

/** The route, site and method of the first dosage that says: HL7 v2 has one for the whole order. */
export function writeRoute(dosages: readonly Json[], { out }: Outbound): void {
  const dosage = dosages.find(({ route, site, method }) => [route, site, method].some((part) => part !== undefined));
  if (dosage !== undefined)
    out.write('RXR', {
      1: cwe(dosage['route'], ROUTE),
      2: cwe(dosage['site'], BODY_SITE),
      4: cwe(dosage['method'], ADMINISTRATION_METHOD),
    });
}
