/** Versions as JSON text: id and meta are stamped in here, and read back from rows. */

import type { Resource, StoredVersion } from '../ports/resource-store.ts';
import { formatJson } from '../standards/fhir/json.ts';
import type { Op } from './write-sql.ts';

const OPERATIONS: Record<Op, StoredVersion['operation']> = { C: 'create', U: 'update', P: 'patch', D: 'delete' };
export const operationOf = (op: string): StoredVersion['operation'] => OPERATIONS[op as Op]; // a check of ours wrote it
export const opOf = (operation: 'create' | 'update' | 'patch' | 'delete'): Op =>
  operation === 'create' ? 'C' : operation === 'update' ? 'U' : operation === 'patch' ? 'P' : 'D';

/** The resource with its id and `meta.versionId`, `meta.lastUpdated` set, in the usual order of members. */
export function stampMeta(resource: Resource, id: string, versionId: number, lastUpdated: number): Resource {
  const { resourceType, id: _id, meta, ...rest } = resource;
  const { versionId: _v, lastUpdated: _l, ...otherMeta } = (meta ?? {}) as Record<string, unknown>; // validated
  return {
    resourceType,
    id,
    meta: { versionId: String(versionId), lastUpdated: new Date(lastUpdated).toISOString(), ...otherMeta },
    ...rest,
  };
}

/** JSON text of a stamped resource. */
export const formatVersion = (stamped: Resource): string => formatJson(stamped);
