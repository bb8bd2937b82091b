import { expect } from 'chai';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { SigningAlg } from '../../../src/ports/signing-keys.ts';
import { type IdentityStore, openIdentityStore } from '../../support/identity-store.ts';

const MINUTE = 60_000;

describe('identity › signing keys', () => {
  let store: IdentityStore;
  beforeEach(async () => {
    store = await openIdentityStore();
    await store.keys.ensure();
  });
  afterEach(() => store.stop());

  const signJwt = async (alg: SigningAlg) => {
    const key = await store.keys.current(alg);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = `${part({ alg, kid: key.id })}.${part({ sub: 'x' })}`;
    return { id: key.id, jwt: `${head}.${key.sign(Buffer.from(head)).toString('base64url')}` };
  };
  const verify = async (jwt: string): Promise<boolean> => {
    const jwks = { keys: await store.keys.published() } as unknown as JSONWebKeySet; // ours are such
    return jwtVerify(jwt, createLocalJWKSet(jwks)).then(
      () => true,
      () => false,
    );
  };

  it('[SO-02] a start that ended between the two algorithms is made good by the next', async () => {
    await store.pools.writes.query({ text: "delete from auth.signing_key where alg = 'ES256'", values: [] });
    await store.keys.ensure();
    expect((await store.keys.published()).map(({ alg }) => alg).sort()).deep.equal(['ES256', 'RS256']);
  });

  it('[SO-02] the published keys are public, and say what they are for', async () => {
    const keys = await store.keys.published();
    expect(keys.map(({ alg, use }) => [alg, use])).deep.members([
      ['RS256', 'sig'],
      ['ES256', 'sig'],
    ]);
    for (const key of keys) {
      expect(key).have.property('kid');
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.have.property(secret);
    }
    for (const alg of ['RS256', 'ES256'] as const) expect(await verify((await signJwt(alg)).jwt), alg).equal(true);
  });

  it('[SO-03] a new key is published for ten minutes before it signs; the old one until its last token is over', async () => {
    const old = await signJwt('RS256');
    await store.keys.rotate();
    expect(await store.keys.published()).length(4);
    store.clock.pass(10 * MINUTE - 1);
    const last = await signJwt('RS256');
    expect(last.id).equal(old.id);
    store.clock.pass(1);
    const first = await signJwt('RS256');
    expect(first.id).not.equal(old.id);
    for (const { jwt } of [old, last, first]) expect(await verify(jwt)).equal(true);
    store.clock.pass(60 * MINUTE);
    await store.keys.tend();
    expect(await verify(last.jwt), 'within the hour it lives').equal(true);
    store.clock.pass(6 * MINUTE);
    expect(await store.keys.tend(), 'destroyed').equal(true);
    expect(await verify(last.jwt)).equal(false);
    expect(await verify(first.jwt)).equal(true);
    expect(await store.dump()).not.include(old.id);
  });

  it('[SO-03] after 90 days the next key is made', async () => {
    const { id } = await signJwt('ES256');
    store.clock.pass(90 * 24 * 60 * MINUTE - 1);
    expect(await store.keys.tend()).equal(false);
    store.clock.pass(1);
    expect(await store.keys.tend()).equal(true);
    expect((await signJwt('ES256')).id).equal(id);
    store.clock.pass(10 * MINUTE);
    expect((await signJwt('ES256')).id).not.equal(id);
  });

  it('[SO-03] rotating at once makes what was signed worthless', async () => {
    const old = await signJwt('RS256');
    await store.keys.rotateAtOnce();
    const next = await signJwt('RS256');
    expect(await verify(old.jwt)).equal(false);
    expect(await verify(next.jwt)).equal(true);
  });

  it('private halves are sealed in the table', async () => {
    const rows = await store.pools.writes.query({
      text: 'select private_key, public_jwk::text from auth.signing_key',
      values: [],
    });
    for (const [sealed, jwk] of rows) {
      expect((sealed as Buffer).includes(Buffer.from('300d06092a864886f70d010101', 'hex')), 'PKCS#8').equal(false);
      expect(jwk).not.match(/"d"/);
    }
    await store.keys.ensure();
    expect(await store.keys.published(), 'no more are made').length(2);
  });
});
