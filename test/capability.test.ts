import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { formatCapabilityStatement } from '../docs/capability-statement.ts';
import { CLAIM_OPERATIONS, SPINE_OPERATIONS } from '../src/rest/interactions/capabilities.ts';
import { everyTypeOperations, singleTypeOperations, systemOperations } from '../src/rest/record-routes.ts';
import { createRoutes, OPERATIONS, TYPE_OPERATIONS } from '../src/rest/routes.ts';
import { TERMINOLOGY_OPERATIONS } from '../src/rest/terminology-routes.ts';
import { createSearchParameters } from '../src/standards/fhir/search/parameters.ts';
import { createValidator } from '../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from './support/definitions.ts';
import { createFhirClient, type FhirClient, type Json, type Reply } from './support/fhir-client.ts';
import { fixture } from './support/fixtures.ts';
import { generateValid } from './support/generate-resource.ts';
import { startTestServer, type TestServer } from './support/server.ts';

interface Statement {
  readonly rest: readonly [
    {
      readonly resource: readonly ResourceStatement[];
      readonly interaction: readonly { readonly code: string }[];
      readonly operation: readonly { readonly name: string; readonly definition: string }[];
      readonly compartment: readonly string[];
      readonly security: {
        readonly service: readonly [{ readonly coding: readonly [Readonly<Record<string, string>>] }];
        readonly extension: readonly [
          {
            readonly url: string;
            readonly extension: readonly { readonly url: string; readonly valueUri: string }[];
          },
        ];
      };
    },
  ];
}

interface ResourceStatement {
  readonly type: string;
  readonly interaction: readonly { readonly code: string }[];
  readonly searchInclude: readonly string[];
  readonly searchRevInclude: readonly string[];
  readonly searchParam: readonly { readonly name: string; readonly definition: string; readonly type: string }[];
  readonly operation?: readonly { readonly name: string }[];
}

/** A value of each type that is in order and finds nothing in particular. */
const HARMLESS: Readonly<Record<string, string>> = {
  token: 'x',
  string: 'x',
  date: '2020',
  number: '1',
  quantity: '1',
  uri: 'urn:x',
  reference: 'x',
};
/** Requests under way at a time. */
const LANES = 16;
/** A search takes at most 20 of them. */
const INCLUDES_MAX = 20;

