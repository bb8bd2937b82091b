/** Every part of a Dosage and its words; what is not understood is refused by name. */
import { expect } from 'chai';
import fc from 'fast-check';
import { doseToText, type Preference } from '../../../../src/standards/fhir/dosage/dose-to-text.ts';
import { Decimal } from '../../../../src/standards/fhir/json.ts';

type Json = Readonly<Record<string, unknown>>;

const repeat = (members: Json): Json => ({ timing: { repeat: members } });
const quantity = (value: unknown, unit?: string, code?: string): Json => ({
  value,
  ...(unit !== undefined && { unit }),
  ...(code !== undefined && { system: 'http://unitsofmeasure.org', code }),
});
const concept = (display: string): Json => ({ coding: [{ system: 'http://snomed.info/sct', code: '1', display }] });
const doseOf = (members: Json): Json => ({ doseAndRate: [members] });

/** What one dosage says. */
const TEXTS: readonly (readonly [text: string, dosage: Json])[] = [
  // Method, dose, route, site.
  ['Take', { method: concept('Take') }],
  ['Take 1 tablet', { method: concept('Take'), ...doseOf({ doseQuantity: quantity(1, 'tablet') }) }],
  ['Apply Topical - Left eye', { method: concept('Apply'), route: concept('Topical'), site: concept('Left eye') }],
  ['Oral', { route: { text: 'Oral' } }],
  [
    'By mouth',
    { route: { coding: [{ code: '1' }, { code: '2', display: 'By mouth' }, { code: '3', display: 'Orally' }] } },
  ],
  ['Orally', { route: { coding: [{ display: 'By mouth' }, { display: 'Orally', userSelected: true }] } }],
  ['2.50 ml', doseOf({ doseQuantity: quantity(new Decimal('2.50'), 'ml') })],
  ['10 to 20 ml', doseOf({ doseRange: { low: quantity(10, 'ml'), high: quantity(20, 'ml') } })],
  ['500 mg to 1 g', doseOf({ doseRange: { low: quantity(500, 'mg'), high: quantity(1, 'g') } })],
  ['at least 5 ml', doseOf({ doseRange: { low: quantity(5, 'ml') } })],
  ['up to 5 ml', doseOf({ doseRange: { high: quantity(5, 'ml') } })],
  ['2 capsules', { doseAndRate: [{ type: concept('Ordered'), doseQuantity: quantity(2, 'capsules') }] }],
  // Rate.
  [
    'at a rate of 10 ml per hour',
    doseOf({ rateRatio: { numerator: quantity(10, 'ml'), denominator: quantity(1, 'hour') } }),
  ],
  [
    'at a rate of 10 ml every 2 hours',
    doseOf({ rateRatio: { numerator: quantity(10, 'ml'), denominator: quantity(2, 'hour') } }),
  ],
  [
    'at a rate of 5 mg every 30 minutes',
    doseOf({ rateRatio: { numerator: quantity(5, 'mg'), denominator: quantity(30, 'min', 'min') } }),
  ],
  ['at a rate of 1 to 2 ml/h', doseOf({ rateRange: { low: quantity(1, 'ml/h'), high: quantity(2, 'ml/h') } })],
  ['at a rate of 8 ml/h', doseOf({ rateQuantity: quantity(8, 'ml/h') })],
  ['50 ml - at a rate of 8 ml/h', doseOf({ doseQuantity: quantity(50, 'ml'), rateQuantity: quantity(8, 'ml/h') })],
  // Duration.
  ['over 30 minutes', repeat({ duration: 30, durationUnit: 'min' })],
  ['over 1 hour', repeat({ duration: 1, durationUnit: 'h' })],
  ['over 1 hour (maximum 2 hours)', repeat({ duration: 1, durationMax: 2, durationUnit: 'h' })],
  // Frequency and period, in every unit of time.
  ['every second', repeat({ period: 1, periodUnit: 's' })],
  ['every minute', repeat({ period: 1, periodUnit: 'min' })],
  ['hourly', repeat({ period: 1, periodUnit: 'h' })],
  ['daily', repeat({ period: 1, periodUnit: 'd' })],
  ['weekly', repeat({ period: 1, periodUnit: 'wk' })],
  ['monthly', repeat({ period: 1, periodUnit: 'mo' })],
  ['annually', repeat({ period: 1, periodUnit: 'a' })],
  ['every 8 hours', repeat({ period: 8, periodUnit: 'h' })],
  ['every 4 to 6 hours', repeat({ period: 4, periodMax: 6, periodUnit: 'h' })],
  ['once', repeat({ frequency: 1 })],
  ['once a day', repeat({ frequency: 1, period: 1, periodUnit: 'd' })],
  ['once a day', repeat({ frequency: new Decimal('1.0'), period: new Decimal('1.00'), periodUnit: 'd' })],
  ['once an hour', repeat({ frequency: 1, period: 1, periodUnit: 'h' })],
  ['every 2 weeks', repeat({ frequency: 1, period: 2, periodUnit: 'wk' })],
  ['every 4 to 6 hours', repeat({ frequency: 1, period: 4, periodMax: 6, periodUnit: 'h' })],
  ['every 0.5 hours', repeat({ frequency: 1, period: 0.5, periodUnit: 'h' })],
  ['twice', repeat({ frequency: 2 })],
  ['twice a week', repeat({ frequency: 2, period: 1, periodUnit: 'wk' })],
  ['twice every 3 months', repeat({ frequency: 2, period: 3, periodUnit: 'mo' })],
  ['4 times a day', repeat({ frequency: 4, period: 1, periodUnit: 'd' })],
  ['3 times every 2 years', repeat({ frequency: 3, period: 2, periodUnit: 'a' })],
  ['1 to 2 times a day', repeat({ frequency: 1, frequencyMax: 2, period: 1, periodUnit: 'd' })],
  ['up to 4 times a day', repeat({ frequencyMax: 4, period: 1, periodUnit: 'd' })],
  ['3 times', repeat({ frequency: 3 })],
  // A code for the timing.
  ['twice a day', { timing: { code: { coding: [{ code: 'BID' }] } } }],
  ['at bedtime', { timing: { code: { coding: [{ code: 'BED', display: 'at bedtime' }] } } }],
  [
    'every 6 hours - for 5 days',
    { timing: { code: { coding: [{ code: 'Q6H' }] }, repeat: { boundsDuration: quantity(5, 'day', 'd') } } },
  ],
  ['as the ward says', { timing: { code: { text: 'as the ward says' } } }],
  [
    'once a day',
    { timing: { code: { coding: [{ code: 'QD' }] }, repeat: { frequency: 1, period: 1, periodUnit: 'd' } } },
  ],
  // Offset and event, every one of them.
  ['during the morning', repeat({ when: ['MORN'] })],
  ['during the early morning', repeat({ when: ['MORN.early'] })],
  ['during the late morning', repeat({ when: ['MORN.late'] })],
  ['around 12:00pm', repeat({ when: ['NOON'] })],
  ['during the afternoon', repeat({ when: ['AFT'] })],
  ['during the early afternoon', repeat({ when: ['AFT.early'] })],
  ['during the late afternoon', repeat({ when: ['AFT.late'] })],
  ['during the evening', repeat({ when: ['EVE'] })],
  ['during the early evening', repeat({ when: ['EVE.early'] })],
  ['during the late evening', repeat({ when: ['EVE.late'] })],
  ['during the night', repeat({ when: ['NIGHT'] })],
  ['once asleep', repeat({ when: ['PHS'] })],
  ['before sleep', repeat({ when: ['HS'] })],
  ['upon waking', repeat({ when: ['WAKE'] })],
  ['at a meal', repeat({ when: ['C'] })],
  ['at breakfast and at dinner', repeat({ when: ['CM', 'CV'] })],
  ['at lunch', repeat({ when: ['CD'] })],
  ['before a meal', repeat({ when: ['AC'] })],
  ['before breakfast, before lunch and before dinner', repeat({ when: ['ACM', 'ACD', 'ACV'] })],
  ['after a meal', repeat({ when: ['PC'] })],
  ['after breakfast, after lunch and after dinner', repeat({ when: ['PCM', 'PCD', 'PCV'] })],
  ['30 minutes before breakfast', repeat({ offset: 30, when: ['ACM'] })],
  ['1 minute before a meal', repeat({ offset: 1, when: ['AC'] })],
  ['90 minutes after a meal', repeat({ offset: 90, when: ['PC'] })],
  ['1 hour before sleep', repeat({ offset: 60, when: ['HS'] })],
  ['2 hours after waking', repeat({ offset: 120, when: ['WAKE'] })],
  ['1 day after lunch', repeat({ offset: 1440, when: ['PCD'] })],
  ['upon waking', repeat({ offset: 0, when: ['WAKE'] })],
  // Days and times of day.
  ['on Monday', repeat({ dayOfWeek: ['mon'] })],
  ['on Tuesday, Wednesday and Thursday', repeat({ dayOfWeek: ['tue', 'wed', 'thu'] })],
  ['on Friday, Saturday and Sunday at 09:00', repeat({ dayOfWeek: ['fri', 'sat', 'sun'], timeOfDay: ['09:00:00'] })],
  ['at 09:00 and 21:30:15', repeat({ timeOfDay: ['09:00:00.000', '21:30:15'] })],
  // As needed.
  ['as required', { asNeededBoolean: true }],
  ['1 tablet', { asNeededBoolean: false, ...doseOf({ doseQuantity: quantity(1, 'tablet') }) }],
  ['as required for pain', { asNeededCodeableConcept: concept('pain') }],
  ['as required for pain', { asNeededBoolean: true, asNeededCodeableConcept: { text: 'pain' } }],
  // Bounds.
  ['for 7 days', repeat({ boundsDuration: quantity(7, 'day', 'd') })],
  ['for 1 week', repeat({ boundsDuration: quantity(1, 'wk', 'wk') })],
  ['for 1 day', repeat({ boundsDuration: quantity(1, 'days', 'd') })],
  ['for 3 months', repeat({ boundsDuration: quantity(3, 'month') })],
  ['for 5 to 7 days', repeat({ boundsRange: { low: quantity(5, 'day', 'd'), high: quantity(7, 'day', 'd') } })],
  ['for at least 2 weeks', repeat({ boundsRange: { low: quantity(2, 'week', 'wk') } })],
  ['for up to 1 year', repeat({ boundsRange: { high: quantity(1, 'year', 'a') } })],
  [
    'for 10 days to 2 weeks',
    repeat({ boundsRange: { low: quantity(10, 'day', 'd'), high: quantity(2, 'week', 'wk') } }),
  ],
  ['from 16/11/2026 to 23/11/2026', repeat({ boundsPeriod: { start: '2026-11-16', end: '2026-11-23' } })],
  ['from 16/11/2026', repeat({ boundsPeriod: { start: '2026-11-16' } })],
  ['until 11/2026', repeat({ boundsPeriod: { end: '2026-11' } })],
  ['from 16/11/2026 at 09:30', repeat({ boundsPeriod: { start: '2026-11-16T09:30:00+01:00' } })],
  ['until 16/11/2026', repeat({ boundsPeriod: { end: '2026-11-16T00:00:00Z' } })],
  // Count and event.
  ['take once', repeat({ count: 1 })],
  ['take twice', repeat({ count: 2 })],
  ['take 3 times', repeat({ count: 3 })],
  ['take 3 to 5 times', repeat({ count: 3, countMax: 5 })],
  ['on 16/11/2026', { timing: { event: ['2026-11-16'] } }],
  [
    'on 16/11/2026, 17/11/2026 at 08:00 and 18/11/2026',
    { timing: { event: ['2026-11-16', '2026-11-17T08:00:00Z', '2026-11-18'] } },
  ],
  // The most.
  [
    'up to a maximum of 8 tablet in 24 hours',
    { maxDosePerPeriod: { numerator: quantity(8, 'tablet'), denominator: quantity(24, 'hour', 'h') } },
  ],
  [
    'up to a maximum of 4 g in 1 day',
    { maxDosePerPeriod: { numerator: quantity(4, 'g'), denominator: quantity(1, 'day', 'd') } },
  ],
  ['up to a maximum of 2 tablet per dose', { maxDosePerAdministration: quantity(2, 'tablet') }],
  ['up to a maximum of 550 mg for the lifetime of the patient', { maxDosePerLifetime: quantity(550, 'mg') }],
  // Instructions.
  ['with food', { additionalInstruction: [concept('with food')] }],
  [
    'with food, with water and standing',
    { additionalInstruction: [concept('with food'), { text: 'with water' }, concept('standing')] },
  ],
  ['Keep the leaflet', { patientInstruction: 'Keep the leaflet' }],
  // Text alone, and beside a structure.
  ['As directed', { text: 'As directed' }],
  ['As directed', { text: 'As directed', sequence: 1 }],
  ['1 tablet', { text: 'one each time', ...doseOf({ doseQuantity: quantity(1, 'tablet') }) }],
  // All of them, in their order.
  [
    'Take 1 tablet - over 5 minutes - 3 times a day - 30 minutes before a meal - on Monday at 09:00 - Oral - Mouth - as required for pain - for 7 days - take 20 times - up to a maximum of 3 tablet in 1 day - up to a maximum of 1 tablet per dose - up to a maximum of 100 tablet for the lifetime of the patient - with water - Ask if unsure',
    {
      id: 'a',
      extension: [{ url: 'https://example.org/x', valueString: 'y' }],
      method: concept('Take'),
      route: concept('Oral'),
      site: concept('Mouth'),
      ...doseOf({ doseQuantity: quantity(1, 'tablet') }),
      timing: {
        repeat: {
          boundsDuration: quantity(7, 'day', 'd'),
          count: 20,
          duration: 5,
          durationUnit: 'min',
          frequency: 3,
          period: 1,
          periodUnit: 'd',
          dayOfWeek: ['mon'],
          timeOfDay: ['09:00:00'],
          when: ['AC'],
          offset: 30,
        },
      },
      asNeededCodeableConcept: concept('pain'),
      maxDosePerPeriod: { numerator: quantity(3, 'tablet'), denominator: quantity(1, 'day', 'd') },
      maxDosePerAdministration: quantity(1, 'tablet'),
      maxDosePerLifetime: quantity(100, 'tablet'),
      additionalInstruction: [concept('with water')],
      patientInstruction: 'Ask if unsure',
    },
  ],
];

