/** What a sender has said against the record. docs/hl7v2.md "Reconciliation" */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

interface Report {
  readonly messages: number;
  readonly patients: readonly {
    patient: string;
    differences: readonly { resource: string; elements: string[]; message: string }[];
  }[];
  readonly others: readonly { resource: string; kind: string }[];
  readonly notApplied: readonly { state: string; fix: string; message: string }[];
}

describe('journey › reconciliation', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
    client = createFhirClient(server);
  });
  after(() => server.stop());

  async function send(id: string, time: string, pid: string, code = 'AA'): Promise<void> {
    const sender = await openMllpSender(server.mllpPort as number);
    const reply = await sender.send(
      `MSH|^~\\&|PAS|RXX|MORTAR|HERE|20260302${time}||ADT^A31|${id}|P|2.5.1\rEVN||20260302${time}\r${pid}\r`,
    );
    sender.close();
    expect(fieldOf(reply, 'MSA-1'), reply.toString()).equal(code);
  }
  const find = async (number: string): Promise<Json> => {
    const found = await client.get(`Patient?identifier=${number}`);
    return found.json<{ entry: { resource: Json }[] }>().entry[0]?.resource as Json;
  };
  async function report(): Promise<Report> {
    const reply = await fetch(`${server.url}/gateway/reconciliation?sender=PAS%7CRXX`, { headers: server.bearer });
    expect(reply.status).equal(200);
    return (await reply.json()) as Report;
  }

  it('nothing differs while nobody else says anything, and earlier words do not count', async () => {
    await send('C-1', '1000', 'PID|1||C1^^^MRN^MR||ONE^ANN||19840517|F');
    await send('C-2', '1010', 'PID|1||C1^^^MRN^MR||TWO^ANN||19840517|F');
    await send('C-3', '1000', 'PID|1||C2^^^MRN^MR||GONE^BOB');
    expect(await report()).eql({ messages: 3, patients: [], others: [], notApplied: [] });
  });

  it('what somebody changed or deleted since, and what was never applied, is told with what to do', async () => {
    const changed = await find('C1');
    const id = String(changed['id']);
    const put = await client.put(`Patient/${id}`, {
      ...changed,
      birthDate: '1985-05-17',
      maritalStatus: { text: 'new' },
    });
    expect(put.status).equal(200);
    expect((await client.delete(`Patient/${String((await find('C2'))['id'])}`)).status).oneOf([200, 204]);
    await send('C-4', '1020', 'PID|1||||NUMBER^NONE', 'AE');
    const { patients, others, notApplied } = await report();
    expect(patients.map(({ patient, differences }) => [patient, differences.map(({ elements }) => elements)])).eql([
      [`Patient/${id}`, [['birthDate']]],
    ]);
    expect(others.map(({ resource, kind }) => [resource, kind])).eql([['Patient', 'missing']]);
    expect(notApplied.map(({ state }) => state)).eql(['rejected']);
    expect(notApplied[0]?.fix).contain(`/gateway/messages/${notApplied[0]?.message}/replay`);
    expect(JSON.stringify(await report()), 'no values').not.match(/1985|TWO/);
  });

  it('needs a sender, and takes nothing else', async () => {
    for (const query of ['', '?sender=', '?sender=PAS%7CRXX&state=dead'])
      expect((await fetch(`${server.url}/gateway/reconciliation${query}`, { headers: server.bearer })).status).equal(
        400,
      );
    expect((await fetch(`${server.url}/gateway/reconciliation?sender=PAS%7CRXX`)).status).equal(401);
  });

  it('npm run reconcile prints a line a difference', async () => {
    const run = promisify(execFile)(process.execPath, ['src/reconcile-cli.ts', '--sender', 'PAS|RXX'], {
      env: { ...process.env, DATA_DIR: server.dataDir },
    }).catch((error: { code: number; stdout: string }) => error);
    const { stdout } = await run;
    expect(stdout).match(/^4 messages\nPatient\/\S+ {2}Patient\/\S+ changed: birthDate {2}\(message \S+\)\n/);
  });

  it('the lineage of a message says what each field became', async () => {
    const list = await fetch(`${server.url}/gateway/messages?control-id=C-2`, { headers: server.bearer });
    const { messages } = (await list.json()) as { messages: { id: string }[] };
    const reply = await fetch(`${server.url}/gateway/messages/${messages[0]?.id}/lineage`, { headers: server.bearer });
    const { lineage } = (await reply.json()) as { lineage: { field: string; elements: string[] }[] };
    expect(lineage.find(({ field }) => field === 'PID-5.1')?.elements).include('Patient.name[0].family');
  });
});
