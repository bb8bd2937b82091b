import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { NewMessage } from '../../src/ports/message-log.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { withClient } from '../support/database.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

const CALLER = serviceCaller('test');
const AT = Date.parse('2026-03-01T10:00:00Z');

const message = (text: string, more: Partial<NewMessage> = {}): NewMessage => ({
  id: randomUUID(),
  direction: 'in',
  dialect: 'hl7v2',
  kind: 'ADT^A01',
  controlId: 'C1',
  sender: 'PAS|RQ1',
  hash: createHash('sha256').update(text).digest(),
  raw: Buffer.from(text),
  receivedAt: AT,
  ...more,
});

describe('message log', () => {
  let store: MessageStore;
  before(async () => {
    store = await openMessageStore();
  });
  after(() => store.stop());

  it('takes codes of any length and any characters, and tells long ones apart', async () => {
    const long = 'x'.repeat(5000);
    const sent = [`${long}1`, `${long}2`, 'a\u0000b', 'a\uD800b'].map((controlId) =>
      message(controlId, { controlId, sender: `${long}|`, kind: 'K\u0000', receiver: long, correlation: long }),
    );
    for (const m of sent) expect((await store.messages.receive(m)).kind).equal('new');
    for (const m of sent) expect((await store.messages.receive({ ...m, id: randomUUID() })).kind).equal('duplicate');
    const [first] = sent as [NewMessage];
    await store.messages.settle(first.id, {
      state: 'rejected',
      error: 'a\u0000b',
      issues: [{ severity: 'error', code: 'value', diagnostics: 'a\u0000\uD800b', expression: ['\u0000'] }],
    });
    expect((await store.messages.read(CALLER, first.id)).issues?.[0]?.diagnostics).equal('a\uFFFD\uFFFDb');
  });

  it('[RL-11] commits a message before anything is done with it, and gives its bytes back', async () => {
    const sent = message('MSH|1', { sender: 'first|', correlation: 'C0', receiver: 'us|' });
    expect(await store.messages.receive(sent)).deep.equal({ kind: 'new', id: sent.id });
    const read = await store.messages.read(CALLER, sent.id);
    expect(read.raw.toString()).equal('MSH|1');
    expect(read).deep.include({
      dialect: 'hl7v2',
      kind: 'ADT^A01',
      controlId: 'C1',
      sender: 'first|',
      receiver: 'us|',
      correlation: 'C0',
      state: 'received',
      attempts: 0,
      receivedAt: AT,
      resources: [],
    });
    expect(read.hash).equal(sent.hash.toString('hex'));
  });

  it('[KS-07] keeps the raw message and the answer sealed', async () => {
    const sent = message('MSH|PLANTED-NAME', { sender: 'sealed|' });
    await store.messages.receive(sent);
    await store.messages.settle(sent.id, { state: 'applied', answer: Buffer.from('MSA|AA|PLANTED-NAME') });
    const [row] = await withClient(store.database.connection('owner'), async (client) => {
      const { rows } = await client.query(`select encode(raw, 'escape') || encode(answer, 'escape') || m::text as all
from mortar.message m where id = '${sent.id}'`);
      return rows as { all: string }[];
    });
    expect(row?.all).a('string').not.contain('PLANTED');
    expect((await store.messages.read(CALLER, sent.id)).answer?.toString()).equal('MSA|AA|PLANTED-NAME');
  });

  it('[RL-12] tells a duplicate, with the first answer once there is one', async () => {
    const first = message('MSH|2', { sender: 'twice|' });
    await store.messages.receive(first);
    const again = await store.messages.receive({ ...message('MSH|2', { sender: 'twice|' }) });
    expect(again).deep.equal({ kind: 'duplicate', id: first.id, state: 'received', attempts: 0 });
    await store.messages.settle(first.id, { state: 'applied', answer: Buffer.from('AA') });
    const later = await store.messages.receive(message('MSH|2', { sender: 'twice|' }));
    expect(later).deep.equal({
      kind: 'duplicate',
      id: first.id,
      state: 'applied',
      attempts: 1,
      answer: Buffer.from('AA'),
    });
    expect((await store.messages.list(CALLER, { sender: 'twice|' }, 10)).messages).length(1);
  });

  it('[RL-12] tells the same control id with other content, logs it once, and leaves the first alone', async () => {
    const first = message('MSH|3', { sender: 'other|' });
    await store.messages.receive(first);
    const second = message('MSH|3 changed', { sender: 'other|' });
    expect(await store.messages.receive(second)).deep.equal({ kind: 'conflict', id: second.id, firstId: first.id });
    const third = await store.messages.receive(message('MSH|3 changed', { sender: 'other|' }));
    expect(third).deep.equal({ kind: 'conflict', id: second.id, firstId: first.id });
    const { messages } = await store.messages.list(CALLER, { sender: 'other|' }, 10);
    expect(messages.map((m) => [m.id, m.relation]).toSorted()).deep.equal(
      [
        [first.id, undefined],
        [second.id, { kind: 'conflict', firstId: first.id }],
      ].toSorted(),
    );
  });

  it('keeps control ids of other senders and dialects apart, and takes messages without one as often as they come', async () => {
    const kinds = await Promise.all(
      [
        message('a', { sender: 'apart|1' }),
        message('b', { sender: 'apart|2' }),
        message('c', { sender: 'apart|1', dialect: 'script' }),
      ].map(async (m) => (await store.messages.receive(m)).kind),
    );
    expect(kinds).deep.equal(['new', 'new', 'new']);
    const { controlId: _, ...nameless } = message('d', { sender: 'apart|1' });
    expect((await store.messages.receive(nameless)).kind).equal('new');
    expect((await store.messages.receive({ ...nameless, id: randomUUID() })).kind).equal('new');
    const { sender: _s, ...senderless } = message('e', { controlId: 'S' });
    expect((await store.messages.receive(senderless)).kind).equal('new');
    expect((await store.messages.receive({ ...senderless, id: randomUUID() })).kind).equal('duplicate');
  });

  it('[RL-12] of 20 that come at once one is new', async () => {
    const receptions = await Promise.all(
      Array.from({ length: 20 }, () => store.messages.receive(message('race', { sender: 'race|' }))),
    );
    expect(receptions.filter((r) => r.kind === 'new')).length(1);
    expect(new Set(receptions.map((r) => r.id)).size).equal(1);
  });

  it('settles a message once it is applied, and not again', async () => {
    const sent = message('MSH|4', { sender: 'settled|' });
    await store.messages.receive(sent);
    expect(
      await store.messages.settle(sent.id, {
        state: 'rejected',
        error: 'no PID',
        issues: [{ severity: 'error', code: 'required', diagnostics: 'no PID', expression: ['PID'] }],
      }),
    ).equal(true);
    expect(await store.messages.settle(sent.id, { state: 'applied', resources: ['Patient/1/_history/1'] })).equal(true);
    expect(await store.messages.settle(sent.id, { state: 'rejected', error: 'late' })).equal(false);
    expect(await store.messages.read(CALLER, sent.id)).deep.include({
      state: 'applied',
      resources: ['Patient/1/_history/1'],
      attempts: 2,
    });
  });

  it('[RL-14] counts resends in quick succession as one attempt, whatever was said of the message before', async () => {
    for (const state of ['received', 'rejected'] as const) {
      const sent = message(`MSH|${state}`, { sender: `attempts ${state}|` });
      await store.messages.receive(sent);
      if (state === 'rejected') await store.messages.settle(sent.id, { state });
      const before = (await store.messages.read(CALLER, sent.id)).attempts;
      for (let i = 0; i < 7; i++) await store.messages.failAttempt(sent.id, 'away');
      expect((await store.messages.read(CALLER, sent.id)).attempts, state).within(before, before + 1);
    }
  });

  it('[RL-12] a conflicting message is settled from the start: no sweep and no replay finds it open', async () => {
    const first = message('MSH|6', { sender: 'settled-conflict|' });
    await store.messages.receive(first);
    const { id } = await store.messages.receive(message('MSH|6 changed', { sender: 'settled-conflict|' }));
    expect(await store.messages.read(CALLER, id)).deep.include({ state: 'rejected', isCorrected: false });
  });

  it('[RL-16] takes a correction of a message beside it, the same one once', async () => {
    const first = message('MSH|5', { sender: 'corrected|' });
    await store.messages.receive(first);
    const correction = message('MSH|5 mended', { sender: 'corrected|', correctionOf: first.id });
    expect(await store.messages.receive(correction)).deep.equal({ kind: 'new', id: correction.id });
    const pressedTwice = await store.messages.receive({ ...correction, id: randomUUID() });
    expect(pressedTwice).deep.include({ kind: 'duplicate', id: correction.id });
  });

  it('lists newest or oldest first, by page and by filter', async () => {
    for (let i = 0; i < 7; i++)
      await store.messages.receive(
        message(`page ${i}`, { sender: 'page|', controlId: `P${i}`, receivedAt: AT + i, kind: i % 2 ? 'odd' : 'even' }),
      );
    const walk = async (oldestFirst: boolean): Promise<readonly unknown[]> => {
      const seen: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.messages.list(CALLER, { sender: 'page|', oldestFirst }, 3, cursor);
        seen.push(...page.messages.map((m) => m.controlId));
        cursor = page.next;
      } while (cursor !== undefined);
      return seen;
    };
    expect(await walk(false)).deep.equal(['P6', 'P5', 'P4', 'P3', 'P2', 'P1', 'P0']);
    expect(await walk(true)).deep.equal(['P0', 'P1', 'P2', 'P3', 'P4', 'P5', 'P6']);
    const ids = async (filter: object): Promise<unknown[]> =>
      (await store.messages.list(CALLER, { sender: 'page|', ...filter }, 10)).messages.map((m) => m.controlId);
    expect(await ids({ kind: 'odd' })).deep.equal(['P5', 'P3', 'P1']);
    expect(await ids({ since: AT + 2, until: AT + 4 })).deep.equal(['P3', 'P2']);
    expect(await ids({ controlId: 'P4' })).deep.equal(['P4']);
    expect(await ids({ state: 'applied' })).deep.equal([]);
    const refused = await store.messages.list(CALLER, {}, 1, 'nonsense').catch((error: unknown) => error);
    expect(refused).instanceOf(FhirError);
  });

  it('finds messages a crash left open, and purges old ones that are settled, related ones first', async () => {
    const old = Date.parse('2020-01-01T00:00:00Z');
    const [open, done] = [1, 2].map((n) =>
      message(`old ${n}`, { sender: 'old|', controlId: `O${n}`, receivedAt: old }),
    ) as [NewMessage, NewMessage];
    for (const m of [open, done]) await store.messages.receive(m);
    const conflicting = message('old 2 changed', { sender: 'old|', controlId: 'O2', receivedAt: old });
    await store.messages.receive(conflicting);
    for (const m of [done, conflicting]) await store.messages.settle(m.id, { state: 'rejected' });
    expect(await store.messages.findStale(old + 1, 10)).deep.equal([{ id: open.id, dialect: 'hl7v2', sender: 'old|' }]);
    expect(await store.messages.purge(old + 1, 10)).equal(1);
    expect(await store.messages.purge(old + 1, 10)).equal(1);
    expect(await store.messages.purge(old + 1, 10)).equal(0);
    expect((await store.messages.list(CALLER, { sender: 'old|' }, 10)).messages.map((m) => m.id)).deep.equal([open.id]);
  });

  it('says not-found for what is none, whatever it looks like', async () => {
    for (const id of [randomUUID(), 'x', "'; drop table mortar.message; --"]) {
      const error = await store.messages.read(CALLER, id).catch((e: unknown) => e);
      expect(error).instanceOf(FhirError).property('status', 404);
    }
  });
});
