/** Which requests are of EPS, and what of them is stored. */
import { expect } from 'chai';
import { recogniseEps } from '../../../src/mapping/eps/recognise.ts';
import { storedEntries } from '../../../src/mapping/eps/stored-message.ts';
import { readFixture } from './fixture.ts';

type Json = Record<string, unknown>;
const read = (name: string): Json => JSON.parse(readFixture(name)) as Json;

describe('mapping › eps › recognise', () => {
  for (const [file, kind] of [
    ['prescription-order-acute.json', 'order'],
    ['prescription-order-update.json', 'cancellation'],
    ['dispense-notification-amend.json', 'notification'],
    ['release-nominated.json', 'release'],
    ['release-patient.json', 'release'],
    ['task-return.json', 'return'],
    ['task-withdraw.json', 'withdrawal'],
    ['claim-amend.json', 'claim'],
  ] as const)
    it(`${file}: ${kind}`, () => {
      expect(recogniseEps(read(file))).equal(kind);
    });
  for (const [name, value] of [
    ['nothing', undefined],
    ['a list', []],
    ['a Bundle without a message', { resourceType: 'Bundle', entry: [null, 1, {}] }],
    ['a Task of one’s own', { resourceType: 'Task', status: 'rejected', intent: 'order' }],
    ['a return of no prescription', { ...read('task-return.json'), groupIdentifier: undefined }],
    ['a return that is requested', { ...read('task-return.json'), status: 'requested' }],
    ['a Task that is done', { ...read('task-withdraw.json'), status: 'completed' }],
    ['a Claim of no prescription', { ...read('claim-amend.json'), prescription: { reference: 'MedicationRequest/1' } }],
    ['a Patient', { resourceType: 'Patient' }],
  ] as const)
    it(`${name}: not of EPS`, () => {
      expect(recogniseEps(value)).equal(undefined);
    });
});

describe('mapping › eps › stored message', () => {
  const entries = (name: string) => storedEntries(read(name), 'message-1');
  const told = (name: string): string[] =>
    entries(name).map(({ resource, request }) => `${request.method} ${resource.resourceType}`);
  const text = (name: string): string => JSON.stringify(entries(name));

  it('an order › its items by number, people and places only if they are new, the signature by an id of its own', () => {
    expect(new Set(told('prescription-order-repeat-dispensing-signed.json'))).include.all.keys(
      'PUT MedicationRequest',
      'POST Patient',
      'POST Practitioner',
      'POST PractitionerRole',
      'POST Organization',
      'PUT Provenance',
    );
    const [provenance] = entries('prescription-order-repeat-dispensing-signed.json').filter(
      ({ resource }) => resource.resourceType === 'Provenance',
    );
    const original = (read('prescription-order-repeat-dispensing-signed.json')['entry'] as { resource: Json }[]).find(
      ({ resource }) => resource['resourceType'] === 'Provenance',
    );
    expect(provenance?.resource['signature']).eql(original?.resource['signature']);
  });
  it('the pharmacy that an order is nominated to becomes a reference, so that its pharmacists find it', () => {
    const [item] = entries('prescription-order-acute.json').filter(({ request }) =>
      request.url.includes('item-number'),
    );
    const request = item?.resource['dispenseRequest'] as { performer: Json } | undefined;
    const url = request?.performer['reference'];
    const owner = entries('prescription-order-acute.json').find(({ fullUrl }) => fullUrl === url);
    expect(owner?.resource).deep.include({ resourceType: 'Organization' });
  });
  for (const [file, about] of [
    ['dispense-notification-amend.json', 'PUT MedicationDispense'],
    ['task-return.json', 'PUT Task'],
    ['task-withdraw.json', 'PUT Task'],
    ['claim-amend.json', 'PUT Claim'],
  ] as const)
    it(`${file} › stored, and the patient is mentioned`, () => {
      expect(told(file)).include(about).and.include('POST Patient');
    });
  for (const file of ['prescription-order-update.json', 'release-patient.json', 'release-nominated.json'])
    it(`${file} › nothing before the answer`, () => {
      expect(told(file)).eql([]);
    });
  it('[AZ-01] nothing is stored but what the message is about and whom it mentions', () => {
    for (const name of ['prescription-order-acute.json', 'dispense-notification-amend.json']) {
      const message = read(name);
      const strange = [
        'Consent',
        'Observation',
        'Group',
        'Subscription',
        'Claim',
        'Task',
        'AuditEvent',
        name.startsWith('p') ? 'MedicationDispense' : 'MedicationRequest',
      ].map((resourceType, n) => ({
        fullUrl: `urn:uuid:00000000-0000-4000-8000-00000000000${n}`,
        resource: { resourceType, subject: { reference: 'Patient/p1' } },
      }));
      const before = told(name);
      const entry = [...(message['entry'] as Json[]), ...strange];
      const after = storedEntries({ ...message, entry }, 'message-1');
      expect(after.map(({ resource, request }) => `${request.method} ${resource.resourceType}`)).eql(before);
    }
  });

  it('[AZ-01] a reference to what the message does not bring leads to nothing that is stored here', () => {
    const strange = /"reference":"(?!#|urn:uuid:)/;
    for (const name of [
      'prescription-order-repeat-dispensing-signed.json',
      'dispense-notification-amend.json',
      'task-return.json',
      'claim-amend.json',
    ]) {
      const message = JSON.parse(
        JSON.stringify(read(name))
          .replaceAll(/"(subject|patient|for)":\{/g, '"$1":{"reference":"Patient/p1",')
          .replaceAll(
            /"reference":"Patient\/p1","reference":"[^"]*"/g,
            '"reference":"https://mortar.example/Patient/p1"',
          ),
      ) as Json;
      const after = storedEntries(message, 'message-1');
      expect(JSON.stringify(after.map(({ resource }) => resource)), name).not.match(strange);
      const patient = after.find(({ resource }) => resource.resourceType === 'Patient');
      for (const { resource } of after)
        if (/^(?:Medication(?:Request|Dispense)|Task|Claim)$/.test(resource.resourceType))
          expect((resource['subject'] ?? resource['patient'] ?? resource['for']) as Json, name).include({
            reference: patient?.fullUrl,
          });
    }
  });

  it('[AZ-06] a sender sets no labels', () => {
    const message = read('prescription-order-acute.json');
    const meta = { source: 'urn:other', security: [{ code: 'V' }], tag: [{ code: 'x' }], profile: ['https://p'] };
    const entry = (message['entry'] as { resource: Json }[]).map((one) => ({
      ...one,
      resource: { ...one.resource, meta },
    }));
    const stored = storedEntries({ ...message, entry }, 'message-1').filter(({ resource }) => 'meta' in resource);
    expect(stored).not.empty;
    for (const { resource } of stored) expect(resource['meta']).eql({ profile: ['https://p'] });
  });

  it('no reference leads nowhere', () => {
    for (const file of ['prescription-order-acute.json', 'dispense-notification-amend.json', 'claim-amend.json']) {
      const known = new Set(entries(file).map(({ fullUrl }) => fullUrl));
      for (const [, url] of text(file).matchAll(/"reference":"(urn:uuid:[^"]+)"/g)) expect(known).include(url);
    }
  });
});
