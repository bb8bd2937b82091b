/** The terminology that R4 publishes, in a form of which one resource at a time is read. */
import type { RawBundle } from '../definitions.ts';
import type { Terminology } from './resources.ts';

export type TerminologyType = Terminology['resourceType'];

/** Where one resource lies in the text: type, url, version, start and length in bytes. */
export type OfficialEntry = readonly [
  type: TerminologyType,
  url: string,
  version: string,
  start: number,
  length: number,
];

export interface OfficialText {
  readonly entries: readonly OfficialEntry[];
  readonly text: string;
}

const TYPES = new Set(['CodeSystem', 'ValueSet', 'ConceptMap']);
/** What no operation reads: narratives, contacts, and what the makers of the package said of it. */
const LEFT_OUT = new Set([
  'text',
  'meta',
  'extension',
  'contact',
  'publisher',
  'description',
  'identifier',
  'date',
  'experimental',
  'jurisdiction',
  'useContext',
  'purpose',
  'copyright',
]);

interface Published {
  readonly resourceType: string;
  readonly url?: string;
  readonly version?: string;
  readonly concept?: unknown;
}

/** Of several with one url the first that holds concepts stays. */
export function compactTerminology(bundles: readonly RawBundle[]): OfficialText {
  const kept = new Map<string, Published>();
  for (const bundle of bundles)
    for (const { resource } of bundle.entry) {
      const raw = resource as Published; // the package's shape is fixed
      if (!TYPES.has(raw.resourceType) || raw.url === undefined) continue;
      const key = `${raw.resourceType} ${raw.url}`;
      const known = kept.get(key);
      if (known === undefined || (known.concept === undefined && raw.concept !== undefined)) kept.set(key, raw);
    }
  const entries: OfficialEntry[] = [];
  const texts: string[] = [];
  let start = 0;
  for (const raw of kept.values()) {
    const text = JSON.stringify(
      Object.fromEntries(Object.entries(raw).filter(([name]) => !LEFT_OUT.has(name) && !name.startsWith('_'))),
    );
    const length = Buffer.byteLength(text);
    entries.push([raw.resourceType as TerminologyType, raw.url ?? '', raw.version ?? '', start, length]);
    texts.push(text);
    start += length;
  }
  return { entries, text: texts.join('') };
}
