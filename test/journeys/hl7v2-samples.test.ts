/**
 * Every message we know, over the wire into the store: our own, and the published ones where they are at hand. Each is
 * answered with the code that is due to it, and the log agrees. The table says by message type how many did.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { isSupportedEvent, isSupportedType } from '../../src/mapping/hl7v2/map-to-fhir.ts';
import { isQuery } from '../../src/mapping/hl7v2/query.ts';
import { isBatch } from '../../src/standards/hl7v2/batch.ts';
import { formatMessage } from '../../src/standards/hl7v2/format.ts';
import { kindOf } from '../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../src/standards/hl7v2/parse.ts';
import { NEEDS_SAMPLES, publishedFolder } from '../standards/hl7v2/samples.ts';
import { createFhirClient, type Json } from '../support/fhir-client.ts';
import { startTestServer, type TestServer, testLog } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

interface Sample {
  readonly id: string;
  /** One of several that are about the same, in this order. */
  readonly isOrdered: boolean;
  readonly bytes: Buffer;
  /** As the index has it; of ours, MSH-9. */
  readonly type: string;
}

const FIXTURES = new URL('../../fixtures/hl7v2/', import.meta.url);
const own = (): Sample[] =>
  readdirSync(FIXTURES)
    .filter((name) => name.endsWith('.hl7'))
    .map((name) => {
      const bytes = readFileSync(new URL(name, FIXTURES));
      const message = parseMessage(bytes).value;
      return {
        id: name.slice(0, -'.hl7'.length),
        isOrdered: false,
        bytes,
        type: message === undefined ? '' : kindOf(message),
      };
    });
const published = (folder: string): Sample[] => {
  const { messages } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    messages: { id: string; file: string; type: string; tags: string[] }[];
  };
  return messages.map(({ id, file, type, tags }) => ({
    id,
    type,
    isOrdered: tags.includes('ordering') || id === 'own-uk-a01' || id === 'own-duplicate-control-id',
    bytes: readFileSync(join(folder, file)),
  }));
};

/** From a facility of its own and without the national number, as many samples have one control id and one patient. */
function alone({ id, bytes, isOrdered, type }: Sample): Buffer {
  if (isOrdered || type === 'MLLP stream' || isBatch(bytes)) return bytes;
  const text = bytes.toString('latin1');
  const start = text.indexOf('MSH');
  const end = /[\r\n]/.exec(text.slice(start))?.index ?? text.length;
  const fields = text.slice(start, start + end).split(text.charAt(start + 3));
  if (start === -1 || fields.length < 4) return bytes;
  fields[3] = id;
  const header = fields.join(text.charAt(start + 3));
  const rest = text.slice(start + end).replaceAll(/\d{10}\^\^\^NHS\^NH[^~|]*~/g, '');
  return Buffer.from(text.slice(0, start) + header + rest, 'latin1');
}

/** Samples that are at fault, with what is due to them. */
const AE = ['AE'];
const DUE: Readonly<Record<string, readonly string[]>> = {
  'awk-missing-pid': AE,
  'awk-msh-only': AE,
  'awk-pid-without-id': AE,
  'awk-no-control-id': AE,
  'awk-two-pids-one-message': AE,
  'awk-orc-without-drug': AE,
  'awk-version-9': ['AR'],
  'own-duplicate-control-id': AE,
  // Their only number is 3333333333, a filler.
  'itk-a01': AE,
  'itk-a03': AE,
  'itk-a28': AE,
  // Two orders under one number.
  'ms-rds-o13-02': AE,
  'lfh-088-omp': AE,
  // A diet, and an order of nothing.
  'ms-orm-o01-05': AE,
  'mirth-whitespace': AE,
  // Without a control id, or without any number of the order.
  'lfh-204-adt': AE,
  'lfh-351-rde': AE,
  'lfh-354-rde': AE,
  'lfh-311-rde': AE,
  // Asks by what is no search parameter.
  'ohie-cr13-2': AE,
};

/** What is due to a message: the code of its answer; nothing to an acknowledgement. */
function dueTo({ id, bytes, type }: Sample): readonly string[] | undefined {
  if (DUE[id] !== undefined) return DUE[id];
  if (isBatch(bytes) || type === 'MLLP stream') return undefined;
  const message = parseMessage(bytes).value;
  if (message === undefined) return ['AR'];
  const kind = kindOf(message);
  if (kind.startsWith('ACK')) return [];
  if (isQuery(message)) return ['AR']; // nobody has said that they may ask
  if (isSupportedType(kind.split('^')[0] ?? '') && isSupportedEvent(kind)) return ['AA'];
  return ['AR'];
}

