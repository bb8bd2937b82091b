/** The catalogue of a running server: loaded by the command, searched at its seed path, followed as it changes. MISSION M9 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startTestServer, type TestServer } from '../../support/server.ts';

const PROGRAM = join(import.meta.dirname, '../../../src/catalogue.ts');

describe('catalogue of a running server', function () {
  this.timeout(120_000);
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  const run = async (...args: string[]): Promise<string> =>
    (
      await promisify(execFile)(process.execPath, [PROGRAM, ...args], {
        env: { ...process.env, DATA_DIR: server.dataDir },
      })
    ).stdout;

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  const get = async (path: string): Promise<{ status: number; body: any }> => {
    const answer = await fetch(server.url + path, { headers: server.bearer });
    return { status: answer.status, body: await answer.json() };
  };
  /** What was written is seen within a second. */
  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 100; i++) {
      if (await isSo()) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('it does not come about');
  }
  const search = async (text: string): Promise<string[]> =>
    (await get(`/api/v2/medications?query=${encodeURIComponent(text)}`)).body.medications.map(
      (one: { name: string }) => one.name,
    );

  it('is empty, then has the starter, marked as such', async () => {
    expect(await search('amox')).deep.equal([]);
    expect(await run('load', '--starter')).match(
      /^\d+ medicines in the catalogue: starter data, not clinical advice\n$/,
    );
    await until(async () => (await search('amox')).length > 0);
    expect(await search('amox 500')).deep.equal(['Amoxicillin 500mg capsules', 'Co-amoxiclav 500mg/125mg tablets']);
  });

  it('answers with the members of the source designs', async () => {
    const [found] = (await get('/api/v2/medications?query=morphine%2010mg%20tab')).body.medications;
    expect(found).include({
      name: 'Morphine 10mg tablets',
      form: 'tablets',
      strength: '10mg',
      controlled_drug_category: 'CD2',
      nafdac_schedule: '2',
      risk_level: 'High',
      requires_approval: true,
      is_active: true,
      is_controlled: true,
      dm_d_code: null,
    });
    const one = await get(`/api/v2/medications/${found.id}`);
    expect(one).deep.equal({ status: 200, body: found });
    expect((await get('/api/v2/medications/med-none')).status).equal(404);
  });

  it('follows what is changed and deleted through FHIR', async () => {
    const [{ id }] = (await get('/api/v2/medications?query=zopiclone')).body.medications;
    const url = `${server.fhirBaseUrl}/MedicationKnowledge/${id}`;
    expect((await fetch(url, { method: 'DELETE', headers: server.bearer })).status).equal(204);
    await until(async () => (await get(`/api/v2/medications/${id}`)).status === 404);
  });

  it('a file with faults loads nothing, and says each with its line', async () => {
    const file = join(server.dataDir, 'bad.csv');
    writeFileSync(file, 'name,dmd\nNovelmed 5mg tablets,\nWrongcode 5mg tablets,319775005\n');
    const failed = await run('load', file).catch((error: { code: number; stderr: string }) => error);
    expect(failed).include({ code: 1 });
    expect((failed as { stderr: string }).stderr).include('line 3, dmd: is a SNOMED CT identifier');
    expect(await search('novelmed')).deep.equal([]);
  });
});
