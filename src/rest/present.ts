/** An answer in the format that was asked for. Everything is stored, and made, as JSON. */
import { formatJson, JSON_LIMITS, parseJson } from '../standards/fhir/json.ts';
import { FhirError } from '../standards/fhir/outcome.ts';
import type { FhirAnswer } from './exchange.ts';
import type { Presentation } from './formats.ts';
import { FHIR_JSON } from './send-outcome.ts';
import type { Services } from './services.ts';

const FHIR_XML = 'application/fhir+xml; charset=utf-8';
/** Of our own texts: a resource at the limit may stand in a bundle, and pages have a limit of their own. */
const LIMITS = { ...JSON_LIMITS, depth: JSON_LIMITS.depth + 16, nodes: 20_000_000 };

/** Returns the answer with its content type. Throws 406 where XML cannot carry what a read would show. */
export function present(xml: Services['xml'], method: string, answer: FhirAnswer, asked: Presentation): FhirAnswer {
  try {
    return shown(xml, answer, asked);
  } catch (error) {
    if (!(error instanceof FhirError) || method === 'GET' || method === 'HEAD') throw error;
    const { status, headers } = answer; // it was done, and no answer may say otherwise
    return { status, headers };
  }
}

/** A refusal in the format that was asked for; in JSON where that cannot carry it. */
export function presentFailure(xml: Services['xml'], answer: FhirAnswer, asked: Presentation): FhirAnswer {
  try {
    return shown(xml, answer, asked);
  } catch {
    return { ...answer, contentType: FHIR_JSON };
  }
}

function shown(xml: Services['xml'], answer: FhirAnswer, asked: Presentation): FhirAnswer {
  const { format, pretty } = answer.presentation ?? asked;
  if (answer.body === undefined || answer.contentType !== undefined) return answer;
  if (typeof answer.body !== 'string' || (format === 'json' && !pretty)) return { ...answer, contentType: FHIR_JSON };
  const resource = parseJson(answer.body, LIMITS) as object; // each answer is a resource
  if (format === 'json') return { ...answer, body: formatJson(resource, true), contentType: FHIR_JSON };
  return { ...answer, body: xml.write(resource, pretty ? 'pretty' : 'compact'), contentType: FHIR_XML };
}
