/** The Bundle that a request brings: whole, or with resources that stay text until they are asked for. SECURITY RL-43 */
import type { Resource } from '../../ports/resource-store.ts';
import { unprocessable } from '../../standards/fhir/outcome.ts';
import { asResource, readResource } from '../body.ts';
import type { FhirRequest } from '../exchange.ts';
import { LARGE_BYTES, type OpenBundle, openLargeBundle, readLargeBundle } from '../large-bundle.ts';
import { checkContentType, isXmlType, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

export interface BundleSource {
  /** Its frame has been validated. */
  readonly bundle: Resource;
  /** Resources that are not in `bundle`; absent where all are. */
  readonly late?: Pick<OpenBundle, 'hasResource' | 'resourceAt'>;
  /** All of it. Throws what is wrong with its text, or with its frame. */
  whole(): Promise<Resource>;
}

/** Throws 400, 415 or 422. */
export async function openBundle(services: Services, request: FhirRequest): Promise<BundleSource> {
  const isLarge = request.body.length >= LARGE_BYTES && !isXmlType(request.headers['content-type']);
  if (!isLarge) return inMemory(checked(services, readResource(services, request, 'Bundle')));
  checkContentType(request.headers, RESOURCE_TYPES);
  const whole = async (): Promise<Resource> =>
    checked(services, asResource(await readLargeBundle(request.body), 'Bundle'));
  const opened = await openLargeBundle(request.body);
  if (!opened) return inMemory(await whole());
  return { bundle: checked(services, asResource(opened.value, 'Bundle')), late: opened, whole };
}

const inMemory = (bundle: Resource): BundleSource => ({ bundle, whole: async () => bundle });

/** Throws 422 unless the bundle is well-formed, the resources of its entries aside. */
function checked(services: Services, bundle: Resource): Resource {
  const faults = services.validateStructure(frameOf(bundle), 'Bundle');
  if (faults.length > 0) throw unprocessable(faults);
  return bundle;
}

/** The bundle without the resources of its entries, which are validated where they are written. */
function frameOf(bundle: Resource): unknown {
  const { entry: entries, ...frame } = bundle;
  if (entries === undefined) return frame;
  return { ...frame, entry: Array.isArray(entries) ? entries.map(withoutResource) : entries };
}

function withoutResource(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || !('resource' in entry) || !('request' in entry)) return entry;
  const { resource, ...rest } = entry;
  const isResource = typeof resource === 'object' && resource !== null && 'resourceType' in resource;
  return isResource ? rest : entry;
}
