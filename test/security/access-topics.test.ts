/** SECURITY AZ-01, CP-17: who may say what others are told of. docs/subscriptions.md "Topics of your own" */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource, ResourceStore } from '../../src/ports/resource-store.ts';
import { createModel } from '../../src/standards/fhir/fhirpath/model.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { createTopicRegistry, type TopicRegistry } from '../../src/standards/fhir/subscription/topic-registry.ts';
import { createKeptTopics } from '../../src/workflow/subscriptions/kept-topics.ts';
import { withOwnTopics } from '../../src/workflow/subscriptions/own-topics.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { testDefinitions } from '../support/definitions.ts';
import { openPolicyStore, type PolicyStore, parameters, ROOT } from '../support/policy-store.ts';
import { basicTopic } from '../support/topics.ts';

const TOPIC = basicTopic({ resourceTrigger: [{ resource: 'Encounter' }] }) as Resource;

describe('access › topics', () => {
  let world: PolicyStore;
  let store: ResourceStore;
  let registry: TopicRegistry;
  before(async () => {
    world = await openPolicyStore();
    registry = createTopicRegistry({
      model: createModel(testDefinitions()),
      isType: (type) => parameters.get(type) !== undefined,
      parameterType: (type, code) => parameters.get(type)?.parameters.get(code)?.type,
      checkSearch: () => [],
    });
    const searchOf = world.parse;
    const topics = createKeptTopics({ registry, store: world.store, searchOf, service: ROOT });
    store = withOwnTopics(world.store, { topics, policy: world.policy });
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    await world.put({
      resourceType: 'Patient',
      id: 'a',
      managingOrganization: { reference: 'Organization/o' },
      generalPractitioner: [{ reference: 'Practitioner/p' }],
    });
  });
  after(() => world.stop());

  let n = 0;
  const doctor = person('DOCTOR', { organizations: ['o'] });
  const CASES: readonly (readonly [string, Caller, boolean])[] = [
    ['a program whose scope names Basic', client('system/Basic.cruds'), true],
    ['a program whose scope does not', client('system/Encounter.cruds'), false],
    ['Mortar itself', ROOT, true],
    ['a person of every right', person('SYSTEM'), true],
    ['a doctor', doctor, false],
    ['a receptionist', person('RECEPTIONIST', { organizations: ['o'] }), false],
    ['an app of a patient', patientApp('a'), false],
    ['a partner at a gateway', { ...client('system/*.cruds'), kind: 'partner' }, false],
  ];
  for (const [who, caller, may] of CASES)
    it(`[AZ-01] ${who} ${may ? 'may' : 'may not'} write one, alone or in a transaction`, async () => {
      n += 1;
      const topic = {
        ...TOPIC,
        id: `t${n}`,
        extension: basicTopic({ url: `http://example.org/${n}`, resourceTrigger: [{ resource: 'Encounter' }] })[
          'extension'
        ],
      } as Resource;
      const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
        ['update', () => store.update(caller, 'Basic', `t${n}`, () => topic)],
        [
          'create',
          () =>
            store.create(
              caller,
              {
                ...topic,
                extension: [],
                modifierExtension: basicTopic({ status: 'draft' })['modifierExtension'],
              } as Resource,
              store.newId(),
            ),
        ],
        [
          'transaction',
          () =>
            store.transaction(caller, (tx) =>
              tx.write([{ kind: 'update', operation: 'update', type: 'Basic', id: `t${n}`, change: () => topic }]),
            ),
        ],
      ];
      for (const [way, write] of ways) expect(await statusOf(write), way).equal(may ? 200 : 403);
    });

  it('[CP-17] who writes Basics of a patient makes none of them a topic, nor a topic something else', async () => {
    const note = { resourceType: 'Basic', id: 'n', code: { text: 'a note' }, subject: { reference: 'Patient/a' } };
    await world.put(note as Resource);
    const app = patientApp('a', 'patient/*.cruds', {});
    const writer = { ...client('system/*.cruds'), kind: 'partner' } as Caller;
    for (const caller of [app, writer])
      expect(await statusOf(() => store.update(caller, 'Basic', 'n', (now) => ({ ...now, ...TOPIC, id: 'n' })))).equal(
        403,
      );
    await store.update(ROOT, 'Basic', 'mine', () => ({ ...TOPIC, id: 'mine' }));
    expect(
      await statusOf(() => store.update(writer, 'Basic', 'mine', () => ({ ...note, id: 'mine' }) as Resource)),
    ).equal(403);
    expect(registry.find('http://example.org/topic')).not.equal(undefined);
    // What is no topic is theirs as before.
    expect(
      await statusOf(() =>
        store.update(writer, 'Basic', 'n', () => ({ ...note, author: { display: 'x' } }) as Resource),
      ),
    ).equal(200);
  });
});

async function statusOf(work: () => Promise<unknown>): Promise<number> {
  try {
    await work();
    return 200;
  } catch (error) {
    if (error instanceof FhirError) return error.status;
    throw error;
  }
}
