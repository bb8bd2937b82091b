/**
 * A walk through the gateway as its partners see it: real messages of three worlds, sent to a running server over the
 * wire, with what it answered, and at the end the searches that find them as FHIR. docs/gateway.md
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
// As an operator would: who can read the data folder has a token, so that the tour is one command.
import { requestOperatorToken } from '../auth/oauth/operator-client.ts';
import { walkEps } from './tour-eps.ts';
import { walkPrescription } from './tour-prescribing.ts';
import { answer, chapter, excerpt, print, request, segments, shown, status } from './tour-print.ts';
import { showLog, showRecord } from './tour-record.ts';
import { createSend, exchange, type Ports, type Server } from './tour-wire.ts';

const HELP = `npm run -s tour [-- --data-dir DIR]

Walks through a server that runs: npm start in another terminal. It is found by ports.json in its data folder.
`;
const FIXTURES = join(import.meta.dirname, '../../fixtures');
const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const TOKEN_S = 300;
const NAMING = 'https://mortar-fhir.org/NamingSystem';

/** Endpoints that name who may send: id, name, what it connects by, and the system and value of its identifier. */
const PARTNERS = [
  ['tour-pas', 'Hospital patient administration', 'hl7v2-mllp', 'hl7v2-sender', 'PAS|RXX'],
  ['tour-epma', 'Hospital prescribing', 'hl7v2-mllp', 'hl7v2-sender', 'EPMA|RXX'],
  ['tour-ehr', 'American prescriber', 'direct-project', 'script-sender', 'D:6301875277001'],
] as const;

await main();

async function main(): Promise<void> {
  try {
    const { values } = parseArgs({
      options: { 'data-dir': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) return print(HELP);
    const dataDir = resolve(values['data-dir'] ?? process.env['DATA_DIR'] ?? '.data');
    const ports = readPorts(dataDir);
    const { token } = await requestOperatorToken({ dataDir, ttlS: TOKEN_S, now: Date.now });
    await walk({ ...ports, dataDir, send: createSend(token) });
  } catch (error) {
    process.stderr.write(`tour: ${(error as Error).message}\n\n${HELP}`);
    process.exitCode = 1;
  }
}

function readPorts(dataDir: string): Ports {
  const file = join(dataDir, 'ports.json');
  let ports: Partial<Ports>;
  try {
    ports = JSON.parse(readFileSync(file, 'utf8')) as Partial<Ports>;
  } catch {
    throw new Error(`${file} is not there: no server runs on this data folder`);
  }
  const { url, fhir, mllp, spineState } = ports;
  if (url === undefined || fhir === undefined) throw new Error(`${file} does not tell where the server is`);
  if (mllp === undefined) throw new Error('the HL7 v2 listener is off (MLLP_PORT)');
  return { url, fhir, mllp, ...(spineState !== undefined && { spineState }) };
}

async function walk(server: Server): Promise<void> {
  await registerPartners(server);
  await walkEps(server, fixture('eps/prescription-order-acute.json').toString());
  await hl7v2(server);
  await script(server);
  await showLog(server);
  await showRecord(server);
  await walkPrescription(server);
}

async function registerPartners({ fhir, send }: Server): Promise<void> {
  chapter('Partners: only senders that an active Endpoint names are taken');
  for (const [id, name, connection, system, sender] of PARTNERS) {
    const endpoint = {
      resourceType: 'Endpoint',
      id,
      identifier: [{ system: `${NAMING}/${system}`, value: sender }],
      status: 'active',
      connectionType: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: connection },
      name,
      payloadType: [{ text: 'messages' }],
      address: 'urn:inbound',
    };
    request(`PUT /fhir/R4/Endpoint/${id}`, `identifier ${sender}`);
    const reply = await send(`${fhir}/Endpoint/${id}`, 'PUT', JSON.stringify(endpoint), 'application/fhir+json');
    answer(status(reply, 'stored'));
  }
}

async function hl7v2({ mllp }: Ports): Promise<void> {
  chapter('A hospital: HL7 v2 over MLLP');
  const admit = ofTour(fixture('hl7v2/own-uk-a01.hl7'));
  const order = ofTour(fixture('hl7v2/own-rde-o11-taper.hl7'));
  await overMllp(mllp, 'ADT^A01, a patient is admitted', [admit]);
  await overMllp(mllp, 'RDE^O11, a medicine is ordered', [order]);
  await overMllp(mllp, 'the same RDE^O11 again: applied once, answered as before', [order]);
  const changed = Buffer.from(order.toString('latin1').replace('|30||', '|40||'), 'latin1');
  await overMllp(mllp, 'the same control id with another dose', [changed]);
  const stranger = Buffer.from(order.toString('latin1').replace('EPMA|RXX', 'EPMA|RZZ'), 'latin1');
  await overMllp(mllp, 'the order from a sender that is no partner', [stranger]);
}

/** About a patient of the tour's own, whom no demo data and no other example knows. */
function ofTour(message: Buffer): Buffer {
  const text = message.toString().replaceAll('9990000018', '9990005001').replaceAll('RXX1000001', 'RXX1005001');
  return Buffer.from(text);
}

async function overMllp(port: number, what: string, messages: readonly Buffer[]): Promise<void> {
  request('MLLP', what);
  shown(...segments(messages[0] as Buffer).slice(0, 2));
  for (const reply of await exchange(port, messages)) answer(...segments(reply));
}

async function script({ url, send }: Server): Promise<void> {
  chapter('America: NCPDP SCRIPT over HTTP');
  const post = async (what: string, body: Buffer): Promise<void> => {
    request('POST /ncpdp/script', what);
    const reply = await send(`${url}/ncpdp/script`, 'POST', body, 'application/xml');
    answer(
      `${reply.status}`,
      ...excerpt(reply.text.replaceAll('><', '>\n<'), [
        /<RelatesTo/,
        /<Status>/,
        /<Error>/,
        /<Code>/,
        /<DescriptionCode>/,
        /<Description>/,
      ]),
    );
  };
  await post('NewRx, a new prescription', fixture('script/newrx-basic.xml'));
  await post('a NewRx whose patient has no such gender', fixture('script/bad-gender.xml'));
}
