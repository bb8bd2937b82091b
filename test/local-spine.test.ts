/** The Spine that starts with the server: from one command to a prescription that it has. MISSION M3, M15 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readConfig } from '../src/config.ts';
import { openLocalSpine } from '../src/local-spine.ts';
import { startSpine } from '../src/peers/spine/start.ts';
import { formatJson } from '../src/standards/fhir/json.ts';
import { newPrescription, order, patientRelease, readSigner } from './support/eps-messages.ts';
import { createFhirClient } from './support/fhir-client.ts';
import { silentLog } from './support/log.ts';
import { startTestServer } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const FREE = { SPINE_PORT: '0', SPINE_STATE_PORT: '0' };
const SESSION = { 'NHSD-Identity-UUID': '555254239107', 'NHSD-Session-URID': '555254240100' };

describe('local spine', function () {
  this.timeout(180_000);
  const open = (env: Readonly<Record<string, string>>, folder = makeTempFolder()) =>
    openLocalSpine(readConfig(env), folder, Date.now, silentLog as never);

  it('npm start and nothing else › an order is signed, sent, released; the Spine’s state shows it', async () => {
    const server = await startTestServer({ env: FREE });
    try {
      const { url = '', stateUrl = '', remark } = server.spine ?? {};
      expect(remark).equal(undefined);
      const ports = JSON.parse(readFileSync(join(server.dataDir, 'ports.json'), 'utf8')) as Record<string, unknown>;
      expect([ports['spine'], ports['spineState']]).eql([Number(new URL(url).port), Number(new URL(stateUrl).port)]);
      const keys = (name: string): string => join(server.dataDir, 'spine/certificates', name);
      const signer = readSigner({ certFile: keys('prescriber.crt'), keyFile: keys('prescriber.key') });
      const fhir = createFhirClient(server);
      const made = newPrescription();
      const sent = order(made, { at: Date.now(), signer });
      const taken = await fhir.post('$process-message', formatJson(sent.payload), SESSION);
      expect(taken.status, taken.text).equal(200);
      const released = await fhir.post('Task/$release', formatJson(patientRelease(made, Date.now()).payload), SESSION);
      expect(released.status, released.text).equal(200);
      const [passed] = released.json()['parameter'] as [{ resource: { total: number } }];
      expect(passed.resource.total).equal(1);
      const state = (await (await fetch(`${stateUrl}/prescriptions/${made.id}`)).json()) as {
        issues: { status: string }[];
      };
      expect(state.issues[0]?.status).equal('0002 With Dispenser');
    } finally {
      await server.stop();
    }
  });

  it('not where there is another Spine, none is wanted, or patients are', async () => {
    expect(await open({ SPINE_PORT: 'off' })).equal(undefined);
    const files = { SPINE_CERT_FILE: 'a', SPINE_KEY_FILE: 'b', SPINE_CA_FILE: 'c' };
    expect(await open({ ...FREE, ...files, SPINE_URL: 'https://spine.example' })).equal(undefined);
    expect(await open({ ...FREE, NODE_ENV: 'production' })).equal(undefined);
  });

  it('what the settings say of the sender and of signers stays as it is', async () => {
    const mine = { EPS_FROM_ASID: '123456789012', EPS_FROM_PARTY_KEY: 'MINE-1', EPS_SIGNER_CA_FILE: '/mine.crt' };
    const local = await open({ ...FREE, ...mine });
    const { epsFromAsid, epsFromPartyKey, epsSignerCaFile, revocation } = local?.config ?? {};
    expect([epsFromAsid, epsFromPartyKey, epsSignerCaFile]).eql(Object.values(mine));
    expect(revocation).equal(readConfig({}).revocation);
    await local?.stop();
  });

  it('its port is in use › it takes another, and says so; one that runs in the folder is used', async () => {
    const folder = makeTempFolder();
    const first = await open(FREE, folder);
    const port = new URL(first?.url ?? '').port;
    const second = await open({ SPINE_PORT: port, SPINE_STATE_PORT: '0' });
    expect(second?.remark).include(`port ${port} is in use`);
    expect(second?.url).not.equal(first?.url);
    const third = await open({ SPINE_PORT: port }, folder);
    expect([third?.url, third?.remark]).eql([first?.url, 'it was running before']);
    await third?.stop();
    await second?.stop();
    expect((await fetch(first?.stateUrl ?? '')).status).equal(200);
    await first?.stop();
  });

  it('what it said before cannot be read › the server starts without it', async () => {
    const folder = makeTempFolder();
    const spine = await startSpine({ folder: join(folder, 'spine'), port: 0, statePort: 0, now: Date.now });
    await spine.stop();
    writeFileSync(join(folder, 'spine', 'spine.journal'), 'broken\n{}\n');
    expect(await open(FREE, folder)).equal(undefined);
  });
});
