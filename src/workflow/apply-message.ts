/**
 * Applies what a message brings: resources are found again by their business identifiers, merged and written, inside a
 * transaction that its caller owns. DESIGN walk 3, docs/gateway.md "Applying"
 */
import type { TransactionBundle, TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction } from '../ports/resource-store.ts';
import { badRequest, FhirError, type Issue } from '../standards/fhir/outcome.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { type ImportOrigin, importProvenance, messageUrn } from './import-provenance.ts';
import { createKnown } from './known-resources.ts';
import { findLateness, IN_ORDER, type Said, type Saying } from './late-messages.ts';
import { type Merge, mergedInto, moveJob, moveReferences } from './merge-patients.ts';
import { type Planned, planEntries } from './message-entries.ts';
import { buildWrites } from './message-writes.ts';
import { moveIdentifiers } from './move-identifiers.ts';
import { partedFrom, partPatients } from './part-patients.ts';

export interface ApplyMessageServices {
  readonly newId: () => string;
  /** ms UTC */
  readonly now: () => number;
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}

/**
 * Writes the bundle, with a Provenance of it. `settle` is told of the versions that are written, `Patient/1/_history/3`, and sends what follows
 * from them along. Throws `FhirError`: 400, 412, 422.
 */
export type ApplyMessage = (
  tx: StoreTransaction,
  bundle: TransactionBundle,
  origin: ImportOrigin & { readonly messageId: string; readonly saying?: Saying },
  // Sends before it returns. `late`: types of which later messages had been here.
  settle: (versions: readonly string[], late: readonly string[]) => Promise<void>,
) => Promise<void>;

export function createApplyMessage(services: ApplyMessageServices): ApplyMessage {
  const known = createKnown();
  const checkType = createTypeCheck(services);
  return async (tx, bundle, origin, settle) => {
    const source = messageUrn(origin.messageId);
    for (const [index, { resource }] of bundle.entry.entries()) checkType(resource.resourceType, index);
    const parted = await partPatients(services, tx, bundle.entry.filter(isParted));
    const rest = bundle.entry.filter((entry) => !isParted(entry));
    const { entries, writes: released } = await moveIdentifiers(services, tx, rest);
    const planned = await planEntries(services, tx, known, entries);
    const lateness = origin.saying ? await findLateness(tx, origin.saying, saidIn(planned)) : IN_ORDER;
    const written = new Set(planned.map(({ type, id }) => `${type}/${id}`));
    const { writes: moves, rest: later } = await moveReferences(services, tx, mergesOf(planned), written);
    if (later.length > 0) await tx.jobs.add(later.map((merge) => moveJob(merge, origin)));
    await tx.write(
      [...buildWrites(services, planned, source, lateness), ...moves, ...parted, ...released],
      (results) => {
        const versions = results
          .filter(({ outcome }) => outcome !== 'unchanged')
          .map(({ version }) => `${version.type}/${version.id}/_history/${version.versionId}`);
        // First, as what it throws keeps the commit from leaving.
        const settled = settle(versions, lateness.lateTypes);
        const kept = lateness.keep(results);
        // Of a transaction that failed the first error is the one that says why.
        kept.catch(() => undefined);
        return settled.then(() => kept);
      },
      importProvenance(origin, services.now(), services.newId),
    );
  };
}

const isParted = (entry: TransactionEntry): boolean => partedFrom(entry) !== undefined;

/** What the message is about; of what it only mentions it says nothing new. */
const saidIn = (planned: readonly Planned[]): readonly Said[] =>
  planned
    .filter(({ entry, criteria }) => entry.request.method === 'PUT' && criteria !== undefined)
    .map(({ entry, type, id, current }) => ({ entry, place: `${type}/${id}`, current: current?.content }));

/** A type that R4 does not have is a fault of the message, before anything is looked for. */
function createTypeCheck({ criteriaOf }: ApplyMessageServices): (type: string, index: number) => void {
  const types = new Set<string>();
  return (type, index) => {
    if (types.has(type)) return;
    try {
      criteriaOf(type, '_id=any');
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      throw badRequest(
        'resourceType must name a resource type that R4 stores',
        `Bundle.entry[${index}].resource.resourceType`,
      );
    }
    types.add(type);
  };
}

/** The pairs of a message that merges records. */
function mergesOf(planned: readonly Planned[]): readonly Merge[] {
  const ids = new Map(planned.map(({ entry, id }) => [entry.fullUrl, id]));
  return planned.flatMap(({ entry, id }) => {
    const survivorId = ids.get(mergedInto(entry) ?? '');
    return survivorId === undefined || survivorId === id ? [] : [{ retiredId: id, survivorId }];
  });
}
