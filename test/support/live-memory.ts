/**
 * Loaded into a server's process before the server: between two SIGUSR2 it collects what is not in use again and again,
 * and then writes to LIVE_MEMORY_FILE how many bytes more than before were in use at most, buffers included.
 */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY_MS = 400;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function inUse(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

let before: number | undefined;
let peak = 0;
const look = (): void => {
  if (before !== undefined) peak = Math.max(peak, inUse());
};
setInterval(look, EVERY_MS).unref();
process.on('SIGUSR2', () => {
  if (before === undefined) {
    inUse(); // what the first collection leaves behind goes with the second
    before = inUse();
    peak = before;
    writeFileSync(String(process.env['LIVE_MEMORY_FILE']), 'measuring');
    return;
  }
  writeFileSync(String(process.env['LIVE_MEMORY_FILE']), String(peak - before));
  before = undefined;
});
