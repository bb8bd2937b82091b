import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { publishedCapability } from '../../../src/capability.ts';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { Cipher } from '../../../src/ports/cipher.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { withElementRights } from '../../../src/postgres/element-rights.ts';
import { createDataKeys, ENCRYPTIONS_MAX } from '../../../src/postgres/encryption/data-keys.ts';
import { withProtectedParameters } from '../../../src/postgres/encryption/protected-search.ts';
import { createPools } from '../../../src/postgres/pools.ts';
import { person } from '../../support/callers.ts';
import { createDatabase, withClient } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import {
  openPolicyStore,
  type PolicyStore,
  parameters,
  parametersOfAll,
  parseQuery,
  ROOT,
} from '../../support/policy-store.ts';

const PETER = {
  resourceType: 'Patient',
  id: 'peter',
  managingOrganization: { reference: 'Organization/o' },
  identifier: [
    { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9000000009', type: { coding: [{ code: 'NH' }] } },
  ],
  active: true,
  name: [{ family: 'Chalmers', given: ['Peter', 'Jämes'], prefix: ['Mr'] }],
  telecom: [{ system: 'phone', value: '03-5555-6473', use: 'home' }],
  gender: 'male',
  birthDate: '1974-12-25',
  address: [{ use: 'home', line: ['534 Erewhon St'], city: 'Pleasantville', postalCode: 'SW1A 1AA', country: 'GB' }],
};
const ANNA = {
  resourceType: 'Patient',
  id: 'anna',
  managingOrganization: { reference: 'Organization/o' },
  name: [{ family: 'Chalmersson', given: ['Anna'] }],
  birthDate: '1974-12',
  gender: 'female',
};

describe('encryption › the store', () => {
  let world: PolicyStore;
  let unavailable = false;
  const key = createCipher([{ number: 7, key: randomBytes(32) }]);
  const failing =
    <A extends readonly unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      if (unavailable) throw new Error('the provider does not answer');
      return work(...args);
    };
  const wrapping: Cipher = { seal: failing(key.seal), open: failing(key.open) };
  const sql = async (text: string, values: unknown[] = []): Promise<unknown[][]> =>
    withClient(world.database.connection('owner'), async (client) => {
      const { rows } = await client.query<unknown[]>({ text, values, rowMode: 'array' });
      return rows;
    });
  const contentOf = (version: { content: string } | undefined) => JSON.parse(version?.content ?? '{}');
  const withoutMeta = ({ meta: _meta, ...rest }: Record<string, unknown>) => rest;

  before(async () => {
    world = await openPolicyStore({ parameters: parametersOfAll, encrypted: 'uk-protected', wrapping });
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    await world.put(PETER);
    await world.put(ANNA);
    await world.put({
      resourceType: 'Observation',
      id: 'ob',
      subject: { reference: 'Patient/peter' },
      status: 'final',
    });
  });
  after(() => world.stop());

  it('[KS-07] stores sealed leaves, and reads, vreads, searches, includes and histories give back the same text', async () => {
    const [[stored]] = (await sql("select content from fhir.patient where id = 'peter'")) as [[string]];
    expect(stored).to.match(/"family":"".*,"~":"v1\.[0-9a-f]{16}\.[\w-]+"\}$/);
    for (const word of ['Chalmers', '9000000009', 'Erewhon', '1974', '5555']) expect(stored).not.to.contain(word);
    const { store } = world;
    const first = (await store.read(ROOT, 'Patient', 'peter')).content;
    expect(withoutMeta(JSON.parse(first))).to.deep.equal(PETER);
    expect((await store.vread(ROOT, 'Patient', 'peter', 1)).content).to.equal(first);
    const page = await store.search(ROOT, parseQuery('Observation', '_id=ob&_include=Observation:subject'));
    expect(page.included.map(({ content }) => content)).to.deep.equal([first]);
    const history = await store.history(ROOT, { type: 'Patient', count: 10 });
    expect(history.versions.map(({ content }) => content)).to.include(first);
    expect((await store.history(ROOT, { type: 'Patient', id: 'peter', count: 10 })).versions[0]?.content).to.equal(
      first,
    );
    expect((await store.history(ROOT, { count: 10 })).versions.map(({ content }) => content)).to.include(first);
  });

  it('changes what it can read: updates, patches, no-change updates, transactions, deletions', async () => {
    const { store } = world;
    const again = await store.update(ROOT, 'Patient', 'anna', () => ANNA as Resource);
    expect(again.outcome).to.equal('unchanged');
    const changed = await store.update(
      ROOT,
      'Patient',
      'anna',
      (current) => ({ ...(current as Resource), active: true }),
      { operation: 'patch' },
    );
    expect(withoutMeta(contentOf(changed.version))).to.deep.equal({ ...ANNA, active: true });
    expect(await world.ids(ROOT, 'Patient?family=chalmersson')).to.deep.equal(['anna']);
    await store.transaction(ROOT, async (tx) => {
      const [found] = await tx.findCurrent(
        [{ type: 'Patient', conditions: parseQuery('Patient', 'given=anna').conditions }],
        2,
      );
      expect(contentOf(found?.[0]).name[0].given).to.deep.equal(['Anna']);
      expect(
        await tx.find({ type: 'Patient', conditions: parseQuery('Patient', 'given=anna').conditions }, 2),
      ).to.deep.equal(['anna']);
      expect(contentOf(await tx.read('Patient', 'anna')).name[0].family).to.equal('Chalmersson');
      expect(contentOf(await tx.vread('Patient', 'anna', 1)).name[0].family).to.equal('Chalmersson');
      await tx.write([
        {
          kind: 'update',
          operation: 'update',
          type: 'Patient',
          id: 'anna',
          change: (c) => ({ ...(c as Resource), name: [{ family: 'Renamed' }] }),
        },
        { kind: 'create', id: 'third', resource: { resourceType: 'Patient', name: [{ family: 'Thirdborn' }] } },
      ]);
    });
    expect(await world.ids(ROOT, 'Patient?family=chalmersson')).to.deep.equal([]);
    expect(await world.ids(ROOT, 'Patient?family=Renamed')).to.deep.equal(['anna']);
    expect(contentOf(await store.vread(ROOT, 'Patient', 'anna', 2)).name[0].family).to.equal('Chalmersson');
    await store.delete(ROOT, 'Patient', 'third');
    expect(await world.ids(ROOT, 'Patient?family=Thirdborn')).to.deep.equal([]);
    expect(contentOf(await store.vread(ROOT, 'Patient', 'third', 1)).name[0].family).to.equal('Thirdborn');
    await world.put(ANNA);
    const all = await sql('select content from fhir.patient union all select content from fhir.patient_h');
    expect(JSON.stringify(all)).not.to.match(/Chalmersson|Anna|Renamed|Thirdborn|1974/);
  });

  it('rows that callers see in part are in plaintext for them too', async () => {
    const store = withElementRights(world.store, world.policy, parameters);
    const doctor = person('DOCTOR', { organizations: ['o'] });
    expect(contentOf(await store.read(doctor, 'Patient', 'peter')).name[0].family).to.equal('Chalmers');
    expect(contentOf(await store.vread(doctor, 'Patient', 'peter', 1)).birthDate).to.equal('1974-12-25');
    const page = await store.search(doctor, parseQuery('Patient', 'family=Chalmers'));
    expect(page.matches.map(({ id }) => id)).to.deep.equal(['peter']);
  });

  it('[KS-09] keeps no text and no number of a protected element in any side row', async () => {
    const [[strings, numbers, dates, words]] = (await sql(
      'select (select count(*)::int from fhir.patient_s), (select count(*)::int from fhir.patient_n), (select count(sd)::int from fhir.patient), (select count(txt)::int from fhir.patient)',
    )) as [[number, number, number, number]];
    expect({ strings, numbers, dates, words }).to.deep.equal({ strings: 0, numbers: 0, dates: 0, words: 0 });
  });

  const FOUND = [
    'family=Chalmers',
    'family=CHALMERS',
    'family:exact=Chalmers',
    'given=james',
    'name=peter',
    'name=nobody,peter',
    'identifier=9000000009',
    'identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009',
    'identifier:of-type=|NH|9000000009',
    'telecom=phone|03-5555-6473',
    'phone=03-5555-6473',
    'birthdate=1974-12-25',
    'address=Erewhon',
    'address=534 erewhon  st',
    'address-city=Pleasantville',
    'address-postalcode=sw1a 1aa',
    'family=Chalmers&birthdate=1974-12-25&gender=male',
    '_has:Observation:subject:status=final&name=peter',
  ];
  for (const query of FOUND)
    it(`[KS-08] finds by equality: ${query}`, async () => {
      expect(await world.ids(ROOT, `Patient?${query}`)).to.deep.equal(['peter']);
      expect(
        await world.ids(
          ROOT,
          `Observation?subject:Patient.${query.split('&')[0]}`.replace(/\.(_has.*)$/, '._id=peter'),
        ),
      ).to.deep.equal(['ob']);
    });

  for (const query of [
    'family=chal',
    'family:exact=chalmers',
    'birthdate=1974-12-24',
    'identifier=900000000',
    'name=chalm',
  ])
    it(`[KS-09] finds nothing by less than a whole value: ${query}`, async () => {
      expect(await world.ids(ROOT, `Patient?${query}`)).to.deep.equal([]);
    });

  it('finds what has no value, and what has one', async () => {
    expect(await world.ids(ROOT, 'Patient?address:missing=true')).to.deep.equal(['anna']);
    expect(await world.ids(ROOT, 'Patient?birthdate:missing=false&_sort=_id')).to.deep.equal(['anna', 'peter']);
  });

  for (const filter of [
    'family co halm',
    'family gt a',
    'not(family eq chalmers)',
    'gender eq male or birthdate gt 1974-12-24',
  ])
    it(`[KS-09] refuses in _filter too, and says why: ${filter}`, async () => {
      const error = await world.store.search(ROOT, parseQuery('Patient', `_filter=${filter}`)).catch((e) => e);
      expect(error?.status).to.equal(400);
      expect(error?.message).to.contain('is stored encrypted on this server');
    });

  const REFUSED = [
    'family:contains=halm',
    'name=mr',
    'address=SW1A',
    'birthdate=1974',
    'birthdate=1974-12',
    'birthdate=gt1974-12-24',
    'birthdate=ne1974-12-25',
    '_sort=family',
    '_sort=-birthdate',
    '_sort=identifier',
    'identifier:text=x',
    'address-country=GB',
    'address-use=home',
    '_text=halm',
    '_text=nobody',
    '_content=halm',
  ];
  for (const query of REFUSED)
    it(`[KS-09] refuses, and says why: ${query}`, async () => {
      const ask = async (type: string, q: string) =>
        world.store.search(ROOT, parseQuery(type, q)).then(
          () => undefined,
          (error) => error,
        );
      const error = await ask('Patient', query);
      expect(error?.status).to.equal(400);
      expect(error?.issues[0].code).to.equal('not-supported');
      expect(error?.message).to.contain('is stored encrypted on this server');
      if (query.startsWith('_sort')) return;
      expect((await ask('Observation', `subject:Patient.${query}`))?.status).to.equal(400);
      const inside = world.store.transaction(ROOT, (tx) =>
        tx.find({ type: 'Patient', conditions: parseQuery('Patient', query).conditions }, 1),
      );
      expect(await inside.catch((e) => e.status)).to.equal(400);
    });

  it('[KS-09] the capability statement promises no more than that', () => {
    const { protection } = world.store;
    if (!protection) throw new Error('nothing is protected');
    const statement = withProtectedParameters(publishedCapability(parameters), protection, (type, code) =>
      parameters.get(type)?.parameters.get(code),
    ) as { rest: [{ resource: { type: string; searchParam: { name: string; documentation?: string }[] }[] }] };
    const patient = statement.rest[0].resource.find(({ type }) => type === 'Patient');
    const byName = new Map(patient?.searchParam.map((p) => [p.name, p.documentation]));
    expect(byName.has('address-country')).to.equal(false);
    expect(byName.has('address-use')).to.equal(false);
    expect(byName.get('family')).to.contain('whole words');
    expect(byName.get('birthdate')).to.contain('one whole date');
    expect(byName.get('gender')).to.equal(undefined);
    expect(byName.has('gender')).to.equal(true);
    expect(byName.has('_text')).to.equal(false);
  });

  it('[KS-08] the same value has other keys in another field, and in another database', async () => {
    const other = await openPolicyStore({ encrypted: 'uk-protected' });
    try {
      const nameless: Resource = { resourceType: 'Patient', id: 'same' };
      const named: Resource = { ...nameless, name: [{ family: 'Samesame', given: ['Samesame'] }] };
      const tokens = async (w: PolicyStore, resource: Resource): Promise<ReadonlySet<string>> => {
        await w.put(resource);
        return withClient(w.database.connection('owner'), async (client) => {
          const { rows } = await client.query<{ t: string }>(
            "select unnest(tok)::text t from fhir.patient where id = 'same'",
          );
          return new Set(rows.map(({ t }) => t));
        });
      };
      // The databases are copies of one template, with one hash key: only the wrapped key tells them apart.
      const rest = await tokens(world, nameless);
      expect(await tokens(other, nameless)).to.deep.equal(rest);
      const here = (await tokens(world, named)).difference(rest);
      const there = (await tokens(other, named)).difference(rest);
      // family, given and name, each as a word and as it is written
      expect(here.size).to.equal(6);
      expect([...here].filter((token) => there.has(token))).to.deep.equal([]);
    } finally {
      await world.store.delete(ROOT, 'Patient', 'same');
      await other.stop();
    }
  });

  it('[KS-04] ciphertexts swapped between rows, elements and versions fail, and are told of', async () => {
    await world.put({ ...PETER, id: 'moved', identifier: [] } as unknown as Resource);
    const [[a]] = (await sql("select content from fhir.patient where id = 'peter'")) as [[string]];
    const [[b]] = (await sql("select content from fhir.patient where id = 'moved'")) as [[string]];
    const swap = (value: unknown) => sql("update fhir.patient set content = $1 where id = 'moved'", [value]);
    const failed = () =>
      world.store.read(ROOT, 'Patient', 'moved').then(
        () => 'read',
        () => 'failed',
      );
    await swap(JSON.stringify({ ...JSON.parse(b), '~': JSON.parse(a)['~'] }));
    expect(await failed()).to.equal('failed');
    await swap(JSON.stringify({ ...JSON.parse(b), birthDate: '1970-01-01' }));
    expect(await failed()).to.equal('failed');
    await swap(a);
    expect(await failed()).to.equal('failed');
    expect(JSON.stringify(world.log)).not.to.contain('Chalmers');
    await swap(b);
    expect(await failed()).to.equal('read');
    await world.store.delete(ROOT, 'Patient', 'moved');
  });

  it('[KS-05] a patient has one key, and what is about nobody has one a type, for 90 days', async () => {
    const count = async () =>
      Number((await sql("select count(*) from mortar.data_key where pat is not null and state = 'active'"))[0]?.[0]);
    const before = await count();
    const id = world.store.newId();
    await world.store.create(ROOT, { ...ANNA, id } as unknown as Resource, id);
    await world.store.update(ROOT, 'Patient', id, () => ({ ...ANNA, active: false }) as unknown as Resource);
    expect(await count()).to.equal(before + 1);
    const bundle = { resourceType: 'Bundle', type: 'collection', entry: [{ resource: PETER }] };
    const keysOfType = () => sql("select state from mortar.data_key where type = 'Bundle' order by created");
    await world.store.create(ROOT, bundle as Resource, world.store.newId());
    expect(await keysOfType()).to.deep.equal([['active']]);
    world.clock.pass(91 * 24 * 60 * 60 * 1000);
    const late = world.store.newId();
    await world.store.create(ROOT, bundle as Resource, late);
    expect(await keysOfType()).to.deep.equal([['old'], ['active']]);
    expect(contentOf(await world.store.read(ROOT, 'Bundle', late)).entry[0].resource.name[0].family).to.equal(
      'Chalmers',
    );
  });

  it('[KS-10] without the key provider nothing is written in clear and sealed values are not read: 503', async () => {
    const { store } = world;
    unavailable = true;
    try {
      world.clock.pass(10 * 60 * 1000); // what is remembered has lapsed
      const status = async (work: Promise<unknown>) =>
        work.then(
          () => 200,
          (error) => error.status,
        );
      expect(await status(store.read(ROOT, 'Patient', 'peter'))).to.equal(503);
      expect(await status(store.search(ROOT, parseQuery('Patient', 'name=peter')))).to.equal(503);
      expect(await status(store.read(ROOT, 'Observation', 'ob'))).to.equal(200);
      const id = store.newId();
      const before = await sql('select count(*) from fhir.patient');
      expect(await status(store.create(ROOT, { ...ANNA, id } as unknown as Resource, id))).to.equal(503);
      expect(await status(store.update(ROOT, 'Patient', 'new', () => ANNA as unknown as Resource))).to.equal(503);
      expect(await sql('select count(*) from fhir.patient')).to.deep.equal(before);
    } finally {
      unavailable = false;
    }
    expect(contentOf(await store.read(ROOT, 'Patient', 'peter')).name[0].family).to.equal('Chalmers');
  });

  it('[KS-10] refuses to start with another key file, and says which file is wanted', async () => {
    const error = await openPolicyStore({ encrypted: 'uk-protected', database: world.database }).catch((e) => e);
    expect(error.message).to.contain('the key file data.key is not the one').and.to.contain('DATA_KEY_FILE');
  });

  it('what was sealed is read when the setting is gone', async () => {
    const later = await openPolicyStore({ encrypted: '', wrapping, database: world.database });
    expect(contentOf(await later.store.read(ROOT, 'Patient', 'peter')).name[0].family).to.equal('Chalmers');
    await later.stop();
  });
});

