import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Identity, NewPerson } from '../../../src/ports/people.ts';
import { createIdentity } from '../../../src/postgres/identity/people.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { type MessageStore, openMessageStore } from '../../support/message-store.ts';

const START = Date.parse('2026-05-04T09:00:00Z');
const MINUTE = 60_000;

describe('postgres › people', () => {
  let store: MessageStore;
  let identity: Identity;
  let at = START;
  before(async () => {
    store = await openMessageStore();
    identity = createIdentity({ ...store.pools, now: () => at });
  });
  after(() => store.stop());

  let count = 0;
  const someone = (details: Partial<NewPerson> = {}): NewPerson => {
    count += 1;
    return {
      name: `Person ${count}`,
      email: `p${count}@example.org`,
      roles: ['STAFF'],
      patientIds: [],
      practitionerRoleIds: [],
      organizationIds: [],
      isEmailVerified: true,
      ...details,
    };
  };
  const factor =
    (hashes: readonly Buffer[] = []) =>
    () => ({ totp: Buffer.from('sealed'), recoveryHashes: hashes });

  it('an address is one person’s however it is written: case, width, composed accents', async () => {
    const user = await identity.people.add(someone({ email: 'Zo\u00eb@Example.org' }));
    for (const email of [
      'zoe\u0308@example.org',
      'ZO\u00cb@EXAMPLE.ORG',
      ' zo\u00eb@example.org ',
      'zo\u00eb@\uff45xample.org',
    ]) {
      expect((await identity.people.findByEmail(email))?.id, email).equal(user.id);
      const error = await identity.people.add(someone({ email })).catch((e: unknown) => e);
      expect(error, email).instanceOf(FhirError).property('status', 409);
    }
  });

  it('findByName: an address comes before a name, and a name of two people is nobody’s', async () => {
    const [one, two] = [await identity.people.add(someone()), await identity.people.add(someone({ name: 'Same' }))];
    await identity.people.add(someone({ name: one.email }));
    expect((await identity.people.findByName(one.email.toUpperCase()))?.id).equal(one.id);
    expect((await identity.people.findByName('Same'))?.id).equal(two.id);
    await identity.people.add(someone({ name: 'Same' }));
    expect(await identity.people.findByName('Same')).equal(undefined);
  });

  it('[LG-16] of ten first administrators at once one is made', async () => {
    const made = await Promise.all(
      Array.from({ length: 10 }, () => identity.people.addFirstAdministrator(someone({ roles: ['ADMIN'] }), factor())),
    );
    expect(made.filter(Boolean)).length(1);
    expect(await identity.people.hasAdministrator()).equal(true);
  });

  it('security version grows with password, factor, keys and disabling, and not with a name', async () => {
    const { id } = await identity.people.add(someone());
    const version = async (): Promise<number> => (await identity.people.find(id))?.securityVersion ?? 0;
    await identity.people.change(id, { name: 'Other' });
    expect(await version()).equal(1);
    await identity.people.setPassword(id, 'hash');
    await identity.people.setFactor(id, factor()());
    const key = {
      id: 'key',
      name: 'k',
      publicKey: Buffer.of(1),
      counter: 0,
      isBackedUp: false,
      deviceType: 'x',
      transports: [],
    };
    await identity.people.addSecurityKey(id, key);
    await identity.people.removeSecurityKey(id, 'key');
    await identity.people.setDisabled(id, true);
    expect(await version()).equal(6);
    await identity.people.rehashPassword(id, 'hash', 'other');
    expect(await version()).equal(6);
    expect(await identity.people.rehashPassword(id, 'hash', 'third'), 'it has changed meanwhile').equal(false);
  });

  it('[LG-06] of ten uses of one time step one succeeds, and no earlier step does after it', async () => {
    const { id } = await identity.people.add(someone(), factor());
    const uses = await Promise.all(Array.from({ length: 10 }, () => identity.people.useTotpStep(id, 100)));
    expect(uses.filter(Boolean)).length(1);
    expect(await identity.people.useTotpStep(id, 99)).equal(false);
    expect(await identity.people.useTotpStep(id, 101)).equal(true);
  });

  it('[LG-08] of ten uses of one recovery code one succeeds', async () => {
    const hashes = Array.from({ length: 10 }, () => randomBytes(32));
    const { id } = await identity.people.add(someone(), factor(hashes));
    const uses = await Promise.all(
      Array.from({ length: 10 }, () => identity.people.useRecoveryCode(id, hashes[0] as Buffer)),
    );
    expect(uses.filter((left) => left !== undefined)).deep.equal([9]);
    await Promise.all([1, 2, 3].map(() => identity.people.setRecoveryCodes(id, hashes)));
    expect((await identity.people.findPerson(id))?.recoveryCodeCount).equal(10);
  });

  it('[LG-07] of 20 attempts at once at most five are let through, and one takes it', async () => {
    const { id, securityVersion } = await identity.people.add(someone());
    const hash = randomBytes(32);
    const add = (kind: 'second-step' | 'reset', of: Buffer) =>
      identity.challenges.add({ kind, hash: of, personId: id, securityVersion, expiresAt: at + MINUTE });
    await add('second-step', hash);
    const attempts = await Promise.all(
      Array.from({ length: 20 }, () => identity.challenges.attempt('second-step', hash, 5)),
    );
    expect(attempts.filter(Boolean)).length(5);
    const other = randomBytes(32);
    await add('reset', other);
    expect(await identity.challenges.find('second-step', other), 'of another kind').equal(undefined);
    const taken = await Promise.all(Array.from({ length: 10 }, () => identity.challenges.take('reset', other)));
    expect(taken.filter(Boolean)).length(1);
  });

  it('a person has at most ten challenges of a kind, and ten trusted browsers', async () => {
    const { id } = await identity.people.add(someone());
    const hashes = Array.from({ length: 14 }, () => randomBytes(32));
    for (const hash of hashes) {
      at += 1;
      await identity.challenges.add({ kind: 'reset', hash, personId: id, expiresAt: at + MINUTE });
      await identity.people.trustDevice(id, hash, at + MINUTE);
    }
    const found = await Promise.all(hashes.map((hash) => identity.challenges.find('reset', hash)));
    expect(found.map(Boolean)).deep.equal([...new Array(4).fill(false), ...new Array(10).fill(true)]);
    const trusted = await Promise.all(hashes.map((hash) => identity.people.findDevice(hash)));
    expect(trusted.map(Boolean)).deep.equal([...new Array(4).fill(false), ...new Array(10).fill(true)]);
  });

  it('[LG-14] of twelve sessions that begin at once five are left', async () => {
    const { id, securityVersion } = await identity.people.add(someone());
    const add = () =>
      identity.sessions.add(
        { hash: randomBytes(32), userId: id, securityVersion, authTime: at, amr: ['pwd'], endsAt: at + MINUTE },
        5,
      );
    await Promise.all(Array.from({ length: 12 }, add));
    const left = await identity.sessions.list(id);
    expect(left).length(5);
    const [one] = left;
    if (!one) throw new Error('none');
    expect(await identity.sessions.end('00000000-0000-4000-8000-000000000000', one.id), 'of another person').equal(
      false,
    );
    expect(await identity.sessions.endAll(id, one.id)).equal(4);
  });

  it('[LG-05] counters add up exactly under a race, and begin anew after their end', async () => {
    const counts = await Promise.all(Array.from({ length: 20 }, () => identity.rates.upsert('k', 1, MINUTE, false)));
    expect(counts.map(({ points }) => points).toSorted((a, b) => a - b)).deep.equal(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    expect(new Set(counts.map(({ expiresAt }) => expiresAt)).size, 'one end').equal(1);
    at += MINUTE;
    expect(await identity.rates.find('k')).equal(undefined);
    expect(await identity.rates.upsert('k', 1, MINUTE, false)).deep.equal({ points: 1, expiresAt: at + MINUTE });
    expect(await identity.rates.upsert('k', 7, 2 * MINUTE, true)).deep.equal({ points: 7, expiresAt: at + 2 * MINUTE });
  });

  it('ids that are none are nobody’s', async () => {
    for (const id of ['', 'x', "' or true --", '00000000-0000-4000-8000-00000000000G']) {
      expect(await identity.people.find(id), id).equal(undefined);
      expect(await identity.people.change(id, { name: 'x' }), id).equal(undefined);
      expect(await identity.people.setDisabled(id, true), id).equal(undefined);
      expect(await identity.sessions.end(id, id), id).equal(false);
    }
  });

  it('a database that is away is 503, and never "no such user"', async () => {
    const other = await openMessageStore();
    const { people } = createIdentity({ ...other.pools, now: () => at });
    await other.stop();
    const error = await people.findByEmail('a@example.org').catch((e: unknown) => e);
    expect(error).instanceOf(FhirError).property('status', 503);
  });
});
