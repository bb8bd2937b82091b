/**
 * Loaded into a server's process before the server. Between two SIGUSR2 it looks at fixed points of the work, as rows are
 * sent to the database and at each commit, at how many bytes are in use once what is not is collected, buffers included;
 * and then writes to PROBE_FILE how many more than before that were at most, and how often it looked.
 */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';

/** Statements that write many rows, of which one is looked at. */
const EVERY = 5;
const WRITES_MANY = /^cm:/;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function inUse(): number {
  collect();
  collect(); // buffers that the first finds unused are given back beside it: the second waits for that
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export interface LiveMemory {
  readonly bytes: number;
  readonly looks: number;
}

const tell = (value: 'measuring' | LiveMemory): void =>
  writeFileSync(String(process.env['PROBE_FILE']), JSON.stringify(value));

let before: number | undefined;
let peak = 0;
let looks = 0;
let statements = 0;

function look(query: unknown): void {
  if (before === undefined) return;
  const { name, text } = query as { readonly name?: string; readonly text?: string };
  if (name !== undefined && WRITES_MANY.test(name)) statements += 1;
  else if (query !== 'commit' && text !== 'commit') return;
  if (statements === 0 || (query !== 'commit' && statements % EVERY !== 0)) return;
  looks += 1;
  peak = Math.max(peak, inUse());
}

type Query = (this: unknown, ...asked: unknown[]) => unknown;
const { query } = pg.Client.prototype as { query: Query };
Object.assign(pg.Client.prototype, {
  query(this: unknown, ...asked: unknown[]) {
    look(asked[0]);
    return query.apply(this, asked);
  },
});

process.on('SIGUSR2', () => {
  if (before !== undefined) {
    tell({ bytes: peak - before, looks });
    before = undefined;
    return;
  }
  before = inUse();
  peak = before;
  looks = 0;
  statements = 0;
  tell('measuring');
});
