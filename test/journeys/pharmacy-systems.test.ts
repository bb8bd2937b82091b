/**
 * Systems of pharmacies as clients of their own, with a key (private_key_jwt) and with a certificate (mutual TLS): told by a
 * Subscription, found by FHIR search, verified, dispensed; in a place that numbers pharmacies and people its own way. MISSION M10
 */
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { authority, client, DAY_MS, server as serverCertificate } from '../support/authority.ts';
import { registerBackend } from '../support/backend-client.ts';
import { type NotifiedServer, startNotified } from '../support/notified.ts';
import { systemOf } from '../support/pharmacy.ts';
import { openPractice, type Practice, patientOf } from '../support/prescribing.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const now = Date.now(); // TLS goes by the machine's clock
const times = { notBefore: now - DAY_MS, notAfter: now + 30 * DAY_MS };
const root = authority('Pharmacies', times);
const own = authority('Server', times);
const host = serverCertificate('localhost', {
  issuer: own,
  extensions: [extensions.subjectAltName(['localhost', '127.0.0.1'])],
  ...times,
});
const NAME = 'urn:mortar:org:Z99902';
const system = client('Millbrook', { issuer: root, extensions: [extensions.subjectAltName([NAME])], ...times });
const other = client('Other', {
  issuer: root,
  extensions: [extensions.subjectAltName(['urn:mortar:org:X'])],
  ...times,
});

const CODES = 'https://numbers.example/pharmacy';
const NUMBERS = 'https://numbers.example/person';
const SCOPE =
  'system/Task.rus system/MedicationRequest.rus system/MedicationDispense.crs system/Organization.rs system/Patient.rs system/Subscription.cru';

interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  readonly body: any;
}
type Call = (method: string, path: string, body?: object) => Promise<Reply>;

