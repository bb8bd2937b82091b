/** A pharmacy with prescriptions in its queue, as approval leaves them, for tests of what pharmacies do. MISSION M10 */
import { join } from 'node:path';
import { openKeyFile } from '../../src/pki/key-file.ts';
import { openPrescriptionKeys } from '../../src/pki/prescription-keys.ts';
import type { MintedToken, PrescriptionKind, PrescriptionTokens } from '../../src/ports/prescription-tokens.ts';
import { tokenIdOf } from '../../src/standards/prescription-token/token-id.ts';
import { type QueuePriority, queueTask } from '../../src/workflow/dispensing/queue-entry.ts';
import { createPrescriptionTokens } from '../../src/workflow/dispensing/tokens.ts';
import { operatorToken, type TestServer } from './server.ts';

export const PHARMACIES = [...'abcdefghij'].map((letter) => `pharmacy-${letter}`);
export const codeOf = (pharmacyId: string): string => `PHB-PH-${String(pharmacyId.charCodeAt(9)).padStart(6, '0')}`;

const CLIENT_SENDER = 'https://mortar-fhir.org/NamingSystem/client-sender';

/** The Endpoint that says of which pharmacy a client is the system. */
export const systemOf = (clientId: string, pharmacyId: string): Readonly<Record<string, unknown>> => ({
  resourceType: 'Endpoint',
  status: 'active',
  identifier: [{ system: CLIENT_SENDER, value: clientId }],
  connectionType: {
    system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
    code: 'hl7-fhir-rest',
  },
  payloadType: [{ text: 'any' }],
  address: 'https://pharmacy.example/fhir',
  managingOrganization: { reference: `Organization/${pharmacyId}` },
});

export interface Prescribed {
  readonly token: MintedToken;
  readonly taskId: string;
  readonly orderId: string;
}

