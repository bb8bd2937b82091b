/** Topics as several processes know them, each of which reads a part of the log. docs/subscriptions.md */
import { expect } from 'chai';
import type { ChangePage } from '../../src/ports/change-feed.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { createModel } from '../../src/standards/fhir/fhirpath/model.ts';
import { createTopicRegistry } from '../../src/standards/fhir/subscription/topic-registry.ts';
import { createKeptTopics, type KeptTopics } from '../../src/workflow/subscriptions/kept-topics.ts';
import { testDefinitions } from '../support/definitions.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';
import { basicTopic } from '../support/topics.ts';

const URL = 'http://example.org/topic';
const TYPES = new Set(['Basic']);

describe('subscriptions › topics in several processes', () => {
  let world: PolicyStore;
  let searches = 0;
  before(async () => {
    world = await openPolicyStore();
  });
  after(() => world.stop());

  const keep = (): KeptTopics =>
    createKeptTopics({
      registry: createTopicRegistry({
        model: createModel(testDefinitions()),
        isType: () => true,
        parameterType: () => 'token',
        checkSearch: () => [],
      }),
      store: {
        search(caller, request) {
          searches += 1;
          return world.store.search(caller, request);
        },
      },
      searchOf: world.parse,
      service: ROOT,
    });
  const topic = (title: string): Resource => ({
    ...basicTopic({ url: URL, title, resourceTrigger: [{ resource: 'Encounter' }] }),
    resourceType: 'Basic',
    id: 't',
  });
  const read = (): Promise<ChangePage> => world.store.changes.read('test', TYPES, 200);
  /** One process takes its turn with what there is. */
  async function turn(topics: KeptTopics): Promise<void> {
    const page = await read();
    await topics.follow(page);
    if (page.from !== page.to)
      await world.store.transaction(ROOT, (tx) => tx.consumers.advance('test', page.from, page.to));
  }
  const titleIn = (topics: KeptTopics): string | undefined => topics.find(URL)?.title;

  it('each knows what another has read of the log; who reads it all asks the store no more', async () => {
    const [a, b] = [keep(), keep()];
    await turn(a);
    await turn(b);
    await world.put(topic('one'));
    await turn(a);
    expect(titleIn(a)).equal('one');
    await turn(b);
    expect(titleIn(b)).equal('one');
    await world.put(topic('two'));
    await turn(b);
    expect(titleIn(b)).equal('two');
    await turn(a);
    expect(titleIn(a)).equal('two');
    const before = searches;
    await world.put(topic('three'));
    await turn(a);
    await turn(a);
    await world.put(topic('four'));
    await turn(a);
    expect([titleIn(a), searches - before]).deep.equal(['four', 0]);
    await world.store.delete(ROOT, 'Basic', 't');
    await turn(a);
    expect(titleIn(a)).equal(undefined);
    await turn(b);
    expect(titleIn(b)).equal(undefined);
    await world.put(topic('five'));
    await turn(b);
    await turn(a);
    expect([titleIn(a), titleIn(b)]).deep.equal(['five', 'five']);
    // One that was turned into something else is none.
    await world.put({ resourceType: 'Basic', id: 't', code: { text: 'a note' } });
    await turn(a);
    await turn(b);
    expect([titleIn(a), titleIn(b)]).deep.equal([undefined, undefined]);
  });

  it('what was just written counts at once, and is not undone by what is read late', async () => {
    const topics = keep();
    await turn(topics);
    await world.put(topic('new'));
    const version = await world.store.read(ROOT, 'Basic', 't');
    topics.note(version);
    expect(titleIn(topics)).equal('new');
    topics.note({ ...version, versionId: version.versionId - 1, operation: 'delete', content: '' });
    await topics.refresh();
    expect(titleIn(topics)).equal('new');
  });
});
