/** `npm run rotate-keys`: new keys for the elements that are stored encrypted, and for prescription tokens. SECURITY KS-06, RX-01 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Config, ConfigError, readConfig } from './config.ts';
import { openKeyFile } from './pki/key-file.ts';
import { rotatePrescriptionKeys } from './pki/prescription-keys.ts';
import { KeyFileError } from './pki/secret-file.ts';
import { retireKeys, rewrapKeys } from './postgres/encryption/key-rotation.ts';
import { createPools, type Pools } from './postgres/pools.ts';
import { connectionOfRunning } from './postgres/running-cluster.ts';
import { StartError } from './postgres/start-error.ts';
import { prescriptionKeyFile } from './prescription-tokens.ts';

const HELP = `npm run -s rotate-keys -- wrapping     wraps every data key with the first line of the data key file
npm run -s rotate-keys -- data         gives everything new data keys; a running server does it in the background
npm run -s rotate-keys -- tokens       new keys sign prescription tokens; those of before stay good

For a new wrapping key write a line above the others of the file, restart every server, run this with \`wrapping\`,
and take the old line out.
`;

const silent = { error() {}, warn() {}, info() {}, debug() {} };

await main();

async function main(): Promise<void> {
  const [command, ...more] = process.argv.slice(2);
  if ((command !== 'wrapping' && command !== 'data' && command !== 'tokens') || more.length > 0) {
    process[command === '--help' ? 'stdout' : 'stderr'].write(HELP);
    process.exitCode = command === '--help' ? 0 : 2;
    return;
  }
  try {
    if (existsSync('.env')) process.loadEnvFile('.env');
    const config = readConfig(process.env);
    process.stdout.write(command === 'tokens' ? rotateTokens(config) : await rotate(command, config));
  } catch (error) {
    const known = [ConfigError, KeyFileError, StartError].some((kind) => error instanceof kind);
    const code = (error as NodeJS.ErrnoException).code;
    const reason = known ? (error as Error).message : `the keys could not be rotated (${code ?? String(error)})`;
    process.stderr.write(`rotate-keys: ${reason}\n`);
    process.exitCode = 1;
  }
}

function rotateTokens({ dataDir }: Config): string {
  const file = prescriptionKeyFile(resolve(dataDir));
  // It would be made if it were not there, and what was signed would be worthless.
  if (!existsSync(file)) throw new KeyFileError(`there is no key file ${file}: no server has run on this data folder`);
  rotatePrescriptionKeys(file, Date.now());
  return `New keys sign prescription tokens: running servers read ${file} within seconds. Back it up\n`;
}

async function rotate(command: 'wrapping' | 'data', config: Config): Promise<string> {
  const dataDir = resolve(config.dataDir);
  const keyFile = config.dataKeyFile ?? join(dataDir, 'keys', 'data.key');
  // It would be made if it were not there, and what it wraps would be lost.
  if (!existsSync(keyFile)) throw new KeyFileError(`there is no key file ${keyFile}: nothing is encrypted here`);
  const wrapping = openKeyFile(keyFile);
  const pools = openPools(config, dataDir);
  try {
    if (command === 'wrapping')
      return `${await rewrapKeys(pools.writes, wrapping)} keys are wrapped with the first line of ${keyFile}\n`;
    const count = await retireKeys(pools.writes, Date.now());
    return `${count} data keys are old: a running server seals everything again and then destroys them\n`;
  } finally {
    await pools.end();
  }
}

function openPools({ databaseUrl }: Config, dataDir: string): Pools {
  const connection =
    databaseUrl === undefined ? connectionOfRunning(dataDir, 'app') : { connectionString: databaseUrl };
  return createPools({ connection, readConnections: 1, writeConnections: 1, transactionConnections: 1, log: silent });
}
