/** Tokens that are checked without a connection. SECURITY RX-02, RX-08 */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { expect } from 'chai';
import { formatJws, type TokenClaims } from '../../../src/standards/prescription-token/jws-form.ts';
import { readJwks, verifyOffline } from '../../../src/standards/prescription-token/offline.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signWith = (key: typeof privateKey) => (bytes: Buffer) =>
  sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
const JWKS = JSON.stringify({
  keys: [
    { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' },
    { kty: 'oct', k: 'AAAA', kid: 'secret' },
  ],
});
const AT = Date.parse('2026-11-22T10:00:00Z');
const CLAIMS: TokenClaims = {
  iss: 'https://mortar.example',
  jti: 'PHB-RX-12345678',
  nonce: '3f0c1a52-7f0e-4b4c-9a44-0c9c8d1b7a11',
  sub: 'AAAAAAAAAAAAAAAA',
  name: 'Nell Ashworth',
  medication: 'Amoxicillin 500mg capsules',
  dose: 'one capsule',
  pharmacy: 'PHB-PH-000001',
  iat: AT / 1000 - 60,
  exp: AT / 1000 + 3600,
  issue: '1/1',
};
const tokenOf = (more: Partial<TokenClaims> = {}, keyId = 'one', key = privateKey): string =>
  formatJws({ ...CLAIMS, ...more }, keyId, signWith(key));
const check = (token: unknown, more: object = {}): string => {
  const known = { keys: readJwks(JWKS), ended: new Set<string>(), pharmacyCode: 'PHB-PH-000001', at: AT };
  const verdict = verifyOffline(token, { ...known, issuer: 'https://mortar.example', ...more });
  return verdict.result === 'invalid' ? verdict.step : verdict.result;
};
const changed = (token: string): string => {
  const [header = '', body = '', mac = ''] = token.split('.');
  const claims = Buffer.from(body, 'base64url').toString().replace('one capsule', 'ten capsule');
  return `${header}.${Buffer.from(claims).toString('base64url')}.${mac}`;
};
/** With the public key as the secret of a MAC. */
const confused = (): string => {
  const header = Buffer.from('{"alg":"HS256","kid":"one","typ":"rx+jwt"}').toString('base64url');
  const body = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url');
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  return `${header}.${body}.${createHmac('sha256', pem).update(`${header}.${body}`).digest('base64url')}`;
};

describe('prescription-token › without a connection [RX-08]', () => {
  for (const [name, token, step, more] of [
    ['a good one is unconfirmed', tokenOf(), 'unconfirmed', {}],
    ['no token', 'nothing', 'payload_format', {}],
    ['not even a text', undefined, 'payload_format', {}],
    ['HS256 with the public key', confused(), 'payload_format', {}],
    ['another key id', tokenOf({}, 'two'), 'key_validation', {}],
    ['the id of a key that does not sign tokens', tokenOf({}, 'secret'), 'key_validation', {}],
    ['signed by another key', tokenOf({}, 'one', other.privateKey), 'signature_verification', {}],
    ['altered', changed(tokenOf()), 'signature_verification', {}],
    ['another issuer', tokenOf({ iss: 'https://else.example' }), 'issuer_check', {}],
    ['any issuer where none is named', tokenOf({ iss: 'https://else.example' }), 'unconfirmed', { issuer: undefined }],
    ['expired by two minutes', tokenOf({ exp: AT / 1000 - 120 }), 'expiry_check', {}],
    ['expired by less', tokenOf({ exp: AT / 1000 - 119 }), 'unconfirmed', {}],
    ['made two minutes ahead', tokenOf({ iat: AT / 1000 + 120 }), 'unconfirmed', {}],
    ['made further ahead', tokenOf({ iat: AT / 1000 + 121 }), 'expiry_check', {}],
    ['ended', tokenOf(), 'status_check', { ended: new Set(['PHB-RX-12345678']) }],
    ['another has ended', tokenOf(), 'unconfirmed', { ended: new Set(['PHB-RX-12345679']) }],
    ['for another pharmacy', tokenOf(), 'pharmacy_check', { pharmacyCode: 'PHB-PH-000002' }],
    ['for no pharmacy', tokenOf({ pharmacy: '' }), 'unconfirmed', {}],
  ] as const)
    it(name, () => expect(check(token, more)).equal(step));

  for (const [name, text] of [
    ['no JSON', 'keys'],
    ['no list', '{"keys": 1}'],
    ['nothing that signs', '{"keys": [{"kty": "oct", "kid": "a", "k": "AAAA"}]}'],
    ['a private key', JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one' }] })],
  ] as const)
    it(`a JWK set with ${name} is refused`, () => expect(() => readJwks(text)).throw());
});
