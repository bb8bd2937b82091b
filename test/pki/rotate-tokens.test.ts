/** New keys for prescription tokens while the server runs: those of before stay good. SECURITY RX-01 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { until } from '../support/eps-practice.ts';
import { openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const rotate = (dataDir: string) =>
  promisify(execFile)(process.execPath, ['src/rotate-keys.ts', 'tokens'], {
    env: { PATH: process.env['PATH'], DATA_DIR: dataDir },
  });

describe('rotate-keys -- tokens', function () {
  this.timeout(120_000);
  let practice: Practice;
  before(async () => {
    practice = await openPractice(await startTestServer());
  });
  after(() => practice.server.stop());

  const issue = async (name: string): Promise<string> => {
    const items = [{ medication_name: name, dose: 'one', quantity: 14, instructions: 'Take one twice a day' }];
    const path = '/api/provider/prescriptions/issue';
    const { status, body } = await practice.call('doc', 'POST', path, { patient_id: 'pat', items });
    expect(status, JSON.stringify(body)).equal(201);
    const { body: own } = await practice.call('pat', 'GET', '/api/medications');
    const found = own.medications.find((one: { medication_name?: string; name?: string }) =>
      [one.medication_name, one.name].includes(name),
    );
    return found.token;
  };
  const kidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
  const published = async (): Promise<readonly string[]> => {
    const answer = await fetch(`${practice.server.url}/.well-known/prescription-jwks.json`);
    const { keys } = (await answer.json()) as { keys: { kid: string }[] };
    return keys.map(({ kid }) => kid);
  };

  it('[RX-01] what was signed before is good, what is signed now has the new key', async () => {
    const before = await issue('Amoxicillin 500mg capsules');
    const { stdout } = await rotate(practice.server.dataDir);
    expect(stdout).match(/^New keys sign prescription tokens/);
    const keys = await until(async () => {
      const now = await published();
      return now.length === 2 ? now : undefined;
    });
    const after = await issue('Cetirizine 10mg tablets');
    expect([kidOf(after), kidOf(before)]).deep.equal(keys);
    for (const token of [before, after]) {
      const { body } = await practice.call('disp', 'POST', '/api/prescriptions/verify', { token });
      expect(body.valid, JSON.stringify(body)).equal(true);
    }
  });

  it('a folder without keys is told of, and none are made there', async () => {
    const fault = (await rotate(makeTempFolder()).catch((error: unknown) => error)) as { code: number; stderr: string };
    expect(fault.code).equal(1);
    expect(fault.stderr).match(/there is no key file/);
  });
});
