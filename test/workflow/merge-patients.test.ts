/** HL7 v2 merges in the store: links, numbers, and what refers to the record that gave way. */
import { expect } from 'chai';
import { mapToFhir } from '../../src/mapping/hl7v2/map-to-fhir.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { criteriaOf as criteriaIn } from '../../src/rest/criteria.ts';
import { parseJson } from '../../src/standards/fhir/json.ts';
import type { Message } from '../../src/standards/hl7v2/message.ts';
import { type ApplyMessage, createApplyMessage } from '../../src/workflow/apply-message.ts';
import { MERGE_REFERENCES, moveRest } from '../../src/workflow/merge-patients.ts';
import { header, messageOf } from '../standards/hl7v2/samples.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const pid = (number: string, more = ''): string => `PID|1||${number}^^^RXX^MR||TESTPATIENT^AMELIA||19840517|F${more}`;
const visit = 'PV1|1|I|W12||||||||||||||||';

describe('workflow › merge patients', () => {
  let world: PolicyStore;
  let apply: ApplyMessage;
  before(async () => {
    world = await openPolicyStore();
    const { store, services, clock } = world;
    const criteriaOf = (type: string, query: string) => criteriaIn(services, type, query);
    apply = createApplyMessage({ ...services, criteriaOf, newId: store.newId, now: clock.now });
  });
  after(() => world.stop());

  /** The versions it wrote. */
  async function receive(message: Message): Promise<readonly string[]> {
    const { value, issues } = mapToFhir(message, { receivedAt: world.clock.now(), timeZone: 'Europe/London' });
    if (value === undefined) throw new Error(JSON.stringify(issues));
    let written: readonly string[] = [];
    const origin = { kind: 'ADT', sender: { display: 'PAS' }, messageId: world.store.newId() };
    await world.store.transaction(ROOT, (tx) =>
      apply(tx, value, origin, async (versions) => {
        written = versions;
      }),
    );
    return written;
  }
  const admit = (number: string, place: string) =>
    receive(messageOf(header('ADT^A01'), pid(number), `${visit}${place}`, 'AL1|1|DA|294505008^Penicillin^SCT'));
  const merge = (to: string, from: string) => receive(messageOf(header('ADT^A40'), pid(to), `MRG|${from}^^^RXX^MR`));
  async function one(type: string, query: string): Promise<Resource & { id: string; link?: unknown[] }> {
    const [id, another] = await world.ids(ROOT, `${type}?${query}`);
    if (id === undefined || another !== undefined) throw new Error(`${type}?${query}: ${id} ${another}`);
    return parseJson((await world.store.read(ROOT, type, id)).content) as Resource & { id: string };
  }
  const idsOf = (number: string) => world.ids(ROOT, `Patient?identifier=urn:v2:RXX:RXX|${number}`);

  it('what referred to the record that gave way refers to the one that stays', async () => {
    await admit('A1', 'V1');
    await admit('A2', 'V2');
    const [survivor, retired] = [(await idsOf('A1'))[0], (await idsOf('A2'))[0]];
    await merge('A1', 'A2');
    for (const type of ['Encounter', 'AllergyIntolerance']) {
      expect(await world.ids(ROOT, `${type}?patient=Patient/${retired}`), type).eql([]);
      expect((await world.ids(ROOT, `${type}?patient=Patient/${survivor}`)).length, type).equal(2);
    }
    const [stays, gone] = [await one('Patient', `_id=${survivor}`), await one('Patient', `_id=${retired}`)];
    expect([stays['active'], gone['active']]).eql([true, false]);
    expect(stays.link).eql([{ other: { reference: `Patient/${retired}` }, type: 'replaces' }]);
    expect(gone.link).eql([{ other: { reference: `Patient/${survivor}` }, type: 'replaced-by' }]);
  });

  it('the same merge again changes nothing', async () => expect(await merge('A1', 'A2')).eql([]));

  it('a later message under the old number means the record that stays', async () => {
    await admit('A2', 'V3');
    const survivor = (await idsOf('A1'))[0];
    const encounter = await one('Encounter', 'identifier=urn:v2:RXX:visit|V3');
    expect(encounter['subject']).deep.include({ reference: `Patient/${survivor}` });
    expect((await one('Patient', `_id=${(await idsOf('A2')).find((id) => id !== survivor)}`))['active']).equal(false);
  });

  it('merges in a chain end at the last', async () => {
    await admit('A3', 'V4');
    await merge('A3', 'A1');
    const [last] = await idsOf('A3');
    for (const number of ['V1', 'V2', 'V3', 'V4']) {
      const encounter = await one('Encounter', `identifier=urn:v2:RXX:visit|${number}`);
      expect(encounter['subject'], number).deep.include({ reference: `Patient/${last}` });
    }
    await admit('A1', 'V5');
    expect((await one('Encounter', 'identifier=urn:v2:RXX:visit|V5'))['subject']).deep.include({
      reference: `Patient/${last}`,
    });
  });

  it('a record nobody knew is made as one that gave way', async () => {
    await merge('A9', 'A8');
    const gone = (await idsOf('A8')).length;
    expect([gone, (await idsOf('A9')).length]).eql([2, 1]);
  });

  describe('A43: numbers that were entered for another', () => {
    const move = (to: string, from: string) => receive(messageOf(header('ADT^A43'), to, `MRG|${from}`));
    const numbersOf = (resource: Resource): unknown[] =>
      (resource['identifier'] as { value: string }[]).map(({ value }) => value).toSorted();

    it('they are the other’s from now on; a record that keeps a number stays as it is, with all that is recorded', async () => {
      await admit('M1', 'X1');
      await receive(messageOf(header('ADT^A31'), 'PID|1||M1^^^RXX^MR~M2^^^RXX^PI||Moved^Mia'));
      await admit('M9', 'X9');
      const [source, target] = [(await idsOf('M1'))[0], (await idsOf('M9'))[0]];
      await move('PID|1||M9^^^RXX^MR~M2^^^RXX^PI||Right^Rita', 'M2^^^RXX^PI');
      const [before, after] = [await one('Patient', `_id=${source}`), await one('Patient', `_id=${target}`)];
      expect([numbersOf(before), numbersOf(after)]).eql([['M1'], ['M2', 'M9']]);
      expect([before['active'], before.link, after.link]).eql([true, undefined, undefined]);
      expect((await one('Encounter', 'identifier=urn:v2:RXX:visit|X1'))['subject']).deep.include({
        reference: `Patient/${source}`,
      });
      expect(await idsOf('M2'), 'later messages under it mean the other').eql([target]);
    });
    it('the same again changes nothing', async () =>
      expect(await move('PID|1||M9^^^RXX^MR~M2^^^RXX^PI||Right^Rita', 'M2^^^RXX^PI')).eql([]));
    it('a record that has no number left gives way, as in a merge', async () => {
      await admit('N1', 'Y1');
      await admit('N9', 'Y9');
      const [source, target] = [(await idsOf('N1'))[0], (await idsOf('N9'))[0]];
      await move(pid('N9'), 'N1^^^RXX^MR');
      const [gone, stays] = [await one('Patient', `_id=${source}`), await one('Patient', `_id=${target}`)];
      expect([gone['active'], gone.link]).eql([
        false,
        [{ other: { reference: `Patient/${target}` }, type: 'replaced-by' }],
      ]);
      expect(numbersOf(stays)).eql(['N1', 'N9']);
      expect((await world.ids(ROOT, `Encounter?patient=Patient/${target}`)).length).equal(2);
      expect(await move(pid('N9'), 'N1^^^RXX^MR'), 'again').eql([]);
    });
    it('numbers that nobody has yet are given to the patient, who is made', async () => {
      await move(pid('O9'), 'O1^^^RXX^MR');
      expect(await idsOf('O1')).eql(await idsOf('O9'));
    });
    it('several records in one message', async () => {
      for (const number of ['P1', 'P2', 'P9']) await admit(number, `Z${number}`);
      const target = (await idsOf('P9'))[0];
      await receive(messageOf(header('ADT^A43'), pid('P9'), 'MRG|P1^^^RXX^MR', pid('O9'), 'MRG|P2^^^RXX^MR'));
      expect((await idsOf('P1')).includes(target as string)).equal(true);
      expect((await idsOf('P2')).includes((await idsOf('O9'))[0] as string)).equal(true);
    });
    it('one who has no other number than those that move is refused: nobody could tell the two apart', () => {
      const { value, issues } = mapToFhir(messageOf(header('ADT^A43'), pid('Q1'), 'MRG|Q1^^^RXX^MR'), {
        receivedAt: 0,
        timeZone: 'Europe/London',
      });
      expect(value).equal(undefined);
      expect(issues.map(({ severity, expression }) => `${severity} ${expression?.[0]}`)).include('error PID-3');
    });
  });

  it('A45 gives a visit to another patient', async () => {
    await admit('B1', 'W1');
    await receive(messageOf(header('ADT^A45'), pid('B2'), 'MRG|B1^^^RXX^MR||||W1'));
    const [other] = await idsOf('B2');
    const moved = await one('Encounter', 'identifier=urn:v2:RXX:visit|W1');
    expect([moved['status'], moved['subject']]).deep.equal(['in-progress', { reference: `Patient/${other}` }]);
  });

  describe('that are two after all (A37)', () => {
    const part = (one: string, other: string) => receive(messageOf(header('ADT^A37'), pid(one), pid(other)));
    const subjectOf = async (visitNumber: string) =>
      ((await one('Encounter', `identifier=urn:v2:RXX:visit|${visitNumber}`))['subject'] as { reference: string })
        .reference;

    it('have what was theirs again; what came since the merge stays with the one that stayed', async () => {
      await admit('U1', 'U-V1');
      await admit('U2', 'U-V2');
      const [stays, gone] = [(await idsOf('U1'))[0], (await idsOf('U2'))[0]];
      const before = await one('Patient', `_id=${gone}`);
      const ownBefore = await one('Patient', `_id=${stays}`);
      await merge('U1', 'U2');
      await admit('U2', 'U-V3');
      await part('U2', 'U1');
      const [first, second] = [await one('Patient', `_id=${stays}`), await one('Patient', `_id=${gone}`)];
      expect([first.link, second.link, second['active']]).eql([undefined, undefined, true]);
      expect(second['identifier']).eql(before['identifier']);
      expect(first['identifier']).eql(ownBefore['identifier']);
      expect([await subjectOf('U-V1'), await subjectOf('U-V2'), await subjectOf('U-V3')]).eql([
        `Patient/${stays}`,
        `Patient/${gone}`,
        `Patient/${stays}`,
      ]);
      expect((await world.ids(ROOT, `AllergyIntolerance?patient=Patient/${gone}`)).length).equal(1);
      await admit('U2', 'U-V4');
      expect(await subjectOf('U-V4'), 'its number means it again').equal(`Patient/${gone}`);
      expect(await part('U1', 'U2'), 'a second time').eql([]);
    });

    it('and were only linked lose the links', async () => {
      await receive(messageOf(header('ADT^A24'), pid('L1'), pid('L2')));
      expect((await one('Patient', `_id=${(await idsOf('L1'))[0]}`)).link?.length).equal(1);
      await part('L1', 'L2');
      for (const number of ['L1', 'L2'])
        expect((await one('Patient', `_id=${(await idsOf(number))[0]}`)).link, number).equal(undefined);
    });

    it('and that nobody knows are none of ours', async () => expect(await part('N1', 'N2')).eql([]));
  });

  it('more than one transaction takes are moved by a job, and moved back when they are parted', async () => {
    await admit('B1', 'B-V1');
    await admit('B2', 'B-V2');
    const [stays, gone] = [(await idsOf('B1'))[0] as string, (await idsOf('B2'))[0] as string];
    const flag = (): Resource => ({
      resourceType: 'Flag',
      status: 'active',
      code: { text: 'note' },
      subject: { reference: `Patient/${gone}` },
    });
    for (let n = 0; n < 3; n++)
      await world.store.transaction(ROOT, (tx) =>
        tx.write(
          Array.from({ length: 250 }, () => ({ kind: 'create' as const, id: world.store.newId(), resource: flag() })),
        ),
      );
    await merge('B1', 'B2');
    const count = async (id: string): Promise<number> => (await world.ids(ROOT, `Flag?patient=Patient/${id}`)).length;
    expect((await count(stays)) + (await count(gone))).equal(750);
    expect(await count(gone)).greaterThan(0);
    const [job] = await world.store.jobs.take({ kinds: [MERGE_REFERENCES], limit: 10, leaseMs: 60_000 });
    const criteriaOf = (type: string, query: string) => criteriaIn(world.services, type, query);
    const origin = { kind: 'ADT^A40', messageId: String(job?.payload['message']), sender: { display: 'Mortar' } };
    const all = { ...world.services, criteriaOf, store: world.store, caller: ROOT, now: world.clock.now };
    await moveRest(all, { retiredId: gone, survivorId: stays }, origin);
    expect([await count(gone), await count(stays)]).eql([0, 750]);
    await receive(messageOf(header('ADT^A37'), pid('B1'), pid('B2')));
    expect([await count(gone), await count(stays)]).eql([750, 0]);
    expect(await moveRest(all, { retiredId: gone, survivorId: stays }, origin), 'they are two').equal(0);
  });
});
