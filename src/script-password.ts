/** `npm run -s script:password`: the hash of a password from standard input, for SCRIPT_PARTNERS_FILE. docs/ncpdp.md */
import { readFileSync } from 'node:fs';
import { hashPassword } from './gateways/script/credentials.ts';

const LENGTH_MIN = 12;

await main();

async function main(): Promise<void> {
  const password = readFileSync(0, 'utf8').replace(/\r?\n$/, '');
  if (password.length < LENGTH_MIN || /[\r\n]/.test(password)) {
    process.stderr.write(`The password is one line of at least ${LENGTH_MIN} characters on standard input\n`);
    process.exitCode = 2;
    return;
  }
  process.stdout.write(`${await hashPassword(password)}\n`);
}
