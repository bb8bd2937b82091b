/** `npm run spine`: a local Spine of its own, with mutual TLS, for development and tests. docs/eps.md */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startSpine } from './start.ts';

const HELP = `npm run -s spine [-- OPTIONS]

Starts a local Spine: the Electronic Prescription Service to send to and to try, on this machine.

  --port N            mutual TLS (SPINE_PORT, 9443; 0 takes a free one)
  --state-port N      its state as JSON, plain HTTP for this machine alone (SPINE_STATE_PORT, 9444)
  --data-dir DIR      its certificates and journal are in DIR/spine (DATA_DIR, .data)
  --signer-ca FILE    believes signers of this authority too (PEM; may be given several times)
  --allow-sha1        takes prescriptions that are signed with SHA-1
`;

await main();

async function main(): Promise<void> {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string' },
        'state-port': { type: 'string' },
        'data-dir': { type: 'string' },
        'signer-ca': { type: 'string', multiple: true },
        'allow-sha1': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) return void process.stdout.write(HELP);
    const { env } = process;
    const running = await startSpine({
      folder: join(resolve(values['data-dir'] ?? env['DATA_DIR'] ?? '.data'), 'spine'),
      port: readPort('--port', values.port ?? env['SPINE_PORT'] ?? '9443'),
      statePort: readPort('--state-port', values['state-port'] ?? env['SPINE_STATE_PORT'] ?? '9444'),
      signerAuthorities: (values['signer-ca'] ?? []).map((file) => readFileSync(file, 'utf8')),
      allowSha1: values['allow-sha1'] ?? false,
      now: Date.now,
    });
    const { client, signer } = running.certificates;
    process.stdout.write(`The local Spine is ready.
  messages      ${running.url}/Prescription
  state         ${running.stateUrl}
  client        ${client.certFile}
                ${client.keyFile}
  its CA        ${client.caFile}
  prescriber    ${signer.certFile}
                ${signer.keyFile}
`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        running.stop().then(
          () => process.exit(0),
          () => process.exit(1),
        );
      });
  } catch (error) {
    process.stderr.write(`spine: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function readPort(name: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new Error(`${name} is a port number, not "${text}"`);
  return port;
}
