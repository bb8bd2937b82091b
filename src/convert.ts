/** `npm run convert`: a translation from the command line, and nothing is stored. docs/gateway.md */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endWithReader } from './command.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { convert, translations } from './mapping/convert.ts';
import { type Converted, type ConvertRequest, foundAll, type Mode, mapped, TARGETS } from './mapping/converted.ts';
import { type EpsContext, epsContext } from './mapping/eps/context.ts';
import { signOrder } from './mapping/eps/sign-order.ts';
import { findSource } from './mapping/find-source.ts';
import { KeyPlaceError, KeyProviderError } from './pki/keys/key-error.ts';
import { parseJson } from './standards/fhir/json.ts';
import { FhirError, type Issue, textOf } from './standards/fhir/outcome.ts';
import { verdictOf } from './standards/telecom/read.ts';
import { readPem } from './standards/x509/pem.ts';
import { verifyOrder, verifyV3 } from './workflow/eps/verify-message.ts';

const HELP = `npm run -s convert -- --to KIND [options] FILE      FILE may be - for standard input

  --to KIND            ${TARGETS.join(', ')}; there is ${translations().join(', ')}
  --at INSTANT         the time the translation takes for now, such as 2026-05-01T09:00:00Z
  --header NAME=VALUE  what a request would say in its headers (EPS: NHSD-ASID …, or eps-form=national for an answer of
                       the Spine exactly as the national gateway puts it); may be repeated
  --prepare            what a prescriber signs, instead of the message
  --verify             check the signatures of an EPS message, in FHIR or V3: by EPS_SIGNER_CA_FILE, else as the local
                       Spine does
  --sign KEY           the EPS order with a signature by this key: --pem FOLDER, --p12 FOLDER, or --pkcs11 LIBRARY
                       --token LABEL, opened by KEY_PASSPHRASE; --cert FILE where the certificate is not beside it
  --check              only check the message by the rules of its standard; of Telecommunication D.0 the verdict and the
                       ids of the rules as JSON

The result goes to standard output, what was dropped or defaulted to standard error. Exit 1: it was refused, and the
result is an OperationOutcome. Exit 2: the command was wrong.
`;

class UsageError extends Error {}

endWithReader();
await main();

async function main(): Promise<void> {
  try {
    finish(await run());
  } catch (error) {
    const isKnown = [UsageError, ConfigError, KeyPlaceError, KeyProviderError].some((kind) => error instanceof kind);
    if (!isKnown || !(error instanceof Error)) throw error;
    process.stderr.write(`convert: ${error.message}\n\n${HELP}`);
    process.exitCode = 2;
  }
}

async function run(): Promise<Converted | undefined> {
  const { values, positionals } = parse();
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const config = readConfig(process.env);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('name one FILE, or - for standard input');
  const to = TARGETS.find((target) => target === values.to);
  if (values.to !== undefined && !to) throw new UsageError(`--to is one of ${TARGETS.join(', ')}`);
  const content = readContent(file);
  const source = findSource(content);
  if (!source) throw new UsageError('the content is none of JSON, XML, HL7 v2 and NCPDP Telecommunication');
  const modes = (['prepare', 'verify', 'check'] as const).filter((mode) => values[mode]);
  if (modes.length > 1) throw new UsageError(`--${modes.join(' and --')} exclude each other`);
  const [mode] = modes as readonly Mode[];
  const asked: ConvertRequest = {
    content,
    source,
    ...(to && { to }),
    ...(mode && { mode }),
    at: readInstant(values.at),
    headers: readHeaders(values.header),
    timeZone: config.messageTimeZone,
    epsToAsid: config.epsToAsid,
    newId: randomUUID,
  };
  if (mode === 'check' && source === 'd0') return printVerdict(asked);
  if (values.sign !== undefined) return signWith(values.sign, values, asked);
  return mode === 'verify' ? verify(asked, config) : convert(asked);
}

/** The verdict with the ids of the rules and the reject codes: what a program that tests claims asks for. */
function printVerdict({ content, at }: ConvertRequest): undefined {
  const verdict = verdictOf(content, at);
  process.stdout.write(`${JSON.stringify(verdict, undefined, 2)}\n`);
  if (verdict.verdict === 'invalid') process.exitCode = 1;
  return undefined;
}

