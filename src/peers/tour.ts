/**
 * A walk through the gateway as its partners see it: real messages of three worlds, sent to a running server over the
 * wire, with what it answered, and at the end the searches that find them as FHIR. docs/gateway.md
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
// As an operator would: who can read the data folder has a token, so that the tour is one command.
import { requestOperatorToken } from '../auth/oauth/operator-client.ts';
import { formatSignature } from '../standards/xmldsig/sign.ts';
import { walkPrescription } from './tour-prescribing.ts';

const HELP = `npm run -s tour [-- --data-dir DIR]

Walks through a server that runs: npm start in another terminal. It is found by ports.json in its data folder.
`;
const FIXTURES = join(import.meta.dirname, '../../fixtures');
const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const ANSWER_MS = 10_000;
const TOKEN_S = 300;
/** For whom a program acts. */
const SESSION = { 'NHSD-Identity-UUID': '555254239107', 'NHSD-Session-URID': '555254240100' };
const NAMING = 'https://mortar-fhir.org/NamingSystem';

interface Ports {
  readonly url: string;
  readonly fhir: string;
  readonly mllp: number;
  /** Where the local Spine shows its state, when there is one. */
  readonly spineState?: number;
}
interface Server extends Ports {
  readonly dataDir: string;
  readonly send: Send;
}

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
  await eps(server);
  await hl7v2(server);
  await script(server);
  await log(server);
  await searches(server);
  await walkPrescription(server, { chapter, request, answer });
}

async function registerPartners(server: Server): Promise<void> {
  chapter('Partners: only senders that an active Endpoint names are taken');
  await partner(server, 'tour-pas', 'Hospital patient administration', 'hl7v2-mllp', 'hl7v2-sender', 'PAS|RXX');
  await partner(server, 'tour-epma', 'Hospital prescribing', 'hl7v2-mllp', 'hl7v2-sender', 'EPMA|RXX');
  await partner(server, 'tour-ehr', 'American prescriber', 'direct-project', 'script-sender', 'D:6301875277001');
}

async function partner(
  { fhir, send }: Server,
  id: string,
  name: string,
  connection: string,
  system: string,
  sender: string,
): Promise<void> {
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

async function eps(server: Server): Promise<void> {
  const { fhir, send } = server;
  chapter('England: a GP prescription order in FHIR, for the Electronic Prescription Service');
  const order = fixture('eps/prescription-order-acute.json').toString();
  request('POST /fhir/R4/$prepare', 'what the prescriber has to sign');
  const prepared = await send(`${fhir}/$prepare`, 'POST', order, 'application/fhir+json');
  const { parameter } = JSON.parse(prepared.text) as { parameter: Parameter[] };
  for (const { name, valueString } of parameter) if (name !== 'timestamp') answer(`${name}: ${short(valueString, 60)}`);
  request('POST /fhir/R4/$convert?_to=eps-v3', 'the HL7 V3 message that the Spine receives');
  const converted = await send(`${fhir}/$convert?_to=eps-v3`, 'POST', order, 'application/fhir+json');
  answer(
    ...excerpt(converted.text, [
      /<PORX_/,
      /<interactionId/,
      /<ParentPrescription/,
      /<manufacturedRequestedMaterial/,
      /displayName="[^"]*mg/,
    ]),
  );
  if (server.spineState === undefined) return toRecord(server, order);
  request('POST /fhir/R4/$process-message', 'the order, signed, on its way to the Spine over mutual TLS');
  const signed = signedOnce(server.dataDir, order, parameter);
  const sent = await send(`${fhir}/$process-message`, 'POST', signed, 'application/fhir+json', SESSION);
  answer(status(sent, 'the Spine has taken it'));
  request('GET /prescriptions/5B7E20-Z99911-8C41D9   of the local Spine', 'what it holds now');
  const state = await fetch(`http://127.0.0.1:${server.spineState}/prescriptions/5B7E20-Z99911-8C41D9`);
  answer(...excerpt(await state.text(), [/"nominated"/, /"status"/]));
}

/** Where no Spine is near, messages of EPS are only stored. */
async function toRecord({ fhir, send }: Server, order: string): Promise<void> {
  request('POST /fhir/R4/$process-message', 'the order itself');
  const stored = await send(`${fhir}/$process-message`, 'POST', order, 'application/fhir+json', SESSION);
  answer(status(stored, /"code":"ok"/.test(stored.text) ? 'stored, response code ok' : short(stored.text, 200)));
}

interface Parameter {
  readonly name: string;
  readonly valueString: string;
}

