/** Pharmacies check tokens without a connection, and are confirmed later. SECURITY RX-07, RX-08 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from './support/pharmacy.ts';
import { startTestServer, type TestServer } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const MAIN = join(import.meta.dirname, '../src/verify-token.ts');
const A = 'pharmacy-a';

describe('verify-token [RX-08]', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let folder: string;
  let atA: Record<string, string>;
  let nell: Record<string, string>;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,search=off' } });
    world = await makePharmacyWorld(server);
    folder = makeTempFolder();
    atA = await world.pharmacist(A);
    nell = await world.patient('patient-nell');
    const { json } = await world.call('GET', '/.well-known/prescription-jwks.json', {});
    writeFileSync(join(folder, 'keys.json'), JSON.stringify(json));
  });
  after(() => server.stop());

  interface Ran {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }
  const run = (...args: readonly string[]): Promise<Ran> =>
    new Promise((done) => {
      execFile(process.execPath, [MAIN, ...args], { cwd: folder }, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  const check = async ({ token }: Pick<Prescribed, 'token'>, ...args: readonly string[]): Promise<Ran> => {
    writeFileSync(join(folder, 'token.txt'), `${token.token}\n`);
    return run('--keys', 'keys.json', '--pharmacy', codeOf(A), ...args, 'token.txt');
  };
  const ended = async (headers = atA): Promise<readonly string[]> => {
    const all: string[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const after: string = next === '' ? '' : `?after=${encodeURIComponent(next)}`;
      const { status, json } = await world.call('GET', `/api/pharmacy/ended-tokens${after}`, headers);
      expect(status, JSON.stringify(json)).equal(200);
      writeFileSync(join(folder, 'ended.json'), JSON.stringify(json));
      all.push(...json.ended);
      next = json.next;
    }
    return all;
  };
  const dispense = ({ token }: Prescribed) =>
    world.call('POST', '/api/prescriptions/dispense', atA, {
      prescription_id: token.tokenId,
      nonce: token.nonce,
      pharmacy_code: codeOf(A),
      pharmacist_name: 'Piotr Zielinski',
    });

  it('a good token is unconfirmed, with what its label says', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    const { code, out, err } = await check(one);
    expect(code, err).equal(0);
    expect(JSON.parse(out)).deep.include({
      valid: 'unconfirmed',
      prescription_id: one.token.tokenId,
      patient: 'Nell Ashworth',
      medication: 'Amoxicillin 500mg capsules',
    });
    expect(out).not.include(one.token.nonce);
  });

  it('a forged one, and one for another pharmacy, are not good', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    const forged = { token: { ...one.token, token: `${one.token.token.slice(0, -6)}AAAAAA` } };
    expect(JSON.parse((await check(forged)).out).step_failed).equal('signature_verification');
    const elsewhere = await world.prescribe({ pharmacyId: 'pharmacy-b' });
    const { code, out } = await check(elsewhere);
    expect([code, JSON.parse(out).step_failed]).deep.equal([1, 'pharmacy_check']);
  });

  it('what was dispensed is on the list of ended tokens, and refused by it; what was not is not', async () => {
    const [one, open] = [await world.prescribe({ pharmacyId: A }), await world.prescribe({ pharmacyId: A })];
    expect((await dispense(one)).status).equal(200);
    const list = await ended();
    expect(list).include(one.token.tokenId).not.include(open.token.tokenId);
    expect((await check(one)).code, 'without the list nobody knows').equal(0);
    const { code, out } = await check(one, '--ended', 'ended.json');
    expect([code, JSON.parse(out).step_failed]).deep.equal([1, 'status_check']);
    expect((await check(open, '--ended', 'ended.json')).code).equal(0);
  });

  it('[RX-07] so is what has gone to another pharmacy', async () => {
    await world.call('POST', `/api/pharmacies/${A}/nominate`, nell);
    const one = await world.prescribe({ pharmacyId: A });
    await world.call('POST', '/api/pharmacies/pharmacy-b/nominate', nell);
    expect(await ended()).include(one.token.tokenId);
  });

  it('[CP-07] the list is of the own pharmacy, and for pharmacies', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    await dispense(one);
    expect(await ended(await world.pharmacist('pharmacy-c'))).deep.equal([]);
    expect((await world.call('GET', '/api/pharmacy/ended-tokens', nell)).status).equal(403);
    expect((await world.call('GET', '/api/pharmacy/ended-tokens', {})).status).equal(401);
    const body = { verifications: [{ token: one.token.token, at: new Date().toISOString() }] };
    expect((await world.call('POST', '/api/pharmacy/offline-verifications', nell, body)).status).equal(403);
    expect((await world.call('POST', '/api/pharmacy/offline-verifications', {}, body)).status).equal(401);
  });

  it('what was checked without a connection is confirmed, or not, and is in the log with its time', async () => {
    const [good, used] = [await world.prescribe({ pharmacyId: A }), await world.prescribe({ pharmacyId: A })];
    await dispense(used);
    const at = new Date(Date.now() - 60 * 60_000).toISOString();
    const { status, json } = await world.call('POST', '/api/pharmacy/offline-verifications', atA, {
      verifications: [good.token.token, used.token.token, 'nothing'].map((token) => ({ token, at })),
    });
    expect(status, JSON.stringify(json)).equal(200);
    expect(
      json.verifications.map((one: { confirmed: boolean; step_failed?: string }) => [one.confirmed, one.step_failed]),
    ).deep.equal([
      [true, undefined],
      [false, 'dispensed_check'],
      [false, 'payload_format'],
    ]);
    const log = await world.call('GET', `/api/prescriptions/${good.token.tokenId}/verification-log`, atA);
    expect(log.json.verification_attempts.map((one: { timestamp: string }) => one.timestamp)).include(at);
    const many = Array.from({ length: 51 }, () => ({ token: good.token.token, at }));
    const tooMany = await world.call('POST', '/api/pharmacy/offline-verifications', atA, { verifications: many });
    expect(tooMany.status).within(400, 422);
  });

  for (const [args, said] of [
    [[], 'name one file'],
    [['token.txt'], '--keys names'],
    [['--keys', 'missing.json', 'token.txt'], 'missing.json cannot be read'],
    [['--keys', 'token.txt', 'token.txt'], 'token.txt: '],
    [['--keys', 'keys.json', '--ended', 'keys.json', 'token.txt'], 'no list of tokens'],
    [['--kies', 'keys.json', 'token.txt'], '--kies'],
  ] as const)
    it(`${args.join(' ') || 'nothing'}: ${said}`, async () => {
      const { code, out, err } = await run(...args);
      expect([code, out]).deep.equal([2, '']);
      expect(err).include(said);
    });
});
