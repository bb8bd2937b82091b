/** `npm run verify-token`: checks a prescription token without a connection. docs/pharmacy.md "Without a connection"; SECURITY RX-08 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endWithReader } from './command.ts';
import { type OfflineVerdict, readJwks, verifyOffline } from './standards/prescription-token/offline.ts';

const HELP = `npm run -s verify-token -- --keys FILE [--ended FILE] [--pharmacy CODE] [--issuer URL] FILE

  FILE             the token, a compact JWS, as its QR code has it; - reads it from the input
  --keys FILE      the JWK set of the issuer, as /.well-known/prescription-jwks.json gave it
  --ended FILE     tokens that have ended, as GET /api/pharmacy/ended-tokens gave them
  --pharmacy CODE  of the pharmacy that checks; tokens for others are refused
  --issuer URL     whose tokens are taken

One line of JSON says the verdict. Exit 0: good as far as can be known ("unconfirmed"): ask the issuer when there is a
connection. Exit 1: not good, and at which step. Exit 2: it could not be checked.
`;

class UsageError extends Error {}

endWithReader();
main();

function main(): void {
  try {
    const { values, positionals } = parse();
    if (values.help) return void process.stdout.write(HELP);
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new UsageError('name one file with a token');
    if (values.keys === undefined) throw new UsageError('--keys names the JWK set of the issuer');
    const verdict = verifyOffline(readText(file === '-' ? 0 : file).trim(), {
      keys: of(values.keys, readJwks),
      ended: values.ended === undefined ? new Set() : of(values.ended, readEnded),
      ...(values.pharmacy !== undefined && { pharmacyCode: values.pharmacy }),
      ...(values.issuer !== undefined && { issuer: values.issuer }),
      at: Date.now(),
    });
    process.stdout.write(`${JSON.stringify(shown(verdict))}\n`);
    process.exitCode = verdict.result === 'invalid' ? 1 : 0;
  } catch (error) {
    process.stderr.write(
      `verify-token: ${(error as Error).message}\n${error instanceof UsageError ? `\n${HELP}` : ''}`,
    );
    process.exitCode = 2;
  }
}

function parse() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        keys: text,
        ended: text,
        pharmacy: text,
        issuer: text,
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readText(file: string | 0): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file === 0 ? 'the input' : file} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

function of<T>(file: string, read: (text: string) => T): T {
  const text = readText(file);
  try {
    return read(text);
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`);
  }
}

function readEnded(text: string): ReadonlySet<string> {
  const { ended } = Object(JSON.parse(text)) as { readonly ended?: unknown };
  if (!Array.isArray(ended)) throw new Error('it has no list of tokens: {"ended": [...]}');
  return new Set(ended.map(String));
}

/** What the label says; the nonce stays in the token. */
function shown(verdict: OfflineVerdict): object {
  if (verdict.result === 'invalid') return { valid: false, step_failed: verdict.step, reason: verdict.reason };
  const { jti, name, medication, dose, quantity, pharmacy, exp } = verdict.claims;
  const expires = new Date(exp * 1000).toISOString();
  return { valid: 'unconfirmed', prescription_id: jti, patient: name, medication, dose, quantity, pharmacy, expires };
}
