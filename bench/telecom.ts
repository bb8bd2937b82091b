/** Telecommunication D.0 on one core: messages a second. `cases` may be joined to those of other benchmarks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { telecomFromFhir, telecomToFhir } from '../src/mapping/telecom/map-message.ts';
import { checkTelecom } from '../src/standards/telecom/check.ts';
import { parseTelecom } from '../src/standards/telecom/parse.ts';
import { formatTelecom } from '../src/standards/telecom/write.ts';

export interface TelecomCase {
  readonly name: string;
  /** Messages a second that are wanted; absent where none are. */
  readonly goal?: number;
  readonly run: () => void;
}

const FIXTURES = join(import.meta.dirname, '../fixtures/telecom/valid');

export function telecomCases(): readonly TelecomCase[] {
  const raw = readFileSync(join(FIXTURES, 'b1-primary.ncpdp'));
  const { message } = parseTelecom(raw);
  if (!message) throw new Error('the fixture is not read');
  const context = { receivedAt: Date.UTC(2026, 0, 16) };
  const bundle = telecomToFhir(message, context).value;
  return [
    { name: 'D.0 B1 parse', goal: 60_000, run: () => void parseTelecom(raw) },
    { name: 'D.0 B1 check', run: () => void checkTelecom(message) },
    { name: 'D.0 B1 write', run: () => void formatTelecom(message) },
    { name: 'D.0 B1 to FHIR', run: () => void telecomToFhir(message, context) },
    { name: 'FHIR to D.0 B1, checked', run: () => void telecomFromFhir(bundle) },
  ];
}

/** The best of `rounds`, each of `ms`. */
export function perSecond(run: () => void, rounds = 20, ms = 50): number {
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const before = performance.now();
    let count = 0;
    while (performance.now() - before < ms) {
      run();
      count += 1;
    }
    best = Math.max(best, (count * 1000) / (performance.now() - before));
  }
  return best;
}

if (import.meta.main)
  for (const { name, goal, run } of telecomCases())
    console.log(
      `${name.padEnd(26)} ${perSecond(run).toFixed(0).padStart(8)}/s${goal === undefined ? '' : `   goal ${goal}/s`}`,
    );
