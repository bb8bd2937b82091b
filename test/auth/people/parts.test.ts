import { hash } from '@node-rs/argon2';
import { expect } from 'chai';
import { commonPasswords, isCommonPassword } from '../../../src/auth/people/common-passwords.ts';
import { createHashing, createPool } from '../../../src/auth/people/hashing.ts';
import { findPasswordFault } from '../../../src/auth/people/passwords.ts';
import { newRecoveryCodes, recoveryHash } from '../../../src/auth/people/recovery-codes.ts';
import { neighbourhoodOf } from '../../../src/auth/people/throttle.ts';
import {
  findTotpStep,
  newTotpSecret,
  otpauthUrl,
  readTotpCode,
  toBase32,
  totpCode,
  totpStep,
} from '../../../src/auth/people/totp.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { openWorld, PASSWORD } from './world.ts';

describe('people › passwords', () => {
  describe('[LG-01] hashes', () => {
    it('are argon2id with their parameters in them, and verify', async () => {
      const hashing = await createHashing();
      const stored = await hashing.hash(PASSWORD);
      expect(stored).match(/^\$argon2id\$v=19\$m=47104,t=1,p=1\$/);
      expect(await hashing.verify(stored, PASSWORD)).equal(true);
      expect(await hashing.verify(stored, `${PASSWORD} `)).equal(false);
      expect(await hashing.verify(undefined, PASSWORD)).equal(false);
      expect(await hashing.hash(PASSWORD), 'salted').not.equal(stored);
    });

    it('do not depend on how a keyboard composes accents', async () => {
      const hashing = await createHashing();
      expect(await hashing.verify(await hashing.hash('caf\u00e9 au lait'), 'cafe\u0301 au lait')).equal(true);
    });

    it('a cost below the floor is refused', async () => {
      for (const cost of [
        { memoryKiB: 19_456, passes: 1 },
        { memoryKiB: 19_455, passes: 2 },
        { memoryKiB: 47_103, passes: 1 },
      ])
        expect(await createHashing({ cost }).catch((e: Error) => e.message)).match(/below the floor/);
    });

    it('are made anew at the next login when the parameters are raised', async () => {
      const world = await openWorld({ hashing: { cost: { memoryKiB: 50_000, passes: 2 } } });
      try {
        const old = await hash(PASSWORD, { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });
        const patient = await world.add({ role: 'PATIENT', passwordHash: old });
        const login = () => world.post('/api/v2/auth/login', { email: patient.email, password: PASSWORD });
        expect((await login()).status).equal(200);
        const raised = await world.identity.people.findPerson(patient.id);
        expect(raised?.passwordHash).match(/^\$argon2id\$v=19\$m=50000,t=2,p=1\$/);
        expect(raised?.securityVersion, 'what was granted stands').equal(patient.securityVersion);
        expect((await login()).status).equal(200);
      } finally {
        await world.stop();
      }
    });
  });

  it('[LG-02] the pool runs so many at once, lets so many wait, and refuses the rest with 503', async () => {
    const run = createPool(2, 3);
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const work = () =>
      run(async () => {
        running += 1;
        most = Math.max(most, running);
        await gate.promise;
        running -= 1;
      });
    const all = Array.from({ length: 8 }, work);
    gate.resolve();
    const settled = await Promise.allSettled(all);
    expect(settled.filter(({ status }) => status === 'fulfilled')).length(5);
    for (const one of settled)
      if (one.status === 'rejected') expect(one.reason).instanceOf(FhirError).property('status', 503);
    expect(most).equal(2);
    await work();
    expect(running).equal(0);
  });

  describe('[LG-03] rules', () => {
    const owner = { name: 'Imogen Fairweather', email: 'imogen.fairweather@example.org', roles: ['DOCTOR'] as const };
    const patient = { ...owner, roles: ['PATIENT'] as const };
    const cases: readonly (readonly [
      password: string,
      owner: typeof owner | typeof patient,
      fault: RegExp | undefined,
    ])[] = [
      ['short-words', owner, /at least 12/],
      ['short-words', patient, undefined],
      ['shorter', patient, /at least 8/],
      ['long enough to type', owner, undefined],
      ['no digits no capitals', owner, undefined],
      ['пароль длинный', owner, undefined],
      ['🐎🔋📎🐎🔋📎🐎🔋📎🐎🔋📎', owner, /more than three/],
      ['a b'.repeat(43), owner, /at most 128/],
      ['password1234', owner, /most common/],
      ['P@ssw0rd1234', owner, /most common/],
      ['qwertyuiop12', owner, /most common/],
      ['123456789012', owner, /./],
      ['abcdefghijklm', owner, /most common/],
      ['liverpool2024', owner, /most common/],
      ['Fairweather1!', owner, /your name/],
      ['imogenfairweather', owner, /your name/],
      ['imogen.fairweather@example.org', owner, /your name/],
      ['Mortar-Mortar-1', owner, /this service/],
      ['aaaaaaaaaaaaaaa', owner, /most common/],
    ];
    for (const [password, whose, fault] of cases)
      it(`${password.slice(0, 40)} of ${whose.roles[0]}: ${fault === undefined ? 'taken' : 'refused'}`, () => {
        const found = findPasswordFault(password, whose);
        if (fault === undefined) expect(found).equal(undefined);
        else expect(found).match(fault);
      });

    it('the list has 10,000 passwords for each least length, and holds with other capitals', () => {
      const list = [...commonPasswords()];
      for (const min of [8, 12]) expect(list.filter(({ length }) => length >= min).length).at.least(10_000);
      expect(new Set(list).size).equal(list.length);
      for (const one of list.filter((_, i) => i % 997 === 0))
        expect(isCommonPassword(one.toUpperCase()), one).equal(true);
      expect(isCommonPassword(PASSWORD)).equal(false);
    });
  });
});

