import { expect } from 'chai';
import type { Caller } from '../../../src/ports/caller.ts';
import type { StoreTransaction } from '../../../src/ports/resource-store.ts';
import { FhirError, notFound } from '../../../src/standards/fhir/outcome.ts';
import { type ClaimDesk, createClaimDesk } from '../../../src/workflow/adjudication/desk.ts';
import { parseProgrammes } from '../../../src/workflow/adjudication/programmes.ts';
import { client, person } from '../../support/callers.ts';
import { createTestJournal } from '../../support/claim-journal.ts';
import { fixture } from '../../support/fixtures.ts';

type Json = Record<string, unknown>;

const CLAIM = JSON.parse(fixture('telecom/claim.json').toString()) as Json;
const PHARMACIST = person('PHARMACIST', {});
const PROGRAM = client('system/*.cruds');

/** A store with some Claims in it, of which persons see none but `visible`. */
function deskOver(stored: Readonly<Record<string, Json>>, visible: readonly string[] = []) {
  const journal = createTestJournal();
  const written: Json[] = [];
  const asked: string[] = [];
  const exchange = { send: async () => ({ kind: 'not-sent', cause: 'nobody is there' }) as const };
  const desk: ClaimDesk = createClaimDesk({
    leg: { exchange, journal, wait: async () => {}, attemptsMax: 2, delayMs: 1 },
    journal,
    adjudication: {
      adjudicate: async ({ caseId }) => {
        asked.push(caseId);
        return { kind: 'pending', status: 'captured' };
      },
      reverse: async () => ({ kind: 'reversed', why: '' }),
    },
    store: {
      newId: () => 'given-here',
      read: async (caller: Caller, type: string, id: string) => {
        const found = type === 'Claim' && (caller.user === undefined || visible.includes(id)) ? stored[id] : undefined;
        if (!found) throw notFound(`${type}/${id}`);
        return { type, id, versionId: 1, lastUpdated: 0, operation: 'create', content: JSON.stringify(found) } as const;
      },
      // The desk uses nothing else of a transaction.
      transaction: (_caller, work) =>
        work({
          messages: { queueOnce: async () => true },
          jobs: { add: async () => {} },
        } as unknown as StoreTransaction),
    },
    apply: async (_tx, bundle, _origin, settle) => {
      written.push(...bundle.entry.map(({ resource }) => resource));
      await settle([], []);
    },
    audit: { record: async () => {} },
    programmes: [],
    softwareId: undefined,
    now: () => Date.UTC(2026, 0, 16),
  });
  const submit = async (caller: Caller, payload: Json): Promise<number | string> => {
    try {
      return (await desk.submit(caller, payload)).result.kind;
    } catch (error) {
      if (error instanceof FhirError) return error.status;
      throw error;
    }
  };
  return { submit, written, asked };
}

describe('claims › desk', () => {
  const withId = (id: string): Json => ({ ...CLAIM, id });
  const { id: _id, ...ANONYMOUS } = CLAIM;

  it('a person gives no id of their own; a program may', async () => {
    const { submit, asked } = deskOver({});
    expect(await submit(PHARMACIST, withId('mine'))).equal(422);
    expect(await submit(PHARMACIST, ANONYMOUS)).equal('pending');
    expect(await submit(PROGRAM, withId('program'))).equal('pending');
    expect(asked).deep.equal(['given-here', 'program']);
  });

  it('a stored Claim out of reach is not found, and not written over', async () => {
    const { submit, written, asked } = deskOver({ other: withId('other') });
    expect(await submit(PHARMACIST, withId('other'))).equal(404);
    expect([written, asked]).deep.equal([[], []]);
  });

  it('a stored Claim within reach is sent as it is stored; one that says something else is refused', async () => {
    const { submit, written } = deskOver({ own: { ...withId('own'), text: { status: 'empty' } } }, ['own']);
    expect(await submit(PHARMACIST, { ...withId('own'), prescription: { identifier: { value: '7' } } })).equal(409);
    expect(written).deep.equal([]);
    expect(await submit(PHARMACIST, withId('own'))).equal('pending');
    expect(written[0]).property('text');
  });

  it('a Claim that was never sent cannot be taken back, not even a stored one', async () => {
    const { submit } = deskOver({ own: withId('own') }, ['own']);
    expect(await submit(PHARMACIST, { ...withId('own'), status: 'cancelled' })).equal(422);
  });
});

describe('claims › programmes', () => {
  const ROW = JSON.parse(fixture('telecom/programmes.json').toString()) as Json[];

  it('are read from a list', () => {
    expect(parseProgrammes(ROW).map(({ bin, coversRejected }) => [bin, coversRejected])).deep.equal([['610524', true]]);
    expect(parseProgrammes([{ ...ROW[0], method: undefined, coversRejected: undefined }])[0]).include({
      method: 'patient-responsibility',
      coversRejected: false,
    });
  });

  for (const [what, value, words] of [
    ['no list', {}, /no list/],
    ['no row', [null], /ndcs/],
    ['another drug code', [{ ...ROW[0], ndcs: ['0007-4055-02'] }], /ndcs/],
    ['a short BIN', [{ ...ROW[0], bin: '61052' }], /bin/],
    ['another method', [{ ...ROW[0], method: 'guess' }], /method/],
    ['a word for true', [{ ...ROW[0], coversRejected: 'yes' }], /coversRejected/],
  ] as const)
    it(`${what}: refused in words`, () => expect(() => parseProgrammes(value)).throw(words));
});
