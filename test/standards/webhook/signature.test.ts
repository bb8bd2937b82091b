/** Signed webhooks: what is taken, and what is not. Standard Webhooks 1.0.0; SECURITY IN-43 */
import { createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { checkWebhook, readWebhookSecret, signWebhook } from '../../../src/standards/webhook/signature.ts';

const KEY = Buffer.alloc(32, 7);
const AT = Date.UTC(2026, 10, 22, 12);
const BODY = Buffer.from('{"type":"prescription.ready"}');
const signed = signWebhook(KEY, 'event-1', AT, BODY);

describe('webhook › signature', () => {
  it('is HMAC-SHA256 of id, seconds and body with dots between', () => {
    const mac = createHmac('sha256', KEY)
      .update(`event-1.${AT / 1000}.`)
      .update(BODY)
      .digest('base64');
    expect(signed).eql({
      'webhook-id': 'event-1',
      'webhook-timestamp': String(AT / 1000),
      'webhook-signature': `v1,${mac}`,
    });
  });

  const other = signWebhook(Buffer.alloc(32, 8), 'event-1', AT, BODY)['webhook-signature'];
  const cases: readonly (readonly [string, object, Buffer, number, string | undefined])[] = [
    ['as it was signed', {}, BODY, AT, undefined],
    ['five minutes later', {}, BODY, AT + 300_000, undefined],
    ['more than five minutes later: replayed', {}, BODY, AT + 300_001, 'old'],
    ['of more than five minutes from now', {}, BODY, AT - 300_001, 'old'],
    ['another body', {}, Buffer.from('{"type":"prescription.dispensed"}'), AT, 'altered'],
    ['a longer body', {}, Buffer.concat([BODY, Buffer.from(' ')]), AT, 'altered'],
    ['another id', { 'webhook-id': 'event-2' }, BODY, AT, 'altered'],
    ['another time', { 'webhook-timestamp': String(AT / 1000 + 1) }, BODY, AT, 'altered'],
    ['another key', { 'webhook-signature': other }, BODY, AT, 'altered'],
    [
      'an old key and the new one',
      { 'webhook-signature': `${other} ${signed['webhook-signature']}` },
      BODY,
      AT,
      undefined,
    ],
    [
      'more signatures than are looked at',
      { 'webhook-signature': `${`${other} `.repeat(5)}${signed['webhook-signature']}` },
      BODY,
      AT,
      'altered',
    ],
    ['another version', { 'webhook-signature': signed['webhook-signature'].replace('v1', 'v1a') }, BODY, AT, 'altered'],
    ['half a signature', { 'webhook-signature': signed['webhook-signature'].slice(0, 20) }, BODY, AT, 'altered'],
    ['no signature', { 'webhook-signature': undefined }, BODY, AT, 'missing'],
    ['no id', { 'webhook-id': undefined }, BODY, AT, 'missing'],
    ['an id with a dot, which would divide alike', { 'webhook-id': 'event.1' }, BODY, AT, 'missing'],
    ['no time', { 'webhook-timestamp': undefined }, BODY, AT, 'missing'],
    ['a time that is none', { 'webhook-timestamp': 'NaN' }, BODY, AT, 'missing'],
    ['fields that came twice', { 'webhook-id': ['event-1', 'event-1'] }, BODY, AT, 'missing'],
  ];
  for (const [name, fields, body, now, fault] of cases)
    it(`[IN-43] ${name}: ${fault ?? 'taken'}`, () => {
      expect(checkWebhook(KEY, { ...signed, ...fields }, body, now)).equal(fault);
    });

  for (const [name, text, isRead] of [
    ['24 bytes', `whsec_${randomBytes(24).toString('base64')}`, true],
    ['64 bytes', `whsec_${randomBytes(64).toString('base64')}`, true],
    ['23 bytes', `whsec_${randomBytes(23).toString('base64')}`, false],
    ['65 bytes', `whsec_${randomBytes(65).toString('base64')}`, false],
    ['no prefix', randomBytes(32).toString('base64'), false],
    ['no base64', 'whsec_correct horse battery staple correct horse', false],
  ] as const)
    it(`a secret of ${name} is ${isRead ? 'one' : 'none'}`, () => {
      expect(readWebhookSecret(text) !== undefined).equal(isRead);
    });
});
