/** Whole types as lines: what the database joins is what row by row gives. docs/bulk.md, SECURITY CP-14, CP-15, KS-07 */
import { expect } from 'chai';
import type { ScanRequest } from '../../src/ports/bulk.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

const PATIENTS = 130;
const CALLER = client('system/*.rs');
const MIB = 1024 * 1024;

describe('scan › lines', function () {
  this.timeout(120_000);

  for (const encrypted of [undefined, 'Patient.name'])
    describe(encrypted === undefined ? 'of plain texts' : '[KS-07] of texts that are sealed', () => {
      let world: PolicyStore;
      before(async () => {
        world = await openPolicyStore(encrypted === undefined ? {} : { encrypted });
        for (let i = 0; i < PATIENTS; i++) {
          const id = `p${String(i).padStart(3, '0')}`;
          await world.put({ resourceType: 'Patient', id, name: [{ family: `Née ${i} "\\n" 薬` }] });
          await world.put(observation(`o${i}`, id));
        }
        await world.put({ ...observation('by', 'p001'), performer: [{ reference: 'Patient/p002' }] });
        await world.put(privacyConsent('p007', { type: 'deny' }, { id: 'c7' }));
        await world.store.delete(ROOT, 'Patient', 'p008');
        world.clock.pass(1000);
      });
      after(() => world.stop());

      const observation = (id: string, patient: string): Resource => ({
        resourceType: 'Observation',
        id,
        status: 'final',
        code: { coding: [{ system: 'urn:test', code: Number(patient.slice(1)) % 2 === 0 ? 'even' : 'odd' }] },
        subject: { reference: `Patient/${patient}` },
      });
      const at = (): number => world.clock.now();
      const ids = (from: number, to: number): readonly string[] =>
        Array.from({ length: to - from }, (_, i) => `p${String(from + i).padStart(3, '0')}`);

      async function byRow(request: Omit<ScanRequest, 'limit'>): Promise<string[]> {
        const found: string[] = [];
        let after: string | undefined;
        do {
          const page = await world.store.scan.page(CALLER, { ...request, limit: 20, ...(after && { after }) });
          found.push(...page.versions.map(({ content }) => content));
          after = page.next;
        } while (after !== undefined);
        return found;
      }
      async function byText(request: Omit<ScanRequest, 'limit'>, limit: number, bytesMax: number): Promise<string[]> {
        const found: string[] = [];
        let after: string | undefined;
        do {
          const page = await world.store.scan.lines(CALLER, { ...request, limit, bytesMax, ...(after && { after }) });
          const lines = page.text === '' ? [] : page.text.split('\n');
          expect(lines.length).equal(page.count);
          found.push(...lines);
          after = page.next;
        } while (after !== undefined);
        return found;
      }

      const cases: readonly (readonly [string, Omit<ScanRequest, 'limit' | 'at'>, number])[] = [
        ['everything', { type: 'Patient', anyOf: [] }, PATIENTS - 2],
        [
          'what a filter finds',
          { type: 'Observation', anyOf: [parseQuery('Observation', 'code=even').conditions] },
          65,
        ],
        ['ids', { type: 'Patient', anyOf: [], ids: ['p001', 'p007', 'p008', 'p009', 'absent'] }, 2],
        ['of some patient', { type: 'Observation', anyOf: [], patients: 'any' }, PATIENTS - 1],
        ['of a few patients', { type: 'Observation', anyOf: [], patients: ids(0, 10) }, 10],
        ['of many patients', { type: 'Observation', anyOf: [], patients: ids(0, 120) }, 120],
        ['many patients', { type: 'Patient', anyOf: [], patients: ids(0, 120) }, 118],
        ['of many, by any way into the compartment', { type: 'Observation', anyOf: [], patients: ids(2, 125) }, 123],
        ['none', { type: 'Patient', anyOf: [], patients: [] }, 0],
      ];
      for (const [name, request, count] of cases)
        it(`${name}: each once, by pages of any size`, async () => {
          const rows = await byRow({ ...request, at: at() });
          expect(rows.length).equal(count);
          for (const [limit, bytesMax] of [
            [1000, MIB],
            [7, MIB],
            [1000, 1],
            [50, 2000],
          ] as const)
            expect(await byText({ ...request, at: at() }, limit, bytesMax), `${limit} ${bytesMax}`).deep.equal(rows);
        });

      it('[CP-15] tells of one instant: what changed since is as it was, what was made since is not', async () => {
        const instant = at();
        const before = await byText({ type: 'Patient', anyOf: [], at: instant }, 1000, MIB);
        world.clock.pass(1000);
        for (const id of ids(20, 60)) await world.put({ resourceType: 'Patient', id, name: [{ family: 'changed' }] });
        await world.put({ resourceType: 'Patient', id: 'p999' });
        const since = await byText({ type: 'Patient', anyOf: [], at: instant }, 33, MIB);
        expect(since.toSorted()).deep.equal(before.toSorted());
      });

      it('[CP-14] who may see nothing of the type is refused', async () => {
        const request = { type: 'Patient', anyOf: [], at: at(), limit: 10, bytesMax: MIB };
        const failed = await world.store.scan.lines(client('system/Observation.rs'), request).catch((e: unknown) => e);
        expect(failed).property('status', 403);
      });
    });
});
