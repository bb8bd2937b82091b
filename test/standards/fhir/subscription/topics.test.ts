/** SubscriptionTopics as R4 carries them. https://hl7.org/fhir/R5/subscriptiontopic.html, docs/subscriptions.md */
import { expect } from 'chai';
import { createModel } from '../../../../src/standards/fhir/fhirpath/model.ts';
import { readTopic, type TopicContext } from '../../../../src/standards/fhir/subscription/read-topic.ts';
import { narrowTopic } from '../../../../src/standards/fhir/subscription/topic-filter.ts';
import { createTopicRegistry } from '../../../../src/standards/fhir/subscription/topic-registry.ts';
import { interactionOf, meetsQuery, type Topic } from '../../../../src/standards/fhir/subscription/topics.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { basicTopic, type TopicParts } from '../../../support/topics.ts';

const TYPES = new Map([
  ['status', 'token'],
  ['patient', 'reference'],
  ['date', 'date'],
  ['length', 'quantity'],
]);
const context: TopicContext = {
  model: createModel(testDefinitions()),
  isType: (type) => ['Encounter', 'Observation', 'Patient'].includes(type),
  parameterType: (_type, code) => TYPES.get(code),
  checkSearch: (_type, query) => (query.includes('colour') ? ["Unknown parameter 'colour'"] : []),
};
const trigger = { resource: 'Encounter' };
const topicOf = (parts: TopicParts): Topic => {
  const { value, issues } = readTopic(basicTopic(parts), context);
  expect(issues).deep.equal([]);
  return value as Topic;
};

