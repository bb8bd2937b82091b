/** `Patient/$match`: who of those that the caller may see is probably the one. https://hl7.org/fhir/R4/patient-operation-match.html */
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, badValue, FhirError, forbidden, issue } from '../../standards/fhir/outcome.ts';
import { type MatchScore, scoreMatch } from '../../standards/fhir/patient-match.ts';
import { formatBundle } from '../answers.ts';
import { searchOf } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';
import { readInput } from './parameters.ts';

/** SECURITY CP-25 */
const HITS_MAX = 50;
/** Candidates of one way to look. */
const CANDIDATES_MAX = 100;
const GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade';

interface Candidate extends MatchScore {
  readonly version: StoredVersion;
}

export async function matchOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { caller } = request;
  // Whoever sees their own record alone has nobody to look for, and would learn how the server compares. CP-25
  if (caller.scopes.length > 0 && caller.scopes.every(({ level }) => level === 'patient')) throw forbidden();
  const input = readInput(services, request, ['resource', 'onlyCertainMatches', 'count']);
  const asked = input.resource('resource');
  if (!asked) throw new FhirError(400, [issue('required', 'The operation needs the parameter resource: a Patient')]);
  if (asked.resourceType !== 'Patient') throw badValue('The parameter resource must be a Patient', 'resource');
  const onlyCertain = input.flag('onlyCertainMatches') ?? false;
  const count = Math.min(input.count('count') ?? HITS_MAX, HITS_MAX);
  const queries = queriesFor(asked, services.policy.elementsFor(caller, 'Patient'));
  if (queries.length === 0)
    throw badRequest(
      'There is too little to look by: give an identifier, a name with a birth date, or a telephone number',
    );

  const candidates = new Map<string, StoredVersion>();
  for (const query of queries)
    for (const version of await candidatesBy(services, request, query)) candidates.set(version.id, version);
  const scored = [...candidates.values()]
    .map((version): Candidate => ({ version, ...scoreMatch(asked, parseJson(version.content) as Resource) }))
    .filter(({ grade }) => grade !== 'certainly-not')
    .sort((a, b) => b.score - a.score || (a.version.id < b.version.id ? -1 : 1));
  const certain = scored.filter(({ grade }) => grade === 'certain');
  // Two that are both certain are neither.
  const isSingle = certain.length === 1;
  const graded = scored.map(
    (one): Candidate => (one.grade === 'certain' && !isSingle ? { ...one, grade: 'probable' } : one),
  );
  const shown = (onlyCertain ? graded.filter(({ grade }) => grade === 'certain') : graded).slice(0, count);

  await services.audit.record({
    kind: 'operation',
    operation: 'match',
    caller,
    outcome: 0,
    type: 'Patient',
    patientRids: shown.flatMap(({ version }) => version.patientRid ?? []),
  });
  const { baseUrl } = services.settings;
  const entries = shown.map(({ version: { id, content }, score, grade }) => {
    const search = { extension: [{ url: GRADE, valueCode: grade }], mode: 'match', score };
    return `{"fullUrl":"${baseUrl}/Patient/${id}","resource":${content},"search":${JSON.stringify(search)}}`;
  });
  const links = [{ relation: 'self', url: `${baseUrl}/Patient/$match` }];
  return { status: 200, headers: {}, body: formatBundle('searchset', links, shown.length, entries) };
}

interface RawPatient {
  readonly identifier?: readonly { readonly system?: string; readonly value?: string }[];
  readonly name?: readonly { readonly family?: string; readonly given?: readonly string[] }[];
  readonly birthDate?: string;
  readonly telecom?: readonly { readonly value?: string }[];
  readonly address?: readonly { readonly postalCode?: string }[];
}

const QUERIES_MAX = 20;

/** The ways to look: each finds few of many. Only by elements that the caller may search by. */
function queriesFor(patient: Resource, elements: ReadonlySet<string> | undefined): readonly string[] {
  const { identifier = [], name = [], birthDate, telecom = [], address = [] } = patient as unknown as RawPatient; // valid
  const may = (...names: readonly string[]): boolean => names.every((one) => elements?.has(one) ?? true);
  const queries: string[] = [];
  const text = (value: string): string => encodeURIComponent(value.replace(/[\\,|$]/g, '\\$&'));
  for (const { system, value } of identifier)
    if (may('identifier') && value)
      queries.push(`identifier=${system === undefined ? '' : `${text(system)}%7C`}${text(value)}`);
  for (const { family, given = [] } of name) {
    const [first] = given;
    if (may('name', 'birthDate') && birthDate && family) queries.push(`birthdate=${birthDate}&family=${text(family)}`);
    if (may('name', 'birthDate') && birthDate && first) queries.push(`birthdate=${birthDate}&given=${text(first)}`);
    if (may('name') && family && first) queries.push(`family=${text(family)}&given=${text(first)}`);
  }
  for (const { value } of telecom) if (may('telecom') && value) queries.push(`telecom=${text(value)}`);
  for (const { postalCode } of address)
    if (may('address', 'birthDate') && birthDate && postalCode)
      queries.push(`birthdate=${birthDate}&address-postalcode=${text(postalCode)}`);
  return [...new Set(queries)].slice(0, QUERIES_MAX);
}

/** None where a way to look is not to be had: of elements that are stored encrypted. */
async function candidatesBy(
  services: Services,
  { caller }: FhirRequest,
  query: string,
): Promise<readonly StoredVersion[]> {
  try {
    const search = searchOf(services, 'Patient', `${query}&_count=${CANDIDATES_MAX}`);
    return (await services.unaudited.search(caller, search)).matches;
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) return [];
    throw error;
  }
}
