/**
 * Whatever the servers of a test run log, at every level, is looked through for what fixtures say of people: names, NHS
 * numbers, addresses. One found fails the run. SECURITY DP-06
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Writable } from 'node:stream';
import type { LogLevel } from '../../src/log.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures');
const LENGTH_MIN = 6;
/** A name in a hostile fixture that is also a word of ours. */
const WORDS = new Set(['prototype']);

/** Where fixtures keep what people are called, and where they live. */
const PLACES: readonly RegExp[] = [
  /\b(999\d{7})\b/g,
  /"family"\s*:\s*"([^"]+)"/g,
  /<LastName>([^<]+)</g,
  /<family>([^<]+)</g,
  /^(?:PID|NK1)\|(?:[^|\r\n]*\|){4}([^|^~\r\n]+)\^/gm,
  /<AddressLine1>([^<]+)</g,
];

/** Every such value of the fixtures. */
export function readCanaries(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const entry of readdirSync(FIXTURES, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !['.json', '.xml', '.hl7', '.ndjson'].includes(extname(entry.name))) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    for (const place of PLACES)
      for (const [, value = ''] of text.matchAll(place))
        if (value.length >= LENGTH_MIN && !WORDS.has(value)) found.add(value);
  }
  return found;
}

const offences: string[] = [];
let canaries: ReadonlySet<string> | undefined;
const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** Looks every line through, and shows those that are as important as `level` on stderr. */
export function createWatchedStream(level: LogLevel): Writable {
  const shown = new Set<unknown>(LEVELS.slice(0, LEVELS.indexOf(level) + 1));
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split('\n')) if (line !== '') watch(line, shown);
      done();
    },
  });
}

function watch(line: string, shown: ReadonlySet<unknown>): void {
  canaries ??= readCanaries();
  for (const canary of canaries) if (line.includes(canary)) offences.push(line.slice(0, 300));
  const level: unknown = JSON.parse(line).level;
  if (shown.has(level)) process.stderr.write(`${line}\n`);
}

/** Throws when a log line of this run spoke of a person. */
export function checkLogs(): void {
  if (offences.length > 0)
    throw new Error(
      `${offences.length} log lines hold what fixtures say of people:\n${offences.slice(0, 5).join('\n')}`,
    );
}
