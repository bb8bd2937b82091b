/**
 * `npm run -s bench:eps -- [--seconds S] [--json FILE]`: EPS translations, from a message that was read and from its
 * bytes, in turns with a bare JSON.parse and JSON.stringify of the same message; medians in ms, and the ratio to the bare.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { epsContext } from '../src/mapping/eps/context.ts';
import { convertToV3 } from '../src/mapping/eps/convert.ts';
import { prepare } from '../src/mapping/eps/prepare.ts';
import { parseJson } from '../src/standards/fhir/json.ts';

const WARM_MS = 1_000;
const TURN = 20;
const now = Date.parse('2026-11-16T09:41:30Z');

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' }, json: { type: 'string' } } });
const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/eps', `${name}.json`));
const context = epsContext({}, { now, newId: randomUUID });

const translated = (bytes: Buffer): (() => void) => {
  const message = parseJson(bytes);
  return () => {
    if (convertToV3(message, context).value === undefined) throw new Error('it was refused');
  };
};
const toV3 = (bytes: Buffer) => (): void => {
  if (convertToV3(parseJson(bytes), context).value === undefined) throw new Error('it was refused');
};
const toDigest = (bytes: Buffer) => (): void => {
  if (prepare(parseJson(bytes), context).value === undefined) throw new Error('it was refused');
};
const bare = (bytes: Buffer) => (): void => void JSON.stringify(JSON.parse(bytes.toString()));

const order = fixture('prescription-order-acute');
const notification = fixture('dispense-notification-amend');
const claim = fixture('claim-amend');

const CASES: readonly {
  readonly name: string;
  readonly ours: () => void;
  readonly bare: () => void;
  readonly goalMs?: number;
}[] = [
  { name: 'order, read, to V3', ours: translated(order), bare: bare(order), goalMs: 0.3 },
  { name: 'order to V3', ours: toV3(order), bare: bare(order) },
  { name: '$prepare', ours: toDigest(order), bare: bare(order), goalMs: 0.5 },
  { name: 'notification to V3', ours: toV3(notification), bare: bare(notification) },
  { name: 'claim to V3', ours: toV3(claim), bare: bare(claim) },
];

const results = CASES.map((one) => {
  const spent = { ours: [] as number[], bare: [] as number[] };
  measure(one, WARM_MS, { ours: [], bare: [] });
  measure(one, Number(values.seconds) * 1_000, spent);
  const [ours, base] = [spent.ours, spent.bare].map((times) => times.toSorted((a, b) => a - b)) as [number[], number[]];
  const at = (times: readonly number[], share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { name: one.name, p50: at(ours, 0.5), p99: at(ours, 0.99), bare: at(base, 0.5), goalMs: one.goalMs };
});

for (const { name, p50, p99, bare: base, goalMs } of results)
  console.log(
    `${name.padEnd(20)} p50 ${p50.toFixed(3)} ms   p99 ${p99.toFixed(3)} ms   bare JSON ${base.toFixed(3)} ms   ratio ${(p50 / base).toFixed(1)}${goalMs === undefined ? '' : `   goal ${goalMs} ms: ${p50 <= goalMs ? 'met' : 'missed'}`}`,
  );
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));

function measure(
  one: { readonly ours: () => void; readonly bare: () => void },
  forMs: number,
  spent: { readonly ours: number[]; readonly bare: number[] },
): void {
  const end = performance.now() + forMs;
  while (performance.now() < end)
    for (const side of ['ours', 'bare'] as const)
      for (let i = 0; i < TURN; i += 1) {
        const before = performance.now();
        one[side]();
        spent[side].push(performance.now() - before);
      }
}
