/** The two forms of a token and its ids. MISSION M10; SECURITY RX-01 to RX-03, RX-06 */
import { createHmac, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import { expect } from 'chai';
import { canonicalJson, isOneOf, readMac, readPayload } from '../../../src/standards/prescription-token/hmac-form.ts';
import {
  formatJws,
  readJws,
  TOKEN_BYTES_MAX,
  type TokenClaims,
} from '../../../src/standards/prescription-token/jws-form.ts';
import { isTokenId, TOKEN_NUMBER_MAX, tokenIdOf } from '../../../src/standards/prescription-token/token-id.ts';

const CLAIMS: TokenClaims = {
  iss: 'https://mortar.example',
  jti: 'PHB-RX-00000123',
  nonce: '550e8400-e29b-41d4-a716-446655440000',
  sub: 'abcdefghijklmnop',
  name: 'Nell Ashworth',
  dob: '1958-03-14',
  medication: 'Amoxicillin 500mg capsules',
  dose: 'Take one capsule three times a day',
  quantity: '15 capsules',
  pharmacy: 'PHB-PH-001234',
  iat: 1_760_000_000,
  exp: 1_762_592_000,
  issue: '1/1',
};
const PAYLOAD = {
  type: 'PHB_PRESCRIPTION',
  id: 'PHB-RX-00000123',
  nonce: '550e8400-e29b-41d4-a716-446655440000',
  hpn: '123 456 7890',
  medication: 'Amoxicillin 500mg',
  patient: 'Nell Ashworth',
  prescriber: 'Dr Imogen Fairweather',
  dosage: 'Take one capsule three times a day',
  frequency: 'Three times daily',
  pharmacy: { name: 'Millbrook', code: 'PHB-PH-001234', address: '1 Mill Lane', city: 'X', postcode: '1', phone: '0' },
  issued: '2026-01-08T10:30:00Z',
  expiry: '2026-02-07T10:30:00Z',
};

describe('prescription token', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const options = { dsaEncoding: 'ieee-p1363' } as const;
  const signWith = (bytes: Buffer): Buffer => sign('sha256', bytes, { key: privateKey, ...options });
  const jws = (claims: TokenClaims): string => formatJws(claims, 'k1', signWith);

  it('[RX-01] a compact JWS of three parts says who, what, where and until when', () => {
    const given = readJws(jws(CLAIMS));
    expect(given?.keyId).equal('k1');
    expect(given?.claims).eql(CLAIMS);
    if (!given) return;
    expect(verify('sha256', given.bytes, { key: publicKey, ...options }, given.signature)).equal(true);
  });

  for (const [what, length, text] of [
    ['long texts', 400, 'x'],
    ['texts of four bytes a character', 300, '𐍈'],
  ] as const)
    it(`[RX-01] stays within 1,000 bytes with ${what}, whole characters, and says that it is shortened`, () => {
      const long = text.repeat(length);
      const token = jws({ ...CLAIMS, name: long, medication: long, dose: long, quantity: long });
      expect(token.length).lessThanOrEqual(TOKEN_BYTES_MAX);
      expect(readJws(token)?.claims.dose).match(/^(?:x|𐍈)+…$/u);
      expect(readJws(token)?.claims.nonce).equal(CLAIMS.nonce);
    });

  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const [, body = '', mac = ''] = jws(CLAIMS).split('.');
  const HEADERS: readonly (readonly [string, string])[] = [
    ['none', '{"alg":"none","kid":"k1","typ":"rx+jwt"}'],
    ['HS256', '{"alg":"HS256","kid":"k1","typ":"rx+jwt"}'],
    ['another type', '{"alg":"ES256","kid":"k1","typ":"JWT"}'],
    ['a member twice', '{"alg":"none","alg":"ES256","kid":"k1","typ":"rx+jwt"}'],
    ['crit', '{"alg":"ES256","kid":"k1","typ":"rx+jwt","crit":["x"]}'],
    ['a key of its own', '{"alg":"ES256","kid":"k1","typ":"rx+jwt","jwk":{}}'],
    ['no key id', '{"alg":"ES256","typ":"rx+jwt"}'],
  ];
  for (const [name, header] of HEADERS)
    it(`[RX-02] a header with ${name} is none of ours`, () => {
      expect(readJws(`${part(header)}.${body}.${mac}`)).equal(undefined);
    });
  for (const [name, text] of [
    ['a JWE of five parts', `${part({ alg: 'ES256' })}.a.b.c.d`],
    ['a signature of another length', jws(CLAIMS).slice(0, -4)],
    ['claims that are no JSON', `${jws(CLAIMS).split('.')[0]}.${part('{')}.${mac}`],
    ['claims without a nonce', `${jws(CLAIMS).split('.')[0]}.${part({ ...CLAIMS, nonce: 'x' })}.${mac}`],
    ['more than 1,000 bytes', `${jws(CLAIMS)}${'A'.repeat(1000)}`],
    ['a number', 7],
  ] as const)
    it(`[RX-02] ${name} is none of ours`, () => {
      expect(readJws(text)).equal(undefined);
    });

  it('[RX-03] the signed bytes of the payload have sorted members and no spaces', () => {
    expect(canonicalJson({ b: 'é', a: [1, { d: null, c: true }] })).equal('{"a":[1,{"c":true,"d":null}],"b":"é"}');
    const shuffled = Object.fromEntries(Object.entries(PAYLOAD).reverse());
    expect(readPayload(shuffled)?.bytes).eql(readPayload(PAYLOAD)?.bytes);
  });

  it('[RX-03] any change of a member changes the signature', () => {
    const key = randomBytes(32);
    const macOf = (payload: object): Buffer =>
      createHmac('sha256', key)
        .update(readPayload(payload)?.bytes ?? '')
        .digest();
    const right = macOf(PAYLOAD);
    for (const name of ['hpn', 'medication', 'patient', 'prescriber', 'dosage', 'frequency', 'issued'] as const)
      expect(isOneOf([right], macOf({ ...PAYLOAD, [name]: `${PAYLOAD[name]} ` })), name).equal(false);
    expect(isOneOf([right], macOf({ ...PAYLOAD, more: 1 }))).equal(false);
    expect(isOneOf([randomBytes(32), right], macOf(PAYLOAD))).equal(true);
  });

  it('[RX-03] signatures are read in hex and base64url', () => {
    const bytes = randomBytes(32);
    expect(readMac(bytes.toString('hex'))).eql(bytes);
    expect(readMac(bytes.toString('base64url'))).eql(bytes);
    for (const text of ['', 'xyz', bytes.toString('hex').slice(2), 5]) expect(readMac(text)).equal(undefined);
  });

  for (const [name, payload] of [
    ['no object', 'x'],
    ['a list', []],
    ['another type', { ...PAYLOAD, type: 'OTHER' }],
    ['another id', { ...PAYLOAD, id: 'PHB-RX-123' }],
    ['no nonce', { ...PAYLOAD, nonce: 'abc' }],
    ['no expiry', { ...PAYLOAD, expiry: 'soon' }],
    ['depth', { ...PAYLOAD, pharmacy: { a: { b: { c: { d: { e: 1 } } } } } }],
    ['size', { ...PAYLOAD, dosage: 'x'.repeat(5000) }],
  ] as const)
    it(`[RX-02] a payload with ${name} is none`, () => {
      expect(readPayload(payload)).equal(undefined);
    });

  it('[RX-06] ids are eight digits, no two the same, and one does not tell the next', () => {
    const key = randomBytes(32);
    const ids = Array.from({ length: 20_000 }, (_, n) => tokenIdOf(n, key));
    expect(new Set(ids).size).equal(ids.length);
    expect(ids.every(isTokenId)).equal(true);
    const steps = new Set(ids.slice(1, 500).map((id, i) => Number(id.slice(7)) - Number(ids[i]?.slice(7))));
    expect(steps.size).greaterThan(490);
    expect(isTokenId(tokenIdOf(TOKEN_NUMBER_MAX, key))).equal(true);
    expect(() => tokenIdOf(TOKEN_NUMBER_MAX + 1, key)).throw(RangeError);
    expect(tokenIdOf(1, key)).not.equal(tokenIdOf(1, Buffer.from(randomUUID())));
  });
});
