/** Which messages tell of a change, and what they say. docs/hl7v2.md "Feeds" */
import { expect } from 'chai';
import { formatEvent } from '../../../src/gateways/hl7v2/feed/format-event.ts';
import { mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import type { FeedEvent, FeedProfile } from '../../../src/ports/v2-feed.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import type { Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { GP_PROFILE } from '../../support/v2-feed.ts';

const PROFILE: FeedProfile = {
  ...GP_PROFILE,
  processingId: 'T',
  acceptAcknowledgement: 'AL',
  applicationAcknowledgement: 'NE',
  characterSet: 'UNICODE UTF-8',
  kinds: new Set(['ADT', 'SIU', 'OMP', 'RDS', 'RGV', 'RAS', 'ORM', 'ORU', 'VXU', 'MDM', 'MFN', 'BAR', 'DFT']),
};
type Json = Readonly<Record<string, unknown>>;
const PATIENT: Resource = {
  resourceType: 'Patient',
  id: 'p',
  identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' }],
  name: [{ family: 'TESTPATIENT', given: ['AMELIA'] }],
  birthDate: '1984-05-17',
};
const OTHER: Resource = { ...PATIENT, id: 'o', identifier: [{ system: 'urn:v2:RXX:MRN', value: '77' }] };
const SUBJECT = { reference: 'Patient/p' };
const RELATED = { 'Patient/p': PATIENT, 'Patient/o': OTHER };

function tell(
  type: string,
  previous: Json | undefined,
  current: Json | undefined,
  options: { readonly related?: Record<string, Resource>; readonly profile?: Partial<FeedProfile> } = {},
): Message[] {
  const whole = (content: Json): Resource => ({ resourceType: type, id: type === 'Patient' ? 'p' : 'x', ...content });
  const event: FeedEvent = {
    type,
    id: type === 'Patient' ? 'p' : 'x',
    versionId: 2,
    operation: 'update',
    at: Date.UTC(2026, 2, 2, 10, 15),
    related: new Map(Object.entries({ ...RELATED, ...options.related })),
    ...(previous && { previous: whole(previous) }),
    ...(current && { current: whole(current) }),
  };
  const { value = [], issues } = formatEvent(event, { ...PROFILE, ...options.profile }, (n) => `C${n}`);
  expect(issues.filter(isError), JSON.stringify(issues)).eql([]);
  return value.map(({ kind, n, raw, patientId }) => {
    // Staff and places are nobody's.
    if (kind.startsWith('MFN')) expect(patientId).equal(undefined);
    else expect(patientId).be.a('string');
    const { value: message, issues: faults } = parseMessage(raw);
    expect(faults).eql([]);
    // The log has it under the control id that it carries, also where another message of the event is not wanted.
    expect(message?.value('MSH-10')).equal(`C${n}`);
    // It is one that we ourselves would take.
    const back = mapToFhir(message as Message, { receivedAt: 0, timeZone: 'Europe/London' });
    expect(back.issues.filter(isError), JSON.stringify(back.issues)).eql([]);
    return message as Message;
  });
}
const kindsOf = (...args: Parameters<typeof tell>): string[] =>
  tell(...args).map((message) => message.header.field(9).raw.split('^').slice(0, 2).join('^'));

const visit = (status: string, code = 'IMP', more: Json = {}): Json => ({
  identifier: [{ system: 'urn:v2:RXX:visit', value: 'V1' }],
  status,
  class: { code },
  subject: SUBJECT,
  ...more,
});
const booking = (status: string, start = '2026-04-01T09:00:00Z', more: Json = {}): Json => ({
  status,
  start,
  end: '2026-04-01T09:30:00Z',
  participant: [{ actor: SUBJECT, status: 'accepted' }],
  ...more,
});
const order = (status: string, more: Json = {}): Json => ({
  identifier: [{ system: 'urn:v2:RXX:orders', value: 'RX-1' }],
  status,
  intent: 'order',
  medicationCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '322236009' }], text: 'Paracetamol' },
  subject: SUBJECT,
  ...more,
});
const test = (status: string): Json => ({
  status,
  intent: 'order',
  code: { text: 'Full blood count' },
  subject: SUBJECT,
});
const letter = (status: string, more: Json = {}): Json => ({
  status,
  subject: SUBJECT,
  content: [{ attachment: { contentType: 'text/plain', data: Buffer.from('Dear all').toString('base64') } }],
  ...more,
});
const jab = (status: string): Json => ({
  status,
  vaccineCode: { coding: [{ system: 'http://snomed.info/sct', code: '39114911000001105' }] },
  patient: SUBJECT,
  occurrenceDateTime: '2026-03-02T10:00:00Z',
});
const charge = (status: string): Json => ({ status, code: { text: 'Chest X-ray' }, subject: SUBJECT });
const account = (status: string): Json => ({ status, subject: [SUBJECT] });
const give = (status: string): Json => ({
  status,
  intent: 'order',
  code: { text: 'Give' },
  focus: { reference: 'MedicationRequest/m' },
  for: SUBJECT,
  input: [{ type: { text: 'drug' }, valueCodeableConcept: { coding: [{ code: '1', display: 'Paracetamol' }] } }],
});
const STAFF: Json = { identifier: [{ system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: 'C9999990' }] };
const BED: Json = { name: 'BED04', physicalType: { coding: [{ code: 'bd' }] }, status: 'active' };