/** The order with the signature of the local Spine's prescriber; the same again on a second tour, which a gateway takes for the same. */
function signedOnce(dataDir: string, order: string, parameters: readonly Parameter[]): string {
  const file = join(dataDir, 'spine/tour-order.json');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const keys = (name: string): string => readFileSync(join(dataDir, 'spine/certificates', name), 'utf8');
  const of = (name: string): string => parameters.find((one) => one.name === name)?.valueString ?? '';
  const signedInfo = Buffer.from(of('digest'), 'base64');
  const value = sign('sha256', signedInfo, keys('prescriber.key'));
  const data = formatSignature(signedInfo.toString(), value, new X509Certificate(keys('prescriber.crt')).raw);
  const who = JSON.parse(/"requester": (\{[^}]*\})/.exec(order)?.[1] ?? '{}') as unknown;
  const when = of('timestamp');
  const type = [{ system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' }];
  const resource = {
    resourceType: 'Provenance',
    target: [{ reference: /"fullUrl": "([^"]+)"/.exec(order)?.[1] }],
    recorded: when,
    agent: [{ who }],
    signature: [{ type, when, who, data: Buffer.from(data).toString('base64') }],
  };
  const entry = JSON.stringify({ fullUrl: `urn:uuid:${randomUUID()}`, resource });
  // As text, so that numbers keep their digits.
  const signed = order.replace(/"entry": \[/, `"entry": [${entry},`);
  writeFileSync(file, signed, { mode: 0o600 });
  return signed;
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

async function log({ url, send }: Server): Promise<void> {
  chapter('The message log: what came, and what became of it');
  request('GET /gateway/messages?_count=20');
  const reply = await send(`${url}/gateway/messages?_count=20`, 'GET');
  const { messages } = JSON.parse(reply.text) as {
    messages: {
      dialect: string;
      kind: string;
      controlId?: string;
      state: string;
      resources: string[];
      error?: string;
    }[];
  };
  for (const m of messages.reverse())
    answer(
      `${m.dialect.padEnd(7)} ${m.kind.padEnd(19)} ${m.state.padEnd(12)} ${['applied', 'acknowledged'].includes(m.state) ? `${m.resources.length} resource${m.resources.length === 1 ? '' : 's'}` : short(m.error ?? '', 60)}`,
    );
}

async function searches(server: Server): Promise<void> {
  chapter('One record: the three prescriptions, found by FHIR searches');
  await search(server, 'identifier=526f662e-8fc0-5d93-806c-e165cd3b2d95');
  await search(server, 'identifier=RX-5003');
  await search(server, 'identifier=RX-2026-000101');
}

interface Found {
  readonly resourceType: string;
  readonly status?: string;
  readonly medicationCodeableConcept?: {
    readonly text?: string;
    readonly coding?: readonly { readonly display?: string }[];
  };
  readonly dosageInstruction?: readonly { readonly text?: string }[];
  readonly name?: readonly { readonly family?: string; readonly given?: readonly string[] }[];
}

async function search({ fhir, send }: Server, criteria: string): Promise<void> {
  const query = `MedicationRequest?${criteria}&_include=MedicationRequest:subject`;
  request(`GET /fhir/R4/${query}`);
  const reply = await send(`${fhir}/${query}`, 'GET');
  const { entry = [] } = JSON.parse(reply.text) as { entry?: { resource: Found }[] };
  for (const { resource } of entry) answer(`${resource.resourceType}: ${describe(resource)}`);
  if (entry.length === 0) answer('nothing found');
}

function describe({ status: state, name, medicationCodeableConcept: medication, dosageInstruction }: Found): string {
  const medicine = medication?.text ?? medication?.coding?.find((coding) => coding.display !== undefined)?.display;
  const person = name?.map(({ family = '', given = [] }) => [...given, family].join(' '))[0];
  return [medicine ?? person, state, dosageInstruction?.[0]?.text].filter((part) => part !== undefined).join(' · ');
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

type Send = (
  url: string,
  method: string,
  body?: Buffer | string,
  contentType?: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<Reply>;

/** Sends requests with this token. */
function createSend(token: string): Send {
  return async (url, method, body, contentType, headers = {}) => {
    const reply = await fetch(url, {
      method,
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: {
        ...headers,
        Authorization: `Bearer ${token}`,
        ...(contentType !== undefined && { 'Content-Type': contentType }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
    return { status: reply.status, text: await reply.text() };
  };
}

/** Sends each message in a frame and reads the frames that come back. */
function exchange(port: number, messages: readonly Buffer[]): Promise<Buffer[]> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no acknowledgement came')));
    socket.on('error', fail);
    socket.on('connect', () => {
      for (const message of messages)
        socket.write(Buffer.concat([Buffer.from([0x0b]), message, Buffer.from([0x1c, 0x0d])]));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const frames = received.toString('latin1').split('\u001c\r');
      if (frames.length <= messages.length) return;
      socket.end();
      done(frames.slice(0, -1).map((frame) => Buffer.from(frame.slice(1), 'latin1')));
    });
  });
}

function segments(message: Buffer): string[] {
  const lines = message.toString().split('\r');
  return lines.filter((segment) => segment !== '').map((segment) => short(segment, 110));
}

/** The first line that fits each pattern. */
function excerpt(text: string, patterns: readonly RegExp[]): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return patterns.flatMap((pattern) => lines.find((line) => pattern.test(line)) ?? []).map((line) => short(line, 110));
}

function status(reply: Reply, good: string): string {
  return reply.status < 300 ? `${reply.status} ${good}` : `${reply.status} ${short(reply.text, 200)}`;
}

function short(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

function chapter(title: string): void {
  print(`\n=== ${title}\n`);
}
function request(what: string, about = ''): void {
  print(`\n→ ${what}${about === '' ? '' : `   ${about}`}\n`);
}
function shown(...lines: readonly string[]): void {
  for (const line of lines) print(`    ${line}\n`);
}
function answer(...lines: readonly string[]): void {
  for (const line of lines) print(`  ← ${line}\n`);
}
function print(text: string): void {
  process.stdout.write(text);
}
