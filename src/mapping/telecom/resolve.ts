/** References within what was handed in: by full URL, by type and id, or to what a resource contains. */
import { isObject, type Json, objectsAt, textAt } from '../script/place.ts';

export interface Handed {
  readonly all: readonly Json[];
  /** The resource a Reference names; an empty one where it is not there. */
  readonly resolve: (reference: unknown, within?: Json) => Json;
}

/** A Bundle, or a resource with what it contains. */
export function handedIn(payload: unknown): Handed {
  if (!isObject(payload)) return { all: [], resolve: () => ({}) };
  const entries = payload['resourceType'] === 'Bundle' ? objectsAt(payload, 'entry') : [{ resource: payload }];
  const named = new Map<string, Json>();
  const all: Json[] = [];
  for (const entry of entries) {
    const resource: unknown = entry['resource'];
    if (!isObject(resource)) continue;
    all.push(resource);
    const url = textAt(entry, 'fullUrl');
    if (url !== undefined) named.set(url, resource);
    if (typeof resource['id'] === 'string')
      named.set(`${String(resource['resourceType'])}/${resource['id']}`, resource);
  }
  return {
    all,
    resolve(reference, within) {
      const target = isObject(reference) ? textAt(reference, 'reference') : undefined;
      if (target === undefined) return {};
      if (target.startsWith('#')) return objectsAt(within, 'contained').find(({ id }) => id === target.slice(1)) ?? {};
      return named.get(target) ?? named.get(target.split('/').slice(-2).join('/')) ?? {};
    },
  };
}
