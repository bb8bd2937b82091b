/** SECURITY CP-12, CP-01, SC-03: what the past shows to whom. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { HistoryRequest } from '../../src/ports/resource-store.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

describe('access › history', () => {
  let world: PolicyStore;
  const [alice, bob] = [patientApp('a'), patientApp('b')];
  const observation = (id: string, patient: string, status = 'final') => ({
    resourceType: 'Observation',
    id,
    status,
    code: { text: 'x' },
    subject: { reference: `Patient/${patient}` },
  });
  before(async () => {
    world = await openPolicyStore();
    for (const id of ['a', 'b']) await world.put({ resourceType: 'Patient', id });
    await world.put(observation('moved', 'b'));
    await world.put(observation('moved', 'a'));
    await world.put(observation('stays', 'a'));
    await world.put(observation('reused', 'b'));
    await world.store.delete(ROOT, 'Observation', 'reused');
    await world.put(observation('reused', 'a'));
    await world.put(observation('gone-a', 'a'));
    await world.store.delete(ROOT, 'Observation', 'gone-a');
    await world.put(observation('gone-b', 'b'));
    await world.store.delete(ROOT, 'Observation', 'gone-b');
  });
  after(() => world.stop());

  const history = async (caller: Caller, request: Omit<HistoryRequest, 'count'> = {}): Promise<string[]> => {
    const { versions } = await world.store.history(caller, { count: 100, ...request });
    return versions.map(({ type, id, versionId }) => `${type}/${id}/${versionId}`).sort();
  };
  const statusOf = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 200,
      (error: { status?: number }) => error.status,
    );

  it('[CP-12] of a resource that was somebody else’s only the later versions show', async () => {
    expect(await history(alice, { type: 'Observation', id: 'moved' })).to.deep.equal(['Observation/moved/2']);
    expect(await statusOf(world.store.vread(alice, 'Observation', 'moved', 1))).to.equal(404);
    expect(await statusOf(world.store.vread(alice, 'Observation', 'moved', 2))).to.equal(200);
  });
  it('[CP-12] who has lost a resource has lost its past too', async () => {
    expect(await statusOf(world.store.vread(bob, 'Observation', 'moved', 1))).to.equal(404);
    expect(await statusOf(history(bob, { type: 'Observation', id: 'moved' }))).to.equal(404);
    expect(await history(bob, { type: 'Observation' })).to.deep.equal(['Observation/gone-b/1', 'Observation/gone-b/2']);
  });
  it('[CP-12] the deletion of a stranger’s resource does not show when its id came to somebody else', async () => {
    const mine = ['Observation/reused/3'];
    expect(await history(alice, { type: 'Observation', id: 'reused' })).to.deep.equal(mine);
    expect((await history(alice)).filter((one) => one.includes('reused'))).to.deep.equal(mine);
  });
  it('[CP-12] one’s own deletions show, those of others do not', async () => {
    const all = await history(alice, { type: 'Observation' });
    expect(all).to.include.members(['Observation/gone-a/1', 'Observation/gone-a/2']);
    expect(all.filter((one) => one.includes('gone-b'))).to.deep.equal([]);
    expect(await statusOf(history(alice, { type: 'Observation', id: 'gone-b' }))).to.equal(404);
  });
  it('[CP-12] _since and _at change nothing of that', async () => {
    const since = world.clock.now() - 60_000;
    expect((await history(alice, { since })).filter((one) => /gone-b|moved\/1/.test(one))).to.deep.equal([]);
    const at = { low: 0, high: world.clock.now() };
    expect((await history(alice, { at })).filter((one) => /gone-b|moved\/1|Patient\/b/.test(one))).to.deep.equal([]);
  });
  it('[CP-12] pages of one give what one page gives, and their links are for whom they were made', async () => {
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await world.store.history(alice, { count: 1, ...(cursor !== undefined && { cursor }) });
      found.push(...page.versions.map(({ type, id, versionId }) => `${type}/${id}/${versionId}`));
      cursor = page.next;
      if (cursor !== undefined)
        expect(await statusOf(world.store.history(bob, { count: 1, cursor })), 'a link of another').to.equal(400);
    } while (cursor !== undefined);
    expect(found.sort()).to.deep.equal(await history(alice));
  });
  it('[SC-03] [AZ-01] system history is refused to who may search nothing', async () => {
    const nobodies = [
      person([], {}),
      person('DOCTOR', { scopes: '', organizations: ['o1'] }),
      patientApp('a', 'patient/*.r'),
      client(''),
    ];
    for (const caller of nobodies) expect(await statusOf(history(caller))).to.equal(403);
  });
  it('[CP-24] system history holds the types of the scopes and no others', async () => {
    const found = await history(client('system/Patient.rs'));
    expect(found).to.deep.equal(['Patient/a/1', 'Patient/b/1']);
  });
  it('[CP-05] [CP-18] a page link cannot be read: neither the names it was sorted by nor the rows it stands at', async () => {
    await world.put({ resourceType: 'Patient', id: 'n1', name: [{ family: 'Hohenzollern' }] });
    await world.put({ resourceType: 'Patient', id: 'n2', name: [{ family: 'Zimmermann' }] });
    const search = await world.store.search(ROOT, parseQuery('Patient', '_sort=family&_count=1'));
    const history = await world.store.history(ROOT, { count: 1 });
    for (const link of [search.next, history.next]) {
      const plain = [...(link ?? '').split('.'), link ?? ''].map((part) =>
        Buffer.from(part, 'base64url').toString('latin1'),
      );
      expect(link).to.be.a('string');
      for (const text of plain) expect(text).not.to.match(/hohenzollern|"rid"|"keys"/i);
    }
  });
});
