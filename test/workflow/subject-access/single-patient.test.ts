/** A copy of one patient's record holds nothing of another: worlds with planted values. SECURITY DP-03 */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { createCipher } from '../../../src/pki/key-file.ts';
import { serviceCaller } from '../../../src/policy/service-caller.ts';
import type { StoredMessage } from '../../../src/ports/message-log.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import type { CopyProgress } from '../../../src/ports/subject-access.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { createCopyBook } from '../../../src/postgres/subject-access/copy-book.ts';
import { patientParametersBeside } from '../../../src/standards/fhir/search/patient-parameters.ts';
import { createTransform } from '../../../src/standards/fhir/transform.ts';
import { createCopyRecord, NOTHING_YET } from '../../../src/workflow/subject-access/copy-record.ts';
import type { CopyRecordParts } from '../../../src/workflow/subject-access/record-part.ts';
import { silentLog } from '../../support/log.ts';
import { BASE_URL, openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../../support/policy-store.ts';

/** Where values are planted that the copy of their owner must hold. */
const OWN = [
  ...['family', 'code0', 'value1', 'condition0', 'relation1', 'containedrelation0', 'inherited', 'procedure0'],
  ...['guidance0', 'contract1', 'task0', 'verified1'],
];
const MESSAGE = '00000000-0000-4000-8000-0000000000aa';

describe('workflow › subject access › one patient only', () => {
  let world: PolicyStore;
  let pools: Pools;
  let parts: CopyRecordParts;
  let bundleOfMessage: Resource;
  before(async () => {
    world = await openPolicyStore();
    pools = createPools({
      connection: world.database.connection('app'),
      readConnections: 1,
      writeConnections: 1,
      transactionConnections: 1,
      log: silentLog,
    });
    const { definitions } = world.services;
    parts = {
      store: world.store,
      caller: serviceCaller('jobs'),
      searchOf: parseQuery,
      types: ['Patient', ...Object.keys(definitions.compartments.Patient).filter((type) => type !== 'Patient')],
      beside: patientParametersBeside(definitions, world.services.parameters, 'any'),
      messages: {
        read: async (_caller, id) =>
          ({ id, kind: 'ADT^A01', receivedAt: world.clock.now(), raw: Buffer.alloc(0) }) as unknown as StoredMessage,
      },
      decode: () => bundleOfMessage,
      visits: { entriesOfPatient: async () => ({ visits: [] }) },
      deleted: { list: async () => ({ records: [] }) },
      transform: createTransform(definitions),
      baseUrl: BASE_URL,
      now: world.clock.now,
    };
  });
  after(async () => {
    await pools.end();
    await world.stop();
  });

  async function copyOf(patientId: string, source = parts): Promise<{ bundle: string; html: string; pages: number }> {
    const makePage = createCopyRecord(source);
    const made = { bundle: '', html: '', pages: 0 };
    for (let from: CopyProgress = NOTHING_YET; ; made.pages += 1) {
      const page = await makePage(patientId, from);
      if (!page) return made;
      made.bundle += page.page.bundle;
      made.html += page.page.html;
      from = page.done;
    }
  }

  const div = (words: string) => ({
    status: 'generated',
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${words}</div>`,
  });
  const idOf = (who: number): string => `p${who}`;
  /** A value that stands nowhere but where it is planted. */
  const plant = (who: number, where: string): string => `Zq${who}x${where}`;
  const to = (who: number, where: string, isNamed = true): Resource =>
    ({
      reference: isNamed ? `Patient/${idOf(who)}` : `${BASE_URL}/Patient/${idOf(who)}`,
      display: plant(who, where),
      identifier: { system: 'urn:planted', value: plant(who, `${where}id`) },
    }) as unknown as Resource;

  /** What is about one patient, with others named wherever a reference can stand. */
  function about(who: number, other: number, n: number): Resource[] {
    const id = `${idOf(who)}-${n}`;
    const own = { reference: `Patient/${idOf(who)}` };
    const words = (where: string): string => plant(who, `${where}${n}`);
    return [
      {
        resourceType: 'Observation',
        id: `obs-${id}`,
        status: 'final',
        text: div(plant(other, 'told')),
        code: { text: words('code') },
        subject: own,
        valueString: words('value'),
        note: [{ text: words('note') }],
        hasMember: [{ reference: `Observation/obs-${idOf(other)}-0`, display: plant(other, 'member') }],
        performer: [{ display: plant(other, 'performer') }, { reference: 'Practitioner/gp', display: 'Dr Kept' }],
      },
      {
        resourceType: 'RelatedPerson',
        id: `rel-${id}`,
        patient: own,
        name: [{ family: plant(other, 'mother') }],
        telecom: [{ system: 'phone', value: plant(other, 'phone') }],
        address: [{ text: plant(other, 'home') }],
        relationship: [{ text: words('mother') }],
      },
      {
        resourceType: 'Condition',
        id: `con-${id}`,
        subject: own,
        code: { text: words('condition') },
        asserter: { reference: `RelatedPerson/rel-${id}`, display: plant(other, 'asserter') },
        extension: [{ url: 'http://example.org/x', valueReference: to(other, 'extension') }],
        text: div(plant(other, 'said')),
        contained: [
          { resourceType: 'RelatedPerson', id: 'c', patient: own, name: [{ family: plant(other, 'contained') }] },
          history(who, other, 'f', words('containedrelation')),
        ],
        evidence: [{ detail: ['#c', '#f'].map((reference) => ({ reference, display: plant(other, 'evidence') })) }],
      },
      // Nothing in it is about anybody else, and it says itself what it holds.
      {
        resourceType: 'Procedure',
        id: `prc-${id}`,
        status: 'completed',
        subject: own,
        text: div(words('narrative')),
        code: { text: words('procedure') },
      },
      history(who, other, `fam-${id}`, words('relation')),
      // R4 has these in no compartment.
      {
        resourceType: 'GuidanceResponse',
        id: `gui-${id}`,
        status: 'success',
        moduleUri: 'urn:planted',
        subject: own,
        note: [{ text: words('guidance') }],
      },
      { resourceType: 'Contract', id: `ctr-${id}`, subject: [own], title: words('contract') },
      {
        resourceType: 'Task',
        id: `tsk-${id}`,
        status: 'requested',
        intent: 'order',
        for: own,
        owner: own,
        description: words('task'),
      },
      {
        resourceType: 'VerificationResult',
        id: `ver-${id}`,
        status: 'attested',
        target: [own],
        frequency: { code: { text: words('verified') } },
      },
    ] as Resource[];
  }

  /** What a relative had, told with who the relative is. */
  const history = (who: number, other: number, id: string, relation: string): Resource =>
    ({
      resourceType: 'FamilyMemberHistory',
      id,
      status: 'completed',
      patient: { reference: `Patient/${idOf(who)}` },
      name: plant(other, 'relative'),
      bornString: plant(other, 'born'),
      deceasedString: plant(other, 'died'),
      relationship: { text: relation },
      note: [{ text: plant(other, 'historynote') }],
      condition: [{ code: { text: plant(who, 'inherited') }, note: [{ text: plant(other, 'course') }] }],
      ...(id !== 'f' && { text: div(plant(other, 'historytext')) }),
    }) as unknown as Resource;

  function shared(n: number, people: readonly number[]): Resource[] {
    const named = people.map((who) => idOf(who)).join('-');
    const each = <T>(make: (who: number) => T): T[] => people.map(make);
    const all = people.map((who) => plant(who, 'all')).join(' ');
    return [
      {
        resourceType: 'Group',
        id: `grp-${named}-${n}`,
        type: 'person',
        actual: true,
        name: all,
        text: div(all),
        characteristic: each((who) => ({
          code: { text: plant(who, 'trait') },
          valueReference: to(who, 'trait'),
          exclude: false,
        })),
        member: each((who) => ({ entity: to(who, 'entity'), inactive: false })),
      },
      {
        resourceType: 'Appointment',
        id: `app-${named}-${n}`,
        status: 'booked',
        description: all,
        comment: all,
        patientInstruction: all,
        reasonCode: [{ text: all, coding: [{ display: all }] }],
        participant: each((who) => ({ actor: to(who, 'actor', n % 2 === 0), status: 'accepted' })),
      },
      {
        resourceType: 'List',
        id: `lst-${named}-${n}`,
        status: 'current',
        mode: 'working',
        title: all,
        subject: to(people[0] as number, 'subject'),
        note: [{ text: all }],
        entry: each((who) => ({ item: to(who, 'item'), flag: { text: plant(who, 'flag') } })),
      },
      {
        resourceType: 'Communication',
        id: `com-${named}-${n}`,
        status: 'completed',
        subject: to(people[0] as number, 'subject'),
        recipient: each((who) => to(who, 'recipient')),
        payload: [{ contentString: all }],
      },
      {
        resourceType: 'Provenance',
        id: `pro-${named}-${n}`,
        target: each((who) => to(who, 'target')),
        recorded: '2026-01-01T00:00:00Z',
        agent: each((who) => ({ who: to(who, 'agent') })),
        entity: [{ role: 'source', what: { identifier: { value: `urn:uuid:${MESSAGE}` } } }],
      },
      {
        resourceType: 'Person',
        id: `per-${named}-${n}`,
        name: [{ text: all }],
        link: each((who) => ({ target: to(who, 'link') })),
      },
      {
        resourceType: 'Observation',
        id: `foc-${named}-${n}`,
        status: 'final',
        code: { text: all },
        subject: to(people[0] as number, 'subject'),
        focus: each((who) => to(who, 'focus')),
        valueString: all,
        component: each((who) => ({
          code: { text: plant(who, 'component') },
          valueString: plant(who, 'componentvalue'),
        })),
      },
    ] as unknown as Resource[];
  }

  const patient = (who: number, other: number): Resource => ({
    resourceType: 'Patient',
    id: idOf(who),
    identifier: [{ system: 'urn:planted', value: plant(who, 'number') }],
    name: [{ family: plant(who, 'family') }],
    text: div(`${plant(who, 'family')}, next of kin ${plant(other, 'kin')}`) as unknown as string,
    contact: [
      {
        name: { family: plant(other, 'contact') },
        telecom: [{ system: 'phone', value: plant(other, 'contactphone') }],
      },
    ],
    link: [{ other: to(other, 'linked'), type: 'seealso' }],
  });

  /** The message that the shared Provenance names. */
  const message = (people: readonly number[]): Resource =>
    ({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: people.flatMap((who) => [
        {
          fullUrl: `urn:uuid:message-${who}`,
          resource: {
            resourceType: 'Patient',
            identifier: [{ system: 'urn:planted', value: plant(who, 'number') }],
            name: [{ family: plant(who, 'messagefamily') }],
          },
        },
        {
          fullUrl: `urn:uuid:nk1-${who}`,
          resource: {
            resourceType: 'RelatedPerson',
            patient: { reference: `urn:uuid:message-${who}` },
            name: [{ family: plant(people[(people.indexOf(who) + 1) % people.length] as number, 'nk1') }],
          },
        },
        {
          fullUrl: `urn:uuid:note-${who}`,
          resource: {
            resourceType: 'Observation',
            status: 'final',
            code: { text: plant(who, 'messagecode') },
            subject: { reference: `urn:uuid:message-${who}` },
          },
        },
      ]),
    }) as unknown as Resource;

  it('[DP-03] worlds of several patients: the copy of each holds their own values and none of another’s', async () => {
    await world.put({ resourceType: 'Practitioner', id: 'gp' });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 4 }),
        fc.array(fc.subarray([0, 1, 2, 3], { minLength: 2 }), { minLength: 1, maxLength: 3 }),
        async (size, groups) => {
          round += 1;
          const people = Array.from({ length: size }, (_, i) => round * 10 + i);
          const next = (who: number): number => people[(people.indexOf(who) + 1) % size] as number;
          for (const who of people) await world.put({ resourceType: 'Patient', id: idOf(who) });
          for (const who of people) await world.put(patient(who, next(who)));
          for (const who of people)
            for (const n of [0, 1]) for (const one of about(who, next(who), n)) await world.put(one);
          const shares = groups.map((group) => [...new Set(group.map((i) => people[i % size] as number))]);
          for (const [n, share] of shares.entries())
            if (share.length > 1) for (const one of shared(n, share)) await world.put(one);
          bundleOfMessage = message(people);
          for (const who of people) {
            const { bundle, html } = await copyOf(idOf(who));
            const resources = (JSON.parse(bundle) as { entry: { resource: Resource }[] }).entry.map(
              ({ resource }) => resource,
            );
            for (const text of [bundle, html]) {
              const planted = new Set(
                [...text.matchAll(/Zq(\d+)x(\w+)/g)].map(([value, owner]) => `${owner} ${value}`),
              );
              expect([...planted].filter((value) => !value.startsWith(`${who} `))).deep.equal([]);
              for (const own of OWN) expect(text, own).contain(plant(who, own));
              expect(text).contain('Dr Kept').and.not.contain('[object');
              const others = people.filter((one) => one !== who).map((one) => `Patient/${idOf(one)}"`);
              for (const one of others) expect(text).not.contain(one);
            }
            expect(bundle).contain(plant(who, 'narrative1'));
            const names = resources.map(({ resourceType, id }) => `${resourceType}/${id}`);
            expect(new Set(names).size, 'each once').equal(names.length);
            for (const resource of resources)
              if (resource.resourceType !== 'Bundle' && resource.resourceType !== 'AuditEvent')
                expect(JSON.stringify(resource)).contain(idOf(who));
          }
        },
      ),
      { numRuns: 6 },
    );
  }).timeout(180_000);

  it('[DP-03] what comes out is valid FHIR still, shared or not', async () => {
    const { bundle } = await copyOf('p10');
    const resources = (JSON.parse(bundle) as { entry: { resource: Resource }[] }).entry.map(({ resource }) => resource);
    const faults = resources.flatMap((resource) =>
      world.services
        .validate(resource)
        .map((one) => `${resource.resourceType} ${one.expression?.[0]} ${one.diagnostics}`),
    );
    expect([...new Set(faults)]).deep.equal([]);
  });

  it('[DP-03] a big record comes in many small pages; interrupted, it goes on and is the same', async () => {
    await world.put({ resourceType: 'Patient', id: 'big' });
    await world.store.transaction(ROOT, (tx) =>
      tx.write(
        Array.from({ length: 900 }, (_, i) => ({
          kind: 'create',
          id: world.store.newId(),
          resource: {
            resourceType: 'Observation',
            status: 'final',
            code: { text: `reading ${i}` },
            subject: { reference: 'Patient/big' },
          },
        })),
      ),
    );
    const whole = await copyOf('big');
    const { entry } = JSON.parse(whole.bundle) as { entry: unknown[] };
    expect(entry).lengthOf(901);

    const book = createCopyBook({
      ...pools,
      cipher: createCipher([{ number: 1, key: randomBytes(32) }]),
      cipherOf: (key) => createCipher([{ number: 1, key }]),
    });
    const id = '00000000-0000-4000-8000-0000000000cc';
    const at = world.clock.now();
    expect(await book.ask({ id, patientId: 'big', askedBy: 'u', askedAt: at }, { max: 3, since: 0 })).equal(true);
    let largest = 0;
    for (let worker = 0; ; worker += 1) {
      // Another process each time: all it has is what is stored.
      const makePage = createCopyRecord(parts);
      const from = (await book.progress(id)) as CopyProgress;
      const made = await makePage('big', from);
      if (!made) break;
      largest = Math.max(largest, made.page.bundle.length);
      if (worker === 5)
        expect(await book.append(id, { ...made.done, page: 3 }, made.page), 'a stale page').equal(false);
      expect(await book.append(id, made.done, made.page)).equal(true);
      expect(await book.append(id, made.done, made.page), 'twice').equal(false);
    }
    await book.finish(id, { readyAt: at, expiresAt: at + 1000 });
    let stored = '';
    for await (const bytes of book.pages(id, 'bundle')) stored += bytes.toString();
    expect(stored).equal(whole.bundle);
    expect(largest).lessThan(whole.bundle.length / 15);
  }).timeout(60_000);

  it('[DP-03] a paging link that is too old: it begins anew, and nothing is there twice', async () => {
    const makePage = createCopyRecord(parts);
    let from: CopyProgress = NOTHING_YET;
    while (from.cursor === undefined) from = ((await makePage('big', from)) as { done: CopyProgress }).done;
    world.clock.pass(2 * 60 * 60 * 1000);
    const error = await makePage('big', from).then(
      () => undefined,
      (fault: Error) => fault,
    );
    expect(error?.constructor.name).equal('CopyTooOld');
  });
});
