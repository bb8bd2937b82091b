/** An erasure where others were told of the patient, showed the tokens, or took the data out. SECURITY DP-04 */
import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import { createAsyncRequests } from '../../../src/postgres/async-requests.ts';
import { namingSystemUrl } from '../../../src/standards/fhir/canonical.ts';
import { openProtectionWorld, type ProtectionWorld } from './world.ts';

const TIMES = { endedAt: 0, expiresAt: Date.parse('2100-01-01T00:00:00Z') };
const LIMIT = { ownerMax: 10, max: 50 };

describe('protection › traces [DP-04]', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  beforeEach(async () => {
    world = await openProtectionWorld();
    for (const id of ['gone', 'stays']) {
      await world.put({ resourceType: 'Patient', id });
      await world.put({
        resourceType: 'Task',
        id: `task-${id}`,
        status: 'requested',
        intent: 'order',
        identifier: [{ system: namingSystemUrl('prescription-token'), value: `TOKEN-${id}` }],
        for: { reference: `Patient/${id}` },
      });
    }
  });
  afterEach(() => world.stop());
  const erase = (): Promise<void> => world.store.removal.remove(['gone'], { endsResults: true });

  it('events of subscriptions: of what has gone there are none, in others the patient is not named', async () => {
    await world.sql(
      `insert into mortar.subscription (id, version, state, channel, since) values ('s', 1, 'active', 'rest-hook', 0)`,
    );
    const events: readonly (readonly [string, readonly string[]])[] = [
      ['Patient/gone', ['gone']],
      ['Task/task-gone', ['gone']],
      ['Observation/deleted-long-ago', ['gone']],
      ['Appointment/shared', ['gone', 'stays']],
      ['Patient/stays', ['stays']],
      ['Organization/ward', []],
    ];
    for (const [resource, patients] of events)
      await world.sql(
        `insert into mortar.subscription_event (subscription, type, resource, version, operation, at, patients)
values ('s', 'x', $1, 1, 'update', 0, $2)`,
        [resource, patients],
      );
    await erase();
    expect(await world.sql('select resource, patients from mortar.subscription_event order by resource')).deep.equal([
      ['Appointment/shared', ['stays']],
      ['Organization/ward', []],
      ['Patient/stays', ['stays']],
    ]);
  });

  it('who showed the tokens: nothing is left of it; the controlled drugs register keeps its line', async () => {
    for (const id of ['gone', 'stays'])
      for (const kind of ['verify', 'dispense'])
        await world.sql(
          `insert into mortar.prescription_attempt (at, token, pharmacy, kind, success, reason) values (now(), $1, 'p', $2, true, 'ok')`,
          [`TOKEN-${id}`, kind],
        );
    for (const id of ['gone', 'stays'])
      await world.sql(
        `insert into mortar.collection_code (token, pharmacy, patient, digest, sent_at, expires_at, sendings) values ($1, 'p', 'x', '', now(), now(), array[now()])`,
        [`TOKEN-${id}`],
      );
    await world.sql(
      `insert into mortar.controlled_register (pharmacy, product, number, at, type, quantity, balance, name, token, by_name, by_id)
values ('p', 'm', 1, now(), 'supply', 5, 10, 'Morphine', 'TOKEN-gone', 'Somebody', '1')`,
    );
    await erase();
    expect(await world.sql('select distinct token from mortar.prescription_attempt')).deep.equal([['TOKEN-stays']]);
    expect(await world.sql('select token from mortar.collection_code')).deep.equal([['TOKEN-stays']]);
    expect(await world.sql('select token from mortar.controlled_register')).deep.equal([['TOKEN-gone']]);
  });

  it('exports that are kept or under way end, with their keys; imports and what has not begun go on', async () => {
    const book = createAsyncRequests({
      ...world.pools,
      cipher: createCipher([{ number: 1, key: randomBytes(32) }]),
      cipherOf: (key) => createCipher([{ number: 1, key }]),
    });
    const make = async (kind: string, end: 'waiting' | 'running' | 'done'): Promise<string> => {
      const id = randomUUID();
      await book.ask({ id, kind, owner: 'c', payload: {}, askedAt: 0 }, LIMIT);
      if (end === 'waiting') return id;
      await book.begin(id);
      const pieces = [{ file: 'Patient-1.ndjson', bytes: Buffer.from('{}\n'), count: 1 }];
      await book.append(id, 0, { pieces, ...(end === 'done' && { result: {} }) }, TIMES);
      return id;
    };
    const cases: readonly (readonly [string, 'waiting' | 'running' | 'done', string])[] = [
      ['export', 'done', 'gone'],
      ['export', 'running', 'gone'],
      ['export', 'waiting', 'waiting'],
      ['interaction', 'done', 'gone'],
      ['interaction', 'running', 'running'],
      ['import', 'running', 'running'],
      ['import', 'done', 'done'],
    ];
    const ids = await Promise.all(cases.map(([kind, end]) => make(kind, end)));
    // A retention run leaves them: they go within a day by themselves.
    await world.store.removal.remove(['stays']);
    expect((await book.find(ids[0] as string))?.state).equal('done');
    await erase();
    for (const [i, [kind, end, then]] of cases.entries()) {
      const id = ids[i] as string;
      expect((await book.find(id))?.state, `${kind} ${end}`).equal(then);
      expect((await book.files(id)).length, `${kind} ${end}`).equal(then === 'gone' || end === 'waiting' ? 0 : 1);
    }
    const late = { pieces: [{ file: 'Patient-1.ndjson', bytes: Buffer.from('{}\n'), count: 1 }] };
    expect(await book.append(ids[1] as string, 1, late, TIMES), 'a step under way is not kept').equal(false);
  });
});
