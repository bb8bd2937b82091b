/** `$convert` and `$prepare`: a translation, and nothing is stored. docs/gateway.md "Trying a translation" */
import { randomUUID } from 'node:crypto';
import { convert } from '../../mapping/convert.ts';
import {
  type Converted,
  type ConvertRequest,
  foundAll,
  type Mode,
  TARGETS,
  type Target,
} from '../../mapping/converted.ts';
import { epsContext } from '../../mapping/eps/context.ts';
import { findXmlSource, MEDIA_TYPES, type Source } from '../../mapping/find-source.ts';
import { badValue, type Issue, unsupportedMediaType } from '../../standards/fhir/outcome.ts';
import { verifyOrder, verifyV3 } from '../../workflow/eps/verify-message.ts';
import { parseBody } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

const MODES: readonly Mode[] = ['prepare', 'verify', 'check'];
const PARAMETERS = new Set(['_to', 'at', '_format', '_pretty', ...MODES]);
/** Header fields hold ASCII alone, and proxies little of it. */
const ISSUES_HEADER_MAX = 8000;

/** `POST /$convert?_to=…&at=…`, with `prepare`, `verify` or `check` for what is done instead. */
export async function convertOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const query = parseQuery(request.query);
  for (const name of query.keys())
    if (!PARAMETERS.has(name)) throw badValue('$convert takes _to, at, prepare, verify and check', name.slice(0, 64));
  const to = query.get('_to');
  const target = TARGETS.find((one) => one === to);
  if (to !== undefined && !target) throw badValue(`_to is one of ${TARGETS.join(', ')}`, '_to');
  const mode = MODES.find((one) => query.has(one) && query.get(one) !== 'false');
  const asked = convertRequest(services, request, { to: target, mode, at: readInstant(query.get('at')) });
  return answer(mode === 'verify' ? await verify(services, request, asked) : convert(asked));
}

/** The signatures of an EPS message, in FHIR or V3. */
async function verify(services: Services, request: FhirRequest, asked: ConvertRequest): Promise<Converted> {
  const { judgePrescriptions } = services;
  const { source, at, newId, epsToAsid, headers } = asked;
  if (source === 'eps-v3') return foundAll(await verifyV3(judgePrescriptions, request.body));
  if (source !== 'fhir') return convert(asked);
  const context = epsContext(headers, { now: at, newId, toAsid: epsToAsid });
  return foundAll(await verifyOrder(judgePrescriptions, parseBody(services, request), context));
}

/** `POST /$prepare`: what a prescriber is to sign. */
export const prepareOperation = (services: Services, request: FhirRequest): FhirAnswer =>
  answer(convert(convertRequest(services, request, { to: 'eps-v3', mode: 'prepare', at: undefined })));

function convertRequest(
  { settings, now }: Services,
  { body, headers }: FhirRequest,
  asked: { readonly to: Target | undefined; readonly mode: Mode | undefined; readonly at: number | undefined },
): ConvertRequest {
  return {
    content: body,
    source: readSource(headers['content-type'], body),
    ...(asked.to && { to: asked.to }),
    ...(asked.mode && { mode: asked.mode }),
    at: asked.at ?? now(),
    headers,
    timeZone: settings.messageTimeZone,
    epsToAsid: settings.epsToAsid,
    newId: randomUUID,
  };
}

function readSource(contentType: string | undefined, body: Buffer): Source {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const source = MEDIA_TYPES.get(type);
  if (source === undefined) throw unsupportedMediaType(`Content-Type must be ${[...MEDIA_TYPES.keys()].join(', ')}`);
  return source === 'xml' ? findXmlSource(body) : source;
}

function readInstant(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw badValue('at is an instant with its offset, such as 2026-05-01T09:00:00Z', 'at');
  return at;
}

function answer({ value, issues, outcome, status }: Converted): FhirAnswer {
  if (!value) return { status, headers: {}, body: JSON.stringify(outcome) };
  return {
    status: 200,
    headers: issuesHeader(issues),
    body: value.text,
    contentType: `${value.mediaType}; charset=utf-8`,
  };
}

/** What was dropped or defaulted, beside a body that has no room for it. */
function issuesHeader(issues: readonly Issue[]): Record<string, string> {
  if (issues.length === 0) return {};
  const headers = { 'Mortar-Issue-Count': String(issues.length) };
  for (let shown = Math.min(issues.length, 50); shown > 0; shown = Math.floor(shown / 2)) {
    const text = JSON.stringify(issues.slice(0, shown)).replaceAll(
      /[^\u0020-\u007E]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    if (text.length <= ISSUES_HEADER_MAX) return { ...headers, 'Mortar-Issues': text };
  }
  return headers;
}
