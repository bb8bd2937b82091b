/**
 * Numbers that were entered for the wrong person (ADT^A43) are those of another record from then on. A record that has no
 * number left gives way to that record, as in a merge. docs/hl7v2.md "Merges"
 */
import { MERGED_INTO, NUMBERS_MOVE_TO, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction, TransactionWrite } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { multipleMatches } from '../standards/fhir/outcome.ts';
import { isRetired } from './merge-patients.ts';
import { patientChange } from './patient-change.ts';

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

export interface MoveIdentifierServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
}
type Reader = Pick<StoreTransaction, 'findCurrent' | 'lockIdentity'>;

export interface MovedIdentifiers {
  /** The entries that are stored as any others; of a record that has no number left, that of one that gives way. */
  readonly entries: readonly TransactionEntry[];
  /** Takes the numbers from records that keep others. */
  readonly writes: readonly TransactionWrite[];
}

/** More records under one number than these are told of as several. */
const FOUND_MAX = 5;

/** The `fullUrl` of the record that the numbers of an entry move to; undefined for other entries. */
const movesTo = ({ extension = [] }: TransactionEntry): string | undefined =>
  extension.find(({ url }) => url === NUMBERS_MOVE_TO)?.valueString;

/** Throws `FhirError` 412 where the numbers are those of several other records. */
export async function moveIdentifiers(
  services: MoveIdentifierServices,
  tx: Reader,
  all: readonly TransactionEntry[],
): Promise<MovedIdentifiers> {
  const moves = all.flatMap((entry) => {
    const target = all.find(({ fullUrl }) => fullUrl === movesTo(entry));
    return target === undefined ? [] : [{ entry, target }];
  });
  if (moves.length === 0) return { entries: all, writes: [] };
  const criteria = moves.flatMap(({ entry, target }) =>
    [entry, target].map(({ request }) => services.criteriaOf('Patient', request.url.split('?', 2)[1] ?? '')),
  );
  await tx.lockIdentity(criteria);
  const found = (await tx.findCurrent(criteria, FOUND_MAX)).map(
    (versions) => versions.map(({ content }) => parseJson(content) as Resource), // stored text was checked
  );
  const replaced = new Map<TransactionEntry, TransactionEntry | undefined>();
  const writes: TransactionWrite[] = [];
  for (const [i, { entry, target }] of moves.entries()) {
    const [named = [], targets = []] = [found[2 * i], found[2 * i + 1]];
    const isTarget = ({ id }: Resource): boolean => targets.some((one) => one['id'] === id);
    const [source, another] = named.filter((one) => !isTarget(one) && !isRetired(one));
    if (another !== undefined)
      throw multipleMatches(
        'The numbers that are to be moved are those of several records',
        `Bundle.entry[${all.indexOf(entry)}]`,
      );
    replaced.set(entry, undefined);
    if (source === undefined) continue; // nobody has them yet, or they were moved before
    const moved = new Set(list(entry.resource['identifier']).map(keyOf));
    if (list(source['identifier']).some((identifier) => !moved.has(keyOf(identifier)))) {
      writes.push(release(source, moved));
      continue;
    }
    const [way, stays] = merge(entry, replaced.get(target) ?? target);
    replaced.set(entry, way);
    replaced.set(target, stays);
  }
  const entries = all.flatMap((entry) => {
    const instead = replaced.has(entry) ? replaced.get(entry) : entry;
    return instead === undefined ? [] : [instead];
  });
  return { entries, writes };
}

const keyOf = ({ system, value }: Json): string => `${String(system ?? '')}|${String(value)}`;

const release = (source: Resource, moved: ReadonlySet<string>): TransactionWrite =>
  patientChange(source, 'the record whose numbers are to be moved is gone', (current) => ({
    ...current,
    identifier: list(current['identifier']).filter((one) => !moved.has(keyOf(one))),
  }));

/** The entries of a merge: the record that gives way, and that which stays. */
function merge(entry: TransactionEntry, target: TransactionEntry): readonly [TransactionEntry, TransactionEntry] {
  const linked = (one: TransactionEntry, to: TransactionEntry, type: string, more: Json = {}): TransactionEntry => ({
    ...one,
    resource: {
      ...one.resource,
      ...more,
      link: [...list(one.resource['link']), { other: { reference: to.fullUrl }, type }],
    },
  });
  const way = linked(entry, target, 'replaced-by', { active: false });
  return [
    { ...way, extension: [{ url: MERGED_INTO, valueString: target.fullUrl }] },
    linked(target, entry, 'replaces'),
  ];
}
