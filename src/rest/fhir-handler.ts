/** The FHIR API as a request handler: reads the request once, dispatches by the route table, writes text. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../ports/caller.ts';
import { FhirError, issue, operationOutcome, unknownType } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { suggestNames } from '../standards/fhir/search/suggest.ts';
import { checkAccess } from './access.ts';
import { checkRate } from './caller-limits.ts';
import { anonymousCaller, type Door } from './door.ts';
import type { FhirAnswer, FhirRequest } from './exchange.ts';
import { type Presentation, presentationOf } from './formats.ts';
import { createBundleHandler } from './interactions/batch.ts';
import { labelRoute } from './metrics.ts';
import { decodePath } from './path.ts';
import { parsePrefer } from './preferences.ts';
import { present, presentFailure } from './present.ts';
import type { RateVerdict } from './rate-limit.ts';
import { readBody, streamBody } from './read-body.ts';
import { compileRoutes, type Route } from './route.ts';
import { createRoutes } from './routes.ts';
import type { Services } from './services.ts';
import { writeAnswer } from './write-answer.ts';

/** Length of `/fhir/R4`. */
const BASE_LENGTH = 8;
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH']);
const URL_LENGTH_MAX = 16 * 1024;
const URL_SHOWN_MAX = 2048;

/** A request without its caller and body. */
type Target = Omit<FhirRequest, 'caller' | 'body'>;

export interface FhirDoor {
  readonly handle: (req: IncomingMessage, res: ServerResponse) => void;
  /** One request to one answer, under the rights of its caller; never throws. */
  readonly dispatch: (request: FhirRequest) => Promise<FhirAnswer>;
}

export const createFhirHandler = (services: Services, door: Door): FhirDoor['handle'] =>
  createFhirDoor(services, door).handle;

