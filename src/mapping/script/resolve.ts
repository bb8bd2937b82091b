/** Resources of a Bundle by the references between them. */
import { getAt, isObject, type Json, objectsAt, textAt } from './place.ts';

/** The resource a Reference names: in the Bundle, or contained in `owner`. */
export type Resolve = (reference: unknown, owner?: unknown) => Json | undefined;

export function createResolve(bundle: unknown): Resolve {
  const found = new Map<string, Json>();
  for (const entry of objectsAt(bundle, 'entry')) {
    const { resource } = entry;
    if (!isObject(resource)) continue;
    const fullUrl = textAt(entry, 'fullUrl');
    if (fullUrl !== undefined) found.set(fullUrl, resource);
    const id = textAt(resource, 'id');
    if (id !== undefined) found.set(`${String(resource['resourceType'])}/${id}`, resource);
  }
  return (reference, owner) => {
    const text = textAt(reference, 'reference');
    if (text === undefined) return undefined;
    if (text.startsWith('#')) return objectsAt(owner, 'contained').find(({ id }) => `#${String(id)}` === text);
    return found.get(text) ?? found.get(text.replace(/^.*\/([A-Z]\w+\/[A-Za-z0-9.-]+)$/, '$1'));
  };
}

/** All resources of a type, in the order of the Bundle. */
export const resourcesOf = (bundle: unknown, type: string): readonly Json[] =>
  objectsAt(bundle, 'entry').flatMap((entry) => {
    const resource = getAt(entry, 'resource');
    return isObject(resource) && resource['resourceType'] === type ? [resource] : [];
  });
