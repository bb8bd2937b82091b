/**
 * `includeAssociatedData`: the Provenances of what an export gives.
 * https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
 */
import type { Scan, ScanRequest } from '../../ports/bulk.ts';
import type { Caller } from '../../ports/caller.ts';
import type { StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { parseReference } from '../../standards/fhir/reference.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';

/** What may be asked for. */
export const ASSOCIATED = ['LatestProvenanceResources', 'RelevantProvenanceResources'] as const;
export type Associated = (typeof ASSOCIATED)[number];

export interface AssociatedOptions {
  readonly scan: Pick<Scan, 'page'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** What is exported of a type; undefined where the type is not. Throws where the caller may not. */
  readonly exportOf: (type: string) => Promise<Omit<ScanRequest, 'limit'> | undefined>;
  /** Those of the versions that may go out. */
  readonly allowed: (versions: readonly StoredVersion[]) => Promise<readonly StoredVersion[]>;
  /** Absolute references below it are local. */
  readonly baseUrl: string;
  readonly caller: Caller;
  /** The instant of which the export tells, ms UTC. */
  readonly at: number;
}

/** Targets that one search names: a query has its bounds. */
const TARGETS_MAX = 100;
const SIBLINGS = 1000;

interface Place {
  readonly recorded: number;
  readonly id: string;
}

/** Those of the Provenances that are about something that is exported; of `latest`, only the newest of each such target. */
export async function findAssociated(
  options: AssociatedOptions,
  provenances: readonly StoredVersion[],
  which: Associated,
): Promise<readonly StoredVersion[]> {
  const targets = new Map(provenances.map((one) => [one, targetsOf(one, options.baseUrl)]));
  const exported = await exportedAmong(options, [...new Set([...targets.values()].flat())]);
  const relevant = provenances.filter((one) => targets.get(one)?.some((target) => exported.has(target)));
  if (which === 'RelevantProvenanceResources') return relevant;
  const about = new Set(relevant.flatMap((one) => targets.get(one) ?? []).filter((target) => exported.has(target)));
  const latest = await latestOf(options, [...about]);
  return relevant.filter((one) => targets.get(one)?.some((target) => latest.get(target)?.id === one.id));
}

async function exportedAmong(options: AssociatedOptions, targets: readonly string[]): Promise<ReadonlySet<string>> {
  const { scan, caller, exportOf, allowed } = options;
  const byType = Map.groupBy(targets, (target) => target.slice(0, target.indexOf('/')));
  const found = new Set<string>();
  for (const [type, named] of byType) {
    const request = await exportOf(type);
    if (!request) continue;
    const ids = named.map((target) => target.slice(type.length + 1));
    const { versions } = await scan.page(caller, { ...request, ids, limit: ids.length });
    for (const { id } of await allowed(versions)) found.add(`${type}/${id}`);
  }
  return found;
}

/** The newest Provenance of each target that the caller may see; of two of one instant, the later one of the store. */
async function latestOf(options: AssociatedOptions, targets: readonly string[]): Promise<ReadonlyMap<string, Place>> {
  const { scan, caller, searchOf, allowed, at, baseUrl } = options;
  const latest = new Map<string, Place>();
  for (let from = 0; from < targets.length; from += TARGETS_MAX) {
    const some = new Set(targets.slice(from, from + TARGETS_MAX));
    const { conditions } = searchOf('Provenance', `target=${[...some].join(',')}`);
    let after: string | undefined;
    do {
      const request = { type: 'Provenance', anyOf: [conditions], at, limit: SIBLINGS };
      const page = await scan.page(caller, { ...request, ...(after !== undefined && { after }) });
      for (const one of await allowed(page.versions)) {
        const place = { recorded: recordedOf(one), id: one.id };
        for (const target of targetsOf(one, baseUrl))
          if (some.has(target) && place.recorded >= (latest.get(target)?.recorded ?? Number.NEGATIVE_INFINITY))
            latest.set(target, place);
      }
      after = page.next;
    } while (after !== undefined);
  }
  return latest;
}

/** `Type/id` of what is local. */
function targetsOf({ content }: StoredVersion, baseUrl: string): readonly string[] {
  const { target = [] } = parseJson(content) as { readonly target?: readonly { readonly reference?: string }[] };
  return target.flatMap(({ reference = '' }) => {
    const parsed = parseReference(reference);
    if (parsed?.kind === 'relative') return `${parsed.type}/${parsed.id}`;
    const isHere = parsed?.kind === 'absolute' && parsed.base === baseUrl;
    return isHere && parsed.type !== undefined && parsed.id !== undefined ? `${parsed.type}/${parsed.id}` : [];
  });
}

function recordedOf({ content }: StoredVersion): number {
  const { recorded = '' } = parseJson(content) as { readonly recorded?: string };
  const at = Date.parse(recorded);
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
}
