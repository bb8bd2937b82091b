/** Published messages of HL7 v2 and SCRIPT, over the wire into the store: nobody wrote them for us. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createFhirClient } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];
const EVENTS = /^(?:ADT\^A(?:01|28|31)|RDE\^O11)/;

interface Sample {
  readonly id: string;
  readonly file: string;
  readonly type?: string;
  readonly kind?: string;
  readonly version?: string;
  readonly structural?: string;
}

describe('gateway › published messages', function () {
  this.timeout(180_000);
  if (SAMPLES === undefined) {
    it('need PUBLISHED_SAMPLES_DIR: a folder with hl7v2/messages and ncpdp/samples in it');
    return;
  }
  const read = (path: string): Buffer => readFileSync(join(SAMPLES, path));
  const index = (path: string, list: string): Sample[] =>
    (JSON.parse(read(path).toString()) as Record<string, Sample[]>)[list] ?? [];
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
  });
  after(() => stopChecked(server));

  const outcomeOf = async (text: string): Promise<{ state: string; error?: string; resources: string[] }> => {
    const reply = await fetch(`${server.url}/gateway/messages?_count=1`, { headers: server.bearer });
    const { messages } = (await reply.json()) as { messages: { state: string; error?: string; resources: string[] }[] };
    expect(messages, text).length(1);
    return messages[0] as { state: string; resources: string[] };
  };

  it('ADT^A01, A28, A31 and RDE^O11 are committed and acknowledged, or refused with the reason', async () => {
    const samples = index('hl7v2/messages/index.json', 'messages').filter(
      ({ type = '', file }) => EVENTS.test(type) && file.endsWith('.hl7'),
    );
    expect(samples.length).greaterThan(40);
    const refused: string[] = [];
    const kinds = new Map<string, number>();
    for (const { file, type = '' } of samples) {
      const sender = await openMllpSender(server.mllpPort as number);
      const answer = await sender.send(read(`hl7v2/messages/${file}`));
      sender.close();
      const code = fieldOf(answer, 'MSA-1');
      expect(['AA', 'AE', 'AR'], `${file}: ${answer}`).include(code);
      const { state, error } = await outcomeOf(file);
      expect(state === 'applied', `${file}: ${answer}`).equal(code === 'AA');
      if (code === 'AA') kinds.set(type.slice(0, 7), (kinds.get(type.slice(0, 7)) ?? 0) + 1);
      else refused.push(`${file} ${code}: ${error}`);
    }
    console.log(`      taken: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}; refused:`);
    for (const line of refused) console.log(`        ${line.slice(0, 150)}`);
    for (const kind of ['ADT^A01', 'ADT^A28', 'ADT^A31', 'RDE^O11']) expect(kinds.get(kind), kind).greaterThan(0);
    expect(refused.length).lessThan(samples.length / 2);
    const fhir = createFhirClient(server);
    for (const type of ['Patient', 'Encounter', 'MedicationRequest'])
      expect((await fhir.get(`${type}?_summary=count`)).json()['total'], type).greaterThan(0);
  });

  it('NewRx are committed and answered with Status, or refused with an Error', async () => {
    const samples = index('ncpdp/samples/index.json', 'samples').filter(
      ({ kind, version }) => kind === 'NewRx' && version === '2017071',
    );
    expect(samples.length).greaterThan(50);
    let taken = 0;
    const refused: string[] = [];
    for (const { file, structural } of samples) {
      const reply = await fetch(`${server.url}/ncpdp/script`, {
        method: 'POST',
        headers: { ...server.bearer, 'Content-Type': 'application/xml' },
        body: new Uint8Array(read(`ncpdp/samples/${file}`)),
      });
      const answer = await reply.text();
      const isStatus = answer.includes('<Status><Code>010<');
      if (!isStatus) expect(answer, file).match(/<Error><Code>(?:900|60[012])</);
      if (structural === 'invalid') expect(isStatus, `${file}: ${answer}`).equal(false);
      const { state, error } = await outcomeOf(file);
      if (!isStatus && structural === 'valid') refused.push(`${file}: ${error}`);
      // A duplicate is answered as the first time, and the newest row is another's.
      if (!file.includes('duplicate')) expect(state === 'applied', `${file}: ${answer}`).equal(isStatus);
      if (isStatus) taken += 1;
    }
    const valid = samples.filter((sample) => sample.structural === 'valid').length;
    console.log(`      taken: ${taken} NewRx of ${valid} valid ones; valid and refused:`);
    for (const line of refused) console.log(`        ${line.slice(0, 150)}`);
    expect(taken).greaterThan(15);
  });
});
