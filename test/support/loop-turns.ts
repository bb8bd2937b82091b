/**
 * Loaded into a server's process before the server. Between two SIGUSR2 it looks, whenever a timer of a millisecond has its
 * turn, at how much processor time the main thread has used since its last one: what others had to wait for, however
 * busy the machine is. Then it writes them to PROBE_FILE.
 */
import { writeFileSync } from 'node:fs';

export interface LoopTurns {
  readonly turns: number;
  /** Processor time, ms. */
  readonly p99: number;
  readonly max: number;
}

const tell = (value: 'measuring' | LoopTurns): void =>
  writeFileSync(String(process.env['PROBE_FILE']), JSON.stringify(value));

function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

let timer: NodeJS.Timeout | undefined;
let turns: number[] = [];
process.on('SIGUSR2', () => {
  if (timer) {
    clearInterval(timer);
    timer = undefined;
    const sorted = turns.toSorted((a, b) => a - b);
    tell({ turns: sorted.length, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, max: sorted.at(-1) ?? 0 });
    return;
  }
  turns = [];
  let last = usedMs();
  timer = setInterval(() => {
    const now = usedMs();
    turns.push(now - last);
    last = now;
  }, 1).unref();
  tell('measuring');
});
