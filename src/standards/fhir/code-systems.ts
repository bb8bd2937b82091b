/**
 * Which code systems a value set draws from, so that `Patient?gender=http://hl7.org/fhir/administrative-gender|male`
 * finds an element that holds only `male`. https://hl7.org/fhir/R4/search.html#token (datatype `code`)
 */

interface RawInclude {
  system?: string;
  valueSet?: string[];
}
interface RawValueSet {
  resourceType: string;
  url: string;
  compose?: { include: RawInclude[] };
}

/** Canonical without its `|version`. */
export const canonicalUrl = (canonical: string): string => {
  const bar = canonical.indexOf('|');
  return bar < 0 ? canonical : canonical.slice(0, bar);
};

/**
 * Value set url → its systems, sorted, for the wanted value sets. One that is unknown, or that includes another that is
 * unknown, is left out: a partial answer would refuse systems that are right.
 */
export function compileCodeSystems(
  valueSets: Iterable<unknown>,
  wanted: ReadonlySet<string>,
): Record<string, readonly string[]> {
  const byUrl = new Map<string, RawValueSet>();
  for (const resource of valueSets) {
    // The bundle comes from the pinned definitions package, whose shape is fixed.
    const valueSet = resource as RawValueSet;
    byUrl.set(valueSet.url, valueSet);
  }
  const compiled: Record<string, readonly string[]> = {};
  for (const url of [...wanted].sort()) {
    const systems = systemsOf(url, byUrl, new Set());
    if (systems !== undefined && systems.size > 0) compiled[url] = [...systems].sort();
  }
  return compiled;
}

function systemsOf(url: string, byUrl: ReadonlyMap<string, RawValueSet>, seen: Set<string>): Set<string> | undefined {
  const valueSet = byUrl.get(canonicalUrl(url));
  if (valueSet?.compose === undefined || seen.has(url)) return undefined;
  seen.add(url);
  const systems = new Set<string>();
  for (const include of valueSet.compose.include) {
    if (include.system !== undefined) systems.add(include.system);
    else
      for (const nested of include.valueSet ?? []) {
        const found = systemsOf(nested, byUrl, seen);
        if (found === undefined) return undefined;
        for (const system of found) systems.add(system);
      }
  }
  return systems;
}
