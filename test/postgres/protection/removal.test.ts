import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { RemovalCounts } from '../../../src/ports/protection.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { HeldError } from '../../../src/postgres/protection/guard.ts';
import { ROOT } from '../../support/policy-store.ts';
import { everyRow, openProtectionWorld, type ProtectionWorld } from './world.ts';

/** Words that stand nowhere else: what must be gone, and what must stay. */
const planted = (name: string): string => `Plant${name}qz`;
const subject = (id: string) => ({ reference: `Patient/${id}` });
const NHS = 'https://fhir.nhs.uk/Id/nhs-number';
const patient = (id: string, extra: object = {}): Resource => ({ resourceType: 'Patient', id, ...extra });
const gone: Resource = patient('gone', {
  identifier: [{ system: NHS, value: '9434765919' }],
  name: [{ family: planted('Family'), given: [planted('Given')] }],
  birthDate: '1971-02-03',
  address: [{ line: [planted('Street')] }],
});
const observation = (id: string, of: string, word: string, extra: object = {}): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '1234-5' }], text: word },
  subject: subject(of),
  ...extra,
});
const STAYING = 'StaysHerexq';

/** Everything there can be about one patient, and what is about others beside it. */
async function plant(world: ProtectionWorld): Promise<void> {
  const { put } = world;
  await put(gone);
  await put(patient('gone', { ...gone, telecom: [{ system: 'email', value: planted('Mail') }] }));
  await put(patient('stays', { name: [{ family: STAYING }] }));
  await put(observation('o1', 'gone', planted('Code')));
  await put(observation('o2', 'gone', planted('First')));
  await put(observation('o2', 'gone', planted('Second'), { valueString: planted('Value') }));
  await put(observation('deleted', 'gone', planted('Deleted')));
  await world.remove({ resourceType: 'Observation', id: 'deleted' });
  await put({
    resourceType: 'Task',
    id: 't',
    status: 'requested',
    intent: 'order',
    description: planted('Task'),
    for: subject('gone'),
  });
  await put({ resourceType: 'Device', id: 'd', patient: subject('gone'), note: [{ text: planted('Device') }] });
  await put({
    resourceType: 'Binary',
    id: 'b',
    contentType: 'text/plain',
    data: Buffer.from(planted('Document')).toString('base64'),
  });
  await put({
    resourceType: 'DocumentReference',
    id: 'doc',
    status: 'current',
    subject: subject('gone'),
    content: [{ attachment: { url: 'Binary/b', title: planted('Title') } }],
  });
  await put({
    resourceType: 'Bundle',
    id: 'mixed',
    type: 'collection',
    entry: [{ resource: gone }, { resource: observation('inside', 'stays', STAYING) }],
  });
  await put({ resourceType: 'Bundle', id: 'whole', type: 'collection', entry: [{ resource: gone }] });
  // Shared with another patient, or another's altogether.
  await put({
    resourceType: 'Appointment',
    id: 'both',
    status: 'booked',
    text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${planted('Narrative')}</div>` },
    participant: [
      { actor: { ...subject('gone'), display: planted('Display') }, status: 'accepted' },
      { actor: { ...subject('stays'), display: STAYING }, status: 'accepted' },
    ],
  });
  await put(
    observation('other', 'stays', STAYING, { performer: [{ ...subject('gone'), display: planted('Performer') }] }),
  );
  await put(
    observation('extended', 'stays', STAYING, {
      extension: [
        { url: 'https://example.org/seen-with', valueReference: { ...subject('gone'), display: planted('Extension') } },
      ],
    }),
  );
  await put(observation('corrected', 'gone', planted('WrongPatient')));
  await put(observation('corrected', 'stays', STAYING));
  await put(
    observation('named', 'stays', STAYING, {
      performer: [{ identifier: { system: NHS, value: '9434765919' }, display: planted('Logical') }],
    }),
  );
  await put({
    resourceType: 'Provenance',
    id: 'of-o1',
    recorded: '2026-01-01T00:00:00Z',
    target: [{ reference: 'Observation/o1' }],
    agent: [{ who: { display: STAYING } }],
  });
  await put({ resourceType: 'Organization', id: 'ward', name: STAYING });
}

const wordsLeft = async (world: ProtectionWorld): Promise<string[]> =>
  (await everyRow(world)).split('\n').filter((line) => /plant[a-z]+qz|Patient\/gone"|9434765919"/i.test(line));

const nothing = (): RemovalCounts => ({
  resources: {},
  rewritten: {},
  messages: 0,
  jobs: 0,
  accounts: 0,
  grants: 0,
  dataKeys: 0,
});

describe('protection › removal', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  const messageId = randomUUID();
  beforeEach(async () => {
    world = await openProtectionWorld();
    await plant(world);
  });
  afterEach(() => world.stop());

  const add = async (raw: string, resources?: readonly string[], id: string = randomUUID()): Promise<string> => {
    const { messages } = world.store;
    await messages.receive({
      id,
      direction: 'in',
      dialect: 'hl7v2',
      kind: 'ADT',
      controlId: id,
      hash: createHash('sha256').update(id).digest(),
      raw: Buffer.from(raw),
      receivedAt: world.clock.now(),
    });
    await messages.settle(id, resources ? { state: 'applied', resources } : { state: 'dead', error: 'no such ward' });
    return id;
  };
  const messageIds = async (): Promise<unknown[]> =>
    (await world.sql('select id from mortar.message order by id')).flat();
  const remove = async (...ids: string[]): Promise<RemovalCounts> => {
    const counts = nothing() as unknown as Record<string, unknown>;
    await world.store.removal.remove(ids, {
      note: async (_send, { resources = {}, rewritten = {}, ...more }) => {
        for (const [name, count] of Object.entries(more)) counts[name] = Number(counts[name]) + Number(count);
        for (const [name, byType] of Object.entries({ resources, rewritten })) {
          const all = counts[name] as Record<string, number>;
          for (const [type, count] of Object.entries(byType)) all[type] = (all[type] ?? 0) + count;
        }
      },
    });
    return counts as unknown as RemovalCounts;
  };

  it('[DP-04] nothing of the record is left in any table: all versions, deleted ones, search rows, changes, documents', async () => {
    expect(await everyRow(world))
      .to.contain(planted('Family').toLowerCase())
      .and.to.contain(planted('WrongPatient'));
    const counts = await remove('gone');
    expect(counts.resources).to.deep.equal({
      Binary: 1,
      Bundle: 1,
      Device: 1,
      DocumentReference: 1,
      Observation: 3,
      Patient: 1,
      Task: 1,
    });
    expect(await wordsLeft(world)).to.deep.equal([]);
    const left = await everyRow(world);
    const rid = String(world.store.contacts.keys.rids.rid('gone'));
    expect(await world.sql('select 1 from mortar.change where rid = $1 or pat = $1', [rid])).to.deep.equal([]);
    expect(left).to.contain(STAYING);
  });

  it('[DP-04] reads, versions, history and totals answer as for one that never was', async () => {
    const total = async (query: string): Promise<number> => (await world.ids(ROOT, query)).length;
    expect(await total('Observation?code=1234-5')).to.equal(6);
    await remove('gone');
    for (const path of ['Patient/gone', 'Observation/o1', 'Binary/b']) {
      const [type = '', id = ''] = path.split('/');
      const status = (work: Promise<unknown>): Promise<unknown> =>
        work.then(
          () => 200,
          ({ status: s }) => s,
        );
      expect(await status(world.store.read(ROOT, type, id)), path).to.equal(404);
      expect(await status(world.store.vread(ROOT, type, id, 1)), path).to.equal(404);
      expect(await status(world.store.history(ROOT, { type, id, count: 10 })), path).to.equal(404);
    }
    expect(await total('Observation?code=1234-5')).to.equal(4);
    expect(await total('Patient?identifier=9434765919')).to.equal(0);
    const { versions } = await world.store.history(ROOT, { count: 100 });
    expect(versions.filter(({ type, id }) => type === 'Patient' && id === 'gone')).to.deep.equal([]);
    expect(versions.map(({ id }) => id)).to.include.members(['stays', 'ward', 'both']);
  });

  it('[DP-04] what is about others stays, with a new version without the reference, and old versions without it too', async () => {
    const counts = await remove('gone');
    expect(counts.rewritten).to.deep.equal({ Appointment: 1, Bundle: 1, Observation: 4, Provenance: 1 });
    const read = async (type: string, id: string, ver?: number): Promise<Resource> => {
      const { store } = world;
      const { content } = await (ver === undefined ? store.read(ROOT, type, id) : store.vread(ROOT, type, id, ver));
      return JSON.parse(content) as Resource;
    };
    const erased = { display: 'erased' };
    for (const version of [undefined, 1]) {
      const both = await read('Appointment', 'both', version);
      expect(both['participant']).to.deep.equal([
        { actor: erased, status: 'accepted' },
        { actor: { reference: 'Patient/stays', display: STAYING }, status: 'accepted' },
      ]);
      expect(both).not.to.have.property('text');
      expect((await read('Observation', 'other', version))['performer']).to.deep.equal([erased]);
      expect((await read('Observation', 'named', version))['performer']).to.deep.equal([erased]);
      expect((await read('Observation', 'extended', version))['extension']).to.deep.equal([
        { url: 'https://example.org/seen-with', valueReference: erased },
      ]);
      expect((await read('Provenance', 'of-o1', version))['target']).to.deep.equal([erased]);
      expect((await read('Bundle', 'mixed', version))['entry']).to.have.length(1);
    }
    expect((await read('Appointment', 'both'))['meta']).to.have.property('versionId', '2');
    expect(await world.ids(ROOT, 'Appointment?patient=Patient/gone')).to.deep.equal([]);
    expect(await world.ids(ROOT, 'Appointment?patient=Patient/stays')).to.deep.equal(['both']);
    // Corrected long ago: only its old version spoke of the patient.
    expect((await read('Observation', 'corrected'))['meta']).to.have.property('versionId', '2');
    const old = await read('Observation', 'corrected', 1);
    expect(Object.keys(old)).to.deep.equal(['resourceType', 'id', 'meta']);
    expect(old['meta']).to.have.property('security').that.deep.includes({
      system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
      code: 'REDACTED',
    });
  });

  it('[DP-04] messages, those never applied too, and jobs about them go; others stay', async () => {
    const applied = await add('applied', ['Organization/ward/_history/1', 'Patient/gone/_history/2'], messageId);
    const dead = await add(`PID|1||943 476 5919^^^NHS||x||19710203\rPID|9434765919|`);
    const local = await add(`MSH|^~\\&|\rPID|1||H12345^^^HOSP||${planted('Family')}^X`);
    const kept = await add('PID|1||H12345^^^HOSP||Other^X', ['Patient/stays/_history/1']);
    const alike = await add('PID|1||94347659190^^^X||Other');
    const jobs = ['about the message', 'names the record', 'another'];
    await world.store.jobs.add([
      { kind: 'a', dedupe: jobs[0] as string, payload: { message: applied } },
      { kind: 'b', dedupe: jobs[1] as string, payload: { patient: 'Patient/gone' } },
      { kind: 'c', dedupe: jobs[2] as string, payload: { patient: 'Patient/gone-too' } },
    ]);
    await world.put(
      patient('gone', {
        ...gone,
        identifier: [...(gone['identifier'] as object[]), { system: 'urn:hosp', value: 'H12345' }],
      }),
    );
    const counts = await remove('gone');
    expect(counts).to.deep.include({ messages: 3, jobs: 2 });
    expect(await messageIds())
      .to.have.members([kept, alike])
      .and.not.to.include.members([dead, local]);
    expect((await world.sql('select dedupe from mortar.job')).flat()).to.deep.equal(['another']);
  });

  it('[DP-04] an account of the patient goes with its grants; a member of staff loses no more than the record', async () => {
    const person = async (name: string, roles: string[], patients: string[]): Promise<string> => {
      const id = randomUUID();
      await world.sql(
        `insert into auth.person (id, name, email, email_key, roles, patient_ids, created_at, updated_at)
values ($1, $2, $3, $3, $4, $5, now(), now())`,
        [id, name, `${name}@example.org`, roles, patients],
      );
      await world.sql(
        `insert into auth.session (id, hash, person_id, security_version, auth_time, amr, created_at, seen_at, ends_at)
values (gen_random_uuid(), sha256($1::bytea), $2, 1, now(), '{pwd}', now(), now(), now())`,
        [name, id],
      );
      return id;
    };
    await person(planted('Account'), ['PATIENT'], ['gone']);
    const both = await person('parent', ['PATIENT'], ['gone', 'stays']);
    const staff = await person('nurse', ['PATIENT', 'STAFF'], ['gone']);
    await world.put({ resourceType: 'RelatedPerson', id: 'mother', patient: subject('gone') });
    const mother = await person('mother', ['PATIENT'], []);
    await world.sql("update auth.person set related_person_ids = '{mother,other}' where id = $1", [mother]);
    // Their own account, with which they also act for a child; and one with which they act for themselves, so to speak.
    const parent = await person('acts for a child', ['PATIENT'], ['gone']);
    await world.sql("update auth.person set related_person_ids = '{other}' where id = $1", [parent]);
    const self = await person('acts for the record', ['PATIENT'], ['gone']);
    await world.sql("update auth.person set related_person_ids = '{mother}' where id = $1", [self]);
    expect(await world.store.removal.review('gone')).to.have.property('accounts', 2);
    const counts = await remove('gone');
    expect(counts.accounts).to.equal(2);
    const people =
      'select id, patient_ids, related_person_ids from auth.person where security_version > 1 order by name';
    expect(await world.sql(people)).to.deep.equal([
      [parent, [], ['other']],
      [mother, [], ['other']],
      [staff, [], []],
      [both, ['stays'], []],
    ]);
    expect(await world.sql('select count(*)::int from auth.session')).to.deep.equal([[4]]);
  });

  it('[DP-04] the review says what would go, what is shared, and what stops it', async () => {
    await add('applied', ['Patient/gone/_history/2']);
    const hold = await world.hold({ kind: 'resource', type: 'Observation', id: 'o1' });
    const review = await world.store.removal.review('gone');
    expect(review.resources).to.include({ Observation: 2, Patient: 1, Task: 1, DocumentReference: 1, Binary: 1 });
    expect(review.shared).to.include({ Appointment: 1, Observation: 1 });
    expect(review).to.deep.include({ messages: 1, accounts: 0, holds: [hold] });
    expect(await world.store.removal.review('stays'))
      .to.have.property('holds')
      .that.deep.equals([]);
  });

  for (const [name, target] of [
    ['the patient', { kind: 'patient', id: 'gone' }],
    ['one resource', { kind: 'resource', type: 'Observation', id: 'o2' }],
    ['a deleted resource', { kind: 'resource', type: 'Observation', id: 'deleted' }],
    ['a query', { kind: 'query', type: 'Observation', query: 'code=http://loinc.org|1234-5&subject=Patient/gone' }],
    ['a query that only a deleted resource met', { kind: 'query', type: 'Observation', query: '_id=deleted' }],
    ['another patient, whose appointment would change', { kind: 'patient', id: 'stays' }],
  ] as const)
    it(`[DP-02] a hold on ${name} stops it before anything goes; lifted, it goes on`, async () => {
      const before = await everyRow(world);
      const id = await world.hold(target);
      const error = await remove('gone').catch((failed: unknown) => failed);
      expect(error).to.be.instanceOf(HeldError).and.to.have.property('holds').that.deep.equals([id]);
      const rows = (text: string): string[] => text.split('\n').filter((line) => /^fhir\./.test(line));
      expect(rows(await everyRow(world))).to.deep.equal(rows(before));
      await world.liftHold(id);
      await remove('gone');
      expect(await wordsLeft(world)).to.deep.equal([]);
    });

  it('[DP-02] a hold that nobody has approved, or on something else, stops nothing', async () => {
    const who = { by: 'first', at: world.clock.now() };
    await world.holds.propose({ kind: 'patient', id: 'gone' }, 'not yet approved', who);
    await world.hold({ kind: 'query', type: 'Observation', query: 'code=other' });
    await remove('gone');
    expect(await wordsLeft(world)).to.deep.equal([]);
  });

  it('[DP-02] a hold placed while a record goes stops it at the next batch', async () => {
    let placing: Promise<string> | undefined;
    const isWaiting = async (): Promise<boolean> =>
      (await world.sql("select 1 from pg_locks where locktype = 'advisory' and not granted")).length > 0;
    const removed: string[] = [];
    const error = await world.store.removal
      .remove(['gone'], {
        note: async (_send, { resources = {} }) => {
          removed.push(...Object.keys(resources));
          if (removed.length === 0 || placing) return;
          placing = world.hold({ kind: 'patient', id: 'gone' });
          while (!(await isWaiting()));
        },
      })
      .catch((failed: unknown) => failed);
    expect(error)
      .to.be.instanceOf(HeldError)
      .and.to.have.property('holds')
      .that.deep.equals([await placing]);
    expect(removed).to.have.length(1);
    expect((await world.store.read(ROOT, 'Patient', 'gone')).versionId).to.equal(2);
    expect(await world.ids(ROOT, 'Observation?subject=Patient/gone')).to.have.members(['o1', 'o2']);
  });

  it('[DP-04] killed in the middle, it goes on and comes to the same end', async () => {
    for (let stopAt = 1; ; stopAt++) {
      let batches = 0;
      const ended = await world.store.removal
        .remove(['gone'], {
          note: async () => {
            if (++batches === stopAt) throw new Error('killed');
          },
        })
        .then(
          () => true,
          (error: Error) => {
            expect(error.message).to.equal('killed');
            return false;
          },
        );
      if (ended) {
        expect(stopAt).to.be.greaterThan(3);
        break;
      }
    }
    expect(await wordsLeft(world)).to.deep.equal([]);
    expect((await world.store.read(ROOT, 'Observation', 'other')).versionId).to.equal(2);
  });
});