describe('subscription › topics › reading', () => {
  it('reads what a topic says', () => {
    const topic = topicOf({
      url: 'http://example.org/topic',
      version: '2',
      title: 'A visit ends',
      resourceTrigger: [
        {
          resource: 'http://hl7.org/fhir/StructureDefinition/Encounter',
          supportedInteraction: ['create', 'update'],
          queryCriteria: { previous: 'status:not=finished', current: 'Encounter?status=finished', requireBoth: true },
        },
        { resource: 'Observation' },
      ],
      canFilterBy: [
        { resource: 'Encounter', filterParameter: 'patient' },
        { filterParameter: 'date', comparator: ['ge', 'lt'] },
      ],
      notificationShape: [
        {
          resource: 'Encounter',
          include: ['Encounter:patient&iterate=Patient.link', '_include=Encounter:location:Location'],
          revInclude: ['Observation:encounter'],
        },
      ],
    });
    expect(topic).deep.include({ url: 'http://example.org/topic', version: '2', title: 'A visit ends' });
    expect(topic.triggers.map(({ type, interactions }) => [type, ...interactions])).deep.equal([
      ['Encounter', 'create', 'update'],
      ['Observation', 'create', 'update', 'delete'],
    ]);
    expect(topic.triggers[0]?.query).deep.equal({
      previous: 'status:not=finished',
      current: 'status=finished',
      requireBoth: true,
    });
    expect(topic.filters?.map(({ type, parameter }) => `${type}:${parameter}`)).deep.equal([
      'Encounter:patient',
      'Encounter:date',
      'Observation:date',
    ]);
    expect(topic.shapes).deep.equal([
      {
        type: 'Encounter',
        query:
          '_include=Encounter:patient&_include:iterate=Patient:link&_include=Encounter:location:Location' +
          '&_revinclude=Observation:encounter',
      },
    ]);
  });

  it('one that is not in use says nothing of changes, however little of it is there', () => {
    for (const status of ['draft', 'retired', 'unknown'])
      expect(readTopic(basicTopic({ status }), context)).deep.equal({ issues: [] });
  });

  it('tells of every fault at once, where the status is missing too', () => {
    const { issues } = readTopic(
      basicTopic({ status: undefined, url: 'no address', resourceTrigger: [{ ...trigger, resource: 'Patiend' }] }),
      context,
    );
    expect(issues.map(({ diagnostics }) => diagnostics?.split(':')[0])).deep.equal([
      'status is missing',
      'url is an absolute URI without version or fragment',
      "'Patiend' is no type whose changes are told",
    ]);
  });

  const REFUSED: readonly (readonly [title: string, parts: TopicParts, words: string])[] = [
    ['no status', { status: undefined, resourceTrigger: [trigger] }, 'status is missing'],
    ['another status', { status: 'on', resourceTrigger: [trigger] }, 'status is one of'],
    ['no url', { url: undefined, resourceTrigger: [trigger] }, 'url is missing'],
    ['a url that is none', { url: 'topic', resourceTrigger: [trigger] }, 'absolute URI'],
    ['a url with a version', { url: 'http://example.org/a|1', resourceTrigger: [trigger] }, 'absolute URI'],
    [
      'a url of the server',
      { url: 'https://mortar-fhir.org/SubscriptionTopic/patient-change', resourceTrigger: [trigger] },
      'topic of the server',
    ],
    ['a version with |', { version: '1|2', resourceTrigger: [trigger] }, 'version has no |'],
    ['no trigger', {}, 'resourceTrigger is missing'],
    ['too many triggers', { resourceTrigger: Array(21).fill(trigger) }, 'at most 20 triggers'],
    ['a trigger of nothing', { resourceTrigger: [{}] }, 'resource is missing'],
    ['a type that is none', { resourceTrigger: [{ resource: 'Encountr' }] }, "'Encountr' is no type"],
    ['a type that is not told of', { resourceTrigger: [{ resource: 'AuditEvent' }] }, "'AuditEvent' is no type"],
    [
      'an interaction that is none',
      { resourceTrigger: [{ ...trigger, supportedInteraction: ['read'] }] },
      'supportedInteraction is one of',
    ],
    ['a misspelt element', { resourceTrigger: [{ ...trigger, supportedInteractions: ['create'] }] }, 'did you mean'],
    ['an element that is none', { colour: 'red', resourceTrigger: [trigger] }, "'colour' is no element"],
    ['criteria of nothing', { resourceTrigger: [{ ...trigger, queryCriteria: {} }] }, 'previous, current or both'],
    [
      'an unknown parameter',
      { resourceTrigger: [{ ...trigger, queryCriteria: { current: 'colour=red' } }] },
      "Unknown parameter 'colour'",
    ],
    [
      'a control',
      { resourceTrigger: [{ ...trigger, queryCriteria: { current: 'status=x&_count=1' } }] },
      'controls such as _count',
    ],
    [
      'a result that is none',
      { resourceTrigger: [{ ...trigger, queryCriteria: { current: 'status=x', resultForDelete: 'passes' } }] },
      'resultForDelete is test-passes or test-fails',
    ],
    [
      'an expression that is none',
      { resourceTrigger: [{ ...trigger, fhirPathCriteria: '%current.status = ' }] },
      'cannot be followed',
    ],
    [
      'an unknown function',
      { resourceTrigger: [{ ...trigger, fhirPathCriteria: '%current.status.shout()' }] },
      'cannot be followed',
    ],
    [
      'an unknown variable',
      { resourceTrigger: [{ ...trigger, fhirPathCriteria: '%previos.status.empty()' }] },
      '%previos is not known',
    ],
    [
      'an event of another kind',
      { resourceTrigger: [trigger], eventTrigger: [{ resource: 'Encounter' }] },
      'eventTrigger is not supported',
    ],
    [
      'a filter by nothing',
      { resourceTrigger: [trigger], canFilterBy: [{ resource: 'Encounter' }] },
      'filterParameter is missing',
    ],
    [
      'a filter by what is no parameter',
      { resourceTrigger: [trigger], canFilterBy: [{ filterParameter: '_in' }] },
      "no search parameter '_in'",
    ],
    [
      'a filter of another type',
      { resourceTrigger: [trigger], canFilterBy: [{ resource: 'Patient', filterParameter: 'status' }] },
      'No resourceTrigger is about Patient',
    ],
    [
      'a comparator that is none',
      { resourceTrigger: [trigger], canFilterBy: [{ filterParameter: 'date', comparator: ['about'] }] },
      "'about' is no comparator",
    ],
    [
      'a shape of nothing',
      { resourceTrigger: [trigger], notificationShape: [{ resource: 'Encounter', include: ['everything'] }] },
      'Type:parameter',
    ],
    [
      'a shape the wrong way round',
      { resourceTrigger: [trigger], notificationShape: [{ resource: 'Encounter', include: ['_revinclude=A:b'] }] },
      'Type:parameter',
    ],
  ];
  for (const [title, parts, words] of REFUSED)
    it(`refuses ${title}, saying what and where`, () => {
      const { value, issues } = readTopic(basicTopic(parts), context);
      expect(value).equal(undefined);
      const one = issues.find(({ diagnostics = '' }) => diagnostics.includes(words));
      expect(one, JSON.stringify(issues)).not.equal(undefined);
      expect(one?.expression?.[0]).match(/^Basic\b/);
    });

  it('is about nobody', () => {
    const topic = { ...basicTopic({ resourceTrigger: [trigger] }), subject: { reference: 'Patient/1' } };
    expect(readTopic(topic, context).issues[0]?.expression).deep.equal(['Basic.subject']);
  });
});

