/** Where the Telecommunication messages of the tests come from. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = new URL('../../../fixtures/telecom/', import.meta.url);

export interface TelecomSample {
  readonly id: string;
  readonly file: string;
  readonly kind: string;
  readonly source: string;
  readonly structural: 'valid' | 'invalid';
  readonly expected: string;
  readonly expectFields?: Readonly<Record<string, unknown>>;
  readonly answers?: string;
  readonly raw: Buffer;
}

/** Messages written for this project, with what each must come to: `fixtures/telecom/index.json`. */
export const telecomFixtures: readonly TelecomSample[] = readIndex(FIXTURES.pathname, 'index.json');

export const telecomFixture = (id: string): Buffer => {
  const found = telecomFixtures.find((sample) => sample.id === id);
  if (!found) throw new Error(`no fixture ${id}`);
  return found.raw;
};

/** What a suite over the published samples says without them. */
export const SAMPLES_NEEDED = 'need PUBLISHED_SAMPLES_DIR: a folder with ncpdp/samples/index.json in it';

/** The published Telecommunication samples; undefined where the folder is not given. */
export function publishedTelecom(): readonly TelecomSample[] | undefined {
  const folder = process.env['PUBLISHED_SAMPLES_DIR'];
  return folder === undefined ? undefined : readIndex(join(folder, 'ncpdp', 'samples'), 'index.json');
}

function readIndex(folder: string, name: string): readonly TelecomSample[] {
  const index = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { readonly samples: TelecomSample[] };
  return index.samples
    .filter(({ file }) => file.endsWith('.ncpdp'))
    .map((sample) => ({ ...sample, raw: readFileSync(join(folder, sample.file)) }));
}

export const fixtureFiles = (): readonly string[] =>
  readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ncpdp'));

/** A message with `count` pieces changed, doubled or removed; the same for the same seed. */
export function mutate(raw: Buffer, seed: number, count = 3): Buffer {
  let state = (Math.imul(seed, 2_654_435_761) + 1) >>> 0;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return below === 0 ? 0 : (state >>> 8) % below;
  };
  let bytes = raw;
  for (let i = 0; i < count; i += 1) {
    const at = next(bytes.length);
    const cut = next(4) === 0 ? next(200) : next(3);
    const piece = PIECES[next(PIECES.length)] ?? '';
    const made = next(2) === 0 ? Buffer.from(piece, 'latin1') : bytes.subarray(at, at + next(60));
    bytes = Buffer.concat([bytes.subarray(0, at), made, bytes.subarray(at + cut)]);
  }
  return bytes;
}

const PIECES = [
  '\u001C',
  '\u001D',
  '\u001E',
  '\u001E\u001CAM05',
  '\u001C5C01',
  '\u001CHC07',
  '\u001CDV57015{',
  '\u001CFB75',
  '\u0002',
  '\u0003',
  '\u0000',
  '9',
  '}',
  'Z',
  'é',
  '-1.5',
  '\u001C4C9',
  'D0',
  '\u001CAN?',
];

/** Mutated messages of one run, over all samples. */
export const MUTATIONS = { quick: 5_000, ci: 50_000, long: 1_000_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 5_000;
