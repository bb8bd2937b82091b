import { expect } from 'chai';
import {
  type BundleEntryShape,
  bundleOf,
  createFhirClient,
  type FhirClient,
  idOf,
  type Json,
  matchIds,
  outcomeOf,
  type Reply,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked, storeState } from '../../support/store-state.ts';

type Entry = Readonly<Record<string, unknown>>;
const uuid = (n: number): string => `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const transaction = (...entry: readonly Entry[]) => ({ resourceType: 'Bundle', type: 'transaction', entry });
const post = (resource: Json, fullUrl?: string, more: Json = {}): Entry => ({
  ...(fullUrl !== undefined && { fullUrl }),
  resource,
  request: { method: 'POST', url: resource['resourceType'], ...more },
});
const put = (resource: Json, more: Json = {}): Entry => ({
  resource,
  request: { method: 'PUT', url: `${resource['resourceType']}/${resource['id']}`, ...more },
});
const patient = (more: Json = {}): Json => ({ resourceType: 'Patient', ...more });
const identified = (value: string, more: Json = {}): Json =>
  patient({ identifier: [{ system: 'urn:sys', value }], ...more });
const observation = (more: Json = {}): Json => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'pulse' },
  ...more,
});
const binaryPatch = (operations: readonly object[]): Json => ({
  resourceType: 'Binary',
  contentType: 'application/json-patch+json',
  data: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

describe('transaction', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const entriesOf = (reply: Reply): readonly BundleEntryShape[] => {
    expect(reply.status, reply.text).equal(200);
    const bundle = bundleOf(reply);
    expect(bundle.type).equal('transaction-response');
    return bundle.entry ?? [];
  };
  const pathOf = (entry: BundleEntryShape | undefined): string =>
    /([A-Za-z]+\/[^/]+)\/_history\/\d+$/.exec(entry?.response?.location ?? '')?.[1] ?? '';

  it('creates: urn:uuid references become references to what was created', async () => {
    const entries = entriesOf(
      await fhir.post(
        '',
        transaction(
          post(observation({ subject: { reference: uuid(1) }, performer: [{ reference: uuid(2) }] }), uuid(3)),
          post(patient({ name: [{ family: 'Oak' }], generalPractitioner: [{ reference: uuid(2) }] }), uuid(1)),
          post({ resourceType: 'Practitioner', name: [{ family: 'Gp' }] }, uuid(2)),
        ),
      ),
    );
    expect(entries.map((e) => e.response?.status)).eql(['201 Created', '201 Created', '201 Created']);
    expect(entries.map((e) => e.response?.etag)).eql(['W/"1"', 'W/"1"', 'W/"1"']);
    expect(entries.map((e) => e.resource)).eql([undefined, undefined, undefined]);
    const [obs, pat, gp] = entries.map(pathOf);
    const stored = (await fhir.get(obs as string)).json<{ subject: Json; performer: Json[] }>();
    expect(stored.subject).eql({ reference: pat });
    expect(stored.performer).eql([{ reference: gp }]);
    expect(matchIds(bundleOf(await fhir.get(`Observation?subject=${pat}`)))).eql([obs?.split('/')[1]]);
    expect(matchIds(bundleOf(await fhir.get('Patient?general-practitioner.family=gp')))).eql([pat?.split('/')[1]]);
  });

  it('Prefer: return=representation shows the resources', async () => {
    const reply = await fhir.post('', transaction(post(patient({ active: true }))), {
      prefer: 'return=representation',
    });
    expect(entriesOf(reply)[0]?.resource).include({ resourceType: 'Patient', active: true });
  });

  it('references inside the narrative, uri elements and extensions follow as well', async () => {
    const [pat, doc] = entriesOf(
      await fhir.post(
        '',
        transaction(
          post(patient(), uuid(1)),
          post(
            {
              resourceType: 'Basic',
              code: { text: 'x' },
              text: {
                status: 'generated',
                div: `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${uuid(1)}">patient</a></div>`,
              },
              extension: [{ url: 'urn:e', valueReference: { reference: uuid(1) } }],
              subject: { reference: uuid(1) },
            },
            uuid(2),
          ),
        ),
      ),
    ).map(pathOf);
    const { text } = await fhir.get(doc as string);
    expect(text).not.contains(uuid(1));
    expect(text.split(pat as string)).length(4);
  });

  it('a fullUrl below a base: relative references to it follow', async () => {
    const [pat, obs] = entriesOf(
      await fhir.post(
        '',
        transaction(
          post(patient(), 'http://elsewhere.example/fhir/Patient/17'),
          post(observation({ subject: { reference: 'Patient/17' } }), 'http://elsewhere.example/fhir/Observation/1'),
        ),
      ),
    ).map(pathOf);
    expect((await fhir.get(obs as string)).json()).deep.include({ subject: { reference: pat } });
  });

  it('all methods together; GET sees what was written', async () => {
    const kept = idOf(await fhir.post('Patient', patient({ active: true })));
    const patched = idOf(await fhir.post('Patient', patient({ active: true })));
    const removed = idOf(await fhir.post('Patient', patient()));
    const entries = entriesOf(
      await fhir.post(
        '',
        transaction(
          { request: { method: 'GET', url: `Patient/${kept}` } },
          { request: { method: 'DELETE', url: `Patient/${removed}` } },
          post(identified('all-1'), uuid(1)),
          put(patient({ id: kept, active: false })),
          {
            resource: binaryPatch([{ op: 'remove', path: '/active' }]),
            request: { method: 'PATCH', url: `Patient/${patched}` },
          },
          put(patient({ id: 'all-new' })),
          { request: { method: 'GET', url: 'Patient?identifier=urn:sys|all-1' } },
          { request: { method: 'GET', url: `Patient/${kept}/_history/1` } },
          { request: { method: 'GET', url: `?_type=Patient,Observation&_id=${kept},all-new&_sort=_id` } },
          { request: { method: 'GET', url: `/?_type=Patient&_id=${removed}` } },
        ),
      ),
    );
    expect(entries.map((e) => e.response?.status)).eql([
      '200 OK',
      '204 No Content',
      '201 Created',
      '200 OK',
      '200 OK',
      '201 Created',
      '200 OK',
      '200 OK',
      '200 OK',
      '200 OK',
    ]);
    // Over several types: what the transaction has written is found, as it is now, and what it deleted is not.
    const found = entries[8]?.resource as unknown as { link: { url: string }[]; entry: { resource: Json }[] };
    const [first, second] = ['all-new', kept].sort();
    expect(found.entry.map(({ resource }) => resource['id'])).eql([first, second]);
    expect(found.entry.every(({ resource }) => resource['resourceType'] === 'Patient')).equal(true);
    expect(found.link[0]?.url).include('?_type=Patient%2CObservation&');
    expect(entries[9]?.resource).include({ type: 'searchset', total: 0 });
    expect(entries[0]?.resource).include({ active: false });
    expect(entries[6]?.resource).include({ resourceType: 'Bundle', type: 'searchset', total: 1 });
    expect(entries[7]?.resource).include({ active: true });
    expect((await fhir.get(`Patient/${removed}`)).status).equal(410);
    expect((await fhir.get(`Patient/${patched}`)).json()).not.have.property('active');
  });

  it('an empty bundle is carried out', async () => {
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'transaction' });
    expect(reply.status).equal(200);
    expect(bundleOf(reply).type).equal('transaction-response');
    expect(reply.json()).not.have.property('entry');
  });

  describe('conditional', () => {
    it('create: ifNoneExist makes one, then finds it; references follow to the one found', async () => {
      const bundle = transaction(
        post(identified('t1'), uuid(1), { ifNoneExist: 'identifier=urn:sys|t1' }),
        post(observation({ subject: { reference: uuid(1) } })),
      );
      const first = entriesOf(await fhir.post('', bundle));
      const second = entriesOf(await fhir.post('', bundle));
      expect([first[0]?.response?.status, second[0]?.response?.status]).eql(['201 Created', '200 OK']);
      expect(pathOf(second[0])).equal(pathOf(first[0]));
      const stored = (await fhir.get(pathOf(second[1]))).json();
      expect(stored).deep.include({ subject: { reference: pathOf(first[0]) } });
    });

    it('update, patch, delete by criteria', async () => {
      await fhir.post('Patient', identified('t2', { active: true }));
      await fhir.post('Patient', identified('t3', { active: true }));
      await fhir.post('Patient', identified('t4'));
      const entries = entriesOf(
        await fhir.post(
          '',
          transaction(
            {
              resource: identified('t2', { active: false }),
              request: { method: 'PUT', url: 'Patient?identifier=urn:sys|t2' },
            },
            {
              resource: binaryPatch([{ op: 'replace', path: '/active', value: false }]),
              request: { method: 'PATCH', url: 'Patient?identifier=urn:sys|t3' },
            },
            { request: { method: 'DELETE', url: 'Patient?identifier=urn:sys|t4' } },
            { request: { method: 'DELETE', url: 'Patient?identifier=urn:sys|t99' } },
            { resource: identified('t5'), request: { method: 'PUT', url: 'Patient?identifier=urn:sys|t5' } },
          ),
        ),
      );
      expect(entries.map((e) => e.response?.status)).eql([
        '200 OK',
        '200 OK',
        '204 No Content',
        '204 No Content',
        '201 Created',
      ]);
      for (const [value, count] of [
        ['t2', 1],
        ['t3', 1],
        ['t4', 0],
        ['t5', 1],
      ] as const)
        expect((await fhir.get(`Patient?identifier=urn:sys|${value}&active:not=true`)).json(), value).include({
          total: count,
        });
    });

    it('references by search become references to the match', async () => {
      const id = idOf(await fhir.post('Patient', identified('t6')));
      const [entry] = entriesOf(
        await fhir.post(
          '',
          transaction(post(observation({ subject: { reference: 'Patient?identifier=urn:sys|t6' } }))),
        ),
      );
      expect((await fhir.get(pathOf(entry))).json()).deep.include({ subject: { reference: `Patient/${id}` } });
    });

    it('two entries that ask for the same thing make one', async () => {
      const bundle = transaction(
        post(identified('t7'), uuid(1), { ifNoneExist: 'identifier=urn:sys|t7' }),
        post(identified('t7'), uuid(2), { ifNoneExist: 'identifier=urn:sys|t7' }),
      );
      const reply = await fhir.post('', bundle);
      const { total } = (await fhir.get('Patient?identifier=urn:sys|t7')).json<{ total: number }>();
      // Either the bundle is refused, or the second finds what the first made.
      if (reply.status === 200) expect(total).equal(1);
      else expect([reply.status, total]).eql([400, 0]);
    });
  });

  describe('all or nothing [RL-05]', () => {
    const good = (n: number): Entry[] => [
      post(patient({ name: [{ family: `Half${n}` }], birthDate: '1950-01-01' }), uuid(1)),
      post(observation({ subject: { reference: uuid(1) }, valueQuantity: { value: 1.5 } }), uuid(2)),
      put(patient({ id: 'half-written', active: n % 2 === 0 })),
    ];
    before(async () => {
      await fhir.put('Patient/half-written', patient({ id: 'half-written', gender: 'other' }));
      await fhir.put('Patient/half-there', patient({ id: 'half-there', active: true }));
      await fhir.post('Patient', identified('dup'));
      await fhir.post('Patient', identified('dup'));
      const gone = await fhir.put('Patient/half-gone', patient({ id: 'half-gone' }));
      expect(gone.status).equal(201);
      await fhir.delete('Patient/half-gone');
    });

    const cases: readonly (readonly [string, Entry, number, string])[] = [
      ['an invalid resource', post(patient({ gender: ['x'] })), 422, 'structure'],
      ['an unknown element', post(patient({ colour: 'red' })), 422, 'structure'],
      ['a version that is not current', put(patient({ id: 'half-other' }), { ifMatch: 'W/"5"' }), 412, 'conflict'],
      ['If-None-Match of what is there', put(patient({ id: 'half-there' }), { ifNoneMatch: '*' }), 412, 'conflict'],
      ['If-Match of what is gone', put(patient({ id: 'half-gone' }), { ifMatch: 'W/"2"' }), 412, 'conflict'],
      ['a dangling reference', post(observation({ subject: { reference: uuid(9) } })), 400, 'not-found'],
      [
        'a conditional reference without match',
        post(observation({ subject: { reference: 'Patient?identifier=urn:sys|none' } })),
        412,
        'not-found',
      ],
      [
        'a conditional reference with two matches',
        post(observation({ subject: { reference: 'Patient?identifier=urn:sys|dup' } })),
        412,
        'multiple-matches',
      ],
      [
        'criteria with two matches',
        { request: { method: 'DELETE', url: 'Patient?identifier=urn:sys|dup' } },
        412,
        'multiple-matches',
      ],
      [
        'a patch of nothing',
        { resource: binaryPatch([]), request: { method: 'PATCH', url: 'Patient/nowhere' } },
        404,
        'not-found',
      ],
      [
        'a patch that fails',
        {
          resource: binaryPatch([{ op: 'test', path: '/gender', value: 'x' }]),
          request: { method: 'PATCH', url: 'Patient/half-other' },
        },
        404,
        'not-found',
      ],
      [
        'a patch by criteria without match',
        { resource: binaryPatch([]), request: { method: 'PATCH', url: 'Patient?identifier=urn:sys|none' } },
        404,
        'not-found',
      ],
      [
        'a patch that is no Binary',
        { resource: patient(), request: { method: 'PATCH', url: 'Patient/half-written' } },
        400,
        'value',
      ],
      ['a read of nothing', { request: { method: 'GET', url: 'Patient/nowhere' } }, 404, 'not-found'],
      ['a read of what is gone', { request: { method: 'GET', url: 'Patient/half-gone' } }, 410, 'deleted'],
      ['a search that is wrong', { request: { method: 'GET', url: 'Patient?famly=x' } }, 400, 'invalid'],
      ['one over types that is wrong', { request: { method: 'GET', url: '?_type=Patient&famly=x' } }, 400, 'invalid'],
      ['one over a type that is none', { request: { method: 'GET', url: '?_type=Patent' } }, 400, 'value'],
      [
        'an unknown type',
        { resource: { resourceType: 'Nonsense' }, request: { method: 'POST', url: 'Nonsense' } },
        400,
        '',
      ],
      [
        'a type that is not that of the url',
        { resource: patient(), request: { method: 'POST', url: 'Person' } },
        400,
        'invalid',
      ],
      [
        'an id that is not that of the url',
        { resource: patient({ id: 'a' }), request: { method: 'PUT', url: 'Patient/b' } },
        400,
        'invalid',
      ],
      [
        'an id that is none',
        { resource: patient({ id: 'a_b' }), request: { method: 'PUT', url: 'Patient/a_b' } },
        400,
        '',
      ],
      [
        'an id too long',
        { resource: patient({ id: 'x'.repeat(65) }), request: { method: 'PUT', url: `Patient/${'x'.repeat(65)}` } },
        400,
        '',
      ],
      ['a delete of an id that is none', { request: { method: 'DELETE', url: 'Patient/a_b' } }, 400, ''],
      ['a POST without a resource', { request: { method: 'POST', url: 'Patient' } }, 400, 'required'],
      ['an entry without request', { resource: patient() }, 400, 'required'],
      ['an unknown method', { resource: patient(), request: { method: 'MERGE', url: 'Patient' } }, 400, ''],
      [
        'a url of another server',
        { resource: patient(), request: { method: 'POST', url: 'http://elsewhere.example/fhir/Patient' } },
        400,
        'invalid',
      ],
      ['empty criteria', { resource: patient(), request: { method: 'PUT', url: 'Patient' } }, 412, 'required'],
      ['the same resource twice', put(patient({ id: 'half-written', gender: 'male' })), 400, 'invalid'],
      ['the same fullUrl twice', post(patient(), uuid(1)), 400, 'invalid'],
      ['If-Match that is no ETag', put(patient({ id: 'half-other' }), { ifMatch: 'newest' }), 400, 'invalid'],
      ['ifNoneExist that is wrong', post(patient(), uuid(4), { ifNoneExist: 'famly=x' }), 400, 'invalid'],
    ];
    for (const [i, [title, last, status, code]] of cases.entries())
      it(`${title} as the last entry: ${status}, nothing changed`, async () => {
        const before = await storeState(server);
        const reply = await fhir.post('', transaction(...good(i), last));
        expect(reply.status, reply.text).equal(status);
        const issue = outcomeOf(reply);
        if (code !== '') expect(issue.code).equal(code);
        expect(issue.diagnostics).not.equal('');
        expect(await storeState(server)).equal(before);
      });

    it('all invalid entries are told at once, with their place', async () => {
      const reply = await fhir.post(
        '',
        transaction(post(patient({ gender: 1 })), post(patient()), post(patient({ x: 1 }))),
      );
      expect(reply.status).equal(422);
      const places = reply.json<{ issue: { expression: string[] }[] }>().issue.flatMap((i) => i.expression);
      expect(places.some((p) => p.startsWith('Bundle.entry[0].resource'))).equal(true);
      expect(places.some((p) => p.startsWith('Bundle.entry[2].resource'))).equal(true);
    });

    it('what the database refuses half way leaves nothing', async () => {
      const before = await storeState(server);
      const { withClient } = await import('../../support/database.ts');
      await withClient(server.database.connection('owner'), async (client) => {
        await client.query('alter table fhir.observation add constraint refuse check (false) not valid');
        try {
          const reply = await fhir.post('', transaction(...good(1)));
          expect(reply.status).equal(500);
          expect(reply.text).not.contains('constraint').and.not.contains('refuse');
        } finally {
          await client.query('alter table fhir.observation drop constraint refuse');
        }
      });
      expect(await storeState(server)).equal(before);
      expect((await fhir.post('', transaction(...good(1)))).status).equal(200);
    });
  });

  it('transactions that race over the same resources all end', async () => {
    const ids = ['race-a', 'race-b', 'race-c', 'race-d'];
    const replies = await Promise.all(
      Array.from({ length: 24 }, (_, i) => {
        const order = i % 2 === 0 ? ids : [...ids].reverse();
        return fhir.post('', transaction(...order.map((id) => put(patient({ id, multipleBirthInteger: i })))));
      }),
    );
    for (const reply of replies) expect(reply.status, reply.text).oneOf([200, 409]);
    expect(replies.filter((r) => r.status === 200).length).greaterThan(0);
    const last = await Promise.all(
      ids.map(async (id) => (await fhir.get(`Patient/${id}`)).json()['multipleBirthInteger']),
    );
    expect(new Set(last).size).equal(1);
  });

  it('many transactions with the same conditional create make one', async () => {
    const bundle = transaction(
      post(identified('race-1'), uuid(1), { ifNoneExist: 'identifier=urn:sys|race-1' }),
      post(observation({ subject: { reference: uuid(1) } })),
    );
    const replies = await Promise.all(Array.from({ length: 24 }, () => fhir.post('', bundle)));
    expect(replies.map((r) => r.status)).eql(new Array(24).fill(200));
    expect((await fhir.get('Patient?identifier=urn:sys|race-1')).json()).include({ total: 1 });
    const path = pathOf(entriesOf(replies[0] as Reply)[0]);
    expect((await fhir.get(`Observation?subject=${path}&_summary=count`)).json()).include({ total: 24 });
  });

  it('a bundle of several hundred entries', async () => {
    const entries = Array.from({ length: 400 }, (_, i) =>
      i % 2 === 0
        ? post(patient({ name: [{ family: `Many${i}` }] }), uuid(i))
        : post(observation({ subject: { reference: uuid(i - 1) } }), uuid(i)),
    );
    expect(entriesOf(await fhir.post('', transaction(...entries))).map((e) => e.response?.status)).eql(
      new Array(400).fill('201 Created'),
    );
  });

  for (const [title, body, status] of [
    ['a document', { resourceType: 'Bundle', type: 'document' }, 400],
    ['a bundle without type', { resourceType: 'Bundle' }, 422],
    ['a Patient', { resourceType: 'Patient' }, 400],
    ['a bundle with an unknown element', { resourceType: 'Bundle', type: 'transaction', entries: [] }, 422],
    ['entries that are no list', { resourceType: 'Bundle', type: 'transaction', entry: {} }, [400, 422]],
    ['an entry that is text', { resourceType: 'Bundle', type: 'transaction', entry: ['x'] }, [400, 422]],
    ['an entry that is null', { resourceType: 'Bundle', type: 'transaction', entry: [null] }, [400, 422]],
    [
      'a request that is text',
      { resourceType: 'Bundle', type: 'transaction', entry: [{ request: 'GET' }] },
      [400, 422],
    ],
    [
      'a url that is a number',
      { resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method: 'GET', url: 5 } }] },
      [400, 422],
    ],
    [
      'a resource that is text',
      {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ resource: 'x', request: { method: 'POST', url: 'Patient' } }],
      },
      [400, 422],
    ],
    [
      'a fullUrl that is a number',
      {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ fullUrl: 5, resource: { resourceType: 'Patient' }, request: { method: 'POST', url: 'Patient' } }],
      },
      [400, 422],
    ],
    [
      'an entry with an unknown element',
      {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ x: 5, resource: { resourceType: 'Patient' }, request: { method: 'POST', url: 'Patient' } }],
      },
      [400, 422],
    ],
    [
      'an ifNoneExist that is an object',
      {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          { resource: { resourceType: 'Patient' }, request: { method: 'POST', url: 'Patient', ifNoneExist: {} } },
        ],
      },
      [400, 422],
    ],
  ] as const)
    it(`${title}: ${String(status)}`, async () => {
      const reply = await fhir.post('', body);
      expect(reply.status).oneOf(typeof status === 'number' ? [status] : [...status]);
      expect(outcomeOf(reply).severity).equal('error');
    });
});
