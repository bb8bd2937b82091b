/** Writes of a transaction that are left out when they are refused: the others are kept. docs/bulk.md */
import { expect } from 'chai';
import type { Resource, TransactionWrite } from '../../src/ports/resource-store.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { client } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore } from '../support/policy-store.ts';

describe('store › writes that may be left out', function () {
  this.timeout(60_000);
  const caller = client('system/*.cruds');
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore();
  });
  after(() => world.stop());

  const organization = (id: string, name: string): Resource => ({ resourceType: 'Organization', id, name });
  const refused = (): never => {
    throw new FhirError(422, [{ severity: 'error', code: 'invalid', diagnostics: 'refused' }]);
  };
  const nameOf = async (id: string): Promise<unknown> =>
    JSON.parse((await world.store.read(caller, 'Organization', id)).content).name;

  it('made and changed ones: the others are written, and each result tells', async () => {
    await world.store.update(caller, 'Organization', 'there', () => organization('there', 'before'));
    const seen: unknown[] = [];
    const leaveOut = (error: unknown): boolean => seen.push(error) > 0;
    const update = (id: string, change: () => Resource): TransactionWrite => ({
      kind: 'update',
      operation: 'update',
      type: 'Organization',
      id,
      change,
      leaveOut,
    });
    const ids = [world.store.newId(), world.store.newId()] as const;
    const results = await world.store.transaction(caller, (tx) =>
      tx.write([
        { kind: 'make', type: 'Organization', id: ids[0], make: refused, leaveOut },
        { kind: 'make', type: 'Organization', id: ids[1], make: () => organization('', 'made'), leaveOut },
        update('there', refused),
        update('new', () => organization('new', 'new')),
        update('never', refused),
      ]),
    );
    expect(results.map(({ outcome }) => outcome)).deep.equal([
      'left-out',
      'created',
      'left-out',
      'created',
      'left-out',
    ]);
    expect(seen.length).equal(3);
    for (const error of seen) expect(error).instanceOf(FhirError);
    expect(await nameOf(ids[1])).equal('made');
    expect(await nameOf('there')).equal('before');
    expect(await nameOf('new')).equal('new');
    for (const id of [ids[0], 'never'])
      expect(await nameOf(id).catch((error: FhirError) => error.status), id).equal(404);
    expect((await world.store.read(caller, 'Organization', 'there')).versionId).equal(1);
  });

  it('an error that is not theirs undoes all', async () => {
    const id = world.store.newId();
    const failed = world.store.transaction(caller, (tx) =>
      tx.write([
        { kind: 'make', type: 'Organization', id, make: () => organization('', 'undone') },
        { kind: 'make', type: 'Organization', id: world.store.newId(), make: refused, leaveOut: () => false },
      ]),
    );
    expect(await failed.catch((error: FhirError) => error.status)).equal(422);
    expect(await nameOf(id).catch((error: FhirError) => error.status)).equal(404);
  });
});