describe('subscription › topics › criteria', () => {
  /** Elements that are absent in all: what was not said. `+` holds, `-` does not, `.` there is no such side. */
  const QUERIES = [
    // previous, current of the resource; criteria; requireBoth; resultForCreate, resultForDelete
    ['+', '+', 'both', true, undefined, undefined, true],
    ['+', '-', 'both', true, undefined, undefined, false],
    ['-', '+', 'both', true, undefined, undefined, false],
    ['-', '+', 'both', false, undefined, undefined, true],
    ['+', '-', 'both', false, undefined, undefined, true],
    ['-', '-', 'both', false, undefined, undefined, false],
    ['.', '+', 'both', true, true, undefined, true],
    ['.', '+', 'both', true, false, undefined, false],
    ['.', '+', 'both', true, undefined, undefined, true],
    ['.', '-', 'both', true, true, undefined, false],
    ['.', '-', 'both', false, true, undefined, true],
    ['.', '-', 'both', false, undefined, undefined, false],
    ['+', '.', 'both', true, undefined, true, true],
    ['+', '.', 'both', true, undefined, false, false],
    ['-', '.', 'both', false, undefined, true, true],
    ['+', '.', 'both', false, undefined, false, true],
    ['-', '+', 'current', true, undefined, undefined, true],
    ['-', '+', 'current', false, undefined, undefined, true],
    ['+', '.', 'current', false, undefined, undefined, false],
    ['+', '.', 'current', false, undefined, true, true],
    ['.', '+', 'previous', false, undefined, undefined, false],
    ['.', '+', 'previous', false, true, undefined, true],
    ['+', '-', 'previous', true, undefined, undefined, true],
  ] as const;
  for (const [previous, current, which, requireBoth, forCreate, forDelete, expected] of QUERIES)
    it(`previous ${previous} current ${current}, ${which}, both ${requireBoth}, create ${forCreate}, delete ${forDelete}: ${expected}`, async () => {
      const query = {
        requireBoth,
        ...(which !== 'current' && { previous: 'p' }),
        ...(which !== 'previous' && { current: 'c' }),
        ...(forCreate !== undefined && { resultForCreate: forCreate }),
        ...(forDelete !== undefined && { resultForDelete: forDelete }),
      };
      const has = { previous: previous !== '.', current: current !== '.' };
      const met = await meetsQuery(query, has, async (side, search) => {
        expect(search).equal(side[0]);
        return (side === 'previous' ? previous : current) === '+';
      });
      expect(met).equal(expected);
    });

  it('what comes back after a deletion is created', () => {
    expect(interactionOf('create', false)).equal('create');
    expect(interactionOf('update', false)).equal('create');
    expect(interactionOf('patch', true)).equal('update');
    expect(interactionOf('delete', true)).equal('delete');
  });

  const encounter = (status: string) => ({ resourceType: 'Encounter', id: 'e', status, class: { code: 'AMB' } });
  const PATHS: readonly (readonly [string, string | undefined, string | undefined, boolean])[] = [
    ["%current.status = 'finished'", undefined, 'finished', true],
    ["%current.status = 'finished'", undefined, 'planned', false],
    ["%current.status = 'finished'", 'finished', undefined, false],
    [
      "(%previous.id.empty() or %previous.status != 'finished') and %current.status = 'finished'",
      'planned',
      'finished',
      true,
    ],
    [
      "(%previous.id.empty() or %previous.status != 'finished') and %current.status = 'finished'",
      'finished',
      'finished',
      false,
    ],
    [
      "(%previous.id.empty() or %previous.status != 'finished') and %current.status = 'finished'",
      undefined,
      'finished',
      true,
    ],
    ['%current.empty()', 'planned', undefined, true],
    ["Encounter.status = 'finished'", 'planned', 'finished', true],
    ["%resource.status = 'planned'", 'planned', undefined, true],
    ['%current.status', undefined, 'finished', true],
    ['%current.period', undefined, 'finished', false],
  ];
  for (const [path, before, now, expected] of PATHS)
    it(`${path} of ${before} → ${now}: ${expected}`, () => {
      const topic = topicOf({ resourceTrigger: [{ ...trigger, fhirPathCriteria: path }] });
      const isMet = topic.triggers[0]?.isMet;
      expect(
        isMet?.(now === undefined ? undefined : encounter(now), before === undefined ? undefined : encounter(before)),
      ).equal(expected);
    });

  it('[IN-31] an expression that takes too long is ended', () => {
    const path = "%current.statusHistory.exists(status = 'left')";
    const topic = topicOf({ resourceTrigger: [{ ...trigger, fhirPathCriteria: path }] });
    const long = { ...encounter('finished'), statusHistory: Array(100_001).fill({ status: 'planned' }) };
    expect(() => topic.triggers[0]?.isMet?.(long, undefined)).throw('too many steps');
  });
});

