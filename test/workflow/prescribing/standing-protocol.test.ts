/** What a standing protocol covers: a table of cases at its bounds. MISSION M9 */
import { expect } from 'chai';
import type { CatalogueEntry } from '../../../src/workflow/prescribing/catalogue/entry.ts';
import type { Item } from '../../../src/workflow/prescribing/items.ts';
import {
  covers,
  isStanding,
  protocolResource,
  readProtocol,
  type StandingProtocol,
} from '../../../src/workflow/prescribing/standing-protocol.ts';
import { catalogueEntry } from '../../support/catalogue.ts';

const entryOf = (id: string, more: Partial<CatalogueEntry> = {}) => catalogueEntry(id, { id, ...more });
const itemOf = (entry: CatalogueEntry | undefined, more: Partial<Item> = {}): Item => ({
  ...(entry && { entry }),
  name: entry?.name ?? 'something',
  quantity: 28,
  repeats: 0,
  isAcute: true,
  ...more,
});
const PROTOCOL: StandingProtocol = {
  id: 'p1',
  practiceId: 'surgery',
  signer: 'Practitioner/doc',
  role: 'PractitionerRole/doc-role',
  signerName: 'Dr Penhallow',
  medicines: [
    { id: 'a', name: 'a', maxQuantity: 28 },
    { id: 'b', name: 'b', maxQuantity: 5.5 },
  ],
  validUntil: '2026-11-30',
};
const AT = Date.parse('2026-11-22T10:00:00Z');

describe('prescribing › standing protocols', () => {
  for (const [name, items, at, isCovered] of [
    ['one item at its maximum', [itemOf(entryOf('a'))], AT, true],
    ['one item above it', [itemOf(entryOf('a'), { quantity: 28.5 })], AT, false],
    ['two items', [itemOf(entryOf('a')), itemOf(entryOf('b'), { quantity: 5.5 })], AT, true],
    ['one of two is not named', [itemOf(entryOf('a')), itemOf(entryOf('c'))], AT, false],
    ['not in the catalogue', [itemOf(undefined)], AT, false],
    ['needs approval now', [itemOf(entryOf('a', { requiresApproval: true }))], AT, false],
    ['not active any more', [itemOf(entryOf('a', { isActive: false }))], AT, false],
    ['controlled now: United Kingdom', [itemOf(entryOf('a', { ukSchedule: '5' }))], AT, false],
    ['controlled now: United States', [itemOf(entryOf('a', { usSchedule: '5' }))], AT, false],
    ['controlled now: Nigeria', [itemOf(entryOf('a', { nafdacSchedule: '3' }))], AT, false],
    ['repeats', [itemOf(entryOf('a'), { repeats: 1 })], AT, false],
    ['the last moment of its last day', [itemOf(entryOf('a'))], Date.parse('2026-11-30T23:59:59.999Z'), true],
    ['the day after', [itemOf(entryOf('a'))], Date.parse('2026-12-01T00:00:00Z'), false],
  ] as const)
    it(`${name}: ${isCovered ? 'covered' : 'not covered'}`, () => expect(covers(PROTOCOL, items, at)).equal(isCovered));

  it('is read from its resource as it was written', () => {
    const resource = protocolResource(PROTOCOL, AT);
    expect(readProtocol({ id: 'p1', versionId: 1, resource })).deep.equal(PROTOCOL);
    expect(readProtocol({ id: 'p1', versionId: 1, resource: { ...resource, identifier: [] } })).equal(undefined);
  });

  it('names no controlled drug, whatever the catalogue says of approval', () => {
    expect(isStanding(entryOf('a'))).equal(true);
    for (const schedule of ['2', '3', '4', '5'])
      expect(isStanding(entryOf('a', { ukSchedule: schedule }))).equal(false);
  });
});