describe('journey › every HL7 v2 message we know', function () {
  this.timeout(120_000);
  let server: TestServer;
  // One for each set: control ids of ours are those of samples.
  beforeEach(async () => {
    const quiet = { ...testLog(), warn: () => {}, error: () => {} };
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' }, log: quiet });
  });
  afterEach(() => stopChecked(server));

  const QUERY = 'MSH|^~\\&|LAST|X|||20260302||XYZ^Z99|';

  /** All that comes back before the answer to a last message of ours, on a connection of their own. */
  function exchange(bytes: Buffer, isFramed: boolean, last: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const socket = connect(server.mllpPort as number, '127.0.0.1');
      let text = '';
      socket.on('error', reject);
      const finish = (): void =>
        resolve(text.split('\u001c\r').filter((one) => one.includes('MSA') && !one.includes(last)));
      socket.on('close', finish);
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.includes(`|${last}`) && text.endsWith('\u001c\r')) socket.destroy();
      });
      socket.write(isFramed ? bytes : Buffer.concat([Buffer.from([0x0b]), bytes, Buffer.from('\u001c\r')]));
      socket.write(`\u000b${QUERY}${last}|P|2.5\r\u001c\r`);
    });
  }
  const codesIn = (answer: string): readonly string[] =>
    answer.split('\r').flatMap((line) => /^MSA.(\w\w)/.exec(line)?.[1] ?? []);
  const stateOf = async (): Promise<string> => {
    const reply = await fetch(`${server.url}/gateway/messages?_count=2&direction=in`, { headers: server.bearer });
    const { messages } = (await reply.json()) as { messages: { state: string; kind: string }[] };
    return messages.find(({ kind }) => kind !== 'XYZ^Z99')?.state ?? '';
  };

  async function run(samples: readonly Sample[]): Promise<void> {
    const table = new Map<string, { passed: number; of: number }>();
    const failures: string[] = [];
    for (const [n, sample] of samples.entries()) {
      const { id, bytes, type } = sample;
      const answers = await exchange(alone(sample), type === 'MLLP stream', `LAST-${n}-${id}`.slice(0, 20));
      const codes = answers.flatMap(codesIn);
      const due = dueTo(sample);
      const isDue =
        due === undefined
          ? codes.length > 0 && codes.every((code) => /^A[AER]$/.test(code))
          : String(codes) === String(due);
      const message = parseMessage(bytes).value;
      const isLossless = message === undefined || formatMessage(message).equals(bytes);
      const isLogged = due?.length !== 1 || codes[0] !== 'AA' || (await stateOf()) === 'applied';
      const isPassed = isDue && isLossless && isLogged;
      const [kind = ''] = [type.split('^').slice(0, 2).join('^')];
      const row = table.get(kind) ?? { passed: 0, of: 0 };
      table.set(kind, { passed: row.passed + Number(isPassed), of: row.of + 1 });
      if (!isPassed)
        failures.push(
          `${id}: ${codes.join()} for ${due?.join() ?? 'some'}${isLossless ? '' : ', not lossless'}${isLogged ? '' : ', not in the log'} ${answers
            .join()
            .split('\r')
            .filter((line) => line.startsWith('ERR'))
            .join(' ')
            .slice(0, 200)}`,
        );
    }
    console.log(`      ${'type'.padEnd(14)} passed of`);
    for (const [kind, { passed, of }] of [...table].toSorted())
      console.log(`      ${kind.padEnd(14)} ${String(passed).padStart(6)} ${of}`);
    expect(failures, failures.join('\n')).eql([]);
  }

  it('of our own writing', async () => {
    const samples = own();
    await run(samples);
    const kinds = new Set(samples.map(({ type }) => type.split('^')[0]));
    for (const type of [
      'ADT',
      'SIU',
      'OMP',
      'RDE',
      'RDS',
      'RGV',
      'RAS',
      'ORM',
      'OML',
      'ORU',
      'MDM',
      'MFN',
      'BAR',
      'DFT',
      'VXU',
    ])
      expect(kinds.has(type), type).equal(true);
  });

  if (publishedFolder === undefined) {
    it(NEEDS_SAMPLES);
    return;
  }
  const folder = publishedFolder;
  it('of others, as the index has them', async () => {
    await run(published(folder));
    // What came late has not taken the place of what came before.
    const found = await createFhirClient(server).get('Patient?identifier=urn:v2:RXX:RXX|RXX1000001&active=true');
    const [entry] = found.json<{ entry: { resource: Json }[] }>().entry;
    expect(JSON.stringify(entry?.resource['address'])).contain('14 ORCHARD LANE');
  });
});
