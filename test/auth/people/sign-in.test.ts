import { expect } from 'chai';
import { openWorld, PASSWORD, type World } from './world.ts';

const LOGIN = '/api/v2/auth/login';

describe('people › signing in', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  it('[LG-15] login gives tokens to who needs no second factor, at both doors', async () => {
    const patient = await world.add({ role: 'PATIENT' });
    for (const base of ['/api/v2/auth', '/booking/v1/auth']) {
      const { status, json, headers } = await world.post(`${base}/login`, { email: patient.email, password: PASSWORD });
      expect(status).equal(200);
      expect(json).deep.equal({
        access_token: `access ${patient.id} pwd`,
        refresh_token: `refresh ${patient.id}`,
        token_type: 'Bearer',
        expires_in: 900,
      });
      expect(headers.get('cache-control')).equal('no-store');
      const refreshed = await world.post(`${base}/refresh`, { refresh_token: json.refresh_token });
      expect(refreshed.json.refresh_token).equal(`${json.refresh_token}+`);
      const refused = await world.post(`${base}/refresh`, { refresh_token: 'nothing' });
      expect(refused.status).equal(401);
      expect(refused.json.code).equal('invalid_grant');
    }
  });

  it('[LG-15] login and mfa/verify give tokens to staff', async () => {
    const doctor = await world.add();
    const first = await world.post(LOGIN, { email: doctor.email.toUpperCase(), password: PASSWORD });
    expect(first.status).equal(200);
    expect(first.json).have.all.keys('mfa_required', 'mfa_token');
    const second = await world.post('/api/v2/auth/mfa/verify', {
      mfa_token: first.json.mfa_token,
      code: doctor.code(),
    });
    expect(second.json.access_token).equal(`access ${doctor.id} pwd otp`);
  });

  it('[LG-09] staff without a second factor get no token: 403 mfa_enrolment_required', async () => {
    const doctor = await world.add({ mfa: false });
    const { status, json } = await world.post(LOGIN, { email: doctor.email, password: PASSWORD });
    expect(status).equal(403);
    expect(json.code).equal('mfa_enrolment_required');
  });

  it('[LG-09] patients too, unless the deployment says otherwise', async () => {
    const strict = await openWorld({ patientMfa: 'required' });
    try {
      const patient = await strict.add({ role: 'PATIENT' });
      const { json } = await strict.post(LOGIN, { email: patient.email, password: PASSWORD });
      expect(json.code).equal('mfa_enrolment_required');
    } finally {
      await strict.stop();
    }
  });

  describe('[LG-04] unknown, wrong, disabled and locked', () => {
    it('give the same answer, in body and headers', async () => {
      const known = await world.add();
      const disabled = await world.add();
      await world.identity.people.setDisabled(disabled.id, true);
      const unverified = await world.add({ isEmailVerified: false });
      const locked = await world.add();
      await lock(world, locked.email);
      const answers = [];
      for (const [email, password] of [
        ['nobody@example.org', PASSWORD],
        [known.email, 'wrong-password-here'],
        [disabled.email, PASSWORD],
        [unverified.email, PASSWORD],
        [locked.email, PASSWORD],
      ])
        answers.push(await world.post(LOGIN, { email, password }));
      for (const { status, text, headers } of answers) {
        expect(status).equal(401);
        expect(text).equal(answers[0]?.text);
        const names = (h: Headers) => [...h].filter(([name]) => name !== 'date');
        expect(names(headers)).deep.equal(names(answers[0]?.headers as Headers));
      }
      expect(answers[0]?.json.code).equal('invalid_credentials');
    });

    it('take the same time', async function () {
      this.timeout(180_000);
      const known = await world.add();
      const locked = await world.add();
      await lock(world, locked.email);
      const times: Record<string, number[]> = { unknown: [], wrong: [], locked: [] };
      for (let i = 0; i < 12; i += 1)
        for (const [name, email] of [
          ['unknown', `nobody${i}@example.org`],
          ['wrong', known.email],
          ['locked', locked.email],
        ] as const) {
          world.advance(name === 'wrong' ? 16 * 60_000 : 0);
          if (name === 'locked') await lock(world, locked.email);
          const started = performance.now();
          const { status } = await world.post(LOGIN, { email, password: 'wrong-password-here' });
          times[name]?.push(performance.now() - started);
          expect(status).equal(401);
        }
      const median = (name: string): number => times[name]?.sort((a, b) => a - b)[6] ?? 0;
      // A hash takes some 40 ms or more: an answer without one would come in a tenth of that.
      for (const name of ['unknown', 'locked']) expect(median(name) / median('wrong'), name).within(0.5, 2);
    });
  });

  describe('[LG-05] throttle', () => {
    const attempt = (email: string, password = 'wrong-password-here', headers = {}) =>
      world.post(LOGIN, { email, password }, headers);

    it('from the fifth failure on the delay doubles, for unknown accounts alike', async () => {
      const known = await world.add();
      for (const email of [known.email, 'ghost@example.org']) {
        for (let i = 0; i < 5; i += 1) expect((await attempt(email)).status, `attempt ${i}`).equal(401);
        for (const seconds of [1, 2, 4, 8]) {
          const { status, headers, json } = await attempt(email);
          expect(status).equal(429);
          expect(json.code).equal('throttled');
          expect(headers.get('retry-after')).equal(String(seconds));
          world.advance(seconds * 1000);
          expect((await attempt(email)).status).equal(401);
        }
      }
    });

    it('at ten failures the account is locked for 15 minutes; the right password does not open it', async () => {
      const user = await world.add({ role: 'PATIENT' });
      await lock(world, user.email);
      expect((await attempt(user.email, PASSWORD)).status).equal(401);
      world.advance(15 * 60_000 - 1000);
      expect((await attempt(user.email, PASSWORD)).status).equal(401);
      world.advance(1000);
      expect((await attempt(user.email, PASSWORD)).status).equal(200);
    });

    it('of 40 guesses at once at most ten are judged', async () => {
      const user = await world.add({ role: 'PATIENT' });
      const before = world.events.length;
      await Promise.all(Array.from({ length: 40 }, (_, i) => attempt(user.email, `wrong-password-${i}`)));
      const judged = world.events.slice(before).filter((event) => event.rule === 'wrong-password');
      expect(judged.length).at.most(10);
      expect((await attempt(user.email, PASSWORD)).status).not.equal(200);
    });

    it('a success elsewhere gives a guesser no new attempts', async () => {
      const user = await world.add({ role: 'PATIENT' });
      for (let i = 0; i < 4; i += 1) await attempt(user.email);
      expect((await attempt(user.email, PASSWORD)).status).equal(200);
      expect((await attempt(user.email)).status).equal(401);
      expect((await attempt(user.email)).status, 'the fifth failure was that').equal(429);
    });

    it('who comes with their own trusted browser is not locked out by others', async () => {
      const user = await world.add();
      const own = world.browser();
      await own.signIn(user);
      expect([...own.cookies.keys()]).include('mortar-device');
      await own.get('/account');
      await own.submit('/sign-out');
      await lock(world, user.email);
      expect((await own.signIn(user)).h1).equal('Your account');
      const other = world.browser();
      await other.get('/sign-in');
      const refused = await other.submit('/sign-in', { email: user.email, password: PASSWORD });
      expect(refused.status).equal(401);
    });

    it('a trusted browser has a limit of its own, and is nobody else’s', async () => {
      const [user, victim] = [await world.add(), await world.add()];
      const own = world.browser();
      await own.signIn(user);
      await own.get('/account');
      await own.submit('/sign-out');
      await lock(world, victim.email);
      await own.get('/sign-in');
      expect((await own.submit('/sign-in', { email: victim.email, password: PASSWORD })).status).equal(401);
      for (let i = 0; i < 10; i += 1) {
        world.advance(20_000);
        await own.get('/sign-in');
        await own.submit('/sign-in', { email: user.email, password: 'wrong-password-here' });
      }
      world.advance(20_000);
      await own.get('/sign-in');
      expect((await own.submit('/sign-in', { email: user.email, password: PASSWORD })).status).equal(401);
    });

    it('an address, its neighbourhood and everybody together have limits: 429 with Retry-After', async () => {
      for (const [limits, addresses] of [
        [{ perAddress: 3 }, ['192.0.2.1', '192.0.2.1']],
        [{ perNeighbourhood: 3, perAddress: 100 }, ['192.0.2.1', '192.0.2.77']],
        [{ everywhere: 3, perAddress: 100, perNeighbourhood: 100 }, ['192.0.2.1', '2001:db8::1']],
      ] as const) {
        let address: string = addresses[0];
        const small = await openWorld({ limits, addressOf: () => address });
        try {
          const guess = (i: number) => small.post(LOGIN, { email: `a${i}@example.org`, password: 'x' });
          for (let i = 0; i < 3; i += 1) expect((await guess(i)).status).equal(401);
          address = addresses[1];
          const { status, headers } = await guess(9);
          expect(status, JSON.stringify(limits)).equal(429);
          expect(Number(headers.get('retry-after'))).within(1, 600);
          small.advance(10 * 60_000);
          expect((await guess(10)).status).equal(401);
        } finally {
          await small.stop();
        }
      }
    });

    it('two processes share the counters', async () => {
      const other = await world.another();
      try {
        const email = 'shared@example.org';
        const bases = [world.url, other.url];
        for (let i = 0; i < 5; i += 1) {
          const { status } = await fetch(`${bases[i % 2]}${LOGIN}`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ email, password: 'x' }),
          });
          expect(status).equal(401);
        }
        expect((await attempt(email)).status).equal(429);
      } finally {
        await other.stop();
      }
    });

    it('counters are named by digests: no address that was typed is kept', async () => {
      await attempt('typed-by-mistake@example.org');
      const rows = await world.pools.writes.query({ text: 'select key from auth.rate', values: [] });
      expect(rows.length).greaterThan(0);
      expect(rows.flat().join(' ')).not.include('@');
    });
  });

  describe('[LG-07] the second step', () => {
    const verify = (token: string, code: string) => world.post('/api/v2/auth/mfa/verify', { mfa_token: token, code });
    const begin = async (email: string): Promise<string> =>
      (await world.post(LOGIN, { email, password: PASSWORD })).json.mfa_token;

    it('five wrong codes end it: then a new password step', async () => {
      const doctor = await world.add();
      const token = await begin(doctor.email);
      const codes = [];
      for (let i = 0; i < 5; i += 1) {
        world.advance(i === 4 ? 2000 : 0);
        codes.push((await verify(token, '000000')).json.code);
      }
      expect(codes).deep.equal(['invalid_code', 'invalid_code', 'invalid_code', 'invalid_code', 'invalid_mfa_token']);
      world.advance(2000);
      const { status, json } = await verify(token, doctor.code());
      expect(status).equal(401);
      expect(json.code).equal('invalid_mfa_token');
    });

    it('guessing goes on over new steps only until the codes are locked', async () => {
      const doctor = await world.add();
      let judged = 0;
      for (let step = 0; step < 6; step += 1) {
        world.advance(20_000);
        const token = await begin(doctor.email);
        for (let i = 0; i < 5; i += 1) {
          world.advance(17_000);
          if ((await verify(token, '000000')).status === 401) judged += 1;
        }
      }
      const token = await begin(doctor.email);
      expect(judged).greaterThan(10);
      expect((await verify(token, doctor.code())).status, 'locked').equal(401);
    });

    it('its token works once, for five minutes, and for nobody disabled since', async () => {
      const doctor = await world.add();
      const token = await begin(doctor.email);
      expect((await verify(token, doctor.code())).status).equal(200);
      expect((await verify(token, doctor.code())).json.code).equal('invalid_mfa_token');
      const late = await begin(doctor.email);
      world.advance(5 * 60_000);
      expect((await verify(late, doctor.code())).json.code).equal('invalid_mfa_token');
      const stale = await begin(doctor.email);
      await world.identity.people.setDisabled(doctor.id, true);
      expect((await verify(stale, doctor.code())).json.code).equal('invalid_mfa_token');
    });

    it('of many right answers at once one counts', async () => {
      const doctor = await world.add();
      const token = await begin(doctor.email);
      const code = doctor.code();
      const answers = await Promise.all(Array.from({ length: 5 }, () => verify(token, code)));
      expect(answers.filter(({ status }) => status === 200)).length(1);
    });

    it('only hashes are in the database', async () => {
      const doctor = await world.add();
      const token = await begin(doctor.email);
      const rows = await world.pools.writes.query({ text: 'select c::text from auth.challenge c', values: [] });
      expect(rows.length).greaterThan(0);
      expect(rows.flat().join(' ')).not.include(token);
    });
  });

  it('[LG-06] a code is used once, also by another step', async () => {
    const doctor = await world.add();
    const code = doctor.code();
    const begin = async () => (await world.post(LOGIN, { email: doctor.email, password: PASSWORD })).json.mfa_token;
    const first = await world.post('/api/v2/auth/mfa/verify', { mfa_token: await begin(), code });
    expect(first.status).equal(200);
    const replay = await world.post('/api/v2/auth/mfa/verify', { mfa_token: await begin(), code });
    expect(replay.json.code).equal('invalid_code');
  });

  it('[LG-08] a recovery code works once, is told to its owner, and ends no other', async () => {
    const doctor = await world.add();
    const { recoveryHashes, newRecoveryCodes } = await import('../../../src/auth/people/recovery-codes.ts');
    const codes = newRecoveryCodes();
    await world.identity.people.setRecoveryCodes(doctor.id, recoveryHashes(codes));
    const use = async (code: string) => {
      const { json } = await world.post(LOGIN, { email: doctor.email, password: PASSWORD });
      return world.post('/api/v2/auth/mfa/verify', { mfa_token: json.mfa_token, code });
    };
    expect((await use(codes[0]?.toUpperCase().replaceAll('-', ' ') ?? '')).status).equal(200);
    expect((await use(codes[0] ?? '')).status, 'again').equal(401);
    expect((await use(codes[1] ?? '')).status).equal(200);
    const told = world.notices.filter(({ kind, to }) => kind === 'recovery-code-used' && to === doctor.email);
    expect(told.map(({ left }) => left)).deep.equal([9, 8]);
    const [[stored]] = (await world.pools.writes.query({
      text: "select string_agg(encode(hash, 'escape'), ' ') from auth.recovery_code",
      values: [],
    })) as [[string]];
    expect(stored).not.include(codes[2]?.replaceAll('-', ''));
  });

  it('[LG-02] a flood of logins gets 503 beyond the queue, and the process goes on answering', async function () {
    this.timeout(180_000);
    let slowest = 0;
    let flooding = true;
    const probe = (async () => {
      while (flooding) {
        const started = performance.now();
        await (await fetch(`${world.url}/reset`)).text();
        slowest = Math.max(slowest, performance.now() - started);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const flood = await Promise.all(
      Array.from({ length: 300 }, (_, i) => world.post(LOGIN, { email: `flood${i}@example.org`, password: 'x' })),
    );
    flooding = false;
    await probe;
    const of = (wanted: number) => flood.filter(({ status }) => status === wanted);
    expect(of(503).length + of(401).length).equal(300);
    expect(of(503).length).greaterThan(0);
    expect(of(503)[0]?.headers.get('retry-after')).equal('5');
    expect(of(401).length).at.least(100);
    expect(slowest, 'slowest other answer in ms').lessThan(30_000);
  });

  describe('what is no login', () => {
    const cases: readonly (readonly [what: string, body: unknown, status: number])[] = [
      ['no JSON', '{', 400],
      ['a list', [], 400],
      ['no password', { email: 'a@example.org' }, 400],
      ['a number for a password', { email: 'a@example.org', password: 1 }, 400],
      ['another member', { email: 'a@example.org', password: 'x', admin: true }, 400],
      ['__proto__', '{"email":"a@example.org","password":"x","__proto__":{"admin":true}}', 400],
      ['a password of 2,000 characters', { email: 'a@example.org', password: 'x'.repeat(2000) }, 400],
      ['a body of 70 KiB', { email: 'a@example.org', password: 'x'.repeat(70_000) }, 413],
    ];
    for (const [what, body, status] of cases)
      it(`${what}: ${status}`, async () => {
        const answer = await world.post(LOGIN, body);
        expect(answer.status).equal(status);
        expect(answer.headers.get('content-type')).match(/^application\/problem\+json/);
        expect(answer.json).include.keys('type', 'title', 'status', 'detail', 'code');
      });

    it('a form: 415; GET: 405', async () => {
      const form = await world.post(LOGIN, 'email=a', { 'Content-Type': 'text/plain' });
      expect(form.status).equal(415);
      const get = await fetch(`${world.url}${LOGIN}`);
      expect(get.status).equal(405);
      expect(get.headers.get('allow')).equal('POST');
    });
  });

  it('what happens is recorded, without what was typed', async () => {
    const doctor = await world.add();
    const before = world.events.length;
    await world.post(LOGIN, { email: doctor.email, password: 'wrong-password-here' });
    await world.post(LOGIN, { email: 'unheard-of@example.org', password: 'wrong-password-here' });
    const { json } = await world.post(LOGIN, { email: doctor.email, password: PASSWORD });
    await world.post('/api/v2/auth/mfa/verify', { mfa_token: json.mfa_token, code: '000000' });
    await world.post('/api/v2/auth/mfa/verify', { mfa_token: json.mfa_token, code: doctor.code() });
    const events = world.events.slice(before);
    expect(events.map(({ kind, outcome, rule }) => [kind, outcome, rule])).deep.equal([
      ['login', 4, 'wrong-password'],
      ['login', 4, 'unknown-user'],
      ['mfa', 4, 'wrong-code'],
      ['login', 0, 'signed-in-code'],
    ]);
    expect(events[0]?.detail).deep.equal({ account: doctor.id });
    expect(events.at(-1)?.caller.user?.amr).deep.equal(['pwd', 'otp']);
    const said = JSON.stringify(events) + JSON.stringify(world.lines);
    for (const secret of [PASSWORD, 'wrong-password-here', 'unheard-of', json.mfa_token])
      expect(said).not.include(secret);
  });
});

/** Fails ten times, waiting as long as it must. */
async function lock(world: World, email: string): Promise<void> {
  for (let i = 0; i < 10; i += 1) {
    await world.post(LOGIN, { email, password: 'wrong-password-here' });
    world.advance(i < 4 || i === 9 ? 0 : 2 ** (i - 4) * 1000);
  }
}