describe('encryption › data keys', () => {
  it('[KS-05] no key encrypts more than 2^32 times, however many processes count', async () => {
    const database = await createDatabase();
    const pools = createPools({
      connection: database.connection('app'),
      readConnections: 1,
      writeConnections: 2,
      transactionConnections: 1,
      log: silentLog,
    });
    try {
      const wrapping = createCipher([{ number: 1, key: randomBytes(32) }]);
      const open = () => createDataKeys({ pipeline: pools.reads, wrapping, now: () => 1 });
      const [one, two] = [open(), open()];
      const first = await one.forSealing({ type: 'Basic' });
      expect((await two.forSealing({ type: 'Basic' })).id).to.equal(first.id);
      await pools.writes.query({
        text: 'update mortar.data_key set used = $1',
        values: [ENCRYPTIONS_MAX - 2 ** 16 + 1],
      });
      // What was counted off before is used up first.
      let third = first;
      for (let n = 1; n < 2 ** 16; n++) third = await one.forSealing({ type: 'Basic' });
      expect(third.id, 'the last of its block').to.equal(first.id);
      third = await one.forSealing({ type: 'Basic' });
      expect(third.id).not.to.equal(first.id);
      expect((await open().forSealing({ type: 'Basic' })).id).to.equal(third.id);
      expect((await two.forOpening([first.id, third.id])).size).to.equal(2);
      const many = await Promise.all(Array.from({ length: 50 }, () => open().forSealing({ pat: 5n })));
      expect(new Set(many.map(({ id }) => id)).size).to.equal(1);
    } finally {
      await pools.end();
      await database.drop();
    }
  });
});
