import { createECDH, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { expect } from 'chai';
import { encryptPush, PUSH_BYTES_MAX, readPushKeys, vapidAuthorization } from '../../src/standards/web-push/message.ts';
import { decryptPush } from '../support/push-service.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');
/** RFC 8291 section 5 and appendix A */
const EXAMPLE = {
  plain: 'When I grow up, I want to be a watermelon',
  ephemeral: 'yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw',
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
  salt: 'DGv6ra1nlYgDCS1FRnbzlw',
  body:
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_' +
    'yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
};

describe('standards › web push', () => {
  it('RFC 8291 appendix A: the example, octet by octet', () => {
    const keys = readPushKeys(EXAMPLE.p256dh, EXAMPLE.auth);
    const secrets = { ephemeral: bytes(EXAMPLE.ephemeral), salt: bytes(EXAMPLE.salt) };
    const body = keys && encryptPush(Buffer.from(EXAMPLE.plain), keys, secrets);
    expect(body?.toString('base64url')).equal(EXAMPLE.body);
  });

  it('what is encrypted is read by the browser alone, up to the longest message and not beyond', () => {
    const browser = createECDH('prime256v1');
    browser.generateKeys();
    const auth = randomBytes(16);
    const once = createECDH('prime256v1');
    once.generateKeys();
    const secrets = { ephemeral: once.getPrivateKey(), salt: randomBytes(16) };
    const keys = { p256dh: browser.getPublicKey(), auth };
    for (const length of [0, 1, 200, PUSH_BYTES_MAX]) {
      const plain = randomBytes(length);
      const body = encryptPush(plain, keys, secrets);
      expect(body.length).at.most(4096);
      expect(decryptPush(body, browser, auth).equals(plain), String(length)).equal(true);
      expect(() => decryptPush(body, browser, randomBytes(16))).throw();
    }
    expect(() => encryptPush(randomBytes(PUSH_BYTES_MAX + 1), keys, secrets)).throw(RangeError);
  });

  const point = bytes(EXAMPLE.p256dh);
  for (const [name, p256dh, auth] of [
    [
      'a point that is not on the curve',
      Buffer.concat([point.subarray(0, 64), Buffer.from([0])]).toString('base64url'),
      EXAMPLE.auth,
    ],
    ['a compressed point', createECDH('prime256v1').generateKeys('base64url', 'compressed'), EXAMPLE.auth],
    ['a short secret', EXAMPLE.p256dh, EXAMPLE.auth.slice(0, 20)],
    ['no base64url', '!'.repeat(87), EXAMPLE.auth],
    ['nothing', '', ''],
  ] as const)
    it(`${name} is no key of a browser`, () => {
      expect(readPushKeys(p256dh, auth)).equal(undefined);
    });

  it('RFC 8292: says who sends it, to this push service, for at most a day', () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
    const publicKey = Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]).toString('base64url');
    const now = Date.UTC(2026, 2, 1);
    const header = vapidAuthorization(
      'https://push.example:8443/send/abc?x=1',
      { key, publicKey, contact: 'mailto:a@example.org' },
      now,
    );
    const [, signed = '', signature = '', k] = /^vapid t=([\w-]+\.[\w-]+)\.([\w-]+), k=([\w-]+)$/.exec(header) ?? [];
    expect(k).equal(publicKey);
    expect(
      verify('sha256', Buffer.from(signed), { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' }, bytes(signature)),
    ).equal(true);
    const [head, claims] = signed.split('.').map((part) => JSON.parse(bytes(part).toString()));
    expect(head).eql({ typ: 'JWT', alg: 'ES256' });
    expect(claims).include({ aud: 'https://push.example:8443', sub: 'mailto:a@example.org' });
    expect(claims.exp - now / 1000).within(1, 24 * 60 * 60);
  });
});
