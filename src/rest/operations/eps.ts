/**
 * The operations of the Electronic Prescription Service at the FHIR base. Whether a request is one of them its content
 * decides, where a Spine is configured; every other request on the same path is what it is without. docs/eps.md
 */
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { incorrectResourceType } from '../../mapping/eps/rule-issue.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { type EpsReply, RIGHT_FOR } from '../../workflow/eps/desk.ts';
import { checkAccess, checkRight } from '../access.ts';
import { parseBody } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { withNhsHeaders } from '../nhs-headers.ts';
import { checkContentType, parsePrefer, parseQuery, parseRepeatedQuery, RESOURCE_TYPES } from '../preferences.ts';
import type { Route } from '../route.ts';
import type { Handler, Services } from '../services.ts';

/** What a request that is none of EPS needs. */
type Need = Extract<Route['access'], { readonly letters: string } | { readonly right: string }>;

const otherwise =
  (need: Need, interaction: string, handle: Handler): Handler =>
  (services, request) => {
    const { method, segments } = request;
    const route = { method, path: `/${segments.join('/')}`, interaction, level: 'type', access: need, handle } as Route;
    checkAccess(services.policy, route, request);
    return handle(services, request);
  };

/** Sends what is a message to the Spine; hands on what is not. */
export function epsMessageOr(need: Need, handle: Handler): Handler {
  const other = otherwise(need, 'create', handle);
  return (services, request) => {
    const payload = services.eps === undefined ? undefined : findPayload(services, request);
    const kind = recogniseEps(payload);
    if (kind === undefined || kind === 'release') return other(services, request);
    checkRight(services.policy, request.caller, RIGHT_FOR[kind]);
    return sendWithHeaders(services, request);
  };
}

/** `POST /Task/$release` */
export const release: Handler = (services, request) => {
  if (services.eps === undefined) throw NO_SPINE();
  checkContentType(request.headers, RESOURCE_TYPES);
  const payload = parseBody(services, request);
  if (recogniseEps(payload) !== 'release') throw new FhirError(400, [incorrectResourceType('Parameters')]);
  return send(services, request);
};

const sendWithHeaders = withNhsHeaders(send);

async function send(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { eps } = services;
  if (eps === undefined) throw NO_SPINE();
  checkContentType(request.headers, RESOURCE_TYPES);
  const isRaw = wantsRaw(services, request);
  const reply = await eps.send(request, parseBody(services, request), !parsePrefer(request.headers).isAsync);
  return answer(reply, isRaw);
}

/** `GET /$eps-message?id=…`: what became of a message, for whoever sent it. */
export const epsMessageStatus: Handler = async (services, request) => {
  if (services.eps === undefined) throw NO_SPINE();
  const id = parseQuery(request.query).get('id') ?? '';
  return answer(await services.eps.status(request.caller, id), wantsRaw(services, request));
};

/** What the tracker is asked by. */
const TRACKED = ['identifier', 'focus:identifier', 'patient:identifier'] as const;

/** A search of Tasks by prescription or patient, with a header of the NHS, asks the Spine's tracker. */
export function trackOr(need: Need, handle: Handler): Handler {
  const other = otherwise(need, 'search-type', handle);
  return (services, request) => {
    const isOfNhs = Object.keys(request.headers).some((name) => name.startsWith('nhsd-'));
    const isTracked = isOfNhs && TRACKED.some((name) => parseRepeatedQuery(request.query).has(name));
    if (services.eps === undefined || !isTracked) return other(services, request);
    checkRight(services.policy, request.caller, 'eps:track');
    return trackWithHeaders(services, request);
  };
}

const trackWithHeaders = withNhsHeaders(async ({ eps }, request) => {
  if (eps === undefined) throw NO_SPINE();
  return answer(await eps.track(request, parseRepeatedQuery(request.query)), false);
});

function answer({ status, body, headers = {}, raw }: EpsReply, isRaw: boolean): FhirAnswer {
  if (isRaw && raw !== undefined)
    return { status: 200, headers, body: raw.toString('utf8'), contentType: 'application/xml; charset=utf-8' };
  return { status, headers, body: JSON.stringify(body) };
}

/** Not every body is JSON; what is wrong with it says whoever takes it. */
function findPayload(services: Services, request: FhirRequest): unknown {
  try {
    return parseBody(services, request);
  } catch (error) {
    if (error instanceof FhirError) return undefined;
    throw error;
  }
}

const RAW = 'x-raw-response';

/** Untranslated answers are for trying things, not for production. eps/REFERENCE section 2.2 */
function wantsRaw({ settings }: Services, { headers }: FhirRequest): boolean {
  if (headers[RAW] === undefined) return false;
  if (!settings.isProduction) return true;
  const system = 'https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode';
  const display = 'There is a header missing or invalid';
  throw new FhirError(403, [
    {
      severity: 'error',
      code: 'invalid',
      details: { coding: [{ system, code: 'MISSING_OR_INVALID_HEADER', display }] },
      diagnostics: `Invalid headers: ${RAW}.`,
    },
  ]);
}

const NO_SPINE = (): FhirError =>
  new FhirError(501, [
    issue('not-supported', 'No Spine is configured here: the operator sets SPINE_URL and its files'),
  ]);
