/**
 * Two records that were linked or merged are of two people after all (A37): the links go, and what a merge moved goes back
 * as far as its Provenance says. docs/hl7v2.md "Merges"
 */
import { PARTED_FROM, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction, TransactionWrite } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';
import { patientChange } from './patient-change.ts';

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

export interface PartServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
}
type Reader = Pick<StoreTransaction, 'findCurrent' | 'vread' | 'lockIdentity'>;

/** The `fullUrl` of the record that an entry is parted from; undefined for other entries. */
export const partedFrom = ({ extension = [] }: TransactionEntry): string | undefined =>
  extension.find(({ url }) => url === PARTED_FROM)?.valueString;

const tooMuch = (diagnostics: string): FhirError => new FhirError(422, [issue('too-costly', diagnostics)]);

const FOUND_MAX = 20;
const MOVED_MAX = 10_000;
/** More are not searched: what a merge moved is then put right by hand. */
const PROVENANCES_MAX = 2000;

/** Writes that part the records of the entries; none where nothing links them. */
export async function partPatients(
  services: PartServices,
  tx: Reader,
  entries: readonly TransactionEntry[],
): Promise<readonly TransactionWrite[]> {
  const [first] = entries;
  const second = entries.find(({ fullUrl }) => fullUrl === (first && partedFrom(first)));
  if (first === undefined || second === undefined) return [];
  const criteria = [first, second].map(({ request }) =>
    services.criteriaOf('Patient', request.url.split('?', 2)[1] ?? ''),
  );
  await tx.lockIdentity(criteria);
  const [ones = [], others = []] = (await tx.findCurrent(criteria, FOUND_MAX)).map(
    (versions) => versions.map(({ content }) => parseJson(content) as Resource), // stored text was checked
  );
  const pairs = ones.flatMap((one) => others.map((other) => [one, other] as const));
  const pair = pairs.find(([one, other]) => linksTo(one, other).length > 0 || linksTo(other, one).length > 0);
  if (pair === undefined) return [];
  const [one, other] = pair;
  if (isReplacedBy(one, other)) return unmerge(services, tx, one, other);
  if (isReplacedBy(other, one)) return unmerge(services, tx, other, one);
  return [
    change(one, (current) => withoutLinks(current, other)),
    change(other, (current) => withoutLinks(current, one)),
  ];
}

const placeOf = ({ id }: Resource): string => `Patient/${String(id)}`;
const linksTo = (from: Resource, to: Resource): readonly Json[] =>
  list(from['link']).filter(({ other }) => (other as { reference?: unknown } | undefined)?.reference === placeOf(to));
const isReplacedBy = (retired: Resource, survivor: Resource): boolean =>
  linksTo(retired, survivor).some(({ type }) => type === 'replaced-by');

function withoutLinks(patient: Resource, other: Resource): Resource {
  const gone = linksTo(patient, other);
  const { link: _, ...rest } = patient;
  const kept = list(patient['link']).filter((one) => !gone.includes(one));
  return (kept.length > 0 ? { ...patient, link: kept } : rest) as Resource; // resourceType is no link
}

const change = (patient: Resource, to: (current: Resource) => Resource): TransactionWrite =>
  patientChange(patient, 'a record that is to be parted is gone', to);

/** The record that gave way is somebody's again, with its numbers and with what was moved. */
async function unmerge(
  services: PartServices,
  tx: Reader,
  retired: Resource,
  survivor: Resource,
): Promise<readonly TransactionWrite[]> {
  const merge = await findMerge(services, tx, retired, survivor);
  const own = new Set(list(merge.survivorBefore?.['identifier']).map(keyOf));
  const theirs = new Set(
    list(retired['identifier'])
      .map(keyOf)
      .filter((key) => !own.has(key)),
  );
  const revive = (current: Resource): Resource => {
    const { active: _, ...rest } = withoutLinks(current, survivor);
    const active = merge.retiredBefore === undefined ? true : merge.retiredBefore['active'];
    return (active === undefined ? rest : { ...rest, active }) as Resource; // it has its resourceType
  };
  const release = (current: Resource): Resource => ({
    ...withoutLinks(current, retired),
    identifier: list(current['identifier']).filter((identifier) => !theirs.has(keyOf(identifier))),
  });
  return [
    change(retired, revive),
    change(survivor, release),
    ...(await moveBack(services, tx, merge, retired, survivor)),
  ];
}

const keyOf = ({ system, value }: Json): string => `${String(system ?? '')}|${String(value)}`;

interface MergeFound {
  readonly retiredBefore: Resource | undefined;
  readonly survivorBefore: Resource | undefined;
  /** Versions that it wrote: `Encounter/1/_history/3`. */
  readonly written: readonly string[];
}

