/**
 * The catalogue in memory: what the store's MedicationKnowledge say, followed as they change. It is about nobody, so that
 * all who may ask see the same. MISSION M9
 */
import type { Clock } from '../../../ports/clock.ts';
import type { StoredVersion } from '../../../ports/resource-store.ts';
import { type FollowedParts, followResources } from '../../followed-resources.ts';
import { type CatalogueEntry, hasStrength, normalName, readMedicationKnowledge, strengthIn } from './entry.ts';
import { createWordIndex, type WordIndex } from './word-index.ts';

export interface CatalogueParts extends FollowedParts {
  readonly now: Clock;
}

/** The catalogue of one moment. */
export interface Catalogue {
  readonly size: number;
  find(id: string): CatalogueEntry | undefined;
  /** Active ones whose words begin so. */
  search(query: string, limit: number): readonly CatalogueEntry[];
  /** The one of a code, of a name, or of the only substance that a text names. */
  match(medicine: {
    readonly codes: readonly { readonly system?: string; readonly code?: string }[];
    readonly text?: string;
  }): CatalogueEntry | undefined;
}

/** Resolves to the catalogue as it stands, not older than a second. */
export type OpenCatalogue = () => Promise<Catalogue>;

const FRESH_MS = 1000;
const ENTRIES_MAX = 500_000;

export function createCatalogue(parts: CatalogueParts): OpenCatalogue {
  const { now } = parts;
  const entries = new Map<string, CatalogueEntry & { readonly versionId: number }>();
  let checkedAt = 0;
  let view: Catalogue | undefined;
  let reading: Promise<void> | undefined;

  function take({ id, versionId, operation, content }: StoredVersion): void {
    const before = entries.get(id);
    if (before && before.versionId >= versionId) return;
    const entry = operation === 'delete' ? undefined : readMedicationKnowledge(JSON.parse(content));
    if (entry && (before || entries.size < ENTRIES_MAX)) entries.set(id, { ...entry, versionId });
    else if (!entries.delete(id)) return;
    view = undefined;
  }

  const follow = followResources({
    ...parts,
    types: ['MedicationKnowledge'],
    take,
    forget() {
      entries.clear();
      view = undefined;
    },
  });

  return async () => {
    if (now() - checkedAt >= FRESH_MS || view === undefined) {
      reading ??= follow()
        .then(() => {
          checkedAt = now();
        })
        .finally(() => {
          reading = undefined;
        });
      // What is a second old is good enough while the next is read.
      if (view === undefined || now() - checkedAt >= 2 * FRESH_MS) await reading;
      else reading.catch(() => undefined); // the next who asks hears of it
    }
    view ??= createView(entries);
    return view;
  };
}

/** Of the medicines of one substance that with the strength and the form that the name says; the first where none has. */
function likest(entries: readonly CatalogueEntry[], name: string): CatalogueEntry | undefined {
  const said = strengthIn(name);
  const likeness = (entry: CatalogueEntry): number =>
    (said !== undefined && hasStrength(entry, said) ? 2 : 0) +
    (entry.form !== '' && name.includes(normalName(entry.form).replace(/s$/, '')) ? 1 : 0);
  let best = entries[0];
  for (const entry of entries) if (best && likeness(entry) > likeness(best)) best = entry;
  return best;
}

function createView(entries: ReadonlyMap<string, CatalogueEntry>): Catalogue {
  const all = [...entries.values()];
  const byCode = new Map<string, CatalogueEntry>();
  const byName = new Map<string, CatalogueEntry>();
  const bySubstance = new Map<string, CatalogueEntry[]>();
  for (const entry of all) {
    for (const code of Object.values(entry.codes)) byCode.set(code, entry);
    byName.set(normalName(entry.name), entry);
    const [only, ...more] = entry.substances;
    if (only === undefined || more.length > 0) continue;
    const known = bySubstance.get(only);
    if (known) known.push(entry);
    else bySubstance.set(only, [entry]);
  }
  let words: WordIndex | undefined;
  const texts = new Map<string, CatalogueEntry | undefined>();
  function matchText(text: string): CatalogueEntry | undefined {
    const name = normalName(text);
    const exact = byName.get(name);
    if (exact || texts.has(name)) return exact ?? texts.get(name);
    const named = [...bySubstance]
      .filter(([substance]) => ` ${name} `.includes(` ${substance} `))
      .map(([, found]) => found);
    if (texts.size > 10_000) texts.clear();
    texts.set(name, named.length === 1 ? likest(named[0] ?? [], name) : undefined);
    return texts.get(name);
  }
  return {
    size: all.length,
    find: (id) => entries.get(id),
    search(query, limit) {
      words ??= createWordIndex(all);
      return words.find(query, limit);
    },
    match({ codes, text }) {
      const coded = codes.flatMap(({ code }) => (code === undefined ? [] : (byCode.get(code) ?? [])))[0];
      return coded ?? (text === undefined ? undefined : matchText(text));
    },
  };
}