/** What one dosage is refused for: code and place. */
const REFUSALS: readonly (readonly [title: string, dosage: unknown, expected: readonly string[]])[] = [
  [
    'an unknown member',
    { ...doseOf({ doseQuantity: quantity(1, 'ml') }), doseNumber: 1 },
    ['not-supported Dosage[0].doseNumber'],
  ],
  ['a modifier extension', { text: 'a', modifierExtension: [] }, ['not-supported Dosage[0].modifierExtension']],
  [
    'an unknown member of the repeat',
    repeat({ frequency: 1, every: 2 }),
    ['not-supported Dosage[0].timing.repeat.every'],
  ],
  [
    'a comparator',
    doseOf({ doseQuantity: { ...quantity(5, 'ml'), comparator: '<' } }),
    ['not-supported Dosage[0].doseAndRate[0].doseQuantity.comparator'],
  ],
  [
    'a dose without its unit',
    doseOf({ doseQuantity: quantity(5) }),
    ['required Dosage[0].doseAndRate[0].doseQuantity.unit'],
  ],
  [
    'a dose without its value',
    doseOf({ doseQuantity: { unit: 'ml' } }),
    ['required Dosage[0].doseAndRate[0].doseQuantity.value'],
  ],
  [
    'a negative dose',
    doseOf({ doseQuantity: quantity(-1, 'ml') }),
    ['value Dosage[0].doseAndRate[0].doseQuantity.value'],
  ],
  [
    'a dose that is no number',
    doseOf({ doseQuantity: quantity('1', 'ml') }),
    ['value Dosage[0].doseAndRate[0].doseQuantity.value'],
  ],
  [
    'two doses',
    { doseAndRate: [{ doseQuantity: quantity(1, 'ml') }, { doseQuantity: quantity(2, 'ml') }] },
    ['not-supported Dosage[0].doseAndRate'],
  ],
  ['an empty range', doseOf({ doseRange: {} }), ['required Dosage[0].doseAndRate[0].doseRange.low']],
  [
    'an unknown unit of time',
    repeat({ frequency: 1, period: 1, periodUnit: 'fortnight' }),
    ['code-invalid Dosage[0].timing.repeat.periodUnit'],
  ],
  ['a period without its unit', repeat({ frequency: 1, period: 1 }), ['required Dosage[0].timing.repeat.periodUnit']],
  [
    'a longest period alone',
    repeat({ frequency: 1, periodMax: 2, periodUnit: 'd' }),
    ['required Dosage[0].timing.repeat.period'],
  ],
  [
    'a longest duration alone',
    repeat({ durationMax: 2, durationUnit: 'h' }),
    ['required Dosage[0].timing.repeat.duration'],
  ],
  ['a most of counts alone', repeat({ countMax: 2 }), ['required Dosage[0].timing.repeat.count']],
  ['an unknown event', repeat({ when: ['TEA'] }), ['code-invalid Dosage[0].timing.repeat.when[0]']],
  ['an offset without an event', repeat({ offset: 30 }), ['required Dosage[0].timing.repeat.when']],
  ['an offset from a meal itself', repeat({ offset: 30, when: ['CM'] }), ['invariant Dosage[0].timing.repeat.offset']],
  ['an unknown day', repeat({ dayOfWeek: ['Monday'] }), ['code-invalid Dosage[0].timing.repeat.dayOfWeek[0]']],
  ['a wrong time of day', repeat({ timeOfDay: ['9am'] }), ['value Dosage[0].timing.repeat.timeOfDay[0]']],
  ['a wrong date', { timing: { event: ['16/11/2026'] } }, ['value Dosage[0].timing.event[0]']],
  [
    'bounds of two kinds',
    repeat({ boundsDuration: quantity(1, 'day', 'd'), boundsPeriod: { start: '2026' } }),
    ['structure Dosage[0].timing.repeat.bounds'],
  ],
  ['a period without ends', repeat({ boundsPeriod: {} }), ['required Dosage[0].timing.repeat.boundsPeriod.start']],
  [
    'an unknown code of timing',
    { timing: { code: { coding: [{ code: 'X' }] } } },
    ['not-supported Dosage[0].timing.code'],
  ],
  ['a concept without words', { route: { coding: [{ code: '1' }] } }, ['required Dosage[0].route']],
  ['as needed as a text', { asNeededBoolean: 'yes' }, ['value Dosage[0].asNeededBoolean']],
  [
    'needed for a reason and not as needed',
    { asNeededBoolean: false, asNeededCodeableConcept: concept('pain') },
    ['structure Dosage[0].asNeededBoolean'],
  ],
  ['a sequence that is no whole number', { sequence: 1.5, text: 'a' }, ['value Dosage[0].sequence']],
  ['nothing at all', {}, ['required Dosage[0]']],
  ['no object', 'one a day', ['structure Dosage[0]']],
  [
    'several faults at once',
    { ...doseOf({ doseQuantity: quantity(1) }), route: {}, ...repeat({ when: ['X'] }) },
    [
      'required Dosage[0].doseAndRate[0].doseQuantity.unit',
      'code-invalid Dosage[0].timing.repeat.when[0]',
      'required Dosage[0].route',
    ],
  ],
];

