/** `npm run spine:send`: translates a FHIR message, signs an order if asked to, sends it to a local Spine. docs/eps.md */
import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endWithReader } from './command.ts';
import { createCircuitBreaker } from './gateways/circuit-breaker.ts';
import { formatEnvelope } from './gateways/eps/envelope.ts';
import { createSpineExchange } from './gateways/eps/exchange.ts';
import { readSentMessage } from './gateways/eps/sent-message.ts';
import { createHttpsCaller } from './gateways/https-call.ts';
import { epsContext } from './mapping/eps/context.ts';
import { convertToV3 } from './mapping/eps/convert.ts';
import { signOrder } from './mapping/eps/sign-order.ts';
import type { SpineOutcome } from './ports/spine-exchange.ts';
import { formatJson, parseJson } from './standards/fhir/json.ts';
import { type Issue, textOf } from './standards/fhir/outcome.ts';

const HELP = `npm run -s spine:send -- [options] FILE      FILE is an EPS message in FHIR JSON

  --sign             an order is signed with the local Spine's own prescriber key
  --print            prints the FHIR message, signed if asked to, and sends nothing
  --at INSTANT       the time the translation takes for now; now unless given
  --raw              prints the whole answer
  --data-dir DIR     of the Spine (DATA_DIR, .data)

Exit 1: it was refused. Exit 2: the command was wrong, or nothing is known of the message.
`;
const PARTY = { fromPartyKey: 'LOCAL-000001', toPartyKey: 'YES-0000806' };
const TIMEOUT_MS = 30_000;

endWithReader();
await main();

async function main(): Promise<void> {
  try {
    process.exitCode = await run();
  } catch (error) {
    process.stderr.write(`spine:send: ${(error as Error).message}\n`);
    process.exitCode = 2;
  }
}

async function run(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      sign: { type: 'boolean' },
      print: { type: 'boolean' },
      at: { type: 'string' },
      raw: { type: 'boolean' },
      'data-dir': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [file] = positionals;
  if (values.help || file === undefined) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const folder = join(resolve(values['data-dir'] ?? process.env['DATA_DIR'] ?? '.data'), 'spine');
  const now = values.at === undefined ? Date.now() : Date.parse(values.at);
  if (Number.isNaN(now)) throw new Error('--at is an instant such as 2026-11-17T09:00:00Z');
  const text = readFileSync(resolve(process.env['INIT_CWD'] ?? '.', file), 'utf8');
  const context = epsContext({}, { now, newId: randomUUID });
  const payload = values.sign ? await signed(text, context, folder) : parseJson(text);
  if (values.print) {
    process.stdout.write(`${formatJson(payload, true)}\n`);
    return 0;
  }
  const { value: v3, issues } = convertToV3(payload, context);
  if (v3 === undefined) throw new Error(issues.map(describeIssue).join('; '));
  const outcome = await send(v3, folder, now);
  process.stdout.write(`${describe(v3, outcome)}\n`);
  if (values.raw && outcome.kind === 'answered') process.stdout.write(`${outcome.body.toString()}\n`);
  if (outcome.kind !== 'answered') return outcome.kind === 'refused' ? 1 : 2;
  return outcome.reply.acknowledgement === 'AA' ? 0 : 1;
}

async function send(v3: string, folder: string, now: number): Promise<SpineOutcome> {
  const { url } = JSON.parse(readFileSync(join(folder, 'ports.json'), 'utf8')) as { url: string };
  const read = (name: string): string => readFileSync(join(folder, 'certificates', name), 'utf8');
  const material = { cert: read('gateway.crt'), key: read('gateway.key'), ca: read('ca.crt') };
  const https = createHttpsCaller({ baseUrl: new URL(url), tls: () => material, timeoutMs: TIMEOUT_MS });
  const nothing = (): void => undefined;
  const exchange = createSpineExchange({
    https,
    breaker: createCircuitBreaker({ failuresMax: 1, pauseMs: 1, pauseMaxMs: 1, now: Date.now }),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  });
  const messageId = randomUUID().toUpperCase();
  const address = { ...PARTY, messageId, conversationId: messageId, at: now };
  try {
    return await exchange.send({ body: formatEnvelope(v3, readSentMessage(v3).interaction, address) });
  } finally {
    https.close();
  }
}

function describe(v3: string, outcome: SpineOutcome): string {
  const { interaction, prescriptionId, id } = readSentMessage(v3);
  const sent = [interaction, prescriptionId, id].filter((part) => part !== undefined).join('  ');
  if (outcome.kind !== 'answered') return `${sent}\n${JSON.stringify({ ...outcome, body: undefined })}`;
  const { reply, body } = outcome;
  const codes = reply.codes.map(({ code, display }) => `${code} ${display}`);
  const ids = ['PrescriptionReleaseResponse', 'priorDownloadRequestRef'].flatMap((name) => {
    const found = new RegExp(`<${name}[ >][\\s\\S]*?<id [^>]*root="([^"]+)"`).exec(body.toString())?.[1];
    return found === undefined ? [] : [`${name} ${found}`];
  });
  return [sent, [reply.interaction, reply.acknowledgement, ...codes].join('  '), ...ids].join('\n');
}

const describeIssue = (one: Issue): string => textOf(one);

/** The order with the signature of the local Spine's prescriber. */
async function signed(text: string, context: ReturnType<typeof epsContext>, folder: string): Promise<unknown> {
  const key = createPrivateKey(readFileSync(join(folder, 'certificates/prescriber.key')));
  const certificate = new X509Certificate(readFileSync(join(folder, 'certificates/prescriber.crt'))).raw;
  const signer = { sign: async (bytes: Buffer): Promise<Buffer> => sign('sha256', bytes, key), certificate };
  const { value, issues } = await signOrder(parseJson(text), context, signer);
  if (value === undefined) throw new Error(issues.map(describeIssue).join('; '));
  return value;
}
