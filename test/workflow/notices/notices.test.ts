/** Who is told of what, when and in which words: tables. MISSION M13; SECURITY DP-07, DP-10, IN-44 */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { NoticeChannel, Preferences } from '../../../src/ports/notices.ts';
import { emailOf, isDeceased, languageOfPatient, mobileOf } from '../../../src/workflow/notices/contacts.ts';
import { deliveriesOf } from '../../../src/workflow/notices/follow.ts';
import { noticeKinds } from '../../../src/workflow/notices/kinds.ts';
import { basisOf, CHANNELS, quietFor } from '../../../src/workflow/notices/preferences.ts';
import { readUnsubscribeToken, unsubscribeToken, withoutEmail } from '../../../src/workflow/notices/unsubscribe.ts';
import { languageOf, noticeText } from '../../../src/workflow/notices/wording.ts';

const KINDS = noticeKinds({ alertGroupMs: 3_600_000, alertsAWeek: 3 });
const AT = Date.UTC(2026, 10, 22, 12);
const CATEGORY = 'https://mortar-fhir.org/CodeSystem/communication-category';

describe('workflow › notices › words', () => {
  for (const kind of KINDS.values())
    for (const recipientType of kind.to)
      for (const language of ['en', 'cy'] as const)
        it(`[DP-07] [IN-44] ${kind.code} to a ${recipientType}, ${language}: no name, no medicine, only links to us`, () => {
          for (const channel of CHANNELS) {
            const { subject, text } = noticeText({
              kind: kind.code,
              recipientType,
              channel,
              language,
              count: 2,
              references: kind.code === 'controlled-drug' ? ['PHB-RX-12345678'] : [],
              ...(kind.code === 'pharmacy-digest' && { digest: 'Good morning.' }),
              link: 'https://mortar.example/account',
              unsubscribeLink: 'https://mortar.example/unsubscribe?t=x',
            });
            const isPossible = recipientType !== 'Organization' || channel === 'email';
            if (!isPossible) continue;
            expect(text.trim()).not.equal('');
            expect(`${subject} ${text}`).not.match(/\$|undefined|Ashworth|Morphine/);
            for (const [link] of text.matchAll(/https?:\S+/g)) expect(link).match(/^https:\/\/mortar\.example\//);
            expect(text.includes('unsubscribe')).equal(channel === 'email');
            // Subjects and short messages say that there is something, and not what was decided.
            const short = channel === 'email' ? subject : `${subject} ${text}`;
            expect(short).not.match(/approv|reject|refus|cancel|dispens|controlled|emergency/i);
            if (channel === 'sms') expect(text.length).at.most(160);
          }
        });

  it('a language that there is no text in is English', () => {
    expect(['cy', 'cy-GB', 'en-GB', 'pl', undefined, 'cymraeg'].map(languageOf)).eql([
      'cy',
      'cy',
      'en',
      'en',
      'en',
      'en',
    ]);
  });
});

describe('workflow › notices › whether', () => {
  const approved = KINDS.get('prescription-approved');
  const glass = KINDS.get('break-glass');
  const rows: readonly [
    string,
    typeof approved,
    NoticeChannel,
    Preferences['channels'] | undefined,
    string | undefined,
  ][] = [
    ['nothing said', approved, 'email', undefined, 'service'],
    ['nothing said', approved, 'push', undefined, 'service'],
    ['nothing said: no text messages', approved, 'sms', undefined, undefined],
    ['asked for', approved, 'sms', { 'prescription-approved': { sms: true } }, 'consent'],
    ['asked for all', approved, 'sms', { '*': { sms: true } }, 'consent'],
    ['all but this kind', approved, 'sms', { '*': { sms: true }, 'prescription-approved': { sms: false } }, undefined],
    ['off', approved, 'email', { 'prescription-approved': { email: false } }, undefined],
    ['all off', approved, 'email', { '*': { email: false } }, undefined],
    [
      'all off but this kind',
      approved,
      'email',
      { '*': { email: false }, 'prescription-approved': { email: true } },
      'consent',
    ],
    ['another kind', approved, 'email', { 'request-received': { email: false } }, 'service'],
    ['cannot be switched off', glass, 'email', { '*': { email: false } }, 'service'],
    ['is not forced on other ways', glass, 'sms', { '*': { sms: false } }, undefined],
  ];
  for (const [name, kind, channel, channels, expected] of rows)
    it(`[DP-10] ${kind?.code} by ${channel}, ${name}: ${expected ?? 'no'}`, () => {
      expect(kind && basisOf(kind, channel, channels && { channels })).equal(expected);
    });
});

describe('workflow › notices › quiet hours', () => {
  const MINUTE = 60_000;
  const night = { from: '21:00', until: '07:30', timeZone: 'Europe/London' };
  const noon = { from: '12:00', until: '13:00', timeZone: 'Europe/London' };
  const early = { from: '00:30', until: '02:30', timeZone: 'Europe/London' };
  const rows: readonly [string, string, Preferences['quiet'], number][] = [
    ['before them', '2026-11-22T20:59:59Z', night, 0],
    ['as they begin', '2026-11-22T21:00:00Z', night, 630],
    ['past midnight', '2026-11-23T00:00:00Z', night, 450],
    ['the last minute', '2026-11-23T07:29:00Z', night, 1],
    ['as they end', '2026-11-23T07:30:00Z', night, 0],
    ['within a day', '2026-11-22T12:15:00Z', noon, 45],
    ['summer time', '2026-07-01T20:00:00Z', night, 630],
    // 29 March 2026, 01:00 is 02:00; 25 October 2026, 02:00 is 01:00.
    ['a night of 23 hours', '2026-03-28T21:00:00Z', night, 570],
    ['a night of 25 hours', '2026-10-24T20:00:00Z', night, 690],
    ['clocks go forward within', '2026-03-29T00:30:00Z', early, 60],
    ['clocks go back within', '2026-10-24T23:30:00Z', early, 180],
  ];
  for (const [name, at, quiet, minutes] of rows)
    it(`${name}: ${at} waits ${minutes} minutes`, () => {
      const preferences = { channels: {}, ...(quiet && { quiet }) };
      expect(quietFor('sms', preferences, Date.parse(at)) / MINUTE).equal(minutes);
      expect(quietFor('email', preferences, Date.parse(at))).equal(0);
    });
});

describe('workflow › notices › where to', () => {
  const rows: readonly [string, object[], string | undefined, string | undefined][] = [
    ['nothing', [], undefined, undefined],
    ['an address', [{ system: 'email', value: 'a@example.org' }], 'a@example.org', undefined],
    ['a mobile', [{ system: 'phone', use: 'mobile', value: '07700 900123' }], undefined, '+447700900123'],
    ['with its country', [{ system: 'phone', use: 'mobile', value: '+44 7700 900123' }], undefined, '+447700900123'],
    ['00 for +', [{ system: 'phone', use: 'mobile', value: '00234 803 000 0000' }], undefined, '+2348030000000'],
    ['a mobile without its use', [{ system: 'phone', value: '07700900123' }], undefined, '+447700900123'],
    ['a landline', [{ system: 'phone', use: 'home', value: '01632 960000' }], undefined, undefined],
    ['sms', [{ system: 'sms', value: '+12025550100' }], undefined, '+12025550100'],
    ['an old one', [{ system: 'email', use: 'old', value: 'a@example.org' }], undefined, undefined],
    [
      'one that is over',
      [{ system: 'email', value: 'a@example.org', period: { end: '2026-11-21' } }],
      undefined,
      undefined,
    ],
    [
      'one that ends today',
      [{ system: 'email', value: 'a@example.org', period: { end: '2026-11-22' } }],
      'a@example.org',
      undefined,
    ],
    ['one to come', [{ system: 'email', value: 'a@example.org', period: { start: '2026-12' } }], undefined, undefined],
    [
      'by rank',
      [
        { system: 'email', value: 'b@example.org', rank: 2 },
        { system: 'email', value: 'a@example.org', rank: 1 },
      ],
      'a@example.org',
      undefined,
    ],
    ['no address at all', [{ system: 'email', value: 'a@example.org\r\nBcc: b@example.org' }], undefined, undefined],
    ['two of them', [{ system: 'email', value: 'a@example.org, b@example.org' }], undefined, undefined],
    ['letters', [{ system: 'phone', use: 'mobile', value: 'call me' }], undefined, undefined],
  ];
  for (const [name, telecom, email, mobile] of rows)
    it(`${name}: ${email ?? mobile ?? 'nowhere'}`, () => {
      expect([emailOf({ telecom }, AT), mobileOf({ telecom }, AT)]).eql([email, mobile]);
    });

  it('the language that is preferred, and who has died', () => {
    const spoken = (code: string, preferred?: boolean): object => ({
      language: { coding: [{ system: 'urn:ietf:bcp:47', code }] },
      ...(preferred !== undefined && { preferred }),
    });
    expect(languageOfPatient({ communication: [spoken('en'), spoken('cy', true)] })).equal('cy');
    expect(languageOfPatient({})).equal(undefined);
    expect(
      [{}, { deceasedBoolean: false }, { deceasedBoolean: true }, { deceasedDateTime: '2026' }].map(isDeceased),
    ).eql([false, false, true, true]);
  });
});

describe('workflow › notices › what', () => {
  const communication = (more: object): string =>
    JSON.stringify({
      resourceType: 'Communication',
      status: 'completed',
      category: [{ coding: [{ system: CATEGORY, code: 'prescription-approved' }] }],
      subject: { reference: 'Patient/p' },
      recipient: [{ reference: 'Patient/p' }],
      sent: new Date(AT).toISOString(),
      ...more,
    });
  const of = (content: string, more: object = {}): readonly string[] =>
    deliveriesOf({ id: 'c', versionId: 1, operation: 'create', content, ...more }, KINDS, CHANNELS, AT).map(
      ({ recipient, channel, patientId }) => `${recipient} ${channel} ${patientId}`,
    );
  const category = (code: string, system = CATEGORY): object => ({ category: [{ coding: [{ system, code }] }] });
  const all = ['Patient/p email p', 'Patient/p sms p', 'Patient/p push p'];
  const rows: readonly [string, string, object, readonly string[]][] = [
    ['to the patient', communication({}), {}, all],
    ['changed afterwards', communication({}), { versionId: 2, operation: 'update' }, []],
    ['deleted', '', { versionId: 2, operation: 'delete' }, []],
    ['of another system', communication(category('prescription-approved', 'https://example.org')), {}, []],
    ['of no kind that is told', communication(category('prescription-new')), {}, []],
    ['of long ago', communication({ sent: '2026-11-20T00:00:00Z' }), {}, []],
    ['entered in error', communication({ status: 'entered-in-error' }), {}, []],
    [
      'to the pharmacy, which is not written to',
      communication({ recipient: [{ reference: 'Organization/o' }] }),
      {},
      [],
    ],
    [
      'a digest',
      communication({
        ...category('pharmacy-digest'),
        subject: undefined,
        recipient: [{ reference: 'Organization/o' }],
      }),
      {},
      ['Organization/o email undefined'],
    ],
    ['to a version', communication({ recipient: [{ reference: 'Patient/p/_history/1' }] }), {}, []],
    [
      'to who is elsewhere',
      communication({ recipient: [{ reference: 'https://example.org/fhir/Patient/p' }] }),
      {},
      [],
    ],
    ['to nobody', communication({ recipient: undefined }), {}, []],
  ];
  for (const [name, content, more, expected] of rows)
    it(`${name}: ${expected.length}`, () => {
      expect(of(content, more)).eql(expected);
    });
});

describe('workflow › notices › links that switch off', () => {
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const token = unsubscribeToken(cipher, { recipient: 'Patient/p', kind: 'request-received' });

  it('[DP-10] come back as they were made, and say nothing to others', () => {
    expect(readUnsubscribeToken(cipher, token)).eql({ recipient: 'Patient/p', kind: 'request-received' });
    expect(token).not.contain(Buffer.from('Patient').toString('base64url').slice(0, 6));
  });

  for (const [name, of] of [
    ['altered', `${token.slice(0, -2)}AA`],
    ['cut', token.slice(0, 20)],
    ['empty', ''],
    [
      'of another server',
      unsubscribeToken(createCipher([{ number: 1, key: randomBytes(32) }]), { recipient: 'Patient/p', kind: 'x' }),
    ],
    ['no base64', '<script>'],
    [
      'sealed for something else',
      cipher.seal(Buffer.from('["Patient/p","x"]'), 'something else').toString('base64url'),
    ],
    ['endless', 'A'.repeat(5000)],
  ] as const)
    it(`${name}: is none of ours`, () => {
      expect(readUnsubscribeToken(cipher, of)).equal(undefined);
    });

  it('switch off a kind, or all, and leave the rest as it is', () => {
    const before: Preferences = { channels: { a: { email: true, sms: true }, '*': { push: false } }, language: 'cy' };
    expect(withoutEmail(undefined, 'a')).eql({ channels: { a: { email: false } } });
    expect(withoutEmail(before, 'a')).eql({
      channels: { a: { email: false, sms: true }, '*': { push: false } },
      language: 'cy',
    });
    expect(withoutEmail(before, '*')).eql({
      channels: { a: { sms: true }, '*': { push: false, email: false } },
      language: 'cy',
    });
  });
});