const short = (dosages: unknown, prefer?: Preference): readonly string[] =>
  doseToText(dosages, prefer).issues.map(({ code, expression }) => `${code} ${expression?.join()}`);

describe('standards › fhir › dosage › dose to text', () => {
  for (const [text, dosage] of TEXTS)
    it(text, () => {
      expect(doseToText([dosage])).deep.equal({ value: text, issues: [] });
    });

  for (const [title, dosage, expected] of REFUSALS)
    it(`refuses ${title}`, () => {
      expect(short([dosage])).deep.equal(expected);
      expect(doseToText([dosage]).value).equal(undefined);
    });

  it('takes dosages of one number together and the numbers one after another', () => {
    const dosages = [
      { sequence: 2, text: 'rest' },
      { sequence: 1, ...doseOf({ doseQuantity: quantity(1, 'tablet') }) },
      { sequence: 1, text: 'drink water' },
      { sequence: 10, text: 'come back' },
    ];
    expect(doseToText(dosages).value).equal('1 tablet, and drink water, then rest, then come back');
  });

  it('refuses several dosages that do not all say when they come', () => {
    expect(short([{ text: 'a', sequence: 1 }, { text: 'b' }])).deep.equal(['required Dosage[1].sequence']);
  });

  it('lets the text of the prescriber stand when that is preferred', () => {
    const dosage = { text: 'one each time', ...doseOf({ doseQuantity: quantity(1, 'tablet') }) };
    expect(doseToText([dosage], 'text').value).equal('one each time');
    expect(doseToText([doseOf({ doseQuantity: quantity(1, 'tablet') })], 'text').value).equal('1 tablet');
  });

  it('refuses what is no list of dosages, and an empty one', () => {
    expect(short(undefined)).deep.equal(['structure Dosage']);
    expect(short([])).deep.equal(['required Dosage']);
  });

  it('never throws, whatever comes', () => {
    const names = [
      'timing',
      'repeat',
      'text',
      'doseAndRate',
      'doseQuantity',
      'value',
      'unit',
      'when',
      'route',
      'coding',
    ];
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, -1, 1e300, '', 'mon', new Decimal('1e999'), '__proto__'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(json, (dosage) => {
        const { value, issues } = doseToText([dosage]);
        expect(value === undefined).equal(issues.length > 0);
        expect(value).not.equal('');
      }),
      { numRuns: 2_000 },
    );
  });

  it('[IN-30] many faults are told in a time that grows with their number alone', () => {
    const dosages = Array.from({ length: 40_000 }, () => ({ text: 'A', timing: { repeat: { frequency: 1 } } }));
    expect(doseToText(dosages).issues.length).least(40_000);
  });
});
