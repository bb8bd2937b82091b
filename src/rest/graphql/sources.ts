/** What a GraphQL query reads, each under the caller's rights and within one budget. SECURITY CP-16 */
import type { Resource, SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, FhirError, issue } from '../../standards/fhir/outcome.ts';
import { parseReference } from '../../standards/fhir/reference.ts';
import { suggestNames } from '../../standards/fhir/search/suggest.ts';
import { searchOf } from '../criteria.ts';
import type { FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';

const READS_MAX = 5_000;
const SEARCHES_MAX = 200;
const TIME_MAX_MS = 10_000;
const COUNT = 50;

export interface Sources {
  /** Undefined where there is none for this caller. */
  read(type: string, id: string): Promise<Resource | undefined>;
  resolve(reference: string): Promise<Resource | undefined>;
  search(
    type: string,
    args: ReadonlyMap<string, readonly string[]>,
    of: Resource | undefined,
    isCounted: boolean,
  ): Promise<Found>;
  /** Values that the answer has. */
  spend(): void;
  /** Whom the answer is about. */
  readonly patientRids: ReadonlySet<string>;
}

export interface Found {
  readonly page: SearchPage;
  readonly resources: readonly Resource[];
  readonly pageSize: number;
}

const NODES_MAX = 100_000;

export function createSources(services: Services, { caller }: FhirRequest): Sources {
  const { unaudited, settings, parameters, now } = services;
  const read = new Map<string, Promise<Resource | undefined>>();
  const patientRids = new Set<string>();
  const end = now() + TIME_MAX_MS;
  let [reads, searches, nodes] = [READS_MAX, SEARCHES_MAX, NODES_MAX];
  const costly = (text: string): FhirError => new FhirError(400, [issue('too-costly', text)]);
  const checkTime = (): void => {
    if (now() > end) throw costly(`The query takes longer than ${TIME_MAX_MS / 1000} seconds: ask for less`);
  };
  const spendReads = (count: number): void => {
    reads -= count;
    if (reads < 0) throw costly(`The query reads more than ${READS_MAX} resources: ask for fewer with _count`);
    checkTime();
  };
  const toResource = ({ content, patientRid }: StoredVersion): Resource => {
    if (patientRid !== undefined) patientRids.add(patientRid);
    return parseJson(content) as Resource; // stored text
  };

  async function load(type: string, id: string): Promise<Resource | undefined> {
    spendReads(1);
    try {
      return toResource(await unaudited.read(caller, type, id));
    } catch (error) {
      if (error instanceof FhirError && [403, 404, 410].includes(error.status)) return undefined; // hidden is as none
      throw error;
    }
  }

  const readOnce = (type: string, id: string): Promise<Resource | undefined> => {
    const key = `${type}/${id}`;
    let found = read.get(key);
    if (!found) {
      found = load(type, id);
      read.set(key, found);
    }
    return found;
  };

  /** `birth_date` stands for `birth-date`, as GraphQL has no hyphens in names. */
  function parameterNamed(type: string, name: string): string {
    const known = [...(parameters.get(type)?.parameters.keys() ?? [])];
    const found = known.find((one) => one === name || one.replaceAll('-', '_') === name);
    if (found !== undefined) return found;
    if (/^_(?:count|cursor|sort)$/.test(name)) return name;
    const near = suggestNames(name, known);
    throw badRequest(
      `${type}List has no argument '${name.slice(0, 64)}'${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
    );
  }

  return {
    read: readOnce,
    patientRids,
    async resolve(text) {
      const local = text.startsWith(`${settings.baseUrl}/`) ? text.slice(settings.baseUrl.length + 1) : text;
      const reference = parseReference(local);
      if (reference?.kind !== 'relative' || !parameters.get(reference.type)) return undefined;
      return readOnce(reference.type, reference.id);
    },
    async search(type, args, of, isCounted) {
      searches -= 1;
      if (searches < 0) throw costly(`The query needs more than ${SEARCHES_MAX} searches: ask for fewer with _count`);
      checkTime();
      const pairs = [...args].flatMap(([name, values]): [string, string][] => {
        if (name !== '_reference') return [[parameterNamed(type, name), values.join(',')]];
        if (!of) throw badRequest('_reference is of a list within a resource');
        return values.map((parameter) => [parameterNamed(type, parameter), `${of.resourceType}/${String(of['id'])}`]);
      });
      if (!args.has('_count')) pairs.push(['_count', String(COUNT)]);
      if (isCounted) pairs.push(['_total', 'accurate']);
      const query = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
      const search = searchOf(services, type, query);
      const page = await unaudited.search(caller, search);
      spendReads(page.matches.length);
      return { page, resources: page.matches.map(toResource), pageSize: search.count ?? COUNT };
    },
    spend() {
      nodes -= 1;
      if (nodes < 0) throw costly(`The answer has more than ${NODES_MAX} values: ask for less`);
    },
  };
}