describe('people › codes', () => {
  describe('[LG-06] TOTP', () => {
    // RFC 6238 appendix B, SHA-1; its eight digits end with our six.
    const secret = Buffer.from('12345678901234567890');
    for (const [seconds, code] of [
      [59, '287082'],
      [1_111_111_109, '081804'],
      [1_111_111_111, '050471'],
      [1_234_567_890, '005924'],
      [2_000_000_000, '279037'],
      [20_000_000_000, '353130'],
    ] as const)
      it(`RFC 6238: at ${seconds} s it is ${code}`, () => {
        expect(totpCode(secret, totpStep(seconds * 1000))).equal(code);
      });

    it('one step before and after are taken, two are not', () => {
      const now = 1_111_111_111_000;
      const step = totpStep(now);
      const taken = [-2, -1, 0, 1, 2].filter((n) => findTotpStep(secret, totpCode(secret, step + n), now) === step + n);
      expect(taken).deep.equal([-1, 0, 1]);
    });

    it('the secret has 160 bits and is written in base32', () => {
      expect(newTotpSecret()).length(20);
      expect(toBase32(secret)).equal('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
      expect(toBase32(Buffer.from('foob'))).equal('MZXW6YQ');
      const url = new URL(otpauthUrl(secret, 'a b@example.org', 'Mortar'));
      expect(url.protocol).equal('otpauth:');
      expect(Object.fromEntries(url.searchParams)).deep.equal({
        secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
        issuer: 'Mortar',
        algorithm: 'SHA1',
        digits: '6',
        period: '30',
      });
    });

    it('codes are read with spaces, and nothing else is one', () => {
      expect(readTotpCode(' 123 456 ')).equal('123456');
      for (const text of ['', '12345', '1234567', '12345a', '１２３４５６'])
        expect(readTotpCode(text)).equal(undefined);
    });
  });

  it('[LG-08] ten recovery codes of 80 bits, each another', () => {
    const codes = newRecoveryCodes();
    expect(codes).length(10);
    expect(new Set(codes).size).equal(10);
    for (const code of codes) expect(code).match(/^[a-hjkmnp-z02-9]{4}(-[a-hjkmnp-z02-9]{4}){3}$/);
    const [code = ''] = codes;
    expect(recoveryHash(code)).deep.equal(recoveryHash(` ${code.toUpperCase().replaceAll('-', ' ')}`));
    for (const text of ['', 'abcd', `${code}0`, 'é'.repeat(16)]) expect(recoveryHash(text)).equal(undefined);
  });

  it('[LG-05] neighbourhoods are the first 24 bits of IPv4 and 48 of IPv6', () => {
    for (const [address, wanted] of [
      ['192.0.2.7', '192.0.2'],
      ['::ffff:192.0.2.7', '192.0.2'],
      ['2001:db8:7:1::1', '2001:db8:7'],
      ['2001:0db8:0007:2:3:4:5:6', '2001:db8:7'],
      ['2001:db8::1', '2001:db8:0'],
      ['::1', '0:0:0'],
      ['fe80::1%eth0', 'fe80:0:0'],
      ['unknown', 'other'],
    ] as const)
      expect(neighbourhoodOf(address), address).equal(wanted);
  });
});
