/** Where imported records came from: a Provenance beside what a message writes. ISSUE "Provenance for imports" */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf, type MllpSender, openMllpSender } from '../support/mllp.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

const fixture = (name: string): string => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8');
const hl7v2 = (name: string): string => fixture(`hl7v2/${name}.hl7`).replaceAll('\n', '\r');

interface Provenance extends Json {
  readonly target: readonly { readonly reference: string }[];
  readonly agent: readonly { readonly who: Json }[];
  readonly entity: readonly { readonly role: string; readonly what: { readonly identifier: Json } }[];
}

describe('gateways › import provenance', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let sender: MllpSender;
  before(async () => {
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
    fhir = createFhirClient(server);
    sender = await openMllpSender(server.mllpPort as number);
  });
  after(async () => {
    sender.close();
    await server.stop();
  });

  const messages = async (): Promise<{ id: string; resources: string[]; state: string }[]> => {
    const reply = await fetch(`${server.url}/gateway/messages`, { headers: server.bearer });
    return ((await reply.json()) as { messages: { id: string; resources: string[]; state: string }[] }).messages;
  };
  const latest = async () => {
    const [message] = await messages();
    const own = message?.resources.filter((one) => one.startsWith('Provenance/')) ?? [];
    const found = await Promise.all(own.map(async (one) => (await fhir.get(one)).json<Provenance>()));
    return { message, found };
  };
  /** The one that names the message of the log; SCRIPT orders bring another of their sender's. */
  const ofMessage = async () => {
    const { message, found } = await latest();
    const [one, ...more] = found.filter(
      ({ entity }) => entity?.[0]?.what.identifier['value'] === `urn:uuid:${message?.id}`,
    );
    expect(more).deep.equal([]);
    return { resources: message?.resources ?? [], one: one as Provenance };
  };
  const targets = (one: Provenance): string[] => one.target.map(({ reference }) => reference);

  it('[M8] an HL7 v2 message: every version it made, who sent it, to whom, and the message in the log', async () => {
    expect(fieldOf(await sender.send(hl7v2('own-uk-a01')), 'MSA-1')).equal('AA');
    const { resources, one } = await ofMessage();
    expect(targets(one)).have.members(resources.filter((path) => !path.startsWith('Provenance/')));
    expect(targets(one).some((path) => /^Patient\/[^/]+\/_history\/1$/.test(path))).equal(true);
    expect(one['activity']).deep.include({ text: 'ADT^A01' });
    expect(one.agent.map(({ who }) => (who['identifier'] as Json)['value'])).deep.equal(['PAS|RXX', 'GATEWAY|RXX01']);
    expect(one.entity[0]?.role).equal('source');
    expect((await fhir.post('Provenance', { ...one, id: undefined, meta: undefined })).status).equal(201);
  });

  it('[M8] it is found by its targets, and follows the next message to the next version', async () => {
    const [, patient] = /(Patient\/[^/]+)/.exec(targets((await ofMessage()).one).join(' ')) ?? [];
    expect(fieldOf(await sender.send(hl7v2('own-uk-a02')), 'MSA-1')).equal('AA');
    const found = bundleOf(await fhir.get(`Provenance?patient=${patient}&_count=50`)).entry ?? [];
    expect(found.length).greaterThan(1);
  });

  it('[M8] a message that changes nothing leaves none', async () => {
    const before = bundleOf(await fhir.get('Provenance?_summary=count')).total;
    const again = hl7v2('own-uk-a02').replace(/(MSH(?:\|[^|]*){8}\|)[^|]*/, '$1SAME-AGAIN');
    expect(fieldOf(await sender.send(again), 'MSA-1')).equal('AA');
    expect((await messages())[0]).include({ state: 'applied' });
    expect(bundleOf(await fhir.get('Provenance?_summary=count')).total).equal(before);
  });

  it('[M8] a SCRIPT message: its own, beside that which the order itself brings', async () => {
    const reply = await fetch(`${server.url}/ncpdp/script`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/xml' },
      body: fixture('script/newrx-basic.xml'),
    });
    expect(reply.status).equal(200);
    const { one } = await ofMessage();
    expect(targets(one).some((path) => path.startsWith('MedicationRequest/'))).equal(true);
    expect(one['activity']).deep.include({ text: 'NewRx' });
  });

  const message = (id: string, patients: readonly string[], key: string): Json => ({
    resourceType: 'Bundle',
    type: 'message',
    identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${key}` },
    entry: [
      {
        resource: {
          resourceType: 'MessageHeader',
          id,
          eventCoding: { system: 'urn:events', code: 'results' },
          source: { endpoint: 'urn:lab' },
        },
      },
      ...patients.flatMap((patient) => [
        { resource: { resourceType: 'Patient', id: patient, name: [{ family: patient }] } },
        {
          resource: {
            resourceType: 'Observation',
            id: `obs-${patient}`,
            status: 'final',
            code: { text: 'x' },
            subject: { reference: `Patient/${patient}` },
          },
        },
      ]),
    ],
  });

  it('[M8] $process-message about two patients: one for each, that each of them may see and the other not', async () => {
    const sent = await fhir.post(
      '$process-message',
      message('h-1', ['prov-a', 'prov-b'], '00000000-0000-4000-8000-00000000a001'),
    );
    expect(sent.status, sent.text).equal(200);
    const { found } = await latest();
    const about = (id: string) => found.filter((one) => targets(one).includes(`Patient/${id}/_history/1`));
    expect(about('prov-a').map(targets)).deep.equal([
      ['Patient/prov-a/_history/1', 'Observation/obs-prov-a/_history/1'],
    ]);
    expect(about('prov-b')).lengthOf(1);
    const made = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'a', email: 'prov-a@example.org', roles: ['PATIENT'], patient_ids: ['prov-a'] }),
    });
    expect(made.status, await made.clone().text()).equal(201);
    const authorization = `Bearer ${await operatorToken(server, { user: 'prov-a@example.org' })}`;
    const seen = bundleOf(await fhir.get('Provenance', { authorization })).entry ?? [];
    expect(seen.map(({ resource }) => resource?.id)).deep.equal(about('prov-a').map((one) => one['id']));
  });

  it('[M8] one patient whose record is not changed is still named, so that it is in their compartment', async () => {
    const observation = { resourceType: 'Observation', id: 'later', status: 'final', code: { text: 'y' } };
    const bundle = message('h-2', [], '00000000-0000-4000-8000-00000000a002');
    const entry = [
      ...(bundle['entry'] as Json[]),
      { resource: { ...observation, subject: { reference: 'Patient/prov-a' } } },
    ];
    expect((await fhir.post('$process-message', { ...bundle, entry })).status).equal(200);
    const { one } = await ofMessage();
    expect(targets(one)).have.members([
      'Observation/later/_history/1',
      'MessageHeader/h-2/_history/1',
      'Patient/prov-a',
    ]);
  });

  it('[M8] demo data: one for each invented patient', async () => {
    await server.loadDemo();
    for (const id of ['demo-patient-1', 'demo-patient-2']) {
      const found = bundleOf(await fhir.get(`Provenance?patient=Patient/${id}`)).entry ?? [];
      expect(found.map(({ resource }) => (resource as Json)['activity'])).deep.include.members([
        {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle', code: 'receive' }],
          text: 'demo data',
        },
      ]);
      expect(found).lengthOf(1);
      expect(JSON.stringify(found[0]?.resource))
        .contain(`${id}-order`)
        .not.contain(id === 'demo-patient-1' ? 'demo-patient-2' : 'demo-patient-1');
    }
  });
});
