/** A patch inside a bundle: a JSON Patch travels as a Binary, a FHIRPath Patch as Parameters. https://hl7.org/fhir/R4/http.html#patch */
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Services } from '../services.ts';
import type { BundleEntry } from './bundle-entry.ts';
import { jsonPatchOf, type Patch, pathPatchOf } from './patch.ts';

/** Throws 400 for what is neither. */
export function readPatchEntry(services: Services, entry: BundleEntry): Patch {
  const resource = entry.resource();
  if (resource?.resourceType === 'Parameters')
    return pathPatchOf(services, resource, `Bundle.entry[${entry.index}].resource`);
  return jsonPatchOf(readJsonPatch(entry));
}

export function readJsonPatch(entry: BundleEntry): unknown {
  const resource = entry.resource();
  const data = resource?.['data'];
  if (
    resource?.resourceType !== 'Binary' ||
    resource['contentType'] !== 'application/json-patch+json' ||
    typeof data !== 'string'
  )
    throw new FhirError(400, [
      issue(
        'value',
        'A PATCH entry needs Parameters (FHIRPath Patch), or a Binary with contentType application/json-patch+json and the JSON Patch in data (base64)',
        `Bundle.entry[${entry.index}].resource`,
      ),
    ]);
  return parseJson(Buffer.from(data, 'base64'));
}