export function createFhirDoor(services: Services, door: Door): FhirDoor {
  const { parameters, settings, log } = services;
  const match = compileRoutes(
    createRoutes(createBundleHandler((request) => answer(request))),
    (segment) => parameters.get(segment) !== undefined,
    isId,
  );

  function find(request: Target): Route {
    const { route, allowed } = match(request.method, request.segments);
    if (route) return route;
    if (allowed.length > 0)
      throw new FhirError(
        405,
        [issue('not-supported', `${request.method} is not possible here: use ${allowed.join(', ')}`)],
        {
          headers: { Allow: [...allowed, 'OPTIONS'].join(', ') },
        },
      );
    throw noRoute(request);
  }

  function noRoute({ segments }: Target): FhirError {
    const [type, id] = segments;
    if (type !== undefined && !/^[$_]/.test(type) && !parameters.get(type))
      return unknownType(type.slice(0, 64), suggestNames(type, services.definitions.resourceTypes));
    if (id !== undefined && !/^[$_]/.test(id) && !isId(id))
      return new FhirError(400, [issue('value', 'A resource id has 1 to 64 letters, digits, hyphens and dots')]);
    return new FhirError(404, [
      issue('not-supported', 'There is nothing at this path: see /metadata for what there is'),
    ]);
  }

  /** One request to one answer; never throws. Entries of a batch come here too: each is judged alone (SC-04). */
  async function answer(request: FhirRequest): Promise<FhirAnswer> {
    try {
      const route = find(request);
      if (route.access !== 'public') checkAccess(door.policy, route, request);
      return await route.handle(services, request);
    } catch (error) {
      await door.refusals.note(request.caller, error, `${request.method} ${request.segments.join('/')}`);
      return failure(error, request.caller);
    }
  }

  function failure(error: unknown, caller: Pick<Caller, 'correlationId'>): FhirAnswer {
    if (error instanceof FhirError) {
      if (error.status >= 500) log.error('request failed', { correlationId: caller.correlationId, error });
      return { status: error.status, headers: error.headers, body: JSON.stringify(operationOutcome(error.issues)) };
    }
    log.error('request failed', { correlationId: caller.correlationId, error });
    const text = `Something went wrong here, not with your request; quote ${caller.correlationId} when you report it`;
    return { status: 500, headers: {}, body: JSON.stringify(operationOutcome([issue('exception', text)])) };
  }

  /** Who asks is known before a byte of the body is read (IN-02), and what they may not use is refused before that too. */
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const correlationId = correlationIdOf(req);
    let caller = anonymousCaller(correlationId, door.addressOf(req));
    let result: FhirAnswer;
    let presentation: Presentation = JSON_COMPACT;
    let rate: RateVerdict | undefined;
    try {
      const target = readTarget(req);
      presentation = findPresentation(target);
      if (target.method === 'OPTIONS') result = options(target);
      else {
        const { route } = match(target.method, target.segments);
        const isPublic = route?.access === 'public';
        if (!isPublic) caller = await door.authenticate(req, correlationId);
        const known = route ?? find(target);
        labelRoute(res, `/fhir/R4${known.path}`);
        rate = isPublic ? undefined : await checkRate(door.limits, caller, known);
        if (!isPublic) checkAccess(door.policy, known, { ...target, caller });
        const request = STREAMED.has(`${target.method} ${known.path}`)
          ? { ...target, caller, body: EMPTY, upload: streamBody(req, settings.importBytesMax) }
          : { ...target, caller, body: await bodyOf(req, target) };
        // An answer that is not a resource has a format of its own.
        if (!hasOwnFormat(target)) presentation = presentationOf(target.headers, target.query);
        result = present(services.xml, target.method, await carryOut(known, request), presentation);
      }
    } catch (error) {
      await door.refusals.note(caller, error, `${req.method} ${req.url?.slice(0, URL_SHOWN_MAX)}`);
      result = presentFailure(services.xml, failure(error, { correlationId }), presentation);
    }
    writeAnswer(req, res, { correlationId, rate }, result, log);
  }

  function readTarget(req: IncomingMessage): Target {
    const url = req.url ?? '/';
    if (url.length > URL_LENGTH_MAX)
      throw new FhirError(414, [issue('too-long', 'The URL is too long: send the search by POST to _search')]);
    const question = url.indexOf('?');
    const path = question < 0 ? url.slice(BASE_LENGTH) : url.slice(BASE_LENGTH, question);
    return {
      method: req.method ?? 'GET',
      segments: decodePath(path),
      query: question < 0 ? '' : url.slice(question + 1),
      // Node joins repeated headers and keeps names in lower case.
      headers: req.headers as FhirRequest['headers'],
    };
  }

  async function bodyOf(req: IncomingMessage, { method, segments }: Target): Promise<Buffer> {
    const max = LARGE_BODIES.has(segments[0] ?? 'Bundle') ? settings.bundleBytesMax : settings.bodyBytesMax;
    return BODY_METHODS.has(method) ? await readBody(req, max) : EMPTY;
  }

  function options(request: Target): FhirAnswer {
    const { route, allowed } = match('OPTIONS', request.segments);
    if (!route && allowed.length === 0) throw noRoute(request);
    return { status: 204, headers: { Allow: [...allowed, 'OPTIONS'].join(', ') } };
  }

  /** At once, or later where that is asked for and can be had. */
  async function carryOut(route: Route, request: FhirRequest): Promise<FhirAnswer> {
    const { later } = services;
    if (later && LATER.has(route.interaction) && parsePrefer(request.headers).isAsync) return later.accept(request);
    return route.handle(services, request);
  }

  return { handle: (req, res) => void respond(req, res), dispatch: answer };
}

/** Interactions that may take their time. */
const LATER = new Set(['search-type', 'batch', 'transaction']);

/** Routes whose body is read while it comes. */
const STREAMED = new Set(['POST /$import']);

const EMPTY = Buffer.alloc(0);
/** First segments of paths that take more than one ordinary resource. */
const LARGE_BODIES = new Set([
  'Bundle',
  'Binary',
  '$process-message',
  '$convert',
  '$prepare',
  '$validate',
  '$dose-to-text',
  '$verify-signature',
]);
/** First segments of paths whose answer is not FHIR. */
const OTHER_FORMATS = new Set(['$convert', '$dose-to-text', '$viewdefinition-run']);
const JSON_COMPACT: Presentation = { format: 'json', pretty: false };

/** A read of a Binary may give its content, in whatever format that is. */
const hasOwnFormat = ({ method, segments: [first = '', id, word, ...more] }: Target): boolean =>
  OTHER_FORMATS.has(first) ||
  (first === 'Binary' &&
    (method === 'GET' || method === 'HEAD') &&
    id !== undefined &&
    (word === undefined || (word === '_history' && more.length === 1)));

/** In which format to say what goes wrong before it is known whether the format can be had: JSON where it cannot. */
function findPresentation({ headers, query }: Target): Presentation {
  try {
    return presentationOf(headers, query);
  } catch (error) {
    if (error instanceof FhirError) return JSON_COMPACT;
    throw error;
  }
}