describe('subscription › topics › filters', () => {
  const topic = topicOf({
    resourceTrigger: [trigger, { resource: 'Observation' }],
    canFilterBy: [
      { resource: 'Encounter', filterParameter: 'patient' },
      { resource: 'Encounter', filterParameter: 'length', modifier: ['gt', 'le'] },
      { filterParameter: 'status', modifier: ['not'] },
    ],
  });
  const CASES: readonly (readonly [type: string, query: string, words: string | undefined])[] = [
    ['Encounter', 'patient=Patient/1', undefined],
    ['Encounter', 'patient=Patient/1&status=finished,planned', undefined],
    ['Encounter', 'status:not=finished', undefined],
    ['Observation', 'status=final', undefined],
    ['Encounter', 'length=gt5', undefined],
    ['Encounter', 'length=eq5', undefined],
    ['Encounter', 'length=5,le7', undefined],
    ['Encounter', 'status=lease', undefined],
    ['Encounter', '', undefined],
    ['Encounter', 'length=5,lt7', "'length' with 'lt'"],
    ['Encounter', 'patient:identifier=x', "'patient' with 'identifier'"],
    ['Encounter', 'patient.name=x', "by 'patient.name' of Encounter"],
    ['Encounter', 'patiant=x', 'did you mean patient'],
    ['Encounter', '_filter=status eq x', "by '_filter'"],
    ['Observation', 'patient=Patient/1', 'it can be by status'],
    ['Patient', 'name=x', 'of Encounter or Observation'],
  ];
  for (const [type, query, words] of CASES)
    it(`${type}?${query}: ${words ?? 'fits'}`, () => {
      const { faults } = narrowTopic(topic, [{ type, query }]);
      if (words === undefined) expect(faults).deep.equal([]);
      else expect(faults.join()).include(words);
    });

  it('several of one type must all hold; a type without is not narrowed', () => {
    const { parts } = narrowTopic(topic, [
      { type: 'Encounter', query: 'patient=Patient/1' },
      { type: 'Encounter', query: 'status=finished' },
    ]);
    expect(parts).deep.equal([
      { type: 'Encounter', query: 'patient=Patient/1&status=finished' },
      { type: 'Observation', query: '' },
    ]);
  });
});

describe('subscription › topics › by canonical', () => {
  const basic = (version: string | undefined, more: TopicParts = {}) =>
    basicTopic({ url: 'http://example.org/t', version, title: version ?? 'none', resourceTrigger: [trigger], ...more });

  it('without a version the newest counts, with one that; what is not in use is not found', () => {
    const topics = createTopicRegistry(context);
    for (const [i, version] of ['1.9', '1.10', '1.10-beta', undefined].entries())
      topics.put(`t${i}`, 1, basic(version));
    topics.put('draft', 1, basic('3', { status: 'draft' }));
    expect(topics.find('http://example.org/t|1.9')?.title).equal('1.9');
    expect(topics.find('http://example.org/t|3')).equal(undefined);
    expect(topics.list().length).equal(8);
    // The one without a version is what is named without.
    expect(topics.find('http://example.org/t')?.title).equal('none');
    topics.put('t3', 2, undefined);
    expect(topics.find('http://example.org/t')?.title).equal('1.10');
    topics.put('t1', 2, basic('1.10', { status: 'retired' }));
    expect(topics.find('http://example.org/t')?.title).equal('1.10-beta');
    // What is read late does not undo it.
    topics.put('t1', 1, basic('1.10'));
    expect(topics.find('http://example.org/t')?.title).equal('1.10-beta');
  });

  it('two of one url and version are refused; of two that raced every process takes the same', () => {
    const topics = createTopicRegistry(context);
    topics.put('b', 1, basic('1', { title: 'b' }));
    expect(topics.check('a', basic('1'))[0]?.diagnostics).include('Basic/b');
    expect(topics.check('a', basic('2'))).deep.equal([]);
    expect(topics.check('b', basic('1'))).deep.equal([]);
    expect(topics.check('a', basic('1', { status: 'draft' }))).deep.equal([]);
    expect(topics.check('a', { resourceType: 'Basic', code: { text: 'x' } })).deep.equal([]);
    topics.put('a', 1, basic('1', { title: 'a' }));
    expect(topics.find('http://example.org/t|1')?.title).equal('a');
  });

  it('there are at most 200', () => {
    const topics = createTopicRegistry(context);
    for (let i = 0; i < 200; i++) topics.put(`t${i}`, 1, basic(String(i)));
    expect(topics.check('one-more', basic('new'))[0]?.code).equal('too-costly');
    expect(topics.check('t1', basic('new'))).deep.equal([]);
  });
});
