/** `npm run -s bench:hl7v2`: the parser beside hl7-standard, in turns on one message; messages a second and the ratio. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseMessage } from '../src/standards/hl7v2/parse.ts';

/** It has no types of its own. */
const HL7 = createRequire(import.meta.url)('hl7-standard') as new (
  text: string,
) => {
  transform(): void;
  get(path: string): unknown;
};
const ROUNDS = 40;
const ROUND_MS = 25;
const PATHS = ['MSH.9', 'MSH.10', 'PID.3', 'PID.5.1', 'PID.5.2', 'PID.7', 'PID.8', 'PV1.2', 'PV1.3.1', 'PV1.19'];
const bytes = readFileSync(join(import.meta.dirname, '../fixtures/hl7v2/own-uk-a01.hl7'));

const CASES: Readonly<Record<string, readonly [ours: () => void, theirs: () => void]>> = {
  'parse alone': [() => void parseMessage(bytes), () => void new HL7(bytes.toString()).transform()],
  'ten values read': [
    () => {
      const message = parseMessage(bytes).value;
      for (const path of PATHS) message?.value(path);
    },
    () => {
      const message = new HL7(bytes.toString());
      message.transform();
      for (const path of PATHS) message.get(path);
    },
  ],
};

for (const [name, [ours, theirs]] of Object.entries(CASES)) {
  const best = [0, 0];
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, run] of [ours, theirs].entries()) best[i] = Math.max(best[i] ?? 0, perSecond(run));
  const [own = 0, other = 1] = best;
  console.log(
    `${name.padEnd(16)} ${own.toFixed(0).padStart(8)}/s   hl7-standard ${other.toFixed(0).padStart(7)}/s   ratio ${(own / other).toFixed(1)}`,
  );
}

function perSecond(run: () => void): number {
  const before = performance.now();
  let count = 0;
  while (performance.now() - before < ROUND_MS) {
    run();
    count += 1;
  }
  return (count * 1000) / (performance.now() - before);
}
