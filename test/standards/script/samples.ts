/** Where the SCRIPT messages of the tests come from. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = new URL('../../../fixtures/script/', import.meta.url);
const SAMPLES_DIR = process.env['PUBLISHED_SAMPLES_DIR'];

/** A message written by us, by its file name without `.xml`. */
export const scriptFixture = (name: string): Buffer => readFileSync(new URL(`${name}.xml`, FIXTURES));
export const scriptFixtureNames = (): readonly string[] =>
  readdirSync(FIXTURES)
    .filter((name) => name.endsWith('.xml'))
    .map((name) => name.slice(0, -'.xml'.length));
export const goldenUrl = (name: string): URL => new URL(`${name}.fhir.json`, FIXTURES);

export interface ScriptSample {
  readonly id: string;
  readonly file: string;
  readonly kind: string;
  readonly version: string;
  readonly source: string;
  readonly structural: 'valid' | 'invalid' | 'n/a' | 'unconfirmed';
  readonly raw: Buffer;
}

/** What a suite over the samples says without them. */
export const SAMPLES_NEEDED = 'need PUBLISHED_SAMPLES_DIR: a folder with ncpdp/samples/index.json in it';

/** The published SCRIPT samples; undefined where the folder is not given. */
export function publishedSamples(): readonly ScriptSample[] | undefined {
  if (SAMPLES_DIR === undefined) return undefined;
  const folder = join(SAMPLES_DIR, 'ncpdp', 'samples');
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { readonly samples: ScriptSample[] };
  return index.samples
    .filter(({ file }) => file.endsWith('.xml'))
    .map((sample) => ({ ...sample, raw: readFileSync(join(folder, sample.file)) }));
}

/** A document with `count` characters changed, doubled or removed; the same for the same seed. */
export function mutate(raw: Buffer, seed: number, count = 3): Buffer {
  let state = seed * 2_654_435_761 + 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
  const parts = ['<', '>', '&', '"', '/', '', '0', '\u0000', '<A>', '</Message>', ']]>', '<!--', 'é', '\u{1F600}'];
  let bytes = raw;
  for (let i = 0; i < count; i += 1) {
    const at = next(bytes.length);
    const cut = next(3) === 0 ? next(400) : next(3);
    const made = next(2) === 0 ? Buffer.from(parts[next(parts.length)] ?? '') : bytes.subarray(at, at + next(60));
    bytes = Buffer.concat([bytes.subarray(0, at), made, bytes.subarray(at + cut)]);
  }
  return bytes;
}

export const MUTATIONS = { quick: 500, ci: 4_000, long: 100_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 500;
