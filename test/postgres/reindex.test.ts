/** Search values that are made again while the store is in use. */
import { expect } from 'chai';
import { withClient } from '../support/database.ts';
import { BASE_URL, openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';
import { faultsOfType } from '../support/store-state.ts';

const UCUM = 'http://unitsofmeasure.org';
const COUNT = 250;
const dose = (n: number, more: object = {}) => ({
  resourceType: 'Observation',
  id: `o${n}`,
  status: 'final',
  code: { coding: [{ system: 'http://example.org', code: 'dose' }] },
  valueQuantity: { value: 5400 + n, unit: 'ug', system: UCUM, code: 'ug' },
  ...more,
});

describe('reindex', () => {
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore();
    await world.store.transaction(ROOT, async (tx) => {
      await tx.write(
        Array.from({ length: COUNT }, (_, n) => ({
          kind: 'update' as const,
          operation: 'update' as const,
          type: 'Observation',
          id: `o${n}`,
          change: () => dose(n),
        })),
      );
    });
    await world.put({ resourceType: 'Patient', id: 'p', name: [{ family: 'Ashley' }] });
    // Without system, it has no value in base units: the keys that the others have beyond these are such values.
    await world.put(dose(0, { id: 'plain', valueQuantity: { value: 1, unit: 'ug' } }));
  });
  after(() => world.stop());

  const sql = (text: string): Promise<readonly unknown[][]> =>
    withClient(world.database.connection('owner'), async (client) => {
      const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
      return rows;
    });
  /** As an older release left it: no values in base units. */
  const age = (): Promise<readonly unknown[][]> =>
    sql(`delete from fhir.observation_n n where v < 1 and not exists (
  select from fhir.observation_n p join fhir.observation m on m.rid = p.rid where m.id = 'plain' and p.h = n.h)`);
  const found = async (query: string): Promise<number> =>
    (await world.ids(ROOT, `Observation?${query}&_count=100`)).length;
  const IN_MG = `value-quantity=ge5.4|${UCUM}|mg`;
  const IN_UG = `value-quantity=ge5400|${UCUM}|ug`;
  const IN_CODE = `code-value-quantity=dose$ge5.4|${UCUM}|mg`;

  it('what an older build has stored is found as it was written until its turn has come', async () => {
    expect([await found(IN_MG), await found(IN_UG), await found(IN_CODE)]).deep.equal([COUNT, COUNT, COUNT]);
    await age();
    expect(await world.store.reindex.run()).equal('nothing');
    expect([await found(IN_MG), await found(IN_UG), await found(IN_CODE)], 'nobody knows').deep.equal([0, 0, 0]);
    await world.store.reindex.request('quantities');
    expect([await found(IN_MG), await found(IN_UG), await found(IN_CODE)], 'older').deep.equal([0, COUNT, 0]);
    expect(await world.store.reindex.status()).include({ scope: 'quantities', types: 0, rows: 0 });
    expect(await world.store.reindex.run()).equal('done');
    const status = await world.store.reindex.status();
    expect(status).include({ rows: COUNT + 1 });
    expect(status?.finished).be.a('number');
    expect(status?.types).equal(status?.typesAll);
    expect([await found(IN_MG), await found(IN_UG), await found(IN_CODE)]).deep.equal([COUNT, COUNT, COUNT]);
    expect(await world.store.reindex.run()).equal('nothing');
  });

  it('a run that is stopped goes on where its last batch ended, and writers go on meanwhile', async () => {
    await age();
    await world.store.reindex.request('all');
    const stopping = new AbortController();
    const running = world.store.reindex.run(stopping.signal);
    const writing = Promise.all(
      [1, 2, 3, 4].map((n) =>
        world.put(dose(n, { valueQuantity: { value: 7 * n, unit: 'mg', system: UCUM, code: 'mg' } })),
      ),
    );
    while (((await world.store.reindex.status())?.rows ?? 0) === 0) await new Promise((go) => setTimeout(go, 2));
    stopping.abort();
    expect(await running).equal('stopped');
    const { rows, finished } = (await world.store.reindex.status()) ?? {};
    expect(finished).equal(undefined);
    expect(rows).above(0);
    await writing;
    // Two processes at once: each batch is done by one of them.
    await Promise.all([world.store.reindex.run(), world.store.reindex.run()]);
    expect((await world.store.reindex.status())?.finished).be.a('number');
    expect(await found(IN_MG)).equal(COUNT);
    expect(await found(`value-quantity=7000,14000,21000,28000|${UCUM}|ug`)).equal(1);
    expect(await found(`value-quantity=7000|${UCUM}|ug,14000|${UCUM}|ug,21000|${UCUM}|ug`)).equal(3);
  });

  it('everything that a row is found by is made again, and the row stays the version that it was', async () => {
    const before = await sql('select id, ver, lu, content from fhir.observation order by id');
    await sql("update fhir.observation set tok = '{}', sd = null, pm = 0");
    await sql("update fhir.patient set tok = '{}', pm = 0, pat = null");
    for (const table of ['observation_n', 'observation_s', 'patient_s']) await sql(`delete from fhir.${table}`);
    expect(await found('code=dose')).equal(0);
    await world.store.reindex.request('all');
    await world.store.reindex.run();
    expect(await found('code=dose')).equal(COUNT + 1);
    expect(await sql('select id, ver, lu, content from fhir.observation order by id')).deep.equal(before);
    await withClient(world.database.connection('owner'), async (client) => {
      for (const type of ['Observation', 'Patient']) expect(await faultsOfType(client, type, BASE_URL)).deep.equal([]);
    });
  });
});
