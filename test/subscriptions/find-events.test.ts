/** What a page of changes is for each subscriber, and how often that is asked. docs/subscriptions.md, SECURITY CP-17 */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource, StoredVersion } from '../../src/ports/resource-store.ts';
import { createModel } from '../../src/standards/fhir/fhirpath/model.ts';
import { readTopic } from '../../src/standards/fhir/subscription/read-topic.ts';
import type { Topic } from '../../src/standards/fhir/subscription/topics.ts';
import { createEventFinder, type FindEvents } from '../../src/workflow/subscriptions/find-events.ts';
import { client } from '../support/callers.ts';
import { testDefinitions } from '../support/definitions.ts';
import { silentLog } from '../support/log.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';
import { basicTopic } from '../support/topics.ts';

describe('subscriptions › events of a page', () => {
  let world: PolicyStore;
  const asked = { searches: 0, reads: 0, judged: 0 };
  before(async () => {
    world = await openPolicyStore();
    await world.put({ resourceType: 'Patient', id: 'a' });
  });
  after(() => world.stop());
  beforeEach(() => Object.assign(asked, { searches: 0, reads: 0, judged: 0 }));

  const finder = (): FindEvents =>
    createEventFinder({
      store: {
        search(caller, request) {
          asked.searches += 1;
          return world.store.search(caller, request);
        },
        vread(caller, type, id, versionId) {
          asked.reads += 1;
          return world.store.vread(caller, type, id, versionId);
        },
      },
      judge(caller, version, conditions) {
        asked.judged += 1;
        return world.store.judge(caller, version, conditions);
      },
      searchOf: world.parse,
      service: ROOT,
      log: silentLog,
    });
  async function put(id: string, status: string): Promise<StoredVersion> {
    const resource = {
      resourceType: 'Encounter',
      id,
      status,
      class: { code: 'AMB' },
      subject: { reference: 'Patient/a' },
    };
    await world.put(resource as Resource);
    return world.store.read(ROOT, 'Encounter', id);
  }
  const topicOf = (current: string): Topic => {
    const { value } = readTopic(
      basicTopic({ resourceTrigger: [{ resource: 'Encounter', queryCriteria: { current } }] }),
      {
        model: createModel(testDefinitions()),
        isType: () => true,
        parameterType: () => 'token',
        checkSearch: () => [],
      },
    );
    return value as Topic; // it has no fault
  };
  const parts = [{ type: 'Encounter', query: 'status=finished' }];

  it('who asks the same with the same rights is answered by one search, others by their own', async () => {
    const page = [await put('e', 'finished'), await put('f', 'planned'), await put('g', 'finished')];
    const find = finder();
    const caller: Caller = client('system/Encounter.rs');
    for (const subscription of ['one', 'two', 'three']) {
      const events = await find(subscription, caller, { parts }, page);
      expect(events.map((one) => [one.subscription, one.resource])).deep.equal([
        [subscription, 'e'],
        [subscription, 'g'],
      ]);
    }
    const first = { ...asked };
    expect(first.searches).at.most(2); // of the three, and of what is not found: whether it was replaced
    const narrow = client('system/Encounter.rs?status=planned', 'client-2');
    expect(await find('four', narrow, { parts }, page)).deep.equal([]);
    expect(asked.searches).above(first.searches);
    // Another page is another question.
    await finder()('five', caller, { parts }, page);
    expect(asked.searches).above(first.searches + 1);
  });

  it('what a topic asks of a change is asked once for all with the same rights', async () => {
    const page = [await put('h', 'planned'), await put('h', 'finished')];
    const topic = topicOf('status=finished');
    const find = finder();
    const caller = client('system/Encounter.rs');
    const all = [{ type: 'Encounter', query: '' }];
    const eventsOf = async (subscription: string) =>
      (await find(subscription, caller, { topic, parts: all }, page)).map(({ version }) => version);
    const [last] = page.slice(-1);
    expect(await eventsOf('one')).deep.equal([last?.versionId]);
    const once = { ...asked };
    expect(once.reads).equal(1);
    for (let i = 0; i < 5; i++) expect(await eventsOf(`more${i}`)).deep.equal([last?.versionId]);
    expect(asked).deep.equal(once);
  });
});
