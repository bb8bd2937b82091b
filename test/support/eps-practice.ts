/** A practice that prescribes by EPS, for journeys with a Spine. */
import { AMOXICILLIN, openPractice, PASSWORD, type Practice, type Reply } from './prescribing.ts';
import { startTestServer, type TestServer } from './server.ts';

/** What a prescriber adds to an item when they approve it. */
export const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };

/** A practice on a server of its own that starts a Spine with it; `env`: settings beside those. */
export async function openEpsPractice(env: Readonly<Record<string, string>> = {}): Promise<Practice> {
  const limits = 'read=off,write=off,search=off';
  const server = await startTestServer({
    env: { RATE_LIMITS: limits, SPINE_PORT: '0', SPINE_STATE_PORT: '0', ...env },
  });
  const practice = await openPractice(server);
  await completeForEps(practice);
  return practice;
}

/** Asks a local Spine what it holds, or sets it: `/prescriptions/…`, `/messages`, `/settings`, `/faults`. Undefined: there is none. */
export async function askSpine(
  stateUrl: string | undefined,
  path: string,
  method = 'GET',
  body?: object,
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
): Promise<any> {
  const answer = await fetch(`${stateUrl}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return answer.status === 200 ? answer.json() : undefined;
}

/** What was approved and is on its way to the Spine. */
export interface Approved {
  /** Of the request. */
  readonly id: string;
  readonly orderIds: readonly string[];
  /** Short form prescription id. */
  readonly number: string;
  /** One for each item, for the patient to show. */
  readonly tokens: readonly Shown[];
}
export interface Shown {
  readonly token: string;
  readonly payload: { readonly id: string; readonly nonce: string };
}

/** The patient asks, the GP approves. Throws unless it is queued for the Spine. */
export async function approveForEps(
  { ask, call, fhir }: Pick<Practice, 'ask' | 'call' | 'fhir'>,
  items: readonly object[] = [AMOXICILLIN],
  medications: readonly object[] = [MEDICATION],
): Promise<Approved> {
  const asked = await ask(items);
  const { status, body } = await call('gp', 'POST', `/api/provider/prescriptions/${asked.id}/approve`, {
    medications: medications.map((one, i) => ({ item_id: asked.items[i].id, ...one })),
  });
  if (status !== 200 || body.eps?.status !== 'queued') throw new Error(`approved: ${status} ${JSON.stringify(body)}`);
  const { body: order } = await fhir('GET', `MedicationRequest/${body.prescription_ids[0]}`);
  const { body: seen } = await call('pat', 'GET', `/api/prescriptions/${asked.id}`);
  return {
    id: asked.id,
    orderIds: body.prescription_ids,
    number: order.groupIdentifier.value,
    tokens: seen.tokens,
  };
}

/** Dispenses at the pharmacy what was shown there; `more`: members beside those that every one needs. */
export const dispenseAs = (
  { call }: Pick<Practice, 'call'>,
  who: string,
  { payload }: Shown,
  more: object = {},
): Promise<Reply> =>
  call(who, 'POST', '/api/prescriptions/dispense', {
    prescription_id: payload.id,
    nonce: payload.nonce,
    pharmacy_code: 'Z99902',
    pharmacist_name: 'Petra Lindqvist',
    ...more,
  });

const storeWith =
  (fhir: Practice['fhir']) =>
  async (resource: { readonly resourceType: string; readonly id: string; readonly [name: string]: unknown }) => {
    const { status, body } = await fhir('PUT', `${resource.resourceType}/${resource.id}`, resource);
    if (status > 201) throw new Error(JSON.stringify(body));
  };

/** What EPS needs to know of who prescribes, and where. */
export async function completeForEps({ fhir }: Pick<Practice, 'fhir'>): Promise<void> {
  const put = storeWith(fhir);
  const ods = (value: string): object[] => [{ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value }];
  await put({
    resourceType: 'Organization',
    id: 'board',
    identifier: ods('Z999'),
    name: 'Riverside (invented)',
  });
  const { body: surgery } = await fhir('GET', 'Organization/surgery');
  await put({
    ...surgery,
    type: [{ coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/organisation-role', code: '76' }] }],
    telecom: [{ system: 'phone', value: '01632 960110', use: 'work' }],
    partOf: { reference: 'Organization/board' },
  });
  await put({
    resourceType: 'Practitioner',
    id: 'doc',
    identifier: [
      { system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '999000000101' },
      { system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: 'C9990001' },
    ],
    name: [{ family: 'Penhallow', given: ['Idris'], prefix: ['Dr'] }],
  });
  await put({
    resourceType: 'PractitionerRole',
    id: 'doc-role',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-role-profile-id', value: '999000000202' }],
    practitioner: { reference: 'Practitioner/doc' },
    organization: { reference: 'Organization/surgery' },
    code: [
      {
        coding: [
          {
            system: 'https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode',
            code: 'S8000:G8000:R8000',
            display: 'Clinical Practitioner Access Role',
          },
        ],
      },
    ],
    telecom: [{ system: 'phone', value: '01632 960111', use: 'work' }],
  });
}

/** Asks until there is an answer; throws after a while. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 600; i++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it does not come about');
}

/** Somebody whom the Spine knows as a pharmacist of the pharmacy: `petra` signs in, dispenses, and is named to it. */
export async function addDispenser({
  server,
  fhir,
}: Pick<Practice, 'fhir'> & { readonly server: Pick<TestServer, 'url' | 'bearer'> }): Promise<void> {
  const put = storeWith(fhir);
  await put({
    resourceType: 'Practitioner',
    id: 'petra',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '999000000113' }],
    name: [{ family: 'Lindqvist', given: ['Petra'], prefix: ['Ms'] }],
  });
  await put({
    resourceType: 'PractitionerRole',
    id: 'petra-role',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-role-profile-id', value: '999000000301' }],
    practitioner: { reference: 'Practitioner/petra' },
    organization: { reference: 'Organization/pharmacy' },
    code: [
      {
        coding: [
          {
            system: 'https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode',
            code: 'S8000:G8000:R8003',
            display: 'Health Professional Access Role',
          },
        ],
      },
    ],
    telecom: [{ system: 'phone', value: '01632 960500', use: 'work' }],
  });
  const answer = await fetch(`${server.url}/api/v2/admin/users`, {
    method: 'POST',
    headers: { ...server.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'petra',
      email: 'petra@example.org',
      password: PASSWORD,
      roles: ['PHARMACIST'],
      practitioner_id: 'petra',
      practitioner_role_ids: ['petra-role'],
      organization_ids: ['pharmacy'],
    }),
  });
  if (answer.status !== 201) throw new Error(`user petra: ${answer.status} ${await answer.text()}`);
}