describe('journey › systems of pharmacies', function () {
  this.timeout(180_000);
  const folder = makeTempFolder();
  let server: TestServer;
  let practice: Practice;
  let endpoint: NotifiedServer;
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  before(async () => {
    endpoint = await startNotified();
    const started = await startTestServer({
      env: {
        HTTPS_PORT: '0',
        TLS_CERT_FILE: at('tls.crt', host.pem),
        TLS_KEY_FILE: at('tls.key', host.keyPem),
        TLS_CLIENT_CA_FILE: at('ca.crt', root.pem),
        REVOCATION: 'off',
        SUBSCRIPTION_TARGETS: endpoint.host,
        PHARMACY_CODE_SYSTEM: CODES,
        HEALTH_NUMBER_SYSTEM: NUMBERS,
        DISPENSING_COUNTRIES: 'gb, GBR',
      },
    });
    // On this machine people and programs come without TLS.
    const url = `http://127.0.0.1:${started.port}`;
    server = { ...started, url, fhirBaseUrl: `${url}/fhir/R4` };
    practice = await openPractice(server);
    await practice.fhir(
      'PUT',
      'Patient/pat',
      patientOf('pat', '9990000026', {
        identifier: [
          { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000026' },
          { system: NUMBERS, value: '5550001' },
        ],
      }),
    );
    const { body } = await practice.fhir('GET', 'Organization/pharmacy');
    await practice.fhir('PUT', 'Organization/pharmacy', {
      ...body,
      identifier: [...body.identifier, { system: CODES, value: 'SHOP-17' }],
      address: [{ ...body.address[0], country: 'GB' }],
    });
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
  });

  /** Says of which pharmacy the client is. */
  const link = async (clientId: string, pharmacyId = 'pharmacy'): Promise<void> => {
    const { status } = await practice.fhir('POST', 'Endpoint', systemOf(clientId, pharmacyId));
    expect(status).equal(201);
  };
  const withKey = async (): Promise<{ readonly clientId: string; readonly call: Call }> => {
    // The issuer is the address over TLS: what the client is told there it is told here.
    const { clientId, bearer } = await registerBackend(server, SCOPE, 'Pharmacy system');
    const call: Call = async (method, path, body) => {
      const answer = await fetch(server.url + path, {
        method,
        headers: {
          ...bearer,
          ...(body && { 'content-type': path.startsWith('/fhir') ? 'application/fhir+json' : 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
    };
    return { clientId, call };
  };

  /** One request over TLS with this certificate. */
  function overTls(
    made: typeof system,
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const options = { host: '127.0.0.1', port: server.httpsPort, method, path, agent: false, ca: own.pem };
    request({ ...options, cert: made.pem, key: made.keyPem, headers }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      resolve({ status: res.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
    })
      .on('error', reject)
      .end(body);
    return promise;
  }
  const withCertificate = async (): Promise<{
    readonly clientId: string;
    readonly token: string;
    readonly call: Call;
  }> => {
    const registered = await fetch(`${server.url}/api/v2/admin/clients`, {
      method: 'POST',
      headers: { ...server.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Pharmacy system',
        token_endpoint_auth_method: 'tls_client_auth',
        grant_types: ['client_credentials'],
        tls_client_auth_san_uri: NAME,
        scope: SCOPE,
      }),
    });
    const { client_id: clientId } = (await registered.json()) as { client_id: string };
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope: SCOPE,
    }).toString();
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await overTls(other, 'POST', '/oauth2/token', type, form)).status).equal(401);
    const { body } = await overTls(system, 'POST', '/oauth2/token', type, form);
    const token = String(body.access_token);
    const call: Call = (method, path, sent) =>
      overTls(
        system,
        method,
        path,
        {
          authorization: `Bearer ${token}`,
          ...(sent && { 'content-type': path.startsWith('/fhir') ? 'application/fhir+json' : 'application/json' }),
        },
        sent && JSON.stringify(sent),
      );
    return { clientId, token, call };
  };

  const issue = async (name: string): Promise<string> => {
    const { status, body } = await practice.call('doc', 'POST', '/api/provider/prescriptions/issue', {
      patient_id: 'pat',
      pharmacy_id: 'pharmacy',
      items: [{ medication_name: name, dose: '1 tablet', quantity: 14, instructions: 'Take one at night' }],
    });
    expect(status, JSON.stringify(body)).equal(201);
    return String(body.prescription_ids?.[0] ?? body.items?.[0]?.id);
  };

  /** From the queue by FHIR search to the record of what was handed over. */
  async function dispenses(call: Call, medicine: string): Promise<void> {
    await issue(medicine);
    const found = await call(
      'GET',
      '/fhir/R4/Task?owner=Organization/pharmacy&status=ready&_sort=-_lastUpdated&_count=1&_include=Task:focus',
    );
    expect(found.status, JSON.stringify(found.body)).equal(200);
    const [task, order] = found.body.entry.map(({ resource }: { resource: object }) => resource);
    expect([task.resourceType, order.resourceType, order.medicationCodeableConcept?.text]).eql([
      'Task',
      'MedicationRequest',
      medicine,
    ]);
    // The patient shows the token.
    const { body: medicines } = await practice.call('pat', 'GET', '/api/medications');
    const shown =
      JSON.stringify(medicines).match(/"payload":(\{[^}]*\{[^}]*\}[^}]*\}),"signature":"([0-9a-f]{64})"/g) ?? [];
    const payloads = shown.map(
      (text) =>
        JSON.parse(`{${text}}`) as {
          payload: { id: string; nonce: string; medication: string; hpn: string; pharmacy: { code: string } };
          signature: string;
        },
    );
    const one = payloads.find(({ payload }) => payload.medication.startsWith(medicine));
    expect(one?.payload).include({ hpn: '5550001' });
    expect(one?.payload.pharmacy.code).equal('SHOP-17');
    const verified = await call('POST', '/api/prescriptions/verify', { ...one, pharmacy_code: 'SHOP-17' });
    expect([verified.status, verified.body.valid, verified.body.details.dispensed], JSON.stringify(verified.body)).eql([
      200,
      true,
      false,
    ]);
    const request = {
      prescription_id: one?.payload.id,
      nonce: one?.payload.nonce,
      pharmacy_code: 'SHOP-17',
      pharmacist_name: 'Piotr Zielinski',
    };
    const done = await call('POST', '/api/prescriptions/dispense', request);
    expect([done.status, done.body.success], JSON.stringify(done.body)).eql([200, true]);
    expect((await call('POST', '/api/prescriptions/dispense', request)).body.success).equal(false);
    const record = await call('GET', `/fhir/R4/MedicationDispense?prescription=MedicationRequest/${order.id}`);
    expect(record.body.entry[0].resource).include({ status: 'completed' });
  }

  it('with a key: is told by its Subscription, finds, verifies and dispenses', async () => {
    const { clientId, call } = await withKey();
    await link(clientId);
    const made = await call('POST', '/fhir/R4/Subscription', {
      resourceType: 'Subscription',
      status: 'requested',
      reason: 'new prescriptions',
      criteria: 'Task?owner=Organization/pharmacy&status=ready',
      channel: { type: 'rest-hook', endpoint: `${endpoint.url}/new`, payload: 'application/fhir+json' },
    });
    expect(made.status, JSON.stringify(made.body)).equal(201);
    await endpoint.waitFor(1);
    // Events count from when it is active, which follows the handshake.
    const path = `/fhir/R4/Subscription/${made.body.id}`;
    while ((await call('GET', path)).body.status !== 'active') await sleep(25);
    await dispenses(call, 'Cetirizine 10mg tablets');
    const told = await endpoint.waitFor(1, ({ text }) => text.includes('"Task"') && text.includes('ready'));
    expect(told[0]?.text).contain('Organization/pharmacy');
  });

  it('with a certificate: the token is bound to it, verifies and dispenses', async () => {
    const { clientId, token, call } = await withCertificate();
    await link(clientId);
    await dispenses(call, 'Loratadine 10mg tablets');
    // The token alone is of no use to anybody.
    const stolen = await fetch(`${server.url}/api/pharmacy/queue`, { headers: { authorization: `Bearer ${token}` } });
    expect(stolen.status).equal(401);
    const taken = await overTls(other, 'GET', '/api/pharmacy/queue', { authorization: `Bearer ${token}` });
    expect(taken.status).equal(401);
  });

  for (const country of ['FR', undefined, 'G'])
    it(`a pharmacy in ${country ?? 'a country that it does not say'} is outside the fence of DISPENSING_COUNTRIES`, async () => {
      const id = `abroad-${country ?? 'somewhere'}`;
      await practice.fhir('PUT', `Organization/${id}`, {
        resourceType: 'Organization',
        id,
        name: 'Abroad',
        identifier: [{ system: CODES, value: `X-${id}` }],
        address: [{ city: 'Somewhere', ...(country && { country }) }],
      });
      const { clientId, call } = await withKey();
      await link(clientId, id);
      for (const [method, path, body] of [
        ['GET', '/api/pharmacy/queue', undefined],
        ['POST', '/api/prescriptions/verify', { token: 'x', pharmacy_code: `X-${id}` }],
      ] as const) {
        const { status, body: problem } = await call(method, path, body);
        expect([status, JSON.stringify(problem).includes('pharmacy-country')], path).eql([403, true]);
      }
    });

  it('[AZ-01] a system of no pharmacy, or of another, neither sees nor dispenses', async () => {
    const { clientId, call } = await withKey();
    expect((await call('GET', '/api/pharmacy/queue')).status).equal(403);
    await link(clientId, 'elsewhere');
    const refused = await call('POST', '/api/prescriptions/dispense', {
      prescription_id: 'PHB-RX-00000001',
      nonce: crypto.randomUUID(),
      pharmacy_code: 'SHOP-17',
      pharmacist_name: 'X',
    });
    expect(refused.status).equal(403);
  });
});