/** What the message did that merged them: its Provenances have one source. */
async function findMerge(
  services: PartServices,
  tx: Reader,
  retired: Resource,
  survivor: Resource,
): Promise<MergeFound> {
  const told = await provenances(services, tx, `target=${placeOf(retired)}`);
  const candidates = told
    .flatMap((provenance) => {
      const version = versionIn(provenance, retired);
      return version === undefined ? [] : [{ provenance, version }];
    })
    .toSorted((a, b) => b.version - a.version);
  for (const { provenance, version } of candidates) {
    const [now, before] = [await versionOf(tx, retired, version), await versionOf(tx, retired, version - 1)];
    if (!(now && isReplacedBy(now, survivor)) || (before && isReplacedBy(before, survivor))) continue;
    const source = sourceOf(provenance);
    const since = `target=${placeOf(survivor)}&recorded=ge${String(provenance['recorded'])}`;
    const all = source === undefined ? [] : await provenances(services, tx, since);
    const same = all.filter((one) => sourceOf(one) === source);
    const survivorVersion = same.map((one) => versionIn(one, survivor)).find((found) => found !== undefined);
    return {
      retiredBefore: before,
      survivorBefore: survivorVersion === undefined ? undefined : await versionOf(tx, survivor, survivorVersion - 1),
      written: same.flatMap(targetsOf),
    };
  }
  return { retiredBefore: undefined, survivorBefore: survivor, written: [] };
}

async function provenances({ criteriaOf }: PartServices, tx: Reader, query: string): Promise<readonly Json[]> {
  const [found = []] = await tx.findCurrent([criteriaOf('Provenance', query)], PROVENANCES_MAX + 1);
  if (found.length > PROVENANCES_MAX)
    throw tooMuch(`More than ${PROVENANCES_MAX} messages have been here: what the merge moved is put right by hand`);
  return found.map(({ content }) => parseJson(content) as Json); // stored text was checked
}

const sourceOf = (provenance: Json): string | undefined => {
  const what = list(provenance['entity'])[0]?.['what'] as { identifier?: { value?: string } } | undefined;
  return what?.identifier?.value;
};
const targetsOf = (provenance: Json): readonly string[] =>
  list(provenance['target']).flatMap(({ reference }) => (typeof reference === 'string' ? [reference] : []));

function versionIn(provenance: Json, patient: Resource): number | undefined {
  const prefix = `${placeOf(patient)}/_history/`;
  const found = targetsOf(provenance).find((reference) => reference.startsWith(prefix));
  return found === undefined ? undefined : Number(found.slice(prefix.length));
}

const versionOf = (tx: Reader, { id }: Resource, version: number): Promise<Resource | undefined> =>
  readVersion(tx, 'Patient', String(id), version);

/** Undefined: there is none, or the resource was deleted then. */
async function readVersion(tx: Reader, type: string, id: string, version: number): Promise<Resource | undefined> {
  if (version < 1) return undefined;
  try {
    const { content } = await tx.vread(type, id, version);
    return content === '' ? undefined : (parseJson(content) as Resource); // stored text was checked
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) return undefined;
    throw error;
  }
}

/** What referred to the retired record before the merge wrote it does so again. */
async function moveBack(
  { criteriaOf, rewriteReferences }: PartServices,
  tx: Reader,
  { written }: MergeFound,
  retired: Resource,
  survivor: Resource,
): Promise<readonly TransactionWrite[]> {
  const [from, to] = [placeOf(survivor), placeOf(retired)];
  const writes: TransactionWrite[] = [];
  if (written.length > MOVED_MAX)
    throw tooMuch(`The merge moved more than ${MOVED_MAX} resources: they are put right by hand`);
  for (const place of written) {
    const [type = '', id = '', , version = ''] = place.split('/');
    if (type === 'Patient' || version === '') continue;
    const before = await readVersion(tx, type, id, Number(version) - 1);
    const named = before === undefined ? new Set<string>() : referencesIn(rewriteReferences, before);
    // Where both were named nobody can tell which is meant now.
    if (!named.has(to) || named.has(from)) continue;
    const [current = []] = await tx.findCurrent([criteriaOf(type, `_id=${id}`)], 1);
    if (current.length === 0) continue; // deleted since
    const back = (resource: Resource | undefined): Resource => {
      if (resource === undefined) throw new ChangedMeanwhile('what the merge moved is gone');
      return rewriteReferences(resource, (text, place) => (place === 'reference' && text === from ? to : undefined));
    };
    writes.push({ kind: 'update', operation: 'update', type, id, change: back });
  }
  return writes;
}

function referencesIn(rewrite: PartServices['rewriteReferences'], resource: Resource): ReadonlySet<string> {
  const found = new Set<string>();
  rewrite(resource, (text, place) => {
    if (place === 'reference') found.add(text);
    return undefined;
  });
  return found;
}
