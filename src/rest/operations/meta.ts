/** `$meta`, `$meta-add`, `$meta-delete`: profiles, tags and labels. https://hl7.org/fhir/R4/resource-operation-meta.html */
import type { Caller } from '../../ports/caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, FhirError, forbidden, gone, issue, tooCostly } from '../../standards/fhir/outcome.ts';
import { type FhirAnswer, type FhirRequest, versionHeaders } from '../exchange.ts';
import { parseIfMatch } from '../preferences.ts';
import type { Services } from '../services.ts';
import { parametersAnswer, readInput } from './parameters.ts';

interface Coding {
  readonly system?: string;
  readonly code?: string;
}
interface Meta {
  readonly profile?: readonly string[];
  readonly security?: readonly Coding[];
  readonly tag?: readonly Coding[];
}

/** Resources of the base or of a type that `$meta` looks at: beyond that the union is not exact, and is refused. */
const RESOURCES_MAX = 10_000;

const metaOf = (resource: Resource): Meta => (resource['meta'] ?? {}) as Meta; // stored, so it is valid
const codingKey = ({ system = '', code = '' }: Coding): string => `${system}|${code}`;

/** `GET /Type/id/$meta` */
export async function metaOfInstance(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  readInput(services, { ...request, method: 'GET' }, []);
  const [type, id] = request.segments as [string, string]; // the route has both
  const version = await services.store.read(request.caller, type, id);
  return answer(metaOf(parseJson(version.content) as Resource), versionHeaders(version)); // stored text
}

/** `GET /$meta`, `GET /Type/$meta`: what the resources have that the caller may see. */
export async function metaOfMany(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  readInput(services, { ...request, method: 'GET' }, []);
  const { caller, segments } = request;
  const types = segments.length === 2 ? [segments[0] as string] : [...typesFor(services, caller)];
  if (types.length === 0) throw forbidden();
  const found = { profile: new Set<string>(), security: new Map<string, Coding>(), tag: new Map<string, Coding>() };
  const patientRids = new Set<string>();
  const metas = await services.unaudited.metas(caller, types, RESOURCES_MAX + 1);
  if (metas.length > RESOURCES_MAX)
    throw tooCostly(`More than ${RESOURCES_MAX} resources have profiles, tags or labels: ask of a type, or of one`);
  for (const { meta, patientRid } of metas) {
    const { profile = [], security = [], tag = [] } = parseJson(meta) as Meta; // of a stored text
    for (const url of profile) found.profile.add(url);
    for (const one of security) found.security.set(codingKey(one), one);
    for (const one of tag) found.tag.set(codingKey(one), one);
    if (patientRid !== undefined) patientRids.add(patientRid);
  }
  await services.audit.record({
    kind: 'operation',
    operation: 'meta',
    caller,
    outcome: 0,
    ...(segments.length === 2 && { type: types[0] as string }),
    patientRids: [...patientRids],
  });
  return answer({
    profile: [...found.profile].sort(),
    security: [...found.security.values()],
    tag: [...found.tag.values()],
  });
}

function* typesFor({ definitions, parameters, policy }: Services, caller: Caller): Iterable<string> {
  for (const type of definitions.resourceTypes)
    if (parameters.get(type) && policy.decide(caller, type, 's').allowed) yield type;
}

export const addMeta = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  change(services, request, added);
export const deleteMeta = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  change(services, request, removed);

/** A new version, so that the history tells who labelled what; none where nothing changes. */
async function change(
  services: Services,
  request: FhirRequest,
  combine: (before: Meta, given: Meta) => Meta,
): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  await services.store.read(request.caller, type, id); // who may not see it learns nothing, whatever they send
  const given = readMeta(services, request);
  const ifMatch = parseIfMatch(request.headers);
  const { version } = await services.store.update(
    request.caller,
    type,
    id,
    (current) => {
      if (!current) throw gone(`${type}/${id}`);
      const { profile, security, tag, ...rest } = metaOf(current) as Meta & Readonly<Record<string, unknown>>;
      const combined = combine(
        { ...(profile && { profile }), ...(security && { security }), ...(tag && { tag }) },
        given,
      );
      const meta = { ...rest, ...withoutEmpty(combined) };
      return { ...current, meta };
    },
    { operation: 'patch', ...(ifMatch !== undefined && { ifMatch }) },
  );
  return answer(metaOf(parseJson(version.content) as Resource), versionHeaders(version)); // stored text
}

const union = (before: readonly Coding[] = [], more: readonly Coding[] = []): readonly Coding[] => {
  const there = new Set(before.map(codingKey));
  return [...before, ...more.filter((one) => !there.has(codingKey(one)))];
};
const without = (before: readonly Coding[] = [], less: readonly Coding[] = []): readonly Coding[] => {
  const gone = new Set(less.map(codingKey));
  return before.filter((one) => !gone.has(codingKey(one)));
};

const added = (before: Meta, given: Meta): Meta => ({
  profile: [...new Set([...(before.profile ?? []), ...(given.profile ?? [])])],
  security: union(before.security, given.security),
  tag: union(before.tag, given.tag),
});
const removed = (before: Meta, given: Meta): Meta => ({
  profile: (before.profile ?? []).filter((url) => !(given.profile ?? []).includes(url)),
  security: without(before.security, given.security),
  tag: without(before.tag, given.tag),
});

function readMeta(services: Services, request: FhirRequest): Meta {
  const [meta, ...more] = readInput(services, request, ['meta']).values<Meta>('meta');
  if (!meta || more.length > 0)
    throw new FhirError(400, [issue('required', 'The operation needs one parameter meta (valueMeta)')]);
  if (![meta.profile, meta.security, meta.tag].some((list) => (list ?? []).length > 0))
    throw badRequest('meta has neither profile, security nor tag', 'Parameters.parameter[0].valueMeta');
  return meta;
}

const withoutEmpty = (meta: Meta): Meta =>
  Object.fromEntries(Object.entries(meta).filter(([, list]) => (list as readonly unknown[]).length > 0));

/** An empty Meta is no value: then there is a parameter without one. */
function answer(meta: Meta, headers: Record<string, string> = {}): FhirAnswer {
  const { profile = [], security = [], tag = [] } = meta;
  const valueMeta = withoutEmpty({ profile, security, tag });
  const isEmpty = Object.keys(valueMeta).length === 0;
  return { ...parametersAnswer(isEmpty ? [] : [{ name: 'return', valueMeta }]), headers };
}
