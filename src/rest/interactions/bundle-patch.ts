/** A JSON Patch inside a bundle travels as a Binary. https://hl7.org/fhir/R4/http.html#patch */
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { BundleEntry } from './bundle-entry.ts';

export function readJsonPatch(entry: BundleEntry): unknown {
  const { resource } = entry;
  const data = resource?.['data'];
  if (
    resource?.resourceType !== 'Binary' ||
    resource['contentType'] !== 'application/json-patch+json' ||
    typeof data !== 'string'
  )
    throw new FhirError(400, [
      issue(
        'value',
        'A PATCH entry needs a Binary with contentType application/json-patch+json and the JSON Patch in data (base64)',
        `Bundle.entry[${entry.index}].resource`,
      ),
    ]);
  return parseJson(Buffer.from(data, 'base64'));
}
