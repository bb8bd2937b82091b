import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { type IdentityStore, newClient, openIdentityStore, userGrant } from '../../support/identity-store.ts';

const binding = { redirectUri: 'https://app.example.org/cb', challenge: 'c'.repeat(43), nonce: 'n' };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const lifetime = { slidingMs: 100 * DAY, absoluteMs: 365 * DAY };
const hash = (token: string): Buffer => createHash('sha256').update(token).digest();

describe('identity › grants', () => {
  let store: IdentityStore;
  let clientId: string;
  before(async () => {
    store = await openIdentityStore();
  });
  beforeEach(async () => {
    clientId = (await store.clients.add(newClient())).id;
  });
  after(() => store.stop());

  const familyOf = async (code: string): Promise<string> => (await store.grants.findCode(code))!.familyId;
  const openFamily = async () => {
    const familyId = await store.grants.createFamily(userGrant(clientId));
    return { familyId, refresh: await store.grants.openRefresh(familyId, 'offline', lifetime) };
  };
  const openToken = (familyId?: string) =>
    store.grants.createToken({
      grant: userGrant(clientId),
      ...(familyId !== undefined && { familyId }),
      issuedAt: store.clock.now(),
      expiresAt: store.clock.now() + HOUR,
    });

  it('[SL-12] a code holds all it is bound to, for 60 s', async () => {
    const grant = userGrant(clientId, { encounterId: 'e1', context: { intent: 'x' }, cnf: { jkt: 'k' } });
    const code = await store.grants.createCode(grant, binding);
    expect(await store.grants.findCode(code)).deep.include({ grant, binding, isUsed: false });
    store.clock.pass(60_000);
    expect(await store.grants.useCode(code)).equal(false);
    const another = await store.grants.createCode(grant, binding);
    store.clock.pass(59_999);
    expect(await store.grants.useCode(another)).equal(true);
  });

  it('[SL-12] of 20 uses of one code at once one succeeds', async () => {
    const code = await store.grants.createCode(userGrant(clientId), binding);
    const uses = await Promise.all(Array.from({ length: 20 }, () => store.grants.useCode(code)));
    expect(uses.filter(Boolean)).length(1);
    expect((await store.grants.findCode(code))?.isUsed).equal(true);
  });

  it('[SL-13] revoking the family ends what was born of the code, also what is born after', async () => {
    const code = await store.grants.createCode(userGrant(clientId), binding);
    await store.grants.useCode(code);
    const familyId = await familyOf(code);
    const before = await openToken(familyId);
    expect((await store.grants.findToken(hash(before)))?.grant).deep.equal(userGrant(clientId));
    expect(await store.grants.revoke({ id: familyId }, 'test')).equal(1);
    const after = await openToken(familyId);
    expect(await store.grants.findToken(hash(before))).equal(undefined);
    expect(await store.grants.findToken(hash(after))).equal(undefined);
  });

  it('[ST-06] of 50 rotations of one token at once one succeeds', async () => {
    const { refresh } = await openFamily();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => store.grants.rotateRefresh(refresh, lifetime.slidingMs)),
    );
    const won = all.filter((token) => token !== undefined);
    expect(won).length(1);
    expect((await store.grants.findRefresh(refresh))?.generation).equal('previous');
    expect((await store.grants.findRefresh(won[0]!))?.generation).equal('current');
  });

  it('[ST-07] the successor of the previous token can be told again, of an older one not', async () => {
    const { refresh } = await openFamily();
    const second = await store.grants.rotateRefresh(refresh, lifetime.slidingMs);
    expect(await store.grants.successorOf(refresh)).equal(second);
    const third = await store.grants.rotateRefresh(second!, lifetime.slidingMs);
    expect(await store.grants.successorOf(refresh)).equal(undefined);
    expect(await store.grants.successorOf(second!)).equal(third);
    expect((await store.grants.findRefresh(refresh))?.generation).equal('older');
    expect(await store.grants.findRefresh('x'), 'no token of ours').equal(undefined);
    expect(await store.grants.findRefresh(`${'A'.repeat(43)}.${'B'.repeat(43)}`), 'made up').equal(undefined);
  });

  it('[ST-04] offline: 100 days from each rotation, 365 in all', async () => {
    let { refresh } = await openFamily();
    store.clock.pass(100 * DAY);
    expect(await store.grants.rotateRefresh(refresh, lifetime.slidingMs), 'after 100 days').equal(undefined);
    refresh = (await openFamily()).refresh;
    for (let i = 0; i < 3; i += 1) {
      store.clock.pass(99 * DAY);
      refresh = (await store.grants.rotateRefresh(refresh, lifetime.slidingMs))!;
      expect(refresh).a('string');
    }
    store.clock.pass(68 * DAY);
    expect(await store.grants.rotateRefresh(refresh, lifetime.slidingMs), 'after 365 days').equal(undefined);
  });

  it('[ST-08] a session that ends takes what was granted for its length', async () => {
    const online = await store.grants.createFamily(userGrant(clientId));
    const refresh = await store.grants.openRefresh(online, 'online', lifetime);
    const { refresh: offline } = await openFamily();
    const token = await openToken(online);
    await store.grants.endSession('s1');
    expect((await store.grants.findRefresh(refresh))?.family.isRevoked).equal(true);
    expect((await store.grants.findRefresh(offline))?.family.isRevoked).equal(false);
    expect(await store.grants.findToken(hash(token))).equal(undefined);
  });

  it('a token of a disabled client is none; an expired and a revoked one neither', async () => {
    const token = await openToken();
    expect((await store.grants.findToken(hash(token)))?.grant.clientId).equal(clientId);
    await store.clients.setDisabled(clientId, true);
    expect(await store.grants.findToken(hash(token))).equal(undefined);
    await store.clients.setDisabled(clientId, false);
    await store.grants.revokeToken(hash(token));
    expect(await store.grants.findToken(hash(token))).equal(undefined);
    const another = await openToken();
    store.clock.pass(HOUR);
    expect(await store.grants.findToken(hash(another))).equal(undefined);
  });

  it('[SX-04] grants are listed and revoked by user and by client', async () => {
    const { familyId } = await openFamily();
    const token = await openToken();
    const unused = await store.grants.createCode(userGrant(clientId), binding);
    expect((await store.grants.listFamilies({ clientId }, 10)).map(({ id }) => id)).deep.equal([familyId]);
    expect(await store.grants.revoke({ userId: 'u1', clientId }, 'test')).equal(3);
    expect(await store.grants.listFamilies({ clientId }, 10)).deep.equal([]);
    expect(await store.grants.findToken(hash(token))).equal(undefined);
    expect(await store.grants.useCode(unused)).equal(false);
    expect(await store.grants.revoke({ clientId }, 'test')).equal(0);
    const failed = await store.grants.revoke({}, 'test').catch((error: Error) => error);
    expect(failed).instanceOf(Error);
  });

  it('[SL-07] a launch handle is used once, by its client and user, within 5 minutes', async () => {
    const launch = { clientId, userId: 'u1', patientId: 'p1', context: { intent: 'order' } };
    const handle = await store.grants.createLaunch(launch);
    expect(await store.grants.useLaunch(handle, { clientId, userId: 'u2' })).equal(undefined);
    expect(await store.grants.useLaunch(handle, { clientId: 'other', userId: 'u1' })).equal(undefined);
    expect(await store.grants.useLaunch(handle, { clientId, userId: 'u1' })).deep.equal(launch);
    expect(await store.grants.useLaunch(handle, { clientId, userId: 'u1' })).equal(undefined);
    const late = await store.grants.createLaunch(launch);
    store.clock.pass(5 * 60_000);
    expect(await store.grants.useLaunch(late, { clientId, userId: 'u1' })).equal(undefined);
  });

  it('[SL-17] a pushed request is its client’s, and is used once', async () => {
    const request = { clientId, parameters: { scope: 'openid' } };
    const uri = await store.grants.createPushedRequest(request, 60_000);
    expect(uri).match(/^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}$/);
    expect(await store.grants.findPushedRequest(uri, 'other')).equal(undefined);
    expect(await store.grants.findPushedRequest(uri, clientId)).deep.equal(request);
    expect(await store.grants.usePushedRequest(uri, clientId)).equal(true);
    expect(await store.grants.usePushedRequest(uri, clientId)).equal(false);
  });

  it('[SL-10] consent is remembered for one patient, until its time or its withdrawal', async () => {
    const consent = { userId: 'u1', clientId, patientId: 'p1', scope: 'patient/*.rs' };
    await store.grants.rememberConsent(consent, HOUR);
    expect(await store.grants.findConsent({ userId: 'u1', clientId, patientId: 'p2' })).equal(undefined);
    expect(await store.grants.findConsent({ userId: 'u1', clientId })).equal(undefined);
    expect(await store.grants.findConsent(consent)).deep.equal(consent);
    await store.grants.rememberConsent({ ...consent, scope: 'openid' }, HOUR);
    expect((await store.grants.findConsent(consent))?.scope).equal('openid');
    store.clock.pass(HOUR);
    expect(await store.grants.findConsent(consent)).equal(undefined);
    await store.grants.rememberConsent(consent, HOUR);
    const { refresh } = await openFamily();
    await store.grants.withdrawConsent('u1', clientId);
    expect(await store.grants.findConsent(consent)).equal(undefined);
    expect((await store.grants.findRefresh(refresh))?.family.isRevoked, 'ST-08').equal(true);
  });

  it('[SA-05] a jti is remembered once, until its time', async () => {
    const until = store.clock.now() + 1000;
    const twenty = await Promise.all(
      Array.from({ length: 20 }, () => store.grants.rememberAssertion('a', 'jti', until)),
    );
    expect(twenty.filter(Boolean)).length(1);
    expect(await store.grants.rememberAssertion('b', 'jti', until), 'of another issuer').equal(true);
    store.clock.pass(1001);
    expect(await store.grants.rememberAssertion('a', 'jti', until + 5000)).equal(true);
  });

  it('[ST-13] codes, tokens and handles are hashes in the tables', async () => {
    const { familyId, refresh } = await openFamily();
    const words = [
      await store.grants.createCode(userGrant(clientId), binding),
      ...refresh.split('.'),
      (await store.grants.rotateRefresh(refresh, HOUR))!.split('.')[1]!,
      await openToken(familyId),
      await store.grants.createLaunch({ clientId, userId: 'u1' }),
      (await store.grants.createPushedRequest({ clientId, parameters: {} }, HOUR)).split(':').at(-1)!,
    ];
    const dump = await store.dump();
    expect(dump).include(clientId);
    for (const word of words) {
      expect(dump).not.include(word);
      expect(dump).not.include(Buffer.from(word).toString('hex'));
      expect(dump).not.include(Buffer.from(word, 'base64url').toString('hex'));
    }
  });

  it('purge deletes what has been over for a day, and no more than it is told', async () => {
    store.clock.pass(400 * DAY);
    while ((await store.grants.purge(1000)) > 0);
    const { refresh } = await openFamily();
    await store.grants.createLaunch({ clientId, userId: 'u1' });
    await openToken();
    await openToken();
    await store.grants.createCode(userGrant(clientId), binding);
    await store.grants.rememberAssertion('a', 'z', store.clock.now());
    expect(await store.grants.purge(1000)).equal(0);
    store.clock.pass(DAY + 2 * HOUR);
    expect(await store.grants.purge(1)).equal(4);
    expect(await store.grants.purge(1000)).equal(1);
    expect((await store.grants.findRefresh(refresh))?.generation, 'lives').equal('current');
  });
});
