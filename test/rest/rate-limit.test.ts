/** SECURITY WB-06: how often a client may do a thing. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createAddressOf } from '../../src/rest/address.ts';
import { createDoorLimiter } from '../../src/rest/door-limits.ts';
import {
  createRateLimits,
  RATES,
  type Rate,
  type RateClass,
  type RateVerdict,
  throttled,
} from '../../src/rest/rate-limit.ts';
import { createRedisRates } from '../../src/rest/redis-rates.ts';
import { createMemoryBuckets } from '../../src/rest/token-buckets.ts';
import { send, startListener } from '../support/listener.ts';
import { silentLog } from '../support/log.ts';
import { hasRedis, startRedis, type TestRedis } from '../support/redis.ts';

describe('rest › rate limits', () => {
  let at = 1_700_000_000_000;
  const now = (): number => at;
  const spend = async (take: () => Promise<RateVerdict> | RateVerdict): Promise<number> => {
    for (let taken = 0; ; taken++) if (!(await take()).allowed) return taken;
  };

  for (const [name, count, perMs] of [
    ['login', 10, 60_000],
    ['register', 5, 3_600_000],
    ['token', 60, 60_000],
    ['verify', 30, 60_000],
    ['verify-prescription', 10, 60_000],
    ['read', 600, 60_000],
    ['search', 300, 60_000],
    ['write', 120, 60_000],
    ['authorize', 300, 60_000],
  ] as const)
    it(`[WB-06] ${name}: ${count} in ${perMs / 60_000} min a key, then evenly`, async () => {
      const limits = createRateLimits({ now });
      expect(await spend(() => limits.check(name, 'a'))).equal(count);
      expect((await limits.check(name, 'b')).allowed).equal(true);
      const refused = await limits.check(name, 'a');
      expect(refused).include({ allowed: false, limit: count, remaining: 0 });
      at += refused.retryAfterS * 1000;
      expect((await limits.check(name, 'a')).allowed).equal(true);
      at += perMs * 2;
      expect(await spend(() => limits.check(name, 'a'))).equal(count);
    });

  it('every class of the table is tested above', () => {
    expect(Object.keys(RATES)).length(9);
  });

  it('classes do not share a bucket, and refused tries cost nothing', async () => {
    const limits = createRateLimits({ now });
    for (let i = 0; i < 100; i++) await limits.check('login', 'a');
    expect((await limits.check('register', 'a')).allowed).equal(true);
    expect((await limits.check('login', 'a')).retryAfterS).equal(6);
  });

  it('rates can be set, for a class or for one client, and switched off', async () => {
    const rates = new Map<string, Rate | 'off'>([
      ['login', { count: 2, perMs: 1000 }],
      ['register', 'off'],
    ]);
    const limits = createRateLimits({ now, rates });
    expect(await spend(() => limits.check('login', 'a'))).equal(2);
    expect(await spend(() => limits.check('read', 'a', { count: 3, perMs: 1000 }))).equal(3);
    for (let i = 0; i < 50; i++) expect((await limits.check('register', 'a')).allowed).equal(true);
  });

  it('tells what is left and when all of it is back', async () => {
    const limits = createRateLimits({ now });
    await limits.check('login', 'c');
    expect(await limits.check('login', 'c')).deep.equal({
      allowed: true,
      retryAfterS: 0,
      limit: 10,
      remaining: 8,
      resetS: 12,
    });
  });

  it('a clock that is set back does not lock a client out', () => {
    let time = 1_000_000;
    const buckets = createMemoryBuckets(() => time);
    const rate = { count: 2, perMs: 1000 };
    buckets.take('a', rate);
    time = 0;
    expect(buckets.take('a', rate).retryAfterS).at.most(1);
    time = 1000;
    expect(buckets.take('a', rate).allowed).equal(true);
  });

  it('remembers a bounded number of keys, those used last', () => {
    const buckets = createMemoryBuckets(now, 100);
    const rate = { count: 1, perMs: 60_000 };
    for (let i = 0; i < 1000; i++) {
      buckets.take(`key ${i}`, rate);
      expect(buckets.take('busy', rate).allowed).equal(i === 0);
    }
    expect(buckets.size).equal(100);
  });

  it('[WB-06] a shared store counts for all processes; when it fails each counts for itself', async () => {
    const shared = createMemoryBuckets(now);
    let isUp = true;
    const store = {
      take: async (key: string, rate: { count: number; perMs: number }) => {
        if (!isUp) throw new Error('away');
        return shared.take(key, rate);
      },
    };
    const [one, two] = [createRateLimits({ now, store }), createRateLimits({ now, store })];
    for (let i = 0; i < 5; i++) {
      expect((await one.check('login', 'a')).allowed).equal(true);
      expect((await two.check('login', 'a')).allowed).equal(true);
    }
    expect((await one.check('login', 'a')).allowed).equal(false);
    expect((await two.check('login', 'a')).allowed).equal(false);
    isUp = false;
    expect(await spend(() => two.check('login', 'a'))).equal(10);
  });

  describe('in Redis', () => {
    let redis: TestRedis;
    before(async function () {
      if (!hasRedis()) return this.skip();
      redis = await startRedis();
    });
    const stops: (() => void)[] = [];
    let isKilled = false;
    after(async () => {
      for (const stop of stops) stop();
      if (!isKilled) await redis?.stop();
    });

    it('[WB-06] two processes share a count; without Redis each counts for itself', async () => {
      const open = async (name: string) => {
        const store = createRedisRates({ redisUrl: redis.url, name, log: silentLog });
        stops.push(store.stop);
        while (!(await Promise.resolve(store.take('ready?', { count: 9, perMs: 1000 })).catch(() => undefined)))
          await sleep(10);
        return { limits: createRateLimits({ now, store }) };
      };
      const [one, two, other] = [await open('a'), await open('a'), await open('b')];
      for (let i = 0; i < 5; i++) {
        expect((await one.limits.check('login', '203.0.113.9')).allowed).equal(true);
        expect((await two.limits.check('login', '203.0.113.9')).remaining).equal(8 - 2 * i);
      }
      const refused = await one.limits.check('login', '203.0.113.9');
      expect(refused).include({ allowed: false, limit: 10, remaining: 0 });
      expect(refused.retryAfterS).within(1, 60);
      expect((await two.limits.check('login', '203.0.113.9')).allowed).equal(false);
      expect((await two.limits.check('login', '203.0.113.8')).allowed).equal(true);
      expect((await other.limits.check('login', '203.0.113.9')).allowed).equal(true);
      expect(await redis.command('KEYS', '*203*')).match(/^\*0\r\n/);
      await redis.kill();
      isKilled = true;
      expect(await spend(() => one.limits.check('login', '203.0.113.9'))).equal(10);
    });
  });

  it('[WB-06] 429 with Retry-After, RateLimit headers and an OperationOutcome', () => {
    const error = throttled({ allowed: false, retryAfterS: 6, limit: 10, remaining: 0, resetS: 60 });
    expect(error.status).equal(429);
    expect(error.headers).deep.equal({
      'Retry-After': '6',
      'RateLimit-Limit': '10',
      'RateLimit-Remaining': '0',
      'RateLimit-Reset': '60',
    });
    expect(error.issues[0]).include({ severity: 'error', code: 'throttled' });
  });

  describe('of doors without a caller', () => {
    const start = () => {
      const limit = createDoorLimiter({ limits: createRateLimits({ now }), addressOf: createAddressOf() });
      return startListener({ limit });
    };

    for (const [path, rateClass] of [
      ['/sign-in', 'login'],
      ['/sign-in/totp', 'login'],
      ['/SIGN-IN', 'login'],
      ['//sign-in', 'login'],
      ['/sign%2din', 'login'],
      ['/setup', 'login'],
      ['/api/v2/auth/login', 'login'],
      ['/api/v2/auth/mfa/verify', 'login'],
      ['/booking/v1/auth/login', 'login'],
      ['/booking/v1/auth/register', 'register'],
      ['/oauth2/register', 'register'],
    ] as const satisfies readonly (readonly [string, RateClass])[])
      it(`[WB-06] POST ${path} counts by address as ${rateClass}; a false X-Forwarded-For changes nothing [WB-07]`, async () => {
        const http = await start();
        const post = (i: number) =>
          send(http.port, `${path}?n=${i}`, { method: 'POST', headers: { 'X-Forwarded-For': `10.0.0.${i}` } });
        const { count } = RATES[rateClass];
        for (let i = 0; i < count; i++) expect((await post(i)).status).equal(200);
        const refused = await post(count);
        expect(refused.status).equal(429);
        expect(Number(refused.headers['retry-after'])).greaterThan(0);
        expect(refused.headers['ratelimit-limit']).equal(String(count));
        expect(JSON.parse(refused.text).issue[0].code).equal('throttled');
        expect((await send(http.port, path)).status).equal(200);
        expect((await send(http.port, '/sign-inn', { method: 'POST' })).status).equal(200);
        await http.close(0);
      });

    for (const [path, method] of [
      ['/oauth2/authorize', 'GET'],
      ['/oauth2/authorize', 'HEAD'],
      ['/oauth2/authorize/', 'POST'],
      ['/OAuth2/PAR', 'POST'],
    ] as const)
      it(`[WB-06] [IN-01] ${method} ${path} is counted too, as each leaves a request in the database; pages below are not`, async () => {
        const http = await start();
        const ask = (i: number) => send(http.port, `${path}?n=${i}`, { method });
        for (let i = 0; i < RATES.authorize.count; i++) expect((await ask(i)).status).equal(200);
        expect((await ask(0)).status).equal(429);
        expect((await send(http.port, '/oauth2/authorize/abc', { method })).status).equal(200);
        expect((await send(http.port, '/oauth2/authorize/abc/signed-in')).status).equal(200);
        await http.close(0);
      });

    for (const path of ['/sign-in/with/cis2', '/sign-in/with/nhs-login/answer', '/Sign-In//with/cis2'])
      it(`[WB-06] GET ${path} is counted too, as it leaves a step in the database or asks the provider`, async () => {
        const http = await start();
        for (let i = 0; i < RATES.authorize.count; i++) expect((await send(http.port, path)).status).equal(200);
        expect((await send(http.port, path)).status).equal(429);
        expect((await send(http.port, '/sign-in')).status).equal(200);
        await http.close(0);
      });

    it('[IN-02] refuses before it reads: a body that never comes is not waited for', async () => {
      const limit = createDoorLimiter({
        limits: createRateLimits({ now, rates: new Map([['login', { count: 1, perMs: 60_000 }]]) }),
        addressOf: createAddressOf(),
      });
      const http = await startListener({ limit });
      await send(http.port, '/sign-in', { method: 'POST' });
      const head = `Host: localhost:${http.port}\r\nContent-Length: 10485760\r\n`;
      for (const [lines, status] of [
        [`POST /sign-in HTTP/1.1\r\n${head}`, 429],
        [`POST /fhir/R4 HTTP/1.1\r\n${head}Origin: https://evil.example\r\n`, 403],
      ] as const) {
        const answer = await sendHead(http.port, `${lines}\r\n`);
        expect(answer)
          .match(new RegExp(`^HTTP/1\\.1 ${status} `))
          .and.match(/^connection: close\r$/im);
      }
      await http.close(0);
    });

    it('a limit that fails is an error, not an open door', async () => {
      const http = await startListener({ limit: () => Promise.reject(new Error('a bug')) });
      expect((await send(http.port, '/sign-in', { method: 'POST' })).status).equal(500);
      await http.close(0);
    });
  });
});

/** Sends a head alone and gives back all that comes until the server closes. */
function sendHead(port: number, head: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(head));
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.on('close', () => resolve(answer)).on('error', reject);
  return promise;
}
