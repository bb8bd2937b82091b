/** What each event and each odd message is to give; the whole of it is in the golden files. */
import { expect } from 'chai';
import { mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { DEFAULT_ELEMENTS, REMOVED_ELEMENTS, type TransactionEntry } from '../../../src/mapping/transaction-bundle.ts';
import type { Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture, header, messageOf } from '../../standards/hl7v2/samples.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };
const PID = 'PID|1||7^^^RXX^MR||FAMILY^GIVEN||19700101|F';

const issuesOf = (message: Message): string[] =>
  mapToFhir(message, CONTEXT).issues.map((i) => `${i.severity} ${i.code} ${i.expression?.join(' ') ?? ''}`.trim());
function entriesOf(message: Message | undefined): readonly TransactionEntry[] {
  const { value, issues } = mapToFhir(message as Message, CONTEXT);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value.entry;
}
const ofFixture = (name: string): readonly TransactionEntry[] => entriesOf(parseMessage(fixture(name)).value);
const find = (entries: readonly TransactionEntry[], type: string): TransactionEntry | undefined =>
  entries.find(({ resource }) => resource.resourceType === type);
/** Loose, as tests name what they look for. */
const resource = (entries: readonly TransactionEntry[], type: string) =>
  JSON.parse(JSON.stringify(find(entries, type)?.resource ?? {}));
const marks = (entry: TransactionEntry | undefined, url: string): string[] =>
  (entry?.extension ?? []).filter((e) => e.url === url).map((e) => e.valueString);

describe('hl7v2 › events', () => {
  for (const [name, status, period, places] of [
    ['own-uk-a01', 'in-progress', { start: '2026-03-02T09:30:00Z' }, ['active']],
    ['own-uk-a02', 'in-progress', { start: '2026-03-02T09:30:00Z' }, ['active', 'completed']],
    ['own-uk-a03', 'finished', { start: '2026-03-02T09:30:00Z', end: '2026-03-05T11:00:00Z' }, ['completed']],
    ['own-uk-a11', 'cancelled', { start: '2026-03-02T09:30:00Z' }, ['completed']],
    ['own-uk-a13', 'in-progress', { start: '2026-03-02T09:30:00Z' }, ['active']],
  ] as const)
    it(`${name}: ${status}`, () => {
      const encounter = resource(ofFixture(name), 'Encounter');
      expect([encounter.status, encounter.period]).eql([status, period]);
      expect(encounter.location.map((l: { status: string }) => l.status)).eql(places);
    });

  it('a discharge without PV1-45 ends when it happened', () => {
    const entries = entriesOf(
      messageOf(header('ADT^A03'), 'EVN|A03|20260305||||202603051100', PID, `PV1|1|I|||||||||||||||||V1`),
    );
    expect(resource(entries, 'Encounter').period).eql({ end: '2026-03-05T11:00:00Z' });
  });

  it('a sex that is no code is unknown, and told beside it in one line', () => {
    const entries = entriesOf(messageOf(header('ADT^A28'), 'PID|1||7^^^RXX^MR||FAMILY^GIVEN||19700101|F  or  M'));
    const patient = resource(entries, 'Patient');
    expect([patient.gender, patient._gender.extension[0].valueCodeableConcept.coding[0].code]).eql([
      'unknown',
      'F or M',
    ]);
  });

  for (const [order, expected] of [
    ['2', 2],
    ['+2', 2],
    ['20260307090000', undefined],
    ['1.5', undefined],
    ['second', undefined],
  ] as const)
    it(`birth order ${order}: ${expected}`, () => {
      const pid = `PID|1||7^^^RXX^MR||FAMILY^GIVEN||19700101|F${'|'.repeat(17)}${order}`;
      const message = messageOf(header('ADT^A28'), pid);
      expect(resource(entriesOf(message), 'Patient').multipleBirthInteger).equal(expected);
      expect(issuesOf(message).includes('warning value PID-25')).equal(expected === undefined);
    });

  it('A08 says nothing of the status of a visit that is there', () => {
    const entries = entriesOf(messageOf(header('ADT^A08'), PID, 'PV1|1|I|||||||||||||||||V1'));
    expect(marks(find(entries, 'Encounter'), DEFAULT_ELEMENTS)).eql(['status']);
    expect(resource(entries, 'Encounter').status).equal('in-progress');
  });

  for (const [patientClass, admitted, status] of [
    ['O', '20260302101500', 'in-progress'],
    ['E', '', 'in-progress'],
    ['O', '20260303101500', 'planned'],
    ['I', '20260302101500', 'planned'],
  ])
    it(`A04 of class ${patientClass} at ${admitted || 'no time'} is ${status}`, () => {
      const pv1 = `PV1|1|${patientClass}|||||||||||||||||V1${'|'.repeat(25)}${admitted}`;
      expect(resource(entriesOf(messageOf(header('ADT^A04'), PID, pv1)), 'Encounter').status).equal(status);
    });

  it('A28 and A31 make no visit', () => {
    for (const kind of ['ADT^A28', 'ADT^A31'])
      for (const pv1 of ['PV1||N', 'PV1|1|I|||||||||||||||||V1'])
        expect(find(entriesOf(messageOf(header(kind), PID, pv1)), 'Encounter')).equal(undefined);
  });

  it('an event that is not mapped is refused', () =>
    expect(issuesOf(messageOf(header('ADT^A20'), PID))).eql(['error not-supported MSH-9']));

  for (const [name, segments, expected] of [
    ['no PID', [], ['error structure PID']],
    ['PID-3 is null', ['PID|1||""||X'], ['error required PID-3']],
    ['two PID', [PID, PID], ['error structure PID[2]']],
    [
      'an NHS number not traced, and no other',
      [`PID|1||9990000018^^^NHS^NH||X${'|'.repeat(27)}NSTS02`],
      ['error required PID-3'],
    ],
    [
      'a visit without a number',
      [PID, 'PV1|1|I|W1'],
      ['warning required PV1-19', 'information informational PV1-2', 'information informational PV1-3'],
    ],
    [
      'what has no place',
      [`${PID}||||||||||||||||||||||||9`, 'ZZ1|x', 'NK1|1|A^B|||||||||||||||||||||||||||y'],
      ['information informational PID-32', 'information informational ZZ1', 'information informational NK1-29'],
    ],
  ] as const)
    it(`issues › ${name}`, () => expect(issuesOf(messageOf(header('ADT^A08'), ...segments))).eql(expected));
});

describe('hl7v2 › limits', () => {
  const many = (count: number, text: (n: number) => string, by: string): string =>
    Array.from({ length: count }, (_, n) => text(n)).join(by);
  it('a message about too many things is refused', () => {
    const pv1 = `PV1|1|I|||||${many(2000, (n) => `${n}^DOCTOR ${n}`, '~')}||||||||||||V1`;
    expect(issuesOf(messageOf(header('ADT^A01'), PID, pv1))).include('error too-costly');
    const contacts = many(2001, (n) => `NK1|${n}|FAMILY^${n}|SPO`, '\r').split('\r');
    expect(issuesOf(messageOf(header('ADT^A01'), PID, ...contacts))).eql(['error too-costly']);
  });
  it('a patient is found by 20 identifiers at most', () => {
    const pid = (count: number): string => `PID|1||${many(count, (n) => `${n}^^^RXX^MR`, '~')}||X`;
    const entries = entriesOf(messageOf(header('ADT^A28'), pid(1000)));
    expect(find(entries, 'Patient')?.request.url.split(',').length).equal(20);
    expect(issuesOf(messageOf(header('ADT^A28'), pid(10_001)))).eql(['error too-costly']);
  });
  it('100,000 segments that are not mapped are one note', () => {
    const message = messageOf(
      header('ADT^A08'),
      PID,
      ...many(99_998, (n) => `ZBX|${n}|ST|A^B^C||x\\F\\y^z~a&b`, '\r').split('\r'),
    );
    expect(issuesOf(message)).eql(['information informational ZBX']);
  });
});

describe('hl7v2 › patient', () => {
  it('null removes, empty leaves alone, a null component goes with what replaces it', () => {
    const entries = ofFixture('own-uk-a31-null');
    const patient = resource(entries, 'Patient');
    expect(marks(find(entries, 'Patient'), REMOVED_ELEMENTS)).eql(['telecom']);
    expect(patient.address[0].line).eql(['9 NEW STREET']);
    expect(patient.generalPractitioner.map((g: { display: string }) => g.display)).eql(['THE ORCHARD SURGERY']);
    expect([patient.gender, patient.name.length]).eql(['female', 1]);
    const without = entriesOf(messageOf(header('ADT^A31'), 'PID|1||7^^^RXX^MR||||""', 'PD1|||""|""'));
    expect(marks(find(without, 'Patient'), REMOVED_ELEMENTS)).eql(['birthDate', 'generalPractitioner']);
  });

  it('delimiters of the message, escapes decoded', () => {
    const patient = resource(ofFixture('awk-custom-delims'), 'Patient');
    expect([patient.name[0].family, patient.name[0].given[0], patient.address[0].line[0]]).eql([
      'O%NEIL',
      'MARY|ANN',
      '1 HIGH ST # FLAT 2',
    ]);
  });

  for (const [name, matches] of [
    ['own-uk-a01', true],
    ['own-uk-a28-untraced', false],
    ['own-uk-a28-status-in-cx5', true],
    ['own-uk-a28-nhs-spaces', false],
    ['own-uk-a28-badnhs', false],
  ] as const)
    it(`${name}: the NHS number ${matches ? 'finds' : 'does not find'} the patient`, () => {
      const url = find(ofFixture(name), 'Patient')?.request.url ?? '';
      expect(url.includes('nhs-number')).equal(matches);
      expect(url).match(/urn:v2:RXX:RXX\|RXX100/);
    });

  it('bad dates are left out, and told', () => {
    const { value, issues } = mapToFhir(parseMessage(fixture('awk-bad-dates')).value as Message, CONTEXT);
    expect(value).not.equal(undefined);
    expect(issues.flatMap((i) => (i.severity === 'warning' ? (i.expression ?? []) : []))).include('PID-7');
  });

  it('an unknown sex is unknown, and kept beside', () => {
    const patient = resource(entriesOf(messageOf(header('ADT^A28'), 'PID|1||7^^^RXX^MR|||||Q')), 'Patient');
    expect(patient.gender).equal('unknown');
    expect(patient._gender.extension[0].valueCodeableConcept.coding[0].code).equal('Q');
  });

  it('one practitioner for several fields and numbers', () => {
    const doctor = 'C1234567^WELLS^HARRIET^^^DR^^^GMC';
    const pv1 = `PV1|1|I|||||${doctor}|${doctor}~99^WELLS^HARRIET^^^DR|${doctor}||||||||||V1`;
    const entries = entriesOf(messageOf(header('ADT^A01'), PID, pv1));
    const practitioners = entries.filter((e) => e.resource.resourceType === 'Practitioner');
    expect(practitioners.length).equal(1);
    expect(resource(entries, 'Encounter').participant.length).equal(3);
  });
});

describe('hl7v2 › supplies and results', () => {
  it('numbers of supplies hold no control characters', () => {
    const message = messageOf(header('RAS^O17'), PID, 'ORC|RE|1\u00002^A', 'RXA|0|1|20260302||1^Drug^L|1');
    expect(resource(entriesOf(message), 'MedicationAdministration').identifier[0].value).equal('12-0-1');
  });

  for (const [type, value, unit, expected] of [
    ['NM', '<5', 'mg', { valueQuantity: { value: 5, comparator: '<', unit: 'mg' } }],
    ['NM', 'POS', '', { valueString: 'POS' }],
    ['SN', '>=^3', '', { valueQuantity: { value: 3, comparator: '>=' } }],
    ['SN', '^1^:^128', '', { valueRatio: { numerator: { value: 1 }, denominator: { value: 128 } } }],
    ['SN', '^0^-^5', '', { valueRange: { low: { value: 0 }, high: { value: 5 } } }],
    ['NR', '10^4', '', { valueString: '10 - 4' }],
    ['ST', 'a~b', '', { valueString: 'a\nb' }],
    ['DT', '20260230', '', { valueString: '20260230' }],
    ['TM', '0930', '', { valueTime: '09:30:00' }],
    ['', '7', '', { valueString: '7' }],
    ['ZZ', '7', '', { valueString: '7' }],
  ] as const)
    it(`OBX-5 ${value} of type ${type || 'nothing'}`, () => {
      const message = messageOf(
        header('ORU^R01'),
        PID,
        'OBR|1|1^A||1^T^L',
        `OBX|1|${type}|2^R^L||${value}|${unit}|||||F`,
      );
      expect(resource(entriesOf(message), 'Observation')).deep.include(expected);
    });

  for (const [statuses, expected] of [
    [['F', 'F'], 'final'],
    [['F', 'P'], 'preliminary'],
    [['F', 'C'], 'corrected'],
    [[], 'registered'],
  ] as const)
    it(`a report without OBR-25 and with results ${statuses.join(' ') || 'none'} is ${expected}`, () => {
      const results = statuses.map((status, n) => `OBX|${n}|NM|${n}^R^L||1||||||${status}`);
      const message = messageOf(header('ORU^R01'), PID, 'OBR|1|1^A||1^T^L', ...results);
      expect(resource(entriesOf(message), 'DiagnosticReport').status).equal(expected);
    });

  for (const [what, codes] of [
    ['without a code', ['', '', '']],
    ['with one code', ['1^T^L', '1^T^L', '1^T^L']],
  ] as const)
    it(`several reports under one number ${what}: none hides another, and the same message again means the same ones`, () => {
      const groups = codes.flatMap((code, n) => [`OBR|${n + 1}|O1^A|F1^B|${code}`, `OBX|1|NM|R^R^L||${n + 1}||||||F`]);
      const message = messageOf(header('ORU^R01'), PID, ...groups);
      const told = (entries: readonly TransactionEntry[]) => {
        const values = new Map(entries.map(({ fullUrl, resource: one }) => [fullUrl, one['valueQuantity']]));
        return entries
          .filter(({ resource: one }) => one.resourceType === 'DiagnosticReport')
          .map(({ request, resource: one }) => [
            request.url,
            ...(one['result'] as { reference: string }[]).map(({ reference }) => JSON.stringify(values.get(reference))),
          ]);
      };
      const reports = told(entriesOf(message));
      expect(reports.map(([, ...results]) => results)).eql([['{"value":1}'], ['{"value":2}'], ['{"value":3}']]);
      expect(new Set(reports.map(([url]) => url)).size).equal(3);
      expect(told(entriesOf(message))).eql(reports);
      // The first is that of a message which has it alone.
      expect(told(entriesOf(messageOf(header('ORU^R01'), PID, ...groups.slice(0, 2))))).eql(reports.slice(0, 1));
      expect(issuesOf(message)).include('warning business-rule OBR[2]-4');
    });
});

describe('hl7v2 › orders', () => {
  const order = (orc: string, ...more: string[]) =>
    messageOf(header('OMP^O09', '2.5.1'), PID, `ORC|${orc}`, 'RXO|1^Drug^SCT|500||mg', ...more);
  for (const [control, sent, status] of [
    ['NW', '', 'active'],
    ['NW', 'CM', 'completed'],
    ['XO', 'HD', 'on-hold'],
    ['CA', 'IP', 'cancelled'],
    ['DC', '', 'stopped'],
    ['HD', '', 'on-hold'],
    ['RL', '', 'active'],
    ['SC', 'ER', 'entered-in-error'],
    ['', 'A', 'active'],
  ])
    it(`ORC-1 ${control || 'empty'} and ORC-5 ${sent || 'empty'}: ${status}`, () =>
      expect(resource(entriesOf(order(`${control}|1^A|||${sent}`)), 'MedicationRequest').status).equal(status));

  it('a cancellation changes no dose', () => {
    const request = resource(ofFixture('own-omp-o09-cancel'), 'MedicationRequest');
    expect(request.status).equal('cancelled');
    expect(request.dosageInstruction).equal(undefined);
    expect(request.statusReason.coding[0].display).equal('Allergy identified');
  });

  it('a taper has the doses of its steps', () => {
    const { dosageInstruction } = resource(ofFixture('own-rde-o11-taper'), 'MedicationRequest');
    const doses = dosageInstruction.map(
      (d: { doseAndRate: { doseQuantity: object }[] }) => d.doseAndRate[0]?.doseQuantity,
    );
    expect(doses).eql([6, 4, 2].map((value) => ({ value, unit: 'tablet' })));
  });

  it('a range, as needed', () => {
    const [dosage] = resource(ofFixture('own-omp-o09-prn'), 'MedicationRequest').dosageInstruction;
    expect(dosage.asNeededBoolean).equal(true);
    expect([dosage.doseAndRate[0].doseRange.low.value, dosage.doseAndRate[0].doseRange.high.value]).eql([500, 1000]);
  });

  it('digits of a dose stay as they were written', () => {
    const message = messageOf(header('OMP^O09', '2.5.1'), PID, 'ORC|NW|1^A', 'RXO|1^Drug^SCT|+0.50||mg');
    expect(JSON.stringify(mapToFhir(message, CONTEXT).value)).include('"doseQuantity":{"value":0.50,');
  });

  it('a TQ that says how often wins over one that does not', () => {
    const message = messageOf(
      header('RDE^O11', '2.3'),
      PID,
      'ORC|NW|1^A|||||10^BID^D4',
      'RXE|^^^20180622^^R|1^Drug|5||mg',
    );
    const { repeat } = resource(entriesOf(message), 'MedicationRequest').dosageInstruction[0].timing;
    expect(repeat).deep.include({ frequency: 2, period: 1, periodUnit: 'd' });
  });

  it('a mixture is a contained Medication', () => {
    const request = resource(entriesOf(order('NW|1^A', 'RXC|B|2^Base|1|L', 'RXC|A|3^Salt|5|g')), 'MedicationRequest');
    expect(request.medicationReference).eql({ reference: '#medication' });
    expect(request.contained[0].ingredient.map((i: { isActive: boolean }) => i.isActive)).eql([false, true]);
  });

  for (const [name, message, expected] of [
    ['no ORC', messageOf(header('OMP^O09'), PID, 'RXO|1^Drug'), 'error structure ORC'],
    ['no number', order('NW'), 'error required ORC-2'],
    ['no drug', messageOf(header('OMP^O09'), PID, 'ORC|NW|1^A'), 'error required ORC-1'],
    ['an unknown control code', order('ZZ|1^A'), 'error not-supported ORC-1'],
    [
      'the most is less than the least',
      order('NW|1^A', 'ORC|NW|2^A', 'RXO|2^Other|500|1|mg'),
      'error business-rule RXO[2]-3',
    ],
    ['two RXO', order('NW|1^A', 'RXO|2^Other'), 'error structure RXO[2]'],
    ['one number for two', order('NW|1^A', 'ORC|NW|1^A', 'RXO|2^Other'), 'error duplicate ORC[2]-2'],
  ] as const)
    it(`is refused › ${name}`, () => expect(issuesOf(message)).include(expected));
});
