/** Bodies of requests for holds and erasures, checked. */
import type { HoldTarget, LegalBasis } from '../ports/protection.ts';
import { badValue } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';

type Body = Readonly<Record<string, unknown>>;

/** UK GDPR article 17(1)(a) to (f), in this order. */
const LEGAL_BASES: readonly LegalBasis[] = [
  'no-longer-needed',
  'consent-withdrawn',
  'objection',
  'unlawful-processing',
  'legal-obligation',
  'child-services',
];

const QUERY_MAX = 2000;
const TYPE = /^[A-Z][A-Za-z]{1,63}$/;

/** One of `patient`, `resource` and `query`. */
export function readHoldTarget(body: Body): HoldTarget {
  const given = ['patient', 'resource', 'query'].filter((name) => body[name] !== undefined);
  const [name] = given;
  const text = name === undefined ? undefined : body[name];
  if (given.length !== 1 || typeof text !== 'string')
    throw badValue('A hold is on one of patient, resource and query', 'patient');
  if (name === 'patient') {
    const id = text.replace(/^Patient\//, '');
    if (!isId(id)) throw badValue('patient is the id of a Patient', 'patient');
    return { kind: 'patient', id };
  }
  if (name === 'resource') {
    const [type = '', id = '', ...more] = text.split('/');
    if (!TYPE.test(type) || !isId(id) || more.length > 0)
      throw badValue('resource is a type and an id: Observation/123', 'resource');
    return { kind: 'resource', type, id };
  }
  const question = text.indexOf('?');
  const type = text.slice(0, Math.max(question, 0));
  const query = text.slice(question + 1);
  if (!TYPE.test(type) || query === '' || text.length > QUERY_MAX)
    throw badValue('query is a search: Observation?code=1234-5', 'query');
  return { kind: 'query', type, query };
}

export function readBasis(body: Body): LegalBasis {
  const found = LEGAL_BASES.find((basis) => basis === body['legalBasis']);
  if (!found) throw badValue(`legalBasis is one of ${LEGAL_BASES.join(', ')}`, 'legalBasis');
  return found;
}
