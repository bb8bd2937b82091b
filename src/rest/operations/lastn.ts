/** `Observation/$lastn`: the newest of each kind. https://hl7.org/fhir/R4/observation-operation-lastn.html */
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badValue, FhirError, issue, tooCostly } from '../../standards/fhir/outcome.ts';
import { formatBundle } from '../answers.ts';
import { readResource } from '../body.ts';
import { searchOf } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parseRepeatedQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

/** Observations of one request that are looked at. */
const LOOKED_AT_MAX = 20_000;
const SHOWN_MAX = 5_000;
const PAGE = 500;
const GROUP_MAX = 1000;
/** What shapes an answer and is not ours to take. */
const CONTROLS =
  /^_(?:count|sort|include|revinclude|summary|elements|total|offset|cursor|contained|containedType)(?::|$)/;

/** Observations of one kind, newest first. */
interface Kind {
  readonly newest: { readonly version: StoredVersion; readonly order: number }[];
}

export async function lastnOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { max, query } = read(services, request);
  const search = searchOf(services, 'Observation', [query, '_sort=-date', `_count=${PAGE}`].join('&'));
  const kinds = new Map<string, Kind>();
  const patientRids = new Set<string>();
  let seen = 0;
  for (let cursor: string | undefined; ; ) {
    const page = await services.unaudited.search(request.caller, {
      ...search,
      ...(cursor !== undefined && { cursor }),
    });
    for (const version of page.matches) {
      put(kinds, version, seen, max);
      seen += 1;
    }
    if (page.next === undefined) break;
    if (seen >= LOOKED_AT_MAX)
      throw tooCostly(`The criteria match more than ${LOOKED_AT_MAX} Observations: name codes, or a range of dates`);
    cursor = page.next;
  }
  const shown = [...new Set(kinds.values())]
    .sort((a, b) => (a.newest[0]?.order ?? 0) - (b.newest[0]?.order ?? 0))
    .flatMap(({ newest }) => newest.map(({ version }) => version));
  if (shown.length > SHOWN_MAX) throw tooCostly(`There are more than ${SHOWN_MAX}: give a smaller max, or name codes`);
  for (const { patientRid } of shown) if (patientRid !== undefined) patientRids.add(patientRid);
  await services.audit.record({
    kind: 'operation',
    operation: 'lastn',
    caller: request.caller,
    outcome: 0,
    type: 'Observation',
    query: `Observation/$lastn?${query}`,
    patientRids: [...patientRids],
  });
  const { baseUrl } = services.settings;
  const entries = shown.map(
    ({ id, content }) => `{"fullUrl":"${baseUrl}/Observation/${id}","resource":${content},"search":{"mode":"match"}}`,
  );
  const links = [{ relation: 'self', url: `${baseUrl}/Observation/$lastn?max=${max}&${query}` }];
  return { status: 200, headers: {}, body: formatBundle('searchset', links, shown.length, entries) };
}

/**
 * Two are of one kind when they share a coding, or where there is none the text; what has codings of two kinds joins
 * them. The newest of the joined are among the newest of each.
 */
function put(kinds: Map<string, Kind>, version: StoredVersion, order: number, max: number): void {
  const keys = keysOf(parseJson(version.content) as Resource); // stored text
  const known = new Set(keys.flatMap((key) => kinds.get(key) ?? []));
  const [first = { newest: [] }, ...others] = known;
  for (const other of others) {
    first.newest.push(...other.newest);
    for (const [key, kind] of kinds) if (kind === other) kinds.set(key, first);
  }
  for (const key of keys) kinds.set(key, first);
  first.newest.push({ version, order });
  first.newest.sort((a, b) => a.order - b.order);
  first.newest.splice(max);
}

interface Code {
  readonly coding?: readonly { readonly system?: string; readonly code?: string; readonly display?: string }[];
  readonly text?: string;
}

function keysOf(observation: Resource): readonly string[] {
  const { coding = [], text } = observation['code'] as Code; // required, and valid
  const coded = coding.flatMap(({ system = '', code }) => (code === undefined ? [] : [`c${system}|${code}`]));
  if (coded.length > 0) return coded;
  const words = text ?? coding[0]?.display ?? '';
  return [`t${words.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()}`];
}

function read(services: Services, request: FhirRequest): { readonly max: number; readonly query: string } {
  const given = [...parseRepeatedQuery(request.query)].flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );
  if (request.method === 'POST' && request.body.length > 0) given.push(...ofBody(services, request));
  const criteria = given.filter(([name]) => name !== 'max' && name !== '_format' && name !== '_pretty');
  const names = new Set(criteria.map(([name]) => name.split(/[:.]/)[0] ?? ''));
  for (const [name] of criteria)
    if (CONTROLS.test(name))
      throw new FhirError(400, [
        issue('not-supported', `$lastn has an order of its own: remove '${name.slice(0, 64)}'`),
      ]);
  if (!names.has('patient') && !names.has('subject'))
    throw new FhirError(400, [issue('required', '$lastn needs the search parameter patient or subject')]);
  if (!names.has('category') && ![...names].some((name) => name === 'code' || name.endsWith('-code')))
    throw new FhirError(400, [issue('required', '$lastn needs the search parameter category or code')]);
  const maxes = given.filter(([name]) => name === 'max').map(([, value]) => value);
  const [text = '1', ...more] = maxes;
  if (more.length > 0 || !/^[1-9][0-9]{0,3}$/.test(text) || Number(text) > GROUP_MAX)
    throw badValue(`max must be one whole number from 1 to ${GROUP_MAX}`, 'max');
  const query = criteria.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return { max: Number(text), query };
}

function ofBody(services: Services, request: FhirRequest): (readonly [string, string])[] {
  const parameters = readResource(services, request, 'Parameters');
  const list = (parameters['parameter'] ?? []) as readonly Readonly<Record<string, unknown>>[];
  return list.map((one) => {
    const value = Object.entries(one).find(([key]) => key.startsWith('value'))?.[1];
    if (typeof one['name'] !== 'string' || (typeof value !== 'string' && typeof value !== 'number'))
      throw badValue('Each parameter of $lastn has a name and a simple value', 'Parameters.parameter');
    return [one['name'], String(value)];
  });
}
