/**
 * What the entries of a transaction write, in one go. Entries of a large bundle are read, resolved and checked while those
 * before them are written already; where one is at fault nothing is kept, and all are looked at, so that every fault is
 * told as for a small one. https://hl7.org/fhir/R4/http.html#trules; SECURITY RL-43, IN-01
 */
import type {
  Criteria,
  Resource,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../../ports/resource-store.ts';
import { badRequest, FhirError, issue } from '../../standards/fhir/outcome.ts';
import { mapInTurns } from '../../standards/turns.ts';
import { checkValid } from '../body.ts';
import { parseEtag } from '../preferences.ts';
import type { Services } from '../services.ts';
import type { BundleEntry } from './bundle-entry.ts';
import { readPatchEntry } from './bundle-patch.ts';
import type { BundleSource } from './bundle-source.ts';
import { patchOf } from './patch.ts';
import { checkId, conditionalWrite, unlessThere } from './update.ts';

/** An entry with what has to be known before anything is written. */
export interface Planned {
  readonly entry: BundleEntry;
  /** Conditional entries: what picks the resource. */
  readonly criteria: Criteria | undefined;
  readonly type: string;
  /** Known at once for plain creates and updates; for conditional ones after the search. */
  id: string | undefined;
  /** Conditional create: the resource that exists already. */
  existing: boolean;
}

/** What links and references of the bundle become. */
export type References = ReadonlyMap<string, string>;

/** An entry that is at fault, met while others are written. */
class EntryFault extends Error {
  readonly fault: FhirError;
  constructor(fault: FhirError) {
    super('an entry is at fault');
    this.fault = fault;
  }
}

/**
 * The result of each entry; `isBrief`: the contents are not needed; undefined of those that write nothing. Throws the
 * faults of all entries, 100 at most.
 */
export async function writeEntries(
  services: Services,
  tx: StoreTransaction,
  { late, whole, isBrief }: Pick<BundleSource, 'late' | 'whole'> & { readonly isBrief: boolean },
  planned: readonly Planned[],
  references: References,
): Promise<readonly (WriteResult | undefined)[]> {
  const write = async (writes: readonly (TransactionWrite | undefined)[]): Promise<(WriteResult | undefined)[]> => {
    checkDistinct(planned, writes);
    const results = await tx.write(writes.filter((one) => one !== undefined));
    let next = 0;
    return writes.map((one) => one && results[next++]);
  };
  if (!late) return write(await buildWrites(services, planned, references));
  try {
    return await write(await mapInTurns(planned, (plan) => lateWriteOf(services, plan, references, isBrief)));
  } catch (error) {
    if (!(error instanceof EntryFault)) throw error;
    await whole();
    await buildWrites(services, planned, references);
    throw error.fault;
  }
}

async function buildWrites(
  services: Services,
  planned: readonly Planned[],
  references: References,
): Promise<(TransactionWrite | undefined)[]> {
  const issues: FhirError[] = [];
  const writes = await mapInTurns(planned, (plan): TransactionWrite | undefined => {
    try {
      return writeOf(services, plan, references);
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      issues.push(error);
      return undefined;
    }
  });
  const [first] = issues;
  if (first) throw new FhirError(first.status, issues.flatMap((e) => e.issues).slice(0, 100));
  return writes;
}

/** Throws what is wrong with the entry. */
function writeOf(services: Services, plan: Planned, references: References): TransactionWrite | undefined {
  const { entry, type, id } = plan;
  const version = versionOf(entry);
  if (entry.method === 'DELETE') return id === undefined ? undefined : { kind: 'delete', type, id, ...version };
  if (entry.method === 'PATCH') {
    if (id === undefined)
      throw new FhirError(404, [
        issue('not-found', `No ${type} matches the criteria of the patch`, `Bundle.entry[${entry.index}]`),
      ]);
    const change = patchOf(services, type, id, readPatchEntry(services, entry));
    return { kind: 'update', operation: 'patch', type, id, ...version, change };
  }
  if (entry.method === 'POST' && plan.existing) return undefined;
  const resource = localResource(services, entry, type, references);
  if (entry.method === 'POST') return { kind: 'create', resource, id: id as string }; // planned above
  const { ifNoneMatch } = entry;
  if (plan.criteria)
    return conditionalWrite(resource, type, plan.existing ? id : undefined, () => id as string, {
      ifMatch: version.ifMatch,
      ifNoneMatch,
    });
  checkId(resource, type, id as string);
  const change = unlessThere(ifNoneMatch, `${type}/${id}`, () => resource);
  return { kind: 'update', operation: 'update', type, id: id as string, ...version, change };
}

/** The same write, whose resource is read when its turn comes. Throws `EntryFault`, and so does what it makes. */
function lateWriteOf(
  services: Services,
  plan: Planned,
  references: References,
  isBrief: boolean,
): TransactionWrite | undefined {
  const { entry, type, id } = plan;
  const make = (): Resource => lately(() => localResource(services, entry, type, references));
  if (entry.method === 'POST' && !plan.existing) return { kind: 'make', type, id: id as string, make, isBrief }; // planned above
  // The others are few, or in need of the resource to know what they do.
  if (entry.method !== 'PUT' || plan.criteria) return lately(() => writeOf(services, plan, references));
  const given = (): Resource => {
    const resource = make();
    checkId(resource, type, id as string);
    return resource;
  };
  const allowed = unlessThere(entry.ifNoneMatch, `${type}/${id}`, given);
  const change = (current: Resource | undefined): Resource => lately(() => allowed(current));
  return lately(() => ({ kind: 'update', operation: 'update', type, id: id as string, ...versionOf(entry), change }));
}

function lately<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof FhirError ? new EntryFault(error) : error;
  }
}

function versionOf({ ifMatch }: BundleEntry): { readonly ifMatch?: number } {
  const version = ifMatch === undefined ? undefined : parseEtag(ifMatch);
  return version === undefined ? {} : { ifMatch: version };
}

/** The entry's resource with its references resolved, valid, and pointing nowhere into the void. */
function localResource(services: Services, entry: BundleEntry, type: string, references: References): Resource {
  const at = `Bundle.entry[${entry.index}].resource`;
  const given = entry.resource();
  if (given?.resourceType !== type) throw badRequest(`The resource is not a ${type}, as request.url says`, at);
  const dangling: string[] = [];
  const resource = services.rewriteReferences(given, (text, place) => {
    const found = references.get(text);
    if (found === undefined && place === 'reference' && text.startsWith('urn:uuid:')) dangling.push(text);
    return found;
  });
  if (dangling.length > 0)
    throw new FhirError(400, [
      issue(
        'not-found',
        `${dangling.length === 1 ? 'A reference' : `${dangling.length} references`} to urn:uuid: names no entry of the bundle: give that entry this fullUrl`,
        at,
      ),
    ]);
  checkValid(services, resource, type, `Bundle.entry[${entry.index}].resource`);
  return resource;
}

/** One resource may be written once only. */
function checkDistinct(planned: readonly Planned[], writes: readonly (TransactionWrite | undefined)[]): void {
  const seen = new Set<string>();
  writes.forEach((write, i) => {
    if (!write) return;
    const key = write.kind === 'create' ? `${write.resource.resourceType}/${write.id}` : `${write.type}/${write.id}`;
    if (seen.has(key))
      throw badRequest(
        `Two entries write ${key}: a transaction may write a resource once`,
        `Bundle.entry[${planned[i]?.entry.index}]`,
      );
    seen.add(key);
  });
}
