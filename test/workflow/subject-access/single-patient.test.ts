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
import { about, idOf, message, OWN, patient, plant, shared } from './planted-worlds.ts';

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
  }).timeout(180_000);

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
