/** Stored texts that were read before. */
import type { Resource } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';

/** A stored resource, and the last that a message said of it without changing it. */
export interface StoredResource {
  readonly content: Resource;
  saidBefore: string | undefined;
}

/** Stored text to resource. */
export type Known = (text: string) => StoredResource;

const KNOWN_MAX = 2000;
const KNOWN_LENGTH_MAX = 4096;

/** Messages of one hospital name the same doctors and wards: their stored texts are read once. */
export function createKnown(): Known {
  const read = new Map<string, StoredResource>();
  return (text) => {
    const before = read.get(text);
    if (before) return before;
    const resource = { content: parseJson(text) as Resource, saidBefore: undefined }; // stored text was checked
    if (text.length > KNOWN_LENGTH_MAX) return resource;
    if (read.size >= KNOWN_MAX) read.clear();
    read.set(text, resource);
    return resource;
  };
}
