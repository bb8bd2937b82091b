import { expect } from 'chai';
import { followResources } from '../../src/workflow/followed-resources.ts';
import { withClient } from '../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

describe('workflow › followed resources', () => {
  let world: PolicyStore;
  /** What a process keeps of Organizations and Locations, and how often it was read whole. */
  const kept = new Map<string, number>();
  let whole = 0;
  let follow: () => Promise<void>;
  before(async () => {
    world = await openPolicyStore();
    await put('a');
    await put('b', 'Location');
    await world.put({ resourceType: 'Basic', id: 'other', code: { text: 'x' } });
    follow = followResources({
      store: world.store,
      changes: world.store.changes,
      searchOf: world.parse,
      caller: ROOT,
      types: ['Organization', 'Location'],
      take({ type, id, versionId, operation }) {
        if (operation === 'delete') kept.delete(`${type}/${id}`);
        else kept.set(`${type}/${id}`, versionId);
      },
      forget() {
        kept.clear();
        whole += 1;
      },
      behindMax: 3000,
    });
  });
  after(() => world.stop());

  const put = (id: string, resourceType = 'Organization', name = id) => world.put({ resourceType, id, name });
  const seen = async (): Promise<readonly unknown[]> => {
    await follow();
    return [...kept].map(([path, versionId]) => `${path} ${versionId}`).sort();
  };

  it('reads what there is, then what was made, changed and deleted, and nothing of other types', async () => {
    expect(await seen()).eql(['Location/b 1', 'Organization/a 1']);
    await put('c');
    await put('a', 'Organization', 'again');
    await world.store.delete(ROOT, 'Location', 'b');
    await world.put({ resourceType: 'Basic', id: 'other', code: { text: 'y' } });
    expect(await seen()).eql(['Organization/a 2', 'Organization/c 1']);
    await put('b', 'Location');
    expect(await seen()).eql(['Location/b 3', 'Organization/a 2', 'Organization/c 1']);
    expect(whole).equal(1);
  });

  it('calls at once share a reading', async () => {
    expect(follow()).equal(follow());
    await follow();
  });

  it('a change is seen when those that began before it are over, and is not passed over', async () => {
    await withClient(world.database.connection('owner'), async (client) => {
      await client.query('begin');
      await client.query("insert into mortar.meta (name, value) values ('test', '') on conflict do nothing");
      await put('d');
      await seen();
      await client.query('rollback');
    });
    expect(await seen()).include('Organization/d 1');
  });

  it('who has not looked for long reads what there is, without what is gone', async () => {
    await world.store.delete(ROOT, 'Organization', 'c');
    for (let n = 0; n < 4; n++)
      await world.store.transaction(ROOT, async (tx) => {
        await tx.write(
          Array.from({ length: 1000 }, (_, i) => ({
            kind: 'create' as const,
            id: world.store.newId(),
            resource: { resourceType: 'Basic', code: { text: `${n} ${i}` } },
          })),
        );
      });
    await put('e');
    expect(await seen()).eql(['Location/b 3', 'Organization/a 2', 'Organization/d 1', 'Organization/e 1']);
    expect(whole).equal(2);
  });
});
