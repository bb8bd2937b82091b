/** Messages in any order leave what they leave in the order in which things happened. Reference 11.4 */
import { expect } from 'chai';
import { happenedAt } from '../../src/mapping/hl7v2/happened-at.ts';
import { mapToFhir } from '../../src/mapping/hl7v2/map-to-fhir.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { criteriaOf as criteriaIn } from '../../src/rest/criteria.ts';
import type { Message } from '../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../src/standards/hl7v2/parse.ts';
import { type ApplyMessage, createApplyMessage } from '../../src/workflow/apply-message.ts';
import { messageOf } from '../standards/hl7v2/samples.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const RECEIVED_AT = Date.UTC(2026, 2, 2, 20);
const CONTEXT = { receivedAt: RECEIVED_AT, timeZone: 'Europe/London' };

/** Of patient `n`, at a time of the day. */
type Step = readonly [kind: string, time: string, ...segments: string[]];
const STAY: readonly Step[] = [
  [
    'ADT^A01',
    '0900',
    'PID|1||N^^^PAS^MR||ONE^ANN||19840517|F|||1 ROAD||0207 000 0000',
    'PV1|1|I|WARD^1^A||||||||||||||||VN^^^PAS^VN|||||||||||||||||||||||||202603020900',
  ],
  [
    'ADT^A08',
    '0910',
    'PID|1||N^^^PAS^MR||TWO^ANN||19840517|F|||2 ROAD||""',
    'PV1|1|I|WARD^1^A||||||||||||||||VN^^^PAS^VN|||||||||||||||||||||||||202603020900',
  ],
  [
    'ADT^A02',
    '0920',
    'PID|1||N^^^PAS^MR||TWO^ANN||19840517|F',
    'PV1|1|I|WARD^2^B||||||||||||||||VN^^^PAS^VN|||||||||||||||||||||||||202603020900',
  ],
  [
    'ADT^A03',
    '0930',
    'PID|1||N^^^PAS^MR||TWO^ANN||19840517|F|||3 ROAD',
    'PV1|1|I|WARD^2^B||||||||||||||||VN^^^PAS^VN|||||||||||||||||||||||||202603020900|202603020930',
  ],
];
const BOOKING: readonly Step[] = [
  [
    'SIU^S12',
    '0900',
    'SCH||F-N^PAS||||||||30|MIN',
    'TQ1|1||||||202604010900|202604010930',
    'PID|1||N^^^PAS^MR||ONE^ANN',
    'RGS|1|A',
    'AIL|1|A|CLINIC',
  ],
  [
    'SIU^S13',
    '0910',
    'SCH||F-N^PAS||||||||30|MIN',
    'TQ1|1||||||202604021000|202604021030',
    'PID|1||N^^^PAS^MR||ONE^ANN',
    'RGS|1|A',
    'AIL|1|A|CLINIC',
  ],
  [
    'SIU^S15',
    '0920',
    'SCH||F-N^PAS||||ILL||||30|MIN',
    'TQ1|1||||||202604021000|202604021030',
    'PID|1||N^^^PAS^MR||ONE^ANN',
    'RGS|1|A',
    'AIL|1|A|CLINIC',
  ],
];

function* permutations<T>(list: readonly T[]): Generator<readonly T[]> {
  if (list.length === 0) yield [];
  for (const [i, one] of list.entries())
    for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [one, ...rest];
}

