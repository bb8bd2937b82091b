/** A practice, its people and a patient on a running server, for tests and benchmarks of prescribing. */
import { readFileSync } from 'node:fs';
import { toMedicationKnowledge } from '../../src/workflow/prescribing/catalogue/entry.ts';
import { readInteractions, readMedicines } from '../../src/workflow/prescribing/catalogue/file.ts';
import { operatorToken, type TestServer } from './server.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  readonly body: any;
}

type PracticeServer = Pick<TestServer, 'url' | 'dataDir' | 'bearer'>;

export interface Practice<Server extends PracticeServer = TestServer> {
  readonly server: Server;
  /** One request by a person: `pat`, `doc`, `pharm`, `desk`, `other`, `away` … */
  call(who: string, method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Reply>;
  /** As the operator, through FHIR. */
  fhir(method: string, path: string, body?: object): Promise<Reply>;
  /** Asks for items as a patient, and gives the answer's body. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  ask(items: readonly object[], who?: string, more?: object): Promise<any>;
}

export const PASSWORD = 'a long and boring pass phrase';
export const AMOXICILLIN = {
  medication_name: 'Amoxicillin 500mg capsules',
  dose: 'one capsule',
  quantity: 21,
  instructions: 'three times a day for seven days',
  is_acute: true,
};

const ORGANIZATION = (id: string, name: string, ods: string): object => ({
  resourceType: 'Organization',
  id,
  identifier: [{ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: ods }],
  name,
  telecom: [{ system: 'phone', value: '01632 960110' }],
  address: [{ line: ['1 Mill Lane'], city: 'Millbrook', postalCode: 'ZZ99 1AA' }],
});

export const patientOf = (id: string, nhsNumber: string, more: object = {}): object => ({
  resourceType: 'Patient',
  id,
  identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: nhsNumber }],
  name: [{ use: 'official', family: 'Okafor', given: ['Tobe'] }],
  gender: 'male',
  birthDate: '1983-11-02',
  address: [{ line: ['3 Mill Lane'], city: 'Millbrook', postalCode: 'ZZ99 1AB' }],
  generalPractitioner: [{ reference: 'Organization/surgery' }],
  extension: [
    {
      url: 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy',
      valueReference: { reference: 'Organization/pharmacy' },
    },
  ],
  ...more,
});

export async function openPractice<Server extends PracticeServer>(server: Server): Promise<Practice<Server>> {
  const { url } = server;
  const send = async (
    authorization: string,
    method: string,
    path: string,
    body?: object,
    headers = {},
  ): Promise<Reply> => {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json') === true && text !== '';
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  };
  const fhir = (method: string, path: string, body?: object) =>
    send(server.bearer.authorization, method, `/fhir/R4${path === '' ? '' : `/${path}`}`, body);
  const put = async (resource: object): Promise<void> => {
    const { resourceType, id } = resource as { resourceType: string; id: string };
    const answer = await fhir('PUT', `${resourceType}/${id}`, resource);
    if (answer.status > 201) throw new Error(`${resourceType}/${id}: ${JSON.stringify(answer.body)}`);
  };
  const pairs = readInteractions(readFileSync('fixtures/catalogue/interactions.csv', 'utf8')).entries;
  const medicines = readMedicines(readFileSync('fixtures/catalogue/medicines.csv', 'utf8'), pairs).entries;
  const entry = medicines.map((one) => ({
    resource: toMedicationKnowledge(one),
    request: { method: 'PUT', url: `MedicationKnowledge/${one.id}` },
  }));
  const loaded = await fhir('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
  if (loaded.status !== 200) throw new Error(JSON.stringify(loaded.body).slice(0, 500));
  await put(ORGANIZATION('surgery', 'Millbrook Surgery', 'Z99901'));
  await put(ORGANIZATION('elsewhere', 'Other Surgery', 'Z99903'));
  await put(ORGANIZATION('pharmacy', 'Millbrook Pharmacy', 'Z99902'));
  for (const id of ['doc', 'pharm', 'away'])
    await put({ resourceType: 'Practitioner', id, name: [{ family: 'Fairweather', given: [id] }] });
  await put(patientOf('pat', '9990000026'));
  await put(patientOf('other', '9990000034'));
  const user = async (name: string, roles: readonly string[], more: object): Promise<void> => {
    const body = { name, email: `${name}@example.org`, password: PASSWORD, roles, ...more };
    const { status, body: answer } = await send(server.bearer.authorization, 'POST', '/api/v2/admin/users', body);
    if (status !== 201) throw new Error(`user ${name}: ${status} ${JSON.stringify(answer)}`);
  };
  await user('pat', ['PATIENT'], { patient_ids: ['pat'] });
  await user('other', ['PATIENT'], { patient_ids: ['other'] });
  await user('doc', ['PRESCRIBER'], { practitioner_id: 'doc', organization_ids: ['surgery'] });
  await user('gp', ['PRESCRIBER'], {
    practitioner_id: 'doc',
    practitioner_role_ids: ['doc-role'],
    organization_ids: ['surgery'],
  });
  await user('away', ['PRESCRIBER'], { practitioner_id: 'away', organization_ids: ['elsewhere'] });
  await user('pharm', ['PHARMACIST'], { practitioner_id: 'pharm', organization_ids: ['surgery'] });
  await user('disp', ['PHARMACIST'], { organization_ids: ['pharmacy'] });
  await user('desk', ['RECEPTIONIST'], { organization_ids: ['surgery'] });
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (who: string): Promise<string> => {
    const known = tokens.get(who) ?? operatorToken(server, { user: `${who}@example.org` });
    tokens.set(who, known);
    return known;
  };
  const call: Practice['call'] = async (who, method, path, body, headers) =>
    send(`Bearer ${await tokenOf(who)}`, method, path, body, headers);
  return {
    server,
    call,
    fhir,
    async ask(items, who = 'pat', more = {}) {
      const { status, body } = await call(who, 'POST', '/api/prescriptions', { items, ...more });
      if (status !== 201) throw new Error(`asked: ${status} ${JSON.stringify(body)}`);
      return body;
    },
  };
}
