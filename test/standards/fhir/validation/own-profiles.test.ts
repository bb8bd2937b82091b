import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { readOwnProfiles } from '../../../../src/profiles.ts';
import { createValidation } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';

type Json = Record<string, unknown>;
const BASE = 'https://mortar.example/fhir';
const root = new URL('../../../../', import.meta.url);
const read = (path: string): Json => JSON.parse(readFileSync(new URL(path, root), 'utf8')) as Json;

const validation = createValidation(testDefinitions());
const { validate, examine, profiles } = validation;

const message = (name: string): Json => read(`fixtures/eps/${name}.json`);
const inMessage = (type: string): Json => {
  const entries = message('prescription-order-acute')['entry'] as { resource: Json }[];
  return entries.map(({ resource }) => resource).find(({ resourceType }) => resourceType === type) as Json;
};

const appointment: Json = {
  resourceType: 'Appointment',
  status: 'booked',
  start: '2026-05-01T09:00:00+01:00',
  end: '2026-05-01T09:20:00+01:00',
  minutesDuration: 20,
  participant: [
    { actor: { reference: 'Patient/p1' }, status: 'accepted' },
    { actor: { reference: 'Practitioner/g1' }, status: 'accepted' },
  ],
};
const auditEvent: Json = {
  resourceType: 'AuditEvent',
  type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
  subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'read' }],
  action: 'R',
  recorded: '2026-05-01T09:00:00Z',
  outcome: '0',
  agent: [{ type: { text: 'client' }, who: { display: 'An app' }, requestor: true }],
  source: { observer: { display: 'Mortar' }, type: [{ code: '4' }] },
};

/** A resource that keeps to each profile. */
const GOOD: Readonly<Record<string, readonly Json[]>> = {
  'mortar-patient': [inMessage('Patient')],
  'mortar-practitioner': [inMessage('Practitioner')],
  'mortar-organization': [inMessage('Organization')],
  'mortar-medicationrequest': [inMessage('MedicationRequest')],
  'mortar-appointment': [appointment],
  'mortar-auditevent': [auditEvent],
  'mortar-task': [message('task-return'), message('task-withdraw')],
  'mortar-eps-message': [
    'prescription-order-acute',
    'prescription-order-repeat-dispensing-signed',
    'prescription-order-repeat-prescribing',
    'prescription-order-update',
    'dispense-notification-amend',
  ].map(message),
};