function epsContextOf({ headers, at, newId, epsToAsid }: ConvertRequest): EpsContext {
  return epsContext(headers, { now: at, newId, toAsid: epsToAsid });
}

/** As the server would: by the same authorities, with revocation. */
async function verify(asked: ConvertRequest, config: Config): Promise<Converted> {
  const { openSignerTrust } = await import('./eps.ts');
  const { withLocalSigners } = await import('./local-spine.ts');
  const judge = openSignerTrust(withLocalSigners(config, resolve(config.dataDir)), () => asked.at, {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: nothing,
  });
  if (asked.source === 'eps-v3') return foundAll(await verifyV3(judge, asked.content));
  if (asked.source !== 'fhir') return convert(asked);
  return foundAll(await verifyOrder(judge, readJson(asked), epsContextOf(asked)));
}

function nothing(): void {}

interface KeyFlags {
  readonly [name: string]: unknown;
  readonly pem?: string | undefined;
  readonly p12?: string | undefined;
  readonly pkcs11?: string | undefined;
  readonly token?: string | undefined;
  readonly cert?: string | undefined;
}

/** The order with the signature of a key that stays where it is. */
async function signWith(
  id: string,
  { pem, p12, pkcs11, token, cert }: KeyFlags,
  asked: ConvertRequest,
): Promise<Converted> {
  const path = (given: string | undefined): string | undefined => given && pathOf(given);
  const { openKeys } = await import('./pki/keys/open-keys.ts');
  const keys = openKeys(
    { pem: path(pem), p12: path(p12), pkcs11: path(pkcs11), token },
    process.env['KEY_PASSPHRASE'] ?? '',
  );
  try {
    const info = (await keys.list()).find((one) => one.id === id);
    if (!info) throw new UsageError(`there is no key ${id}`);
    if (info.algorithm !== 'RS256') throw new UsageError(`${id} is a key for ${info.algorithm}: EPS takes RSA alone`);
    const certificate =
      cert === undefined ? info.certificates[0] : readPem(readContent(cert).toString('latin1'), 'CERTIFICATE')[0];
    if (!certificate) throw new UsageError(`${id} is without a certificate: name it in --cert`);
    const sign = (bytes: Buffer): Promise<Buffer> => keys.sign(id, bytes);
    return mapped(await signOrder(readJson(asked), epsContextOf(asked), { sign, certificate }));
  } finally {
    await keys.close();
  }
}

function readJson({ content }: ConvertRequest): unknown {
  try {
    return parseJson(content);
  } catch (error) {
    if (error instanceof FhirError) throw new UsageError(`the content is no FHIR JSON: ${error.message}`);
    throw error;
  }
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        at: { type: 'string' },
        header: { type: 'string', multiple: true, default: [] },
        prepare: { type: 'boolean', default: false },
        verify: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        sign: { type: 'string' },
        pem: { type: 'string' },
        p12: { type: 'string' },
        pkcs11: { type: 'string' },
        token: { type: 'string' },
        cert: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function pathOf(given: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', given);
}

/** npm moves to the folder of the project; the user's own is where FILE is. */
function readContent(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : pathOf(file));
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readInstant(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw new UsageError('--at is an instant with its offset, such as 2026-05-01T09:00:00Z');
  return at;
}

function readHeaders(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new UsageError('--header is written NAME=VALUE');
      return [text.slice(0, equals).toLowerCase(), text.slice(equals + 1)];
    }),
  );
}

function finish(result: Converted | undefined): void {
  if (!result) return;
  const { value, issues, outcome } = result;
  process.stdout.write(`${value ? value.text : JSON.stringify(outcome, undefined, 2)}\n`);
  for (const one of issues) process.stderr.write(`${formatIssue(one)}\n`);
  if (!value) process.exitCode = 1;
}

/** `warning value PID-7: …` */
function formatIssue(one: Issue): string {
  const place = one.expression?.length ? `${one.expression.join(', ')}: ` : '';
  return `${one.severity} ${one.code} ${place}${textOf(one)}`;
}
