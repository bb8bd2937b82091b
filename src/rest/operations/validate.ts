/** `$validate` of a type and of a resource: what is wrong, what could be better, and nothing is stored. https://hl7.org/fhir/R4/resource-operation-validate.html */
import type { Resource } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import {
  badRequest,
  badValue,
  FhirError,
  type Issue,
  isError,
  issue,
  operationOutcome,
} from '../../standards/fhir/outcome.ts';
import { parseBody } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, parseRepeatedQuery, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

const MODES = ['create', 'update', 'delete', 'profile'] as const;
type Mode = (typeof MODES)[number];

interface Asked {
  readonly resource: unknown;
  readonly mode: Mode | undefined;
  readonly profiles: readonly string[];
}

/** `POST /Patient/$validate`: the resource, or Parameters with resource, mode and profile. */
export function validateType(services: Services, request: FhirRequest): FhirAnswer {
  const type = request.segments[0] as string; // the route has it
  const asked = readAsked(services, request);
  if (asked.mode === 'delete')
    throw badRequest(`mode delete is of one resource: send it to /${type}/[id]/$validate`, 'mode');
  if (asked.resource === undefined)
    throw badRequest(
      'There is no resource to validate: send it as the body, or as the parameter resource of Parameters',
      'resource',
    );
  return answer(services, asked, type, asked.mode === 'update' ? noId(asked.resource, type) : []);
}

/** `GET` and `POST /Patient/1/$validate`: what is stored, or what would take its place. */
export async function validateInstance(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  const asked = request.method === 'GET' ? queryOf(request) : readAsked(services, request);
  // Whoever may not see the resource learns nothing of it, whatever they send.
  const stored = await services.store.read(request.caller, type, id);
  if (asked.mode === 'create') throw badRequest(`mode create is of a type: send it to /${type}/$validate`, 'mode');
  if (asked.mode === 'delete') return outcome(deletable(services, request, type));
  const resource = asked.resource ?? (parseJson(stored.content) as Resource); // stored text was checked when it came
  return answer(services, { ...asked, resource }, type, otherId(resource, type, id));
}

function answer(
  services: Services,
  { resource, mode, profiles }: Asked,
  type: string,
  beside: readonly Issue[],
): FhirAnswer {
  if (mode === 'profile' && profiles.length === 0)
    throw badRequest('mode profile needs the parameter profile: the canonical to check by', 'profile');
  const unknown = profiles.flatMap((url) => unknownProfile(services, url));
  return outcome([...beside, ...unknown, ...services.examine(resource, type, profiles)]);
}

/** A profile that somebody asks for by name must be here; one that a resource claims need not. */
function unknownProfile({ profiles }: Services, url: string): Issue[] {
  if (profiles.find(url) !== undefined) return [];
  const fault = profiles.faultOf(url);
  const text =
    fault === undefined
      ? 'The profile asked for is not known here: post its StructureDefinition, or load its package with npm run ig'
      : `The profile asked for cannot be used: ${fault}`;
  return [issue('not-found', text, 'profile')];
}

const noId = (resource: unknown, type: string): Issue[] =>
  idOf(resource) === undefined
    ? [issue('required', `${type}.id is required in an update; it is the id in the path`, `${type}.id`)]
    : [];
const otherId = (resource: unknown, type: string, id: string): Issue[] =>
  idOf(resource) === id ? [] : [issue('value', `${type}.id must be the id in the path`, `${type}.id`)];
const idOf = (resource: unknown): unknown => (resource as { id?: unknown } | null)?.id;

function deletable({ policy }: Services, { caller }: FhirRequest, type: string): Issue[] {
  if (policy.decide(caller, type, 'd').allowed) return [];
  return [issue('forbidden', 'You may not delete it: your rights do not reach it', type)];
}

const GOOD: Issue = { severity: 'information', code: 'informational', diagnostics: 'No errors were found' };

/** What is wrong with the resource is the answer, not a fault of the request: 200. */
const outcome = (issues: readonly Issue[]): FhirAnswer => ({
  status: 200,
  headers: {},
  body: JSON.stringify(operationOutcome(issues.some(isError) ? issues : [...issues, GOOD])),
});

function readAsked(services: Services, request: FhirRequest): Asked {
  const asked = queryOf(request);
  if (request.body.length === 0) return asked;
  checkContentType(request.headers, RESOURCE_TYPES);
  const payload = parseBody(services, request);
  // Parameters are never stored, so that they are always the envelope.
  const isParameters = (payload as { resourceType?: unknown } | null)?.resourceType === 'Parameters';
  return isParameters ? ofParts(partsOf(payload as { parameter?: unknown }), asked) : { ...asked, resource: payload };
}

interface Part {
  readonly name?: unknown;
  readonly resource?: unknown;
  readonly valueCode?: unknown;
  readonly valueString?: unknown;
  readonly valueUri?: unknown;
  readonly valueCanonical?: unknown;
}
const partsOf = ({ parameter }: { readonly parameter?: unknown }): readonly Part[] =>
  (Array.isArray(parameter) ? (parameter as unknown[]) : []).filter(
    (one): one is Part => typeof one === 'object' && one !== null,
  );

function ofParts(parts: readonly Part[], asked: Asked): Asked {
  let { resource, mode, profiles } = asked;
  for (const part of parts) {
    const text = part.valueCode ?? part.valueCanonical ?? part.valueUri ?? part.valueString;
    switch (part.name) {
      case 'resource':
        if (resource !== undefined) throw badRequest('$validate takes one resource', 'resource');
        resource = part.resource;
        break;
      case 'mode':
        mode = readMode(String(text));
        break;
      case 'profile':
        profiles = [...profiles, String(text)];
        break;
      default:
        throw badValue('$validate takes the parameters resource, mode and profile', 'Parameters.parameter');
    }
  }
  checkProfiles(profiles);
  return { resource, mode, profiles };
}

const QUERY = new Set(['mode', 'profile', '_format', '_pretty']);

function queryOf(request: FhirRequest): Asked {
  const query = parseRepeatedQuery(request.query);
  for (const name of query.keys())
    if (!QUERY.has(name)) throw badValue('$validate takes mode and profile', name.slice(0, 64));
  const [mode] = query.get('mode') ?? [];
  const profiles = query.get('profile') ?? [];
  checkProfiles(profiles);
  return { resource: undefined, mode: mode === undefined ? undefined : readMode(mode), profiles };
}

function readMode(text: string): Mode {
  const mode = MODES.find((one) => one === text);
  if (mode === undefined) throw badValue(`mode is one of ${MODES.join(', ')}`, 'mode');
  return mode;
}

const PROFILES_MAX = 10;
function checkProfiles(profiles: readonly string[]): void {
  if (profiles.length > PROFILES_MAX)
    throw new FhirError(400, [issue('too-costly', `At most ${PROFILES_MAX} profiles are checked at once`, 'profile')]);
}