describe('capability statement', function () {
  this.timeout(120_000);
  const parameters = createSearchParameters(testDefinitions());
  let server: TestServer;
  let fhir: FhirClient;
  let rest: Statement['rest'][0];
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    [rest] = (await fhir.get('metadata')).json<Statement & Json>().rest;
  });
  after(() => server.stop());

  it('the published copy is what the code says (else: npm run -s docs)', () => {
    const published = readFileSync(join(import.meta.dirname, '../capability-statement.json'), 'utf8');
    expect(published === formatCapabilityStatement(testDefinitions())).equal(true);
    expect(published).to.have.length.below(2_000_000);
    expect(JSON.parse(published)).not.to.have.any.keys('date', 'url', 'version');
  });

  it('[SD-07] names SMART on FHIR, and the endpoints of the SMART configuration where old apps look for them', async () => {
    const smart = (await fhir.get('.well-known/smart-configuration')).json<Record<string, string> & Json>();
    const { security } = rest;
    expect(security.service[0].coding[0]).include({
      system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
      code: 'SMART-on-FHIR',
    });
    const [oauth] = security.extension;
    expect(oauth.url).equal('http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris');
    expect(Object.fromEntries(oauth.extension.map(({ url, valueUri }) => [url, valueUri]))).deep.equal({
      authorize: smart['authorization_endpoint'],
      token: smart['token_endpoint'],
      register: smart['registration_endpoint'],
      introspect: smart['introspection_endpoint'],
      revoke: smart['revocation_endpoint'],
      manage: smart['management_endpoint'],
    });
  });

  it('what is routed is declared, and what is declared is routed', () => {
    const routes = createRoutes(() => {
      throw new Error('these routes are only read');
    });
    const routed = (level: string) => [...new Set(routes.filter((r) => r.level === level).map((r) => r.interaction))];
    const [first] = rest.resource;
    for (const { type, interaction } of rest.resource) expect(codes(interaction), type).to.have.members(routed('type'));
    expect(first?.type).equal('Account');
    expect(codes(rest.interaction)).to.have.members(routed('system'));
    const ofEvery = [...TYPE_OPERATIONS, ...everyTypeOperations].flatMap(({ name }) =>
      rest.resource.map(({ type }) => `${type}/$${name}`),
    );
    const ofTypes = [...TERMINOLOGY_OPERATIONS, ...singleTypeOperations].map(({ type, name }) => `${type}/$${name}`);
    expect(
      rest.resource.flatMap(({ type, operation = [] }) => operation.map(({ name }) => `${type}/$${name}`)),
    ).to.have.members([...ofEvery, ...ofTypes]);
    for (const path of [
      ...[...TYPE_OPERATIONS, ...everyTypeOperations].map(({ name }) => `:type/$${name}`),
      ...ofTypes,
    ])
      expect(
        routes.some((route) => route.path === `/${path}` || route.path === `/${path.replace('/', '/:id/')}`),
        path,
      ).equal(true);
    // With a Spine or a payer there are more: test/journeys/eps-operations.test.ts, test/journeys/claims.test.ts.
    const elsewhere = [
      'capabilities',
      'async-status',
      'async-cancel',
      ...[...SPINE_OPERATIONS, ...CLAIM_OPERATIONS].map(({ name }): string => name),
      ...TERMINOLOGY_OPERATIONS.map(({ name }): string => name),
      ...[...everyTypeOperations, ...singleTypeOperations].map(({ name }) => name),
    ].filter((name) => systemOperations.every((one) => one.name !== name));
    expect(rest.operation.map((o) => o.name)).to.have.members(
      routed('operation').filter((n) => !elsewhere.includes(n)),
    );
    expect(rest.operation).eql([...OPERATIONS, ...systemOperations]);
  });

  it('declares every type the definitions have and every parameter the search knows, and nothing else', () => {
    const types = Object.keys(testDefinitions().types).filter((type) => parameters.get(type) !== undefined);
    expect(rest.resource.map((r) => r.type)).to.have.members(types);
    for (const { type, searchParam } of rest.resource)
      expect(
        searchParam.map((p) => p.name),
        type,
      ).to.have.members([
        ...(parameters.get(type)?.parameters.keys() ?? []),
        ...(type === 'Location' ? ['near'] : []),
        ...(parameters.get(type)?.hasNarrative ? ['_text'] : []),
      ]);
  });

  it('each interaction of each type', async () => {
    const walked = new Set<string>();
    const validate = createValidator(testDefinitions());
    await inLanes(rest.resource, async ({ type, interaction }) => {
      const resource = generateValid(testDefinitions(), type, validate);
      const made = await fhir.post(type, resource);
      expect(made.status, `${type}: ${made.text}`).equal(201);
      const stored = made.json<Json & { id: string }>();
      const path = `${type}/${stored.id}`;
      const language = { op: 'add', path: '/language', value: 'cy' };
      const steps: Readonly<Record<string, () => Promise<Reply>>> = {
        create: async () => made,
        read: () => fhir.get(path),
        update: () => fhir.put(path, { ...stored, language: 'en' }),
        patch: () => fhir.patch(path, [language]),
        vread: () => fhir.get(`${path}/_history/1`),
        'history-instance': () => fhir.get(`${path}/_history`),
        'history-type': () => fhir.get(`${type}/_history?_count=1`),
        'search-type': () => fhir.get(`${type}?_id=${stored.id}`),
        delete: () => fhir.delete(path),
      };
      // All but the last leave a resource that the next one works on.
      const declared = codes(interaction).sort((a, b) => Object.keys(steps).indexOf(a) - Object.keys(steps).indexOf(b));
      for (const code of declared) {
        const reply = await steps[code]?.();
        expect(reply?.status, `${code} of ${type}: ${reply?.text}`).oneOf([200, 201, 204]);
        walked.add(code);
      }
      expect((await fhir.put(path, stored)).status).equal(201); // for the searches
      for (const { name } of TYPE_OPERATIONS)
        expect((await fhir.post(`${type}/$${name}`, stored)).status, `$${name} of ${type}`).equal(200);
    });
    expect(walked.size).equal(9);
  });

  it('each search parameter, with a value of its type', async () => {
    const searches = rest.resource.flatMap(({ type, searchParam }) =>
      searchParam.map(({ name }) => `${type}?${name}=${encodeURIComponent(valueFor(type, name))}`),
    );
    expect(searches).to.have.length.above(2000);
    await allOk(searches);
  });

  it('each search parameter by POST, and with :missing', async () => {
    await inLanes(rest.resource, async ({ type, searchParam }) => {
      const body = new URLSearchParams(searchParam.map(({ name }): [string, string] => [name, valueFor(type, name)]));
      const reply = await fhir.post(`${type}/_search`, body.toString(), {
        'content-type': 'application/x-www-form-urlencoded',
      });
      expect(reply.status, `${type} ${reply.text}`).equal(200);
    });
    await allOk(
      rest.resource.flatMap(({ type, searchParam }) =>
        searchParam
          .filter((p) => p.type !== 'special' && p.name !== '_text')
          .map(({ name }) => `${type}?${name}:missing=true`),
      ),
    );
  });

  it('each _include and _revinclude', async () => {
    const searches = rest.resource.flatMap(({ type, searchInclude, searchRevInclude }) => [
      ...chunks(searchInclude).map((some) => `${type}?${some.map((i) => `_include=${i}`).join('&')}`),
      ...chunks(searchRevInclude).map((some) => `${type}?${some.map((i) => `_revinclude=${i}`).join('&')}`),
    ]);
    expect(searches).to.have.length.above(700);
    await allOk(searches);
  });

  it('each interaction of the system, each operation and each compartment', async () => {
    const bundle = (type: string) => ({
      resourceType: 'Bundle',
      type,
      entry: [{ request: { method: 'GET', url: 'Patient' } }],
    });
    const steps: Readonly<Record<string, () => Promise<Reply>>> = {
      meta: () => fhir.get('$meta'),
      graphql: () => fhir.get(`$graphql?query=${encodeURIComponent('{ PatientList(_count: 1) { id } }')}`),
      // Asked for, and ended: what comes of it is in test/rest/operations/export.test.ts.
      export: async () => {
        const asked = await fhir.get('$export?_type=Basic', { prefer: 'respond-async' });
        const ended = await fhir.delete(asked.headers.get('content-location') ?? '');
        expect([asked.status, ended.status]).deep.equal([202, 202]);
        return fhir.get('metadata');
      },
      import: async () => {
        const headers = { prefer: 'respond-async', 'content-type': 'application/fhir+ndjson' };
        const asked = await fhir.post('$import', '{"resourceType":"Basic","code":{"text":"x"}}', headers);
        const ended = await fhir.delete(asked.headers.get('content-location') ?? '');
        expect([asked.status, ended.status]).deep.equal([202, 202]);
        return fhir.get('metadata');
      },
      reindex: async () => {
        const asked = await fhir.post('$reindex', '', { prefer: 'respond-async' });
        const ended = await fhir.delete(asked.headers.get('content-location') ?? '');
        expect([asked.status, ended.status]).deep.equal([202, 202]);
        return fhir.get('metadata');
      },
      'viewdefinition-run': () =>
        fhir.post('$viewdefinition-run', {
          resourceType: 'ViewDefinition',
          resource: 'Basic',
          select: [{ column: [{ name: 'id', path: 'id' }] }],
        }),
      transaction: () => fhir.post('', bundle('transaction')),
      batch: () => fhir.post('', bundle('batch')),
      'search-system': () => fhir.get('?_type=Patient,Observation&_count=1'),
      'history-system': () => fhir.get('_history?_count=1'),
      'process-message': () =>
        fhir.post(
          '$process-message',
          readFileSync(new URL('../fixtures/fhir/prescription-order-message.json', import.meta.url)),
        ),
      convert: () =>
        fhir.post('$convert?_to=fhir&check', fixture('hl7v2/own-uk-a01.hl7'), {
          'content-type': 'x-application/hl7-v2+er7',
        }),
      prepare: () => fhir.post('$prepare', fixture('eps/prescription-order-acute.json')),
      validate: () => fhir.post('$validate', fixture('eps/prescription-order-acute.json')),
      'dose-to-text': () => fhir.post('$dose-to-text', fixture('eps/prescription-order-acute.json')),
      'verify-signature': () => fhir.post('$verify-signature', fixture('eps/prescription-order-acute.json')),
    };
    const declared = [...codes(rest.interaction), ...rest.operation.map((o) => o.name)];
    expect(declared).to.have.members(Object.keys(steps));
    for (const code of declared) {
      const reply = await steps[code]?.();
      expect(reply?.status, `${code}: ${reply?.text}`).equal(200);
    }
    for (const url of rest.compartment) {
      const kind = rest.resource.find((r) => url.endsWith(`/${r.type.toLowerCase()}`))?.type;
      expect((await fhir.get(`${kind}/none/Observation`)).status, url).oneOf([200, 404]);
    }
  });

  async function allOk(searches: readonly string[]): Promise<void> {
    await inLanes(searches, async (search) => {
      const reply = await fhir.get(search);
      expect(reply.status, `${search} ${reply.text.slice(0, 500)}`).equal(200);
    });
  }

  /** The statement does not say what a composite is composed of, so the table does. */
  function valueFor(type: string, name: string): string {
    if (name === 'near') return '53.8|-1.55';
    if (name === '_text') return 'x';
    const parameter = parameters.get(type)?.parameters.get(name);
    const types = parameter?.type === 'composite' ? parameter.components.map((c) => c.type) : [parameter?.type ?? ''];
    return types.map((t) => HARMLESS[t] ?? '').join('$');
  }
});

const codes = (declared: readonly { readonly code: string }[]): string[] => declared.map((d) => d.code);

const chunks = (all: readonly string[]): (readonly string[])[] =>
  Array.from({ length: Math.ceil(all.length / INCLUDES_MAX) }, (_, i) =>
    all.slice(i * INCLUDES_MAX, (i + 1) * INCLUDES_MAX),
  );

/** Does all, a few at a time; the first failure ends it. */
async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values();
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (const one of rest) await work(one);
    }),
  );
}