// biome-ignore lint/suspicious/noExplicitAny: a change of made-up JSON, of whatever shape
type Change = (one: any) => unknown;
/** What breaks each rule, where it is told, and in which words. */
const BAD: readonly (readonly [profile: string, what: string, change: Change, at: string, told: string])[] = [
  [
    'mortar-patient',
    'two NHS numbers',
    (p) => p.identifier.push(p.identifier[0]),
    'Patient.identifier',
    'at most 1 in slice nhsNumber',
  ],
  [
    'mortar-patient',
    'an NHS number with a wrong digit',
    (p) => (p.identifier[0].value = '9990000035'),
    'Patient.identifier[0]',
    'mortar-nhs-1',
  ],
  [
    'mortar-patient',
    'an NHS number of nine digits',
    (p) => (p.identifier[0].value = '999000003'),
    'Patient.identifier[0]',
    'mortar-nhs-1',
  ],
  [
    'mortar-patient',
    'an NHS number without value',
    (p) => delete p.identifier[0].value,
    'Patient.identifier[0].value',
    'is required by the profile',
  ],
  ['mortar-patient', 'no name', (p) => delete p.name, 'Patient.name', 'is required by the profile'],
  [
    'mortar-patient',
    'a name that names nobody',
    (p) => (p.name = [{ use: 'official' }]),
    'Patient.name[0]',
    'mortar-name-1',
  ],
  [
    'mortar-patient',
    'a phone number of no system',
    (p) => (p.telecom = [{ use: 'home' }]),
    'Patient.telecom[0].system',
    'is required',
  ],
  [
    'mortar-patient',
    'a postcode that is none',
    (p) => (p.address[0].postalCode = 'ZZ99 3CC and more'),
    'Patient.address[0].postalCode',
    'at most 8 characters',
  ],
  [
    'mortar-practitioner',
    'an SDS user id of eleven digits',
    (p) => (p.identifier[0].value = '99900000011'),
    'Practitioner.identifier[0]',
    'mortar-sds-1',
  ],
  [
    'mortar-practitioner',
    'a GMC number in another form',
    (p) => (p.identifier[1].value = 'X99'),
    'Practitioner.identifier[1]',
    'mortar-gmc-1',
  ],
  [
    'mortar-practitioner',
    'a GPhC number in another form',
    (p) => p.identifier.push({ system: 'https://fhir.hl7.org.uk/Id/gphc-number', value: '1' }),
    'Practitioner.identifier[3]',
    'mortar-gphc-1',
  ],
  [
    'mortar-practitioner',
    'an NMC PIN in another form',
    (p) => p.identifier.push({ system: 'https://fhir.hl7.org.uk/Id/nmc-number', value: '1' }),
    'Practitioner.identifier[3]',
    'mortar-nmc-1',
  ],
  [
    'mortar-practitioner',
    'a DIN in another form',
    (p) => (p.identifier[2].value = '1'),
    'Practitioner.identifier[2]',
    'mortar-din-1',
  ],
  ['mortar-practitioner', 'no name', (p) => delete p.name, 'Practitioner.name', 'is required'],
  ['mortar-practitioner', 'two names', (p) => p.name.push({ text: 'Another' }), 'Practitioner.name', 'at most 1 times'],
  [
    'mortar-practitioner',
    'a name that names nobody',
    (p) => (p.name = [{ use: 'usual' }]),
    'Practitioner.name[0]',
    'mortar-name-1',
  ],
  [
    'mortar-organization',
    'no ODS code',
    (p) => (p.identifier = [{ system: 'urn:own', value: '1' }]),
    'Organization.identifier',
    'one in slice odsCode',
  ],
  [
    'mortar-organization',
    'an ODS code in small letters',
    (p) => (p.identifier[0].value = 'z99911'),
    'Organization.identifier[0]',
    'mortar-ods-1',
  ],
  ['mortar-organization', 'no name', (p) => delete p.name, 'Organization.name', 'is required'],
  [
    'mortar-organization',
    'a postcode that is none',
    (p) => (p.address[0].postalCode = 'nowhere at all'),
    'Organization.address[0].postalCode',
    'at most 8 characters',
  ],
  [
    'mortar-medicationrequest',
    'no item number',
    (p) => (p.identifier = [{ value: '1' }]),
    'MedicationRequest.identifier',
    'one in slice item',
  ],
  [
    'mortar-medicationrequest',
    'an item number that is no UUID',
    (p) => (p.identifier[0].value = '1'),
    'MedicationRequest.identifier[0]',
    'mortar-item-1',
  ],
  [
    'mortar-medicationrequest',
    'an intent that is no prescription',
    (p) => (p.intent = 'proposal'),
    'MedicationRequest.intent',
    'mortar-prescription-intent',
  ],
  [
    'mortar-medicationrequest',
    'a medication of another code system',
    (p) => (p.medicationCodeableConcept.coding[0].system = 'urn:own'),
    'MedicationRequest.medication',
    'mortar-med-1',
  ],
  [
    'mortar-medicationrequest',
    'a subject that is a group',
    (p) => (p.subject = { reference: 'Group/g' }),
    'MedicationRequest.subject',
    'must point to Patient',
  ],
  ['mortar-medicationrequest', 'no date', (p) => delete p.authoredOn, 'MedicationRequest.authoredOn', 'is required'],
  ['mortar-medicationrequest', 'no requester', (p) => delete p.requester, 'MedicationRequest.requester', 'is required'],
  [
    'mortar-medicationrequest',
    'a requester that is a device',
    (p) => (p.requester = { reference: 'Device/d' }),
    'MedicationRequest.requester',
    'must point to Practitioner or PractitionerRole',
  ],
  [
    'mortar-medicationrequest',
    'a prescription number in another form',
    (p) => (p.groupIdentifier.value = '123'),
    'MedicationRequest.groupIdentifier',
    'mortar-short-1',
  ],
  [
    'mortar-medicationrequest',
    'a prescription number of another system',
    (p) => (p.groupIdentifier.system = 'urn:own'),
    'MedicationRequest.groupIdentifier.system',
    'must be exactly',
  ],
  [
    'mortar-medicationrequest',
    'no course of therapy',
    (p) => delete p.courseOfTherapyType,
    'MedicationRequest.courseOfTherapyType',
    'is required',
  ],
  [
    'mortar-medicationrequest',
    'no dosage text',
    (p) => (p.dosageInstruction = [{ sequence: 1 }]),
    'MedicationRequest.dosageInstruction[0].text',
    'is required',
  ],
  [
    'mortar-medicationrequest',
    'no quantity',
    (p) => delete p.dispenseRequest.quantity,
    'MedicationRequest.dispenseRequest.quantity',
    'is required',
  ],
  [
    'mortar-medicationrequest',
    'a quantity of nothing',
    (p) => (p.dispenseRequest.quantity.value = 0),
    'MedicationRequest.dispenseRequest.quantity.value',
    'must not be below',
  ],
  [
    'mortar-medicationrequest',
    'a quantity of another code system',
    (p) => (p.dispenseRequest.quantity.system = 'urn:own'),
    'MedicationRequest.dispenseRequest.quantity.system',
    'must be exactly',
  ],
  [
    'mortar-medicationrequest',
    'no word on substitution',
    (p) => delete p.substitution,
    'MedicationRequest.substitution',
    'is required',
  ],
  [
    'mortar-medicationrequest',
    'substitution allowed',
    (p) => (p.substitution.allowedBoolean = true),
    'MedicationRequest.substitution.allowed',
    'must be exactly false',
  ],
  [
    'mortar-appointment',
    'an end before the start',
    (p) => (p.end = '2026-05-01T08:00:00+01:00'),
    'Appointment',
    'mortar-appt-1',
  ],
  [
    'mortar-appointment',
    'two days long',
    (p) => (p.minutesDuration = 2880),
    'Appointment.minutesDuration',
    'must not be above 1440',
  ],
  [
    'mortar-appointment',
    'without a patient',
    (p) => p.participant.shift(),
    'Appointment.participant',
    'one in slice patient',
  ],
  [
    'mortar-appointment',
    'of two patients',
    (p) => p.participant.push(p.participant[0]),
    'Appointment.participant',
    'at most 1 in slice patient',
  ],
  ['mortar-auditevent', 'no subtype', (p) => delete p.subtype, 'AuditEvent.subtype', 'is required'],
  ['mortar-auditevent', 'no action', (p) => delete p.action, 'AuditEvent.action', 'is required'],
  ['mortar-auditevent', 'no outcome', (p) => delete p.outcome, 'AuditEvent.outcome', 'is required'],
  ['mortar-auditevent', 'two requestors', (p) => p.agent.push(p.agent[0]), 'AuditEvent', 'mortar-audit-1'],
  [
    'mortar-auditevent',
    'an agent that is nobody',
    (p) => p.agent.push({ type: { text: 'x' }, requestor: false }),
    'AuditEvent.agent[1]',
    'mortar-agent-1',
  ],
  [
    'mortar-auditevent',
    'an agent of no type',
    (p) => delete p.agent[0].type,
    'AuditEvent.agent[0].type',
    'is required',
  ],
  [
    'mortar-auditevent',
    'an observer that is nobody',
    (p) => (p.source.observer = { type: 'Device' }),
    'AuditEvent.source.observer',
    'mortar-observer-1',
  ],
  ['mortar-auditevent', 'a source of no type', (p) => delete p.source.type, 'AuditEvent.source.type', 'is required'],
  ['mortar-task', 'no prescription number', (p) => delete p.groupIdentifier, 'Task.groupIdentifier', 'is required'],
  [
    'mortar-task',
    'a prescription number in another form',
    (p) => (p.groupIdentifier.value = 'x'),
    'Task.groupIdentifier',
    'mortar-short-1',
  ],
  [
    'mortar-task',
    'an identifier without value',
    (p) => delete p.identifier[0].value,
    'Task.identifier[0].value',
    'is required',
  ],
  ['mortar-task', 'a draft', (p) => (p.status = 'draft'), 'Task.status', 'mortar-prescription-task-status'],
  ['mortar-task', 'a proposal', (p) => (p.intent = 'proposal'), 'Task.intent', 'must be exactly "order"'],
  ['mortar-task', 'no code', (p) => delete p.code, 'Task.code', 'is required'],
  ['mortar-task', 'no date', (p) => delete p.authoredOn, 'Task.authoredOn', 'is required'],
  [
    'mortar-task',
    'no requester',
    (p) => {
      delete p.requester;
      delete p.contained;
    },
    'Task.requester',
    'is required',
  ],
  [
    'mortar-task',
    'rejected without a reason',
    (p) => {
      p.status = 'rejected';
      delete p.statusReason;
    },
    'Task',
    'mortar-task-1',
  ],
  ['mortar-eps-message', 'no identifier', (p) => delete p.identifier, 'Bundle.identifier', 'is required'],
  [
    'mortar-eps-message',
    'an identifier that is no UUID',
    (p) => (p.identifier.value = 'x'),
    'Bundle.identifier.value',
    'mortar-eps-3',
  ],
  ['mortar-eps-message', 'a collection', (p) => (p.type = 'collection'), 'Bundle.type', 'must be exactly "message"'],
  [
    'mortar-eps-message',
    'an entry without fullUrl',
    (p) => delete p.entry.at(-1).fullUrl,
    'Bundle.entry[11].fullUrl',
    'is required',
  ],
  [
    'mortar-eps-message',
    'two patients',
    (p) => p.entry.push({ ...p.entry[5], fullUrl: 'urn:uuid:00000000-0000-4000-8000-000000000001' }),
    'Bundle.entry',
    'at most 1 in slice patient',
  ],
  [
    'mortar-eps-message',
    'five items',
    (p) =>
      [1, 2, 3].map((n) =>
        p.entry.push({ ...p.entry[1], fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${n}` }),
      ),
    'Bundle.entry',
    'at most 4 in slice medicationRequest',
  ],
  [
    'mortar-eps-message',
    'an event of another service',
    (p) => (p.entry[0].resource.eventCoding.code = 'other'),
    'Bundle.entry[0].resource.event',
    'mortar-eps-message-event',
  ],
  [
    'mortar-eps-message',
    'no sender',
    (p) => delete p.entry[0].resource.sender,
    'Bundle.entry[0].resource.sender',
    'is required',
  ],
  [
    'mortar-eps-message',
    'a focus that is not in the message',
    (p) => (p.entry[0].resource.focus = [{ reference: 'urn:uuid:00000000-0000-4000-8000-000000000009' }]),
    'Bundle',
    'mortar-eps-1',
  ],
  [
    'mortar-eps-message',
    'items of two prescriptions',
    (p) => (p.entry[2].resource.groupIdentifier.value = '5B7E20-Z99911-8C41DA'),
    'Bundle',
    'mortar-eps-2',
  ],
];

const url = (name: string): string => `${BASE}/StructureDefinition/${name}`;
const claiming = (resource: Json, name: string): Json => ({
  ...structuredClone(resource),
  meta: { profile: [url(name)] },
});

describe('validation › the profiles of Mortar', () => {
  before(() => readOwnProfiles(profiles, BASE));

  it('each is a valid resource that compiles, one canonical a file', () => {
    const names = readdirSync(new URL('profiles/', root)).filter((name) => name.endsWith('.json'));
    expect(names.length).to.be.at.least(11);
    for (const name of names) {
      const resource = read(`profiles/${name}`);
      expect(
        validate(resource).map((i) => i.diagnostics),
        name,
      ).to.eql([]);
      if (resource['resourceType'] !== 'StructureDefinition') continue;
      expect(profiles.faultOf(String(resource['url'])), name).to.equal(undefined);
      expect(Object.keys(GOOD)).to.include(String(resource['id']));
    }
  });

  for (const [name, resources] of Object.entries(GOOD))
    it(`${name}: examples keep to it`, () => {
      for (const resource of resources) expect(validate(claiming(resource, name)).map((i) => i.diagnostics)).to.eql([]);
    });

  for (const [name, what, change, at, told] of BAD)
    it(`${name}: ${what}`, () => {
      const resource = structuredClone(GOOD[name]?.[0] ?? {});
      change(resource);
      const issues = validate(claiming(resource, name));
      const found = issues.filter((i) => i.expression?.[0] === at && i.diagnostics?.includes(told));
      expect(found, JSON.stringify(issues, undefined, 1)).to.have.length.at.least(1);
      expect(found[0]?.severity).to.equal('error');
    });

  it('every rule of every profile is broken by one of the examples', () => {
    const told = BAD.map(([name, , , at, text]) => `${name} ${at.replaceAll(/\[\d+\]/g, '')} ${text}`);
    for (const name of Object.keys(GOOD)) {
      const { differential } = read(`profiles/${name}.json`) as {
        differential: { element: { constraint?: { key: string }[] }[] };
      };
      for (const { key } of differential.element.flatMap(({ constraint = [] }) => constraint))
        expect(
          told.some((one) => one.startsWith(`${name} `) && one.includes(key)),
          `${name} ${key}`,
        ).to.equal(true);
    }
  });

  it('the canonical base is one setting', async () => {
    const other = createValidation(testDefinitions());
    await readOwnProfiles(other.profiles, 'https://fhir.hospital.example');
    expect(other.profiles.urls().every((one) => one.startsWith('https://fhir.hospital.example/'))).to.equal(true);
    const patient = {
      ...inMessage('Patient'),
      name: undefined,
      meta: { profile: ['https://fhir.hospital.example/StructureDefinition/mortar-patient'] },
    };
    expect(other.validate(patient).map((i) => i.expression?.[0])).to.eql(['Patient.name']);
  });

  it('without the claim they are as they were; $validate tells what is marked must-support', () => {
    expect(validate({ resourceType: 'Patient', active: true })).to.eql([]);
    const issues = examine({ resourceType: 'Patient', name: [{ text: 'X' }] }, 'Patient', [url('mortar-patient')]);
    expect(issues.some((i) => i.severity === 'information' && i.diagnostics?.includes('must-support'))).to.equal(true);
    expect(issues.filter((i) => i.severity === 'error')).to.eql([]);
  });
});
