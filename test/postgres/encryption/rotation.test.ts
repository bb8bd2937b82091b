import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import type { KeyRotation } from '../../../src/postgres/encryption/key-rotation.ts';
import { createDatabase, type TestDatabase, withClient } from '../../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../../support/policy-store.ts';

const GRACE_MS = 10 * 60 * 1000;
const PATIENTS = 130;
const line = (number: number) => ({ number, key: randomBytes(32) });

const patient = (n: number, extra: object = {}): Resource => ({
  resourceType: 'Patient',
  id: `p${n}`,
  name: [{ family: `Familyname${n}` }],
  birthDate: '1980-01-02',
  ...extra,
});

describe('encryption › rotation', () => {
  let database: TestDatabase;
  let world: PolicyStore;
  const first = line(1);
  const second = line(2);
  const wrapping = createCipher([first]);
  const only = createCipher([second]);
  const sql = async (text: string, values: unknown[] = []): Promise<unknown[][]> =>
    withClient(database.connection('owner'), async (client) => {
      const { rows } = await client.query<unknown[]>({ text, values, rowMode: 'array' });
      return rows;
    });
  const texts = async (): Promise<string> =>
    (await sql('select content from fhir.patient union all select content from fhir.patient_h')).flat().join('\n');
  const sideRows = async () =>
    (await sql('select (select count(*)::int from fhir.patient_s), (select count(sd)::int from fhir.patient)'))[0];
  const rotation = ({ store }: PolicyStore = world): KeyRotation => {
    if (!store.rotation) throw new Error('nothing is encrypted');
    return store.rotation;
  };
  const familyOf = async (n: number, versionId?: number): Promise<unknown> => {
    const { store } = world;
    const { content } =
      versionId === undefined
        ? await store.read(ROOT, 'Patient', `p${n}`)
        : await store.vread(ROOT, 'Patient', `p${n}`, versionId);
    return JSON.parse(content).name[0].family;
  };

  before(async () => {
    database = await createDatabase();
    const plain = await openPolicyStore({ database });
    for (let n = 0; n < PATIENTS; n++) await plain.store.create(ROOT, patient(n), `p${n}`);
    await plain.store.update(ROOT, 'Patient', 'p0', () => patient(0, { active: true }));
    await plain.store.delete(ROOT, 'Patient', 'p1');
    await plain.stop();
    world = await openPolicyStore({ encrypted: 'uk-protected', wrapping, database });
  });
  after(async () => {
    await world.stop();
    await database.drop();
  });

  it('[KS-07] what was stored in clear before the setting follows in the background: texts, versions and search rows', async () => {
    expect(await texts()).to.contain('Familyname');
    expect(await familyOf(5)).to.equal('Familyname5');
    expect(await rotation().reseal()).to.equal('waiting');
    world.clock.pass(GRACE_MS);
    expect(await rotation().reseal()).to.equal('done');
    expect(await rotation().reseal()).to.equal('nothing');
    const left = (await texts()).split('\n').filter((text) => /Familyname|1980-01-02/.test(text));
    expect(left).to.deep.equal([]);
    expect(await sideRows()).to.deep.equal([0, 0]);
    expect(await familyOf(5)).to.equal('Familyname5');
    expect(await familyOf(0, 1)).to.equal('Familyname0');
    expect(await familyOf(1, 1)).to.equal('Familyname1');
    expect(await world.ids(ROOT, 'Patient?family=familyname77')).to.deep.equal(['p77']);
    expect(await world.ids(ROOT, 'Patient?family=familyname1')).to.deep.equal([]);
  });

  it('[KS-06] new data keys replace the old under load, through a killed run, with no read error; then the old are destroyed', async () => {
    const before = (await sql('select content from fhir.patient where id = $1', ['p9']))[0]?.[0];
    const oldIds = (await sql('select id from mortar.data_key')).flat() as string[];
    await rotation().retire();
    expect(await rotation().reseal()).to.equal('waiting');
    world.clock.pass(GRACE_MS);

    let isOver = false;
    let reads = 0;
    const load = Promise.all(
      [0, 1, 2].map(async (who) => {
        for (let i = 0; !isOver; i++) {
          const n = 2 + ((i * 7 + who * 31) % (PATIENTS - 2));
          expect(await familyOf(n)).to.equal(`Familyname${n}`);
          if (who === 0) await world.store.update(ROOT, 'Patient', `p${n}`, () => patient(n, { active: i % 2 === 0 }));
          reads++;
        }
      }),
    );
    // The server dies in the middle of a batch: its session is ended under it.
    let ended: 'killed' | 'ran through' | undefined;
    const run = rotation()
      .reseal()
      .then(
        () => (ended = 'ran through'),
        () => (ended = 'killed'),
      );
    await withClient(database.connection('superuser'), async (client) => {
      while (ended === undefined)
        await client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' and query like 'update fhir.patient set content%'`,
        );
    });
    await run;
    expect(ended).to.equal('killed');
    const half = await sql("select value from mortar.meta where name = 'reseal'");
    const again = await openPolicyStore({ encrypted: 'uk-protected', wrapping, database });
    again.clock.pass(world.clock.now() - again.clock.now());
    const outcome = await rotation(again).reseal();
    isOver = true;
    await load;
    expect(half).to.have.length(1);
    expect(outcome).to.equal('done');
    expect(reads).to.be.greaterThan(10);

    const now = await texts();
    expect(oldIds.filter((id) => now.includes(id))).to.deep.equal([]);
    const left = (await sql('select id from mortar.data_key')).flat() as string[];
    expect(left.filter((id) => oldIds.includes(id))).to.deep.equal([]);
    expect(await familyOf(0, 1)).to.equal('Familyname0');
    expect(await familyOf(1, 1)).to.equal('Familyname1');
    // What a backup still holds of the old keys' work does not open any more.
    const [[current]] = (await sql("select content from fhir.patient where id = 'p9'")) as [[string]];
    await sql("update fhir.patient set content = $1 where id = 'p9'", [before]);
    expect(
      await again.store.read(ROOT, 'Patient', 'p9').then(
        () => 'read',
        () => 'gone',
      ),
    ).to.equal('gone');
    await sql("update fhir.patient set content = $1 where id = 'p9'", [current]);
    await again.stop();
  });

  it('[KS-06] a run that is stopped goes on where it stopped', async () => {
    await rotation().retire();
    world.clock.pass(GRACE_MS);
    const stop = new AbortController();
    stop.abort();
    expect(await rotation().reseal(stop.signal)).to.equal('stopped');
    expect(await rotation().reseal()).to.equal('done');
  });

  it('[KS-06] a new key in the key file rewraps the data keys, and the old line can go', async () => {
    const both = await openPolicyStore({
      encrypted: 'uk-protected',
      wrapping: createCipher([second, first]),
      database,
    });
    expect(await rotation(both).rewrap()).to.be.greaterThanOrEqual(PATIENTS - 1);
    await both.stop();
    const next = await openPolicyStore({ encrypted: 'uk-protected', wrapping: only, database });
    expect(JSON.parse((await next.store.read(ROOT, 'Patient', 'p7')).content).name[0].family).to.equal('Familyname7');
    expect(await next.ids(ROOT, 'Patient?family=familyname7')).to.deep.equal(['p7']);
    await next.stop();
    const error = await openPolicyStore({ encrypted: 'uk-protected', wrapping, database }).catch((e) => e);
    expect(error.message).to.contain('is not the one');
  });

  it('a setting that names other elements, or is taken back, is followed as well', async () => {
    for (const [encrypted, sealed, clear] of [
      ['Patient.birthDate', '1980', 'Familyname'],
      ['Patient.name', 'Familyname', '1980'],
    ] as const) {
      const next = await openPolicyStore({ encrypted, wrapping: only, database });
      next.clock.pass(GRACE_MS);
      expect(await rotation(next).reseal()).to.equal('done');
      const now = await texts();
      expect(now).not.to.contain(sealed);
      expect(now).to.contain(clear);
      expect(JSON.parse((await next.store.read(ROOT, 'Patient', 'p7')).content)).to.include({
        birthDate: '1980-01-02',
      });
      await next.stop();
    }
    const none = await openPolicyStore({ encrypted: '', wrapping: only, database });
    none.clock.pass(GRACE_MS);
    expect(await rotation(none).reseal()).to.equal('done');
    expect(await texts()).not.to.contain('v1.');
    expect(await none.ids(ROOT, 'Patient?family:contains=amilyname77&birthdate=lt1990')).to.deep.equal(['p77']);
    await none.stop();
  });
});
