/** `npm run payer`: a payer and a copay programme on this machine, for development and tests. docs/ncpdp-telecom.md */
import { parseArgs } from 'node:util';
import { FAULT_MODES, readFault } from './faults.ts';
import { PLANS } from './plans.ts';
import { startPayer } from './start.ts';

const HELP = `npm run -s payer [-- OPTIONS]

Starts a local payer that takes Telecommunication D.0 over TCP, each message between STX and ETX.

  --port N            (PAYER_PORT, 9100; 0 takes a free one)
  --fault MODE:N:MS   what goes wrong with the first N transmissions; may be given several times:
${Object.entries(FAULT_MODES)
  .map(([mode, about]) => `                        ${mode.padEnd(16)} ${about}`)
  .join('\n')}
`;

await main();

async function main(): Promise<void> {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string' },
        fault: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) return void process.stdout.write(HELP);
    const text = values.port ?? process.env['PAYER_PORT'] ?? '9100';
    const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(port <= 65_535)) throw new Error(`the port is a number up to 65535, not "${text}"`);
    const running = await startPayer({ port, faults: values.fault.map(readFault) });
    const plans = PLANS.map(({ kind, bin, pcn }) => `  ${kind.padEnd(12)} BIN ${bin}  PCN ${pcn}`).join('\n');
    process.stdout.write(`The local payer is ready on tcp://127.0.0.1:${running.port}\n${plans}\n`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        running.stop().then(
          () => process.exit(0),
          () => process.exit(1),
        );
      });
  } catch (error) {
    process.stderr.write(`payer: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
