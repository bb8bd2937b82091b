/**
 * `npm run -s bench:validation -- [--seconds S] [--json FILE]`: resources of some 2 KB checked against R4, by structure
 * alone and with bindings and invariants, in turns with a bare JSON.stringify; percentiles in µs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { createValidation } from '../src/standards/fhir/validation/validator.ts';
import { CASES } from './validation-cases.ts';

const WARM = 20_000;
const TURN = 50;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' }, json: { type: 'string' } } });
const definitions = await loadDefinitions(join(import.meta.dirname, '../.data/cache'));
const heapBefore = heapUsed();
const all = createValidation(definitions);
const structure = createValidation(definitions, { checks: 'structure' });

const results = CASES.map(({ name, resource }) => {
  const text = JSON.stringify(resource);
  const faults = all.validate(resource);
  if (faults.length > 0) throw new Error(`${name} is not valid: ${faults[0]?.diagnostics}`);
  const works = {
    structure: () => structure.validate(resource),
    all: () => all.validate(resource),
    bare: () => JSON.stringify(resource),
  };
  const spent = { structure: [] as number[], all: [] as number[], bare: [] as number[] };
  for (let i = 0; i < WARM; i++) for (const work of Object.values(works)) work();
  const until = performance.now() + Number(values.seconds) * 1000;
  while (performance.now() < until)
    for (const key of ['structure', 'all', 'bare'] as const) {
      const from = performance.now();
      for (let i = 0; i < TURN; i++) works[key]();
      spent[key].push(((performance.now() - from) * 1000) / TURN);
    }
  const at = (times: readonly number[], share: number): number =>
    times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    name,
    bytes: text.length,
    structureP50: at(spent.structure, 0.5),
    allP50: at(spent.all, 0.5),
    allP99: at(spent.all, 0.99),
    bareP50: at(spent.bare, 0.5),
  };
});

const heap = heapUsed() - heapBefore;
for (const { name, bytes, structureP50, allP50, allP99, bareP50 } of results)
  console.log(
    `${name.padEnd(20)}${String(bytes).padStart(6)} B   structure ${µs(structureP50)}   all ${µs(allP50)} (p99 ${µs(allP99)})   bare stringify ${µs(bareP50)}`,
  );
console.log(`compiled types and code sets: ${(heap / 1024 / 1024).toFixed(1)} MiB`);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ results, heapBytes: heap }, undefined, 2));

function µs(value: number): string {
  return `${value.toFixed(1)} µs`;
}

function heapUsed(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}
