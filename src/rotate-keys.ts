/** `npm run rotate-keys`: new keys for the elements that are stored encrypted. SECURITY KS-06 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Config, ConfigError, readConfig } from './config.ts';
import { openKeyFile } from './pki/key-file.ts';
import { KeyFileError } from './pki/secret-file.ts';
import { retireKeys, rewrapKeys } from './postgres/encryption/key-rotation.ts';
import { createPools, type Pools } from './postgres/pools.ts';
import { connectionOfRunning } from './postgres/running-cluster.ts';
import { StartError } from './postgres/start-error.ts';

const HELP = `npm run -s rotate-keys -- wrapping     wraps every data key with the first line of the data key file
npm run -s rotate-keys -- data         gives everything new data keys; a running server does it in the background

For a new wrapping key write a line above the others of the file, restart every server, run this with \`wrapping\`,
and take the old line out.
`;

const silent = { error() {}, warn() {}, info() {}, debug() {} };

await main();

async function main(): Promise<void> {
  const [command, ...more] = process.argv.slice(2);
  const isUsage = (command !== 'wrapping' && command !== 'data') || more.length > 0;
  if (isUsage) {
    process[command === '--help' ? 'stdout' : 'stderr'].write(HELP);
    process.exitCode = command === '--help' ? 0 : 2;
    return;
  }
  try {
    if (existsSync('.env')) process.loadEnvFile('.env');
    process.stdout.write(await rotate(command, readConfig(process.env)));
  } catch (error) {
    const known = [ConfigError, KeyFileError, StartError].some((kind) => error instanceof kind);
    const code = (error as NodeJS.ErrnoException).code;
    const reason = known ? (error as Error).message : `the keys could not be rotated (${code ?? String(error)})`;
    process.stderr.write(`rotate-keys: ${reason}\n`);
    process.exitCode = 1;
  }
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