export interface PharmacyWorld {
  readonly server: Pick<TestServer, 'url' | 'fhirBaseUrl' | 'dataDir' | 'bearer'>;
  readonly tokens: PrescriptionTokens;
  /** Puts a prescription into a queue, as approval does. */
  prescribe(options?: PrescribeOptions): Promise<Prescribed>;
  /** The same, many in one transaction each of 50. */
  prescribeMany(count: number, of: (index: number) => PrescribeOptions): Promise<readonly Prescribed[]>;
  /** Headers of somebody who works there. */
  pharmacist(pharmacyId: string): Promise<Record<string, string>>;
  patient(patientId: string): Promise<Record<string, string>>;
  call(method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Answer>;
  put(resource: Readonly<Record<string, unknown>>): Promise<void>;
  /** In one transaction. */
  putAll(resources: readonly object[]): Promise<void>;
}

export interface Answer {
  readonly status: number;
  // Of tests: what is looked at is told by what is expected of it.
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  readonly json: any;
  readonly headers: Headers;
}

export interface PrescribeOptions {
  /** `any`: no pharmacy is named. */
  readonly pharmacyId?: string;
  readonly patientId?: string;
  readonly patient?: string;
  readonly medication?: string;
  readonly strength?: string;
  readonly priority?: QueuePriority;
  readonly schedule?: string;
  /** Of its token, sealed. */
  readonly kinds?: readonly PrescriptionKind[];
  readonly issuedAt?: number;
  readonly expiresAt?: number;
  readonly quantity?: number;
  readonly orderStatus?: string;
}

const PATIENTS = [
  ['patient-nell', 'Nell', 'Ashworth', '9990000018'],
  ['patient-tobe', 'Tobe', 'Okafor', '9990000026'],
] as const;
export const HPN = 'https://phb.example/hpn';
const CHUNK = 50;
let serial = 0;

/** Stores the people and pharmacies. */
export async function makePharmacyWorld(
  server: Pick<TestServer, 'url' | 'fhirBaseUrl' | 'dataDir' | 'bearer'>,
  now: () => number = Date.now,
): Promise<PharmacyWorld> {
  const keys = openPrescriptionKeys(join(server.dataDir, 'keys', 'prescription.key'), now);
  const cipher = openKeyFile(join(server.dataDir, 'keys', 'message.key'));
  let number = 50_000_000;
  const tokens = createPrescriptionTokens({
    keys,
    cipher,
    nextTokenId: async () => {
      number += 1;
      return tokenIdOf(number, Buffer.from('of this test alone'));
    },
    issuer: server.url,
  });

  async function call(method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
    const answer = await fetch(server.url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json') === true;
    return { status: answer.status, json: isJson && text !== '' ? JSON.parse(text) : text, headers: answer.headers };
  }

  async function put(resource: Readonly<Record<string, unknown>>): Promise<void> {
    const { resourceType, id } = resource;
    const answer = await fetch(`${server.fhirBaseUrl}/${resourceType}/${id}`, {
      method: 'PUT',
      headers: { ...server.bearer, 'content-type': 'application/fhir+json' },
      body: JSON.stringify(resource),
    });
    if (!answer.ok) throw new Error(`${resourceType}/${id}: ${answer.status} ${await answer.text()}`);
  }

  async function make(options: PrescribeOptions): Promise<{ prescribed: Prescribed; resources: object[] }> {
    serial += 1;
    const {
      pharmacyId = 'pharmacy-a',
      patientId = 'patient-nell',
      medication = 'Amoxicillin 500mg capsules',
    } = options;
    const { patient = 'Nell Ashworth', priority = 'routine', schedule, issuedAt = now(), quantity = 21 } = options;
    const [orderId, taskId] = [`order-${serial}`, `queue-${serial}`];
    const token = await tokens.mint({
      prescriptionId: orderId,
      patientId,
      patient,
      birthDate: '1958-03-14',
      hpn: '123 456 7890',
      medication,
      dosage: 'Take one capsule three times a day',
      frequency: 'Three times daily',
      quantity: `${quantity} capsules`,
      prescriber: 'Dr Imogen Fairweather',
      pharmacy: {
        name: `Pharmacy ${pharmacyId.slice(-1)}`,
        code: codeOf(pharmacyId),
        address: '2 Mill Lane',
        city: 'Millbrook',
        postcode: 'ZZ99 1AB',
        phone: '01632 960000',
      },
      issuedAt,
      isControlled: priority === 'controlled',
      kinds: options.kinds ?? [],
      ...(options.expiresAt !== undefined && { expiresAt: options.expiresAt }),
      ...(options.strength !== undefined && { strength: options.strength }),
    });
    const order = {
      resourceType: 'MedicationRequest',
      id: orderId,
      status: options.orderStatus ?? 'active',
      intent: 'order',
      medicationCodeableConcept: { text: medication },
      subject: { reference: `Patient/${patientId}` },
      authoredOn: new Date(issuedAt).toISOString(),
      requester: { reference: 'Practitioner/gp' },
      dosageInstruction: [{ text: 'Take one capsule three times a day' }],
      dispenseRequest: {
        quantity: { value: quantity, unit: 'capsules' },
        ...(pharmacyId !== 'any' && { performer: { reference: `Organization/${pharmacyId}` } }),
      },
    };
    const task = queueTask({
      id: taskId,
      orderId,
      patientId,
      ...(pharmacyId !== 'any' && { pharmacyId }),
      requester: 'Practitioner/gp',
      token,
      priority,
      ...(options.strength !== undefined && { strength: options.strength }),
      ...(schedule !== undefined && { nafdacSchedule: schedule }),
    });
    return { prescribed: { token, taskId, orderId }, resources: [order, task] };
  }

  async function store(resources: readonly object[]): Promise<void> {
    const entry = resources.map((resource) => {
      const { resourceType, id } = resource as { resourceType: string; id: string }; // made above
      return { resource, request: { method: 'PUT', url: `${resourceType}/${id}` } };
    });
    const answer = await fetch(server.fhirBaseUrl, {
      method: 'POST',
      headers: { ...server.bearer, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry }),
    });
    if (!answer.ok) throw new Error(`the prescriptions: ${answer.status} ${await answer.text()}`);
  }

  await put({ resourceType: 'Practitioner', id: 'gp', name: [{ family: 'Fairweather', given: ['Imogen'] }] });
  for (const id of PHARMACIES) await put(pharmacy(id));
  for (const [id, given, family, nhsNumber] of PATIENTS)
    await put({
      resourceType: 'Patient',
      id,
      identifier: [
        { system: 'https://fhir.nhs.uk/Id/nhs-number', value: nhsNumber },
        { system: HPN, value: `${nhsNumber.slice(0, 3)} 456 7890` },
      ],
      name: [{ family, given: [given] }],
    });

  async function personOf(role: string, name: string, more: object): Promise<Record<string, string>> {
    const email = `${name}@example.org`;
    const added = await call('POST', '/api/v2/admin/users', server.bearer, { name, email, roles: [role], ...more });
    if (added.status >= 400 && added.status !== 409) throw new Error(`${email}: ${added.status}`);
    return { authorization: `Bearer ${await operatorToken(server, { user: email, now })}` };
  }

  return {
    server,
    tokens,
    call,
    put,
    putAll: store,
    async prescribe(options = {}) {
      const { prescribed, resources } = await make(options);
      await store(resources);
      return prescribed;
    },
    async prescribeMany(count, of) {
      const all: Prescribed[] = [];
      for (let from = 0; from < count; from += CHUNK) {
        const indexes = Array.from({ length: Math.min(CHUNK, count - from) }, (_, i) => from + i);
        const made = await Promise.all(indexes.map((index) => make(of(index))));
        await store(made.flatMap(({ resources }) => resources));
        all.push(...made.map(({ prescribed }) => prescribed));
      }
      return all;
    },
    pharmacist: (pharmacyId) => personOf('PHARMACIST', `pharmacist.${pharmacyId}`, { organization_ids: [pharmacyId] }),
    patient: (patientId) => personOf('PATIENT', patientId, { patient_ids: [patientId] }),
  };
}

const pharmacy = (id: string): Record<string, unknown> => ({
  resourceType: 'Organization',
  id,
  active: true,
  identifier: [
    { system: 'https://phb.example/pharmacy-code', value: codeOf(id) },
    { system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: `F${id.slice(-1).toUpperCase()}001` },
  ],
  type: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/organization-type', code: 'prov' }] }],
  name: `Pharmacy ${id.slice(-1)}`,
  telecom: [
    { system: 'phone', value: '01632 960000' },
    { system: 'email', value: `${id}@pharmacy.example` },
  ],
  address: [{ line: ['2 Mill Lane'], city: 'Millbrook', postalCode: 'ZZ99 1AB' }],
});