describe('workflow › messages that come late', () => {
  let world: PolicyStore;
  let apply: ApplyMessage;
  before(async () => {
    world = await openPolicyStore();
    const { store, services, clock } = world;
    const criteriaOf = (type: string, query: string) => criteriaIn(services, type, query);
    apply = createApplyMessage({ ...services, criteriaOf, newId: store.newId, now: clock.now });
  });
  after(() => world.stop());

  async function receive(
    message: Message,
    feed = 'PAS|RXX',
  ): Promise<{ written: readonly string[]; late: readonly string[] }> {
    const { value } = mapToFhir(message, CONTEXT);
    if (value === undefined) throw new Error('it is not mapped');
    const saying = { feed, at: happenedAt(message, RECEIVED_AT, 'Europe/London') };
    const origin = { kind: 'test', sender: { display: 'PAS' }, messageId: world.store.newId(), saying };
    let told = { written: [] as readonly string[], late: [] as readonly string[] };
    await world.store.transaction(ROOT, (tx) =>
      apply(tx, value, origin, async (written, late) => {
        told = { written, late };
      }),
    );
    return told;
  }
  const messageAt = ([kind, time, ...segments]: Step, n: string): Message =>
    messageOf(
      `MSH|^~\\&|PAS|RXX|MORTAR|RXX|20260302${time}||${kind}|${kind}-${time}-${n}|P|2.5.1|||||GBR`,
      ...segments.map((text) =>
        text.replaceAll('N^^^PAS^MR', `${n}^^^PAS^MR`).replace('VN^^^', `V${n}^^^`).replace('F-N', `F-${n}`),
      ),
    );
  async function stateOf(type: string, identifier: string): Promise<Resource> {
    const criteria = criteriaIn(world.services, type, `identifier=${identifier}`);
    const [found = []] = await world.store.transaction(ROOT, (tx) => tx.findCurrent([criteria], 2));
    expect(found.length).equal(1);
    return JSON.parse(found[0]?.content ?? '') as Resource;
  }
  /** Without what differs from patient to patient. */
  function essence({ id: _, meta: _m, identifier: _i, subject: _s, location = [], ...rest }: Resource): unknown {
    const places = (location as { location: { reference: string } }[]).map(({ location: { reference } }) => reference);
    const { participant, ...more } = rest as Record<string, unknown>;
    return { ...more, places, count: (participant as unknown[] | undefined)?.length };
  }

  let number = 0;
  for (const [name, steps, found] of [
    [
      'a stay',
      STAY,
      [
        ['Patient', ''],
        ['Encounter', 'V'],
      ],
    ],
    ['an appointment', BOOKING, [['Appointment', 'F-']]],
  ] as const)
    it(`${name}: every order of its ${steps.length} messages leaves the same`, async () => {
      let expected: unknown;
      for (const order of permutations(steps)) {
        number += 1;
        for (const step of order) await receive(messageAt(step, `P${number}`));
        const state = [];
        for (const [type, prefix] of found) state.push(essence(await stateOf(type, `${prefix}P${number}`)));
        expected ??= state;
        expect(state, order.map(([kind]) => kind).join()).eql(expected);
      }
    });

  it('a stay in order: what is said last stays, and what was taken away stays away', async () => {
    for (const step of STAY.toReversed()) await receive(messageAt(step, 'R'));
    const patient = await stateOf('Patient', 'R');
    expect(patient['telecom']).equal(undefined);
    expect(patient['name']).eql([{ use: 'official', family: 'TWO', given: ['ANN'] }]);
    expect((patient['address'] as { line: string[] }[])[0]?.line).eql(['3 ROAD']);
    expect((await stateOf('Encounter', 'VR'))['status']).equal('finished');
  });

  it('what is late is told, makes no version, and keeps no other sender from saying something', async () => {
    const [admission, update] = STAY as readonly [Step, Step];
    await receive(messageAt(update, 'T'));
    const { late, written } = await receive(messageAt(admission, 'T'));
    expect(late).eql(['Patient', 'Encounter']);
    expect(written.filter((one) => one.startsWith('Patient/'))).eql([]);
    const again = await receive(messageAt(admission, 'T'), 'LAB|RXX');
    expect(again.late).eql([]);
    expect((await stateOf('Patient', 'T'))['name']).eql([{ use: 'official', family: 'ONE', given: ['ANN'] }]);
  });

  it('messages about one patient that come at once leave what they leave one after another', async () => {
    const family = (n: number): Step => ['ADT^A31', `10${String(10 + n)}`, `PID|1||N^^^PAS^MR||F${n}^ANN`];
    const all = Array.from({ length: 12 }, (_, n) => messageAt(family(n), 'C'));
    await receive(messageAt(['ADT^A28', '1000', 'PID|1||N^^^PAS^MR||F0^ANN'], 'C'));
    await Promise.all(all.toSorted(() => 0.5 - Math.random()).map((message) => receive(message)));
    expect((await stateOf('Patient', 'C'))['name']).eql([{ use: 'official', family: 'F11', given: ['ANN'] }]);
  });

  it('a clock that is ahead is not believed, and of a day alone the hour is looked for', () => {
    const at = (msh7: string, evn = '') =>
      happenedAt(messageOf(`MSH|^~\\&|A|B|||${msh7}||ADT^A08|1|P|2.5`, evn), RECEIVED_AT, 'UTC');
    expect(at('20260302101500')).equal(Date.UTC(2026, 2, 2, 10, 15));
    expect(at('20260302101500', 'EVN||20260302101000')).equal(Date.UTC(2026, 2, 2, 10, 10));
    expect(at('20260302101500', 'EVN||20260302101000||||20260302100000')).equal(Date.UTC(2026, 2, 2, 10));
    expect(at('20260302101500', 'EVN||20260302')).equal(Date.UTC(2026, 2, 2, 10, 15));
    expect(at('2026030210', 'EVN||20990101101000')).equal(RECEIVED_AT);
    expect(at('never')).equal(RECEIVED_AT);
    expect(parseMessage(Buffer.from('MSH|^~\\&|A')).value && happenedAt(messageOf('MSH|^~\\&|A'), 7, 'UTC')).equal(7);
  });
});