const ward = (display: string): Json => ({ location: [{ location: { display }, status: 'active' }] });

describe('hl7v2 › what a partner is told of a change', () => {
  const replaced = { ...PATIENT, active: false, link: [{ other: { reference: 'Patient/o' }, type: 'replaced-by' }] };
  for (const [type, previous, current, kinds] of [
    ['Patient', undefined, PATIENT, ['ADT^A28']],
    ['Patient', PATIENT, { ...PATIENT, gender: 'male' }, ['ADT^A31']],
    ['Patient', PATIENT, undefined, ['ADT^A29']],
    ['Patient', PATIENT, replaced, ['ADT^A40']],
    ['Patient', replaced, { ...replaced, gender: 'male' }, []],
    ['Patient', replaced, PATIENT, ['ADT^A37']],
    ['Encounter', undefined, visit('planned'), ['ADT^A05']],
    ['Encounter', undefined, visit('in-progress'), ['ADT^A01']],
    ['Encounter', visit('planned', 'AMB'), visit('in-progress', 'AMB'), ['ADT^A04']],
    ['Encounter', visit('in-progress', 'IMP', ward('A')), visit('in-progress', 'IMP', ward('B')), ['ADT^A02']],
    ['Encounter', visit('in-progress'), visit('in-progress', 'IMP', { length: { value: 3 } }), ['ADT^A08']],
    ['Encounter', visit('in-progress', 'AMB'), visit('in-progress'), ['ADT^A06']],
    ['Encounter', visit('in-progress'), visit('in-progress', 'AMB'), ['ADT^A07']],
    ['Encounter', visit('in-progress'), visit('finished'), ['ADT^A03']],
    ['Encounter', visit('finished'), visit('in-progress'), ['ADT^A13']],
    ['Encounter', visit('in-progress'), visit('onleave'), ['ADT^A21']],
    ['Encounter', visit('onleave'), visit('in-progress'), ['ADT^A22']],
    ['Encounter', visit('planned'), visit('cancelled'), ['ADT^A38']],
    ['Encounter', visit('in-progress'), visit('cancelled'), ['ADT^A11']],
    ['Encounter', visit('in-progress'), undefined, ['ADT^A23']],
    ['Appointment', undefined, booking('booked'), ['SIU^S12']],
    ['Appointment', booking('pending'), booking('booked'), ['SIU^S12']],
    ['Appointment', booking('booked'), booking('booked', '2026-04-01T09:15:00Z'), ['SIU^S13']],
    ['Appointment', booking('booked'), booking('arrived'), ['SIU^S14']],
    ['Appointment', booking('booked'), booking('cancelled'), ['SIU^S15']],
    ['Appointment', booking('booked'), booking('noshow'), ['SIU^S26']],
    ['Appointment', booking('booked'), undefined, ['SIU^S17']],
    ['MedicationRequest', undefined, order('active'), ['OMP^O09']],
    ['MedicationRequest', undefined, order('draft'), []],
    ['MedicationRequest', undefined, order('active', { intent: 'plan' }), []],
    ['ServiceRequest', undefined, test('active'), ['ORM^O01']],
    ['ServiceRequest', test('active'), test('revoked'), ['ORM^O01']],
    ['ServiceRequest', undefined, test('draft'), []],
    ['Immunization', undefined, jab('completed'), ['VXU^V04']],
    ['Immunization', jab('completed'), undefined, ['VXU^V04']],
    ['DocumentReference', undefined, letter('current'), ['MDM^T02']],
    ['DocumentReference', letter('current'), letter('current', { description: 'A letter' }), ['MDM^T08']],
    ['DocumentReference', letter('current'), letter('superseded'), ['MDM^T04']],
    ['DocumentReference', letter('current'), letter('entered-in-error'), ['MDM^T11']],
    ['DocumentReference', letter('current'), undefined, ['MDM^T11']],
    ['ChargeItem', undefined, charge('billable'), ['DFT^P03']],
    ['ChargeItem', undefined, charge('planned'), []],
    ['Account', undefined, account('active'), ['BAR^P01']],
    ['Account', account('active'), account('active'), ['BAR^P05']],
    ['Account', account('active'), account('inactive'), ['BAR^P02']],
    ['Practitioner', undefined, STAFF, ['MFN^M02']],
    ['Practitioner', STAFF, undefined, ['MFN^M02']],
    ['Location', undefined, BED, ['MFN^M05']],
    ['Task', undefined, { ...give('requested'), code: { text: 'Review' } }, []],
    ['Task', give('requested'), give('completed'), []],
  ] as const)
    it(`${type} ${String(previous && 'status' in previous ? previous.status : previous && 'there')} → ${String(
      current && 'status' in current ? current.status : current && 'there',
    )}: ${kinds.join() || 'nothing'}`, () => expect(kindsOf(type, previous, current)).eql(kinds));

  it('a drug that is to be given is told of with its order', () => {
    const related = {
      'MedicationRequest/m': { resourceType: 'MedicationRequest', id: 'm', ...order('active') } as Resource,
    };
    const [message] = tell('Task', undefined, give('requested'), { related });
    expect(message?.value('MSH-9')).equal('RGV');
    expect(message?.value('ORC-2')).equal('RX-1');
    expect(message?.value('RXG-4.2')).equal('Paracetamol');
  });

  it('a document is sent with the Binary that it names, under our id where it has no number', () => {
    const binary = {
      resourceType: 'Binary',
      id: 'b',
      contentType: 'application/pdf',
      data: 'JVBERi0xLjQK',
    } as Resource;
    const current = letter('current', { content: [{ attachment: { url: 'Binary/b' } }] });
    const [message] = tell('DocumentReference', undefined, current, { related: { 'Binary/b': binary } });
    expect(message?.value('TXA-12')).equal('x');
    expect(message?.value('TXA-12.2')).equal('MORTAR');
    expect(message?.find('OBX')?.field(5).raw).equal('^application^pdf^Base64^JVBERi0xLjQK');
  });

  it('of a member of staff, or a place, it is told whether they are new, changed or not in use', () => {
    const action = (type: string, previous: Json | undefined, current: Json | undefined): string | undefined =>
      tell(type, previous, current)[0]?.value('MFE-1');
    expect(action('Practitioner', undefined, STAFF)).equal('MAD');
    expect(action('Practitioner', STAFF, { ...STAFF, gender: 'male' })).equal('MUP');
    expect(action('Practitioner', STAFF, undefined)).equal('MDC');
    expect(action('Location', undefined, BED)).equal('MAD');
    expect(action('Location', BED, { ...BED, status: 'inactive' })).equal('MDC');
  });

  it('the header is as the partner wants it', () => {
    const [message] = tell('Patient', undefined, PATIENT);
    expect(message?.header.text).equal(
      'MSH|^~\\&|MORTAR|RXX|GPSYS|A83008|20260302101500+0000||ADT^A28^ADT_A05|C0|T|2.5.1|||AL|NE|GBR|UNICODE UTF-8',
    );
  });

  it('a partner that reads Latin letters only gets them in its set', () => {
    const patient = { ...PATIENT, name: [{ family: 'MÜLLER' }] };
    const event = { type: 'Patient', id: 'p', versionId: 1, operation: 'create', at: 0, related: new Map() } as const;
    const profile = { ...PROFILE, characterSet: '8859/1' };
    const [made] = formatEvent({ ...event, current: patient }, profile, () => 'C').value ?? [];
    expect(made?.raw.includes(Buffer.from('M\u00DCLLER', 'latin1'))).equal(true);
    expect(formatEvent({ ...event, current: patient }, { ...PROFILE, characterSet: 'KLINGON' }, () => 'C').value).eql(
      [],
    );
  });

  it('what is gone is sent as "", in a segment that is gone too', () => {
    const before = {
      ...PATIENT,
      gender: 'female',
      generalPractitioner: [{ reference: 'Organization/gp' }],
    };
    const practice: Resource = { resourceType: 'Organization', identifier: [{ value: 'A83008' }], name: 'SURGERY' };
    const [message] = tell('Patient', before, PATIENT, { related: { 'Organization/gp': practice } });
    expect(message?.segments.map(({ id }) => id)).eql(['MSH', 'EVN', 'PID', 'PD1', 'PV1']);
    expect([message?.find('PID')?.field(8).isNull, message?.find('PD1')?.field(3).isNull]).eql([true, true]);
    expect(message?.find('PID')?.field(5).isNull).equal(false);
  });

  it('an order that stands is changed, held and released', () => {
    const control = (before: Json | undefined, after: Json) =>
      tell('MedicationRequest', before, after)[0]?.value('ORC-1');
    expect(control(undefined, order('active'))).equal('NW');
    expect(control(order('active'), order('active', { priority: 'urgent' }))).equal('XO');
    expect(control(order('active'), order('on-hold'))).equal('HD');
    expect(control(order('on-hold'), order('active'))).equal('RL');
    expect(control(order('active'), order('stopped'))).equal('DC');
    expect(control(order('active'), order('cancelled'))).equal('CA');
  });

  it('as the partner wants it: OMP, RDE, or both', () => {
    const kinds = (...wanted: string[]) =>
      kindsOf('MedicationRequest', undefined, order('active'), { profile: { kinds: new Set(wanted) } });
    expect(kinds('RDE')).eql(['RDE^O11']);
    expect(kinds('RDE', 'O09')).eql(['OMP^O09', 'RDE^O11']);
    expect(kinds('ADT')).eql([]);
  });

  it('a supply names the order, and a report its results', () => {
    const request = { resourceType: 'MedicationRequest', id: 'm', ...order('active') };
    const supply = {
      status: 'completed',
      medicationCodeableConcept: { text: 'Paracetamol' },
      subject: SUBJECT,
      quantity: { value: 32, unit: 'tablet' },
      authorizingPrescription: [{ reference: 'MedicationRequest/m' }],
    };
    const [rds] = tell('MedicationDispense', undefined, supply, { related: { 'MedicationRequest/m': request } });
    expect([rds?.value('ORC-2'), rds?.value('RXD-4')]).eql(['RX-1', '32']);
    const result = (n: number): Resource => ({
      resourceType: 'Observation',
      status: 'final',
      code: { text: `test ${n}` },
      valueString: `value ${n}`,
    });
    const results = Array.from({ length: 150 }, (_, n) => [`Observation/${n}`, result(n)] as const);
    const report = {
      status: 'final',
      code: { text: 'Blood' },
      subject: SUBJECT,
      result: results.map(([reference]) => ({ reference })),
    };
    const [oru] = tell('DiagnosticReport', undefined, report, { related: Object.fromEntries(results) });
    expect(oru?.all('OBX').length).equal(150);
    expect(oru?.value('OBR-3')).equal('x');
    expect(kindsOf('DiagnosticReport', undefined, { ...report, status: 'registered' })).eql([]);
  });

  it('what was given names the order and tells itself from the others of it', () => {
    const request = { resourceType: 'MedicationRequest', id: 'm', ...order('active') };
    const given = (time: string, status = 'completed'): Json => ({
      status,
      medicationCodeableConcept: { text: 'Paracetamol' },
      subject: SUBJECT,
      effectiveDateTime: time,
      request: { reference: 'MedicationRequest/m' },
      dosage: { dose: { value: 1, unit: 'g' } },
    });
    const tellGiven = (time: string, status?: string) =>
      tell('MedicationAdministration', undefined, given(time, status), {
        related: { 'MedicationRequest/m': request },
      })[0];
    const [first, second] = [tellGiven('2026-03-02T10:00:00Z'), tellGiven('2026-03-02T14:00:00Z', 'entered-in-error')];
    expect([first?.value('ORC-2'), first?.value('RXA-6'), first?.value('RXA-21')]).eql(['RX-1', '1', 'A']);
    expect(second?.value('RXA-21')).equal('D');
    expect(first?.value('RXA-2')).not.equal(second?.value('RXA-2'));
    expect(kindsOf('MedicationAdministration', undefined, given('2026-03-02T10:00:00Z', 'on-hold'))).eql([]);
  });

  it('an allergy is added, and taken back as an error', () => {
    const allergy = (verification: string): Json => ({
      identifier: [{ system: 'urn:v2:RXX:allergy', value: 'A1' }],
      verificationStatus: { coding: [{ code: verification }] },
      code: { coding: [{ system: 'http://snomed.info/sct', code: '91936005' }], text: 'Penicillin' },
      patient: SUBJECT,
    });
    const action = (verification: string) =>
      tell('AllergyIntolerance', undefined, allergy(verification))[0]?.value('IAM-6');
    expect([action('confirmed'), action('entered-in-error')]).eql(['A', 'D']);
  });

  it('what has no number of its own is told under our id', () => {
    const [message] = tell('Patient', undefined, { ...PATIENT, identifier: undefined });
    expect(message?.find('PID')?.field(3).raw).equal('p^^^MORTAR^PI');
    expect(tell('Appointment', undefined, booking('booked'))[0]?.value('SCH-2')).equal('x');
    expect(tell('MedicationRequest', undefined, order('active', { identifier: [] }))[0]?.value('ORC-2')).equal('x');
  });

  it('other patients that are referred to stay out of it', () => {
    const linked = { ...PATIENT, link: [{ other: { reference: 'Patient/o' }, type: 'seealso' }] };
    const [message] = tell('Patient', undefined, linked);
    expect(message?.all('PID').length).equal(1);
    expect(message?.find('PID')?.text.includes('77')).equal(false);
  });

  it('only what is on its list leaves', () => {
    const patient = { ...PATIENT, gender: 'female', telecom: [{ system: 'phone', value: '0207 000 0000' }] };
    const fields = new Set(['PID.3', 'PID.8']);
    const [message] = tell('Patient', patient, { ...patient, birthDate: '1990' }, { profile: { fields } });
    expect(message?.segments.map(({ text }) => text).slice(1)).eql([
      'EVN|A31|20260302101500+0000',
      'PID|||9990000018^^^NHS^NH|||||F',
    ]);
  });
});
