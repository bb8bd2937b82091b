/** Messages that share a transaction: each as it would be alone, none for another's fault. docs/gateway.md "Together" */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { createTransactionGroup, type Transact } from '../../src/gateways/transaction-group.ts';
import { happenedAt } from '../../src/mapping/hl7v2/happened-at.ts';
import { mapToFhir } from '../../src/mapping/hl7v2/map-to-fhir.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { criteriaOf as criteriaIn } from '../../src/rest/criteria.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { type ApplyMessage, createApplyMessage } from '../../src/workflow/apply-message.ts';
import { messageOf } from '../standards/hl7v2/samples.ts';
import { withClient } from '../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const RECEIVED_AT = Date.UTC(2026, 2, 2, 20);
const WARM_UP = 'warm-up';

/** A message about patient `n`. */
interface Sent {
  readonly n: string;
  readonly time: string;
  readonly name: string;
  readonly ward?: string;
}

describe('gateway › messages in one transaction', () => {
  let world: PolicyStore;
  let apply: ApplyMessage;
  let transactions = 0;
  let together: Transact;
  before(async () => {
    world = await openPolicyStore();
    const { store, services, clock } = world;
    const criteriaOf = (type: string, query: string) => criteriaIn(services, type, query);
    apply = createApplyMessage({ ...services, criteriaOf, newId: store.newId, now: clock.now });
    together = createTransactionGroup((work) => {
      transactions++;
      return store.transaction(ROOT, work);
    });
    await receive({ n: WARM_UP, time: '0800', name: 'WARD', ward: 'WARD' });
  });
  beforeEach(() => {
    transactions = 0;
  });
  after(() => world.stop());

  async function log(text: string): Promise<string> {
    const id = world.store.newId();
    const [raw, hash] = [Buffer.from(text), createHash('sha256').update(text).update(id).digest()];
    const receivedAt = world.clock.now();
    await world.store.messages.receive({ id, direction: 'in', dialect: 'hl7v2', kind: 'test', hash, raw, receivedAt });
    return id;
  }

  /** Logs and applies a message; resolves to its id and the versions it made. */
  async function receive(sent: Sent, through: Transact = together) {
    const { n, time, name, ward = 'WARD' } = sent;
    const message = messageOf(
      `MSH|^~\\&|PAS|RXX|MORTAR|RXX|20260302${time}||ADT^A08|${n}-${time}|P|2.5.1|||||GBR`,
      `PID|1||${n}^^^PAS^MR||${name}||19840517|F`,
      `PV1|1|I|${ward}||||||||||||||||V${n}^^^PAS^VN|||||||||||||||||||||||||202603020900`,
    );
    const { value } = mapToFhir(message, { receivedAt: RECEIVED_AT, timeZone: 'Europe/London' });
    if (value === undefined) throw new Error('it is not mapped');
    const id = await log(`${n} ${time} ${name}`);
    const saying = { feed: 'PAS|RXX', at: happenedAt(message, RECEIVED_AT, 'Europe/London') };
    const origin = { kind: 'test', sender: { display: 'PAS' }, messageId: id, saying };
    let made: readonly string[] = [];
    await through((tx) =>
      apply(tx, value, origin, async (resources) => {
        made = resources;
        const settled = await tx.messages.settle(id, { state: 'applied', answer: Buffer.from(`AA ${n}`), resources });
        if (!settled) throw new Error('it was applied before');
      }),
    );
    return { id, made };
  }

  const patientsOf = async (n: string): Promise<readonly Resource[]> => {
    const criteria = criteriaIn(world.services, 'Patient', `identifier=${n}`);
    const [found = []] = await world.store.transaction(ROOT, (tx) => tx.findCurrent([criteria], 5));
    return found.map(({ content }) => JSON.parse(content) as Resource);
  };
  const familyOf = ({ name }: Resource): unknown => (name as readonly { family: string }[])[0]?.family;
  const versionOf = ({ meta }: Resource): unknown => (meta as { versionId: string }).versionId;
  const transactionsOf = async (ids: readonly string[]): Promise<number> =>
    withClient(world.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        'select count(distinct xmin::text) n from mortar.message where id = any($1)',
        [ids],
      );
      return Number(rows[0].n);
    });

  it('those that come at once are one transaction; each has its own resources, Provenance and answer', async () => {
    const sent = Array.from({ length: 12 }, (_, i) => ({ n: `A${i}`, time: '0900', name: `NAME${i}` }));
    const received = await Promise.all(sent.map((one) => receive(one)));
    expect(await transactionsOf(received.map(({ id }) => id))).below(4);
    for (const [i, { id, made }] of received.entries()) {
      const [patient, ...more] = await patientsOf(`A${i}`);
      expect(more).eql([]);
      expect(familyOf(patient as Resource)).equal(`NAME${i}`);
      expect(made.map((version) => version.split('/')[0]).toSorted()).eql(['Encounter', 'Patient', 'Provenance']);
      expect(made).include(`Patient/${String(patient?.['id'])}/_history/1`);
      const provenance = made.find((version) => version.startsWith('Provenance/'))?.split('/')[1] ?? '';
      const { content } = await world.store.read(ROOT, 'Provenance', provenance);
      const { target } = JSON.parse(content) as { target: { reference: string }[] };
      expect(target.map(({ reference }) => reference).toSorted()).eql(
        made.filter((version) => !version.startsWith('Provenance/')).toSorted(),
      );
      const logged = await world.store.messages.read(ROOT, id);
      expect(logged.state).equal('applied');
      expect(logged.answer?.toString()).equal(`AA A${i}`);
      expect(logged.resources).eql(made);
    }
  });

  it('two about the same patient are one after the other', async () => {
    await Promise.all([
      receive({ n: 'B1', time: '0900', name: 'FIRST' }),
      receive({ n: 'B2', time: '0900', name: 'OTHER' }),
      receive({ n: 'B1', time: '0910', name: 'SECOND' }),
    ]);
    expect((await patientsOf('B1')).map(familyOf)).eql(['SECOND']);
    // And where the patient is known already.
    await Promise.all([
      receive({ n: 'B1', time: '0920', name: 'THIRD' }),
      receive({ n: 'B2', time: '0920', name: 'MORE' }),
      receive({ n: 'B1', time: '0930', name: 'FOURTH' }),
    ]);
    expect((await patientsOf('B1')).map(familyOf)).eql(['FOURTH']);
  });

  it('a ward that several name first is made once', async () => {
    const sent = Array.from({ length: 6 }, (_, i) => ({ n: `C${i}`, time: '0900', name: 'ANY', ward: 'NEWWARD' }));
    const made = (await Promise.all(sent.map((one) => receive(one)))).flatMap((one) => one.made);
    expect(made.filter((version) => version.startsWith('Location/')).length).equal(1);
    expect(made.filter((version) => version.startsWith('Patient/')).length).equal(6);
  });

  it('what of a message comes late is told of that one alone', async () => {
    await receive({ n: 'D1', time: '0930', name: 'LATEST' });
    await Promise.all([
      receive({ n: 'D1', time: '0910', name: 'EARLIER' }),
      receive({ n: 'D2', time: '0910', name: 'NEW' }),
    ]);
    expect((await patientsOf('D1')).map(familyOf)).eql(['LATEST']);
    expect((await patientsOf('D2')).map(familyOf)).eql(['NEW']);
  });

  for (const [what, fault] of [
    ['content at fault', new FhirError(422, [{ severity: 'error', code: 'value' }])],
    ['a fault of ours', new Error('a bug')],
  ] as const)
    for (const when of ['before it asks for anything', 'after it has sent a job', 'when all is written'] as const)
      it(`${what}, ${when}: the others are applied, once, and it has its own error`, async () => {
        const names = [0, 1, 2].map((i) => `E-${what}-${when}-${i}`.replaceAll(' ', '-'));
        const bad = together(async (tx) => {
          if (when === 'before it asks for anything') throw fault;
          if (when === 'after it has sent a job') {
            await tx.jobs.add([{ kind: 'never', payload: { what } }]);
            throw fault;
          }
          await tx.write([{ kind: 'create', id: world.store.newId(), resource: { resourceType: 'Basic' } }], () => {
            throw fault;
          });
        }).catch((error: unknown) => error);
        const received = Promise.all(names.map((n) => receive({ n, time: '0900', name: 'GOOD' })));
        expect(await bad).equal(fault);
        for (const { id } of await received) {
          const logged = await world.store.messages.read(ROOT, id);
          expect([logged.state, logged.attempts]).eql(['applied', 1]);
        }
        for (const n of names) expect((await patientsOf(n)).map(versionOf)).eql(['1']);
        await withClient(world.database.connection('owner'), async (client) => {
          expect((await client.query(`select 1 from mortar.job where kind = 'never'`)).rowCount).equal(0);
          expect((await client.query('select 1 from fhir.basic')).rowCount).equal(0);
        });
      });

  it('[RL-12] one that was applied meanwhile is not applied again, and the others are', async () => {
    const first = await receive({ n: 'F1', time: '0900', name: 'ONCE' });
    const again = together((tx) =>
      tx
        .write([{ kind: 'create', id: world.store.newId(), resource: { resourceType: 'Basic' } }], async () => {
          const settled = await tx.messages.settle(first.id, { state: 'applied', resources: [] });
          if (!settled) throw new Error('applied before');
        })
        .then(() => 'applied'),
    ).catch((error: Error) => error.message);
    const [other] = await Promise.all([receive({ n: 'F2', time: '0900', name: 'OTHER' }), again]);
    expect(await again).equal('applied before');
    expect((await world.store.messages.read(ROOT, first.id)).resources).eql(first.made);
    expect((await world.store.messages.read(ROOT, other.id)).state).equal('applied');
    await withClient(world.database.connection('owner'), async (client) => {
      expect((await client.query('select 1 from fhir.basic')).rowCount).equal(0);
    });
  });

  it('a mixture of many messages about few patients leaves what they leave one after another', async () => {
    const steps = ['0900', '0910', '0920', '0930'].flatMap((time, step) =>
      Array.from({ length: 10 }, (_, i) => ({ n: String(i), time, name: `STEP${step}`, ward: `W${step}` })),
    );
    const shuffled = steps.toSorted((a, b) => hashOf(a).localeCompare(hashOf(b)));
    const received = await Promise.all(shuffled.map((one) => receive({ ...one, n: `G${one.n}` })));
    expect(new Set(received.map(({ id }) => id)).size).equal(40);
    for (const one of steps) await receive({ ...one, n: `H${one.n}` }, (work) => world.store.transaction(ROOT, work));
    for (let i = 0; i < 10; i++) {
      const [[mixed, ...more], [inTurn]] = await Promise.all([patientsOf(`G${i}`), patientsOf(`H${i}`)]);
      expect(more).eql([]);
      expect(familyOf(mixed as Resource)).equal('STEP3');
      expect(familyOf(mixed as Resource)).equal(familyOf(inTurn as Resource));
    }
    for (const { id } of received) expect((await world.store.messages.read(ROOT, id)).state).equal('applied');
  });

  it('a lone one is not delayed, and is one transaction', async () => {
    await receive({ n: 'I1', time: '0900', name: 'LONE' });
    expect(transactions).equal(1);
  });
});

const hashOf = ({ n, time }: Sent): string => createHash('sha256').update(`${n} ${time}`).digest('hex');
