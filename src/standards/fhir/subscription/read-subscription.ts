/**
 * What a Subscription asks for, of R4 (https://hl7.org/fhir/R4/subscription.html) or of the topics that were brought back
 * from R5 (https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/). SECURITY IN-40, IN-41
 */

import { readWebhookSecret } from '../../webhook/signature.ts';
import { type Issue, issue } from '../outcome.ts';
import { CONTROL } from './read-topic.ts';
import { narrowTopic, type SearchPart } from './topic-filter.ts';
import type { Topic } from './topics.ts';

type Json = Readonly<Record<string, unknown>>;

export interface SubscriptionPlan {
  /** Canonical of a topic, as it is named; absent: what the criteria find is told. */
  readonly topic?: string;
  /** The search that is followed; of a topic what narrows it. */
  readonly searches: readonly SearchPart[];
  readonly channel: 'rest-hook' | 'websocket' | 'email' | 'message';
  readonly endpoint?: string;
  /** Media type of what is sent; absent: nothing is. */
  readonly payload?: string;
  /** Of a topic's notifications. */
  readonly content: 'empty' | 'id-only' | 'full-resource';
  readonly headers: readonly string[];
  readonly heartbeatS?: number;
  readonly timeoutMs: number;
  /** ms UTC */
  readonly end?: number;
}

const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-';
const CHANNELS = new Set(['rest-hook', 'websocket', 'email', 'message']);
const PAYLOADS = new Set(['application/fhir+json', 'application/json']);
const CONTENTS = new Set(['empty', 'id-only', 'full-resource']);
const TIMEOUT_S = 20;
const HEADERS_MAX = 10;
const HEADER_MAX = 4096;
const CRITERIA_MAX = 2000;
const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}): ?([\x20-\x7e]*)$/;
/** Ours to set, or dangerous between servers. */
const RESERVED =
  /^(?:host|content-(?:length|type|encoding)|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|webhook-(?:id|timestamp|signature)|proxy-.*|forwarded|x-forwarded-.*|x-http-method.*|cookie)$/i;

const extensions = (of: unknown): readonly Json[] => {
  const found = (of as Json | undefined)?.['extension'];
  return Array.isArray(found) ? (found as Json[]) : [];
};
const find = (of: unknown, name: string): Json | undefined => extensions(of).find(({ url }) => url === BACKPORT + name);
const FILTER = /^([A-Za-z]+)(?:\?(.*))?$/s;
const FILTERS_MAX = 20;
/** Topics that are told of, where there are many. */
const TOLD_MAX = 20;

export interface TopicBook {
  find(canonical: string): Topic | undefined;
  list(): readonly Topic[];
}
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/**
 * The plan, or every reason why there is none; the resource has been validated as such. Without `topics` it is one that was
 * stored: the values of its header fields are kept elsewhere, and its topic may have changed since.
 */
export function readSubscription(
  resource: Json,
  topics?: TopicBook,
): { readonly value?: SubscriptionPlan; readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const fault = (diagnostics: string, expression: string): void =>
    void issues.push(issue('value', diagnostics, `Subscription.${expression}`));
  const criteria = text(resource['criteria']) ?? '';
  const channel = (resource['channel'] ?? {}) as Json;
  const kind = text(channel['type']) ?? '';
  if (!CHANNELS.has(kind)) fault(`channel.type is one of ${[...CHANNELS].join(', ')}`, 'channel.type');
  if (criteria.length > CRITERIA_MAX) fault(`The criteria are longer than ${CRITERIA_MAX} characters`, 'criteria');

  const isTopic = /^[a-z][a-z0-9+.-]*:/.test(criteria);
  const topic = isTopic ? criteria : undefined;
  const searches = isTopic ? readFilters(resource, fault) : readCriteria(criteria, fault);
  if (topic !== undefined && topics) checkTopic(topic, searches, topics, fault);

  const endpoint = text(channel['endpoint']);
  if (kind === 'rest-hook' || kind === 'message') checkUrl(endpoint, fault);
  if (kind === 'email' && !/^mailto:[^@\s,;?%<>"]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(endpoint ?? ''))
    fault('The endpoint of an email channel is mailto: and one address', 'channel.endpoint');
  const payload = text(channel['payload']);
  if (payload !== undefined && !PAYLOADS.has(payload.split(';')[0]?.trim() ?? ''))
    fault('The payload is application/fhir+json, or left out', 'channel.payload');
  const headers = topics && Array.isArray(channel['header']) ? (channel['header'] as string[]) : [];
  checkHeaders(headers, fault);

  const content =
    text(find(channel['_payload'], 'payload-content')?.['valueCode']) ?? (isTopic ? 'id-only' : 'full-resource');
  if (!CONTENTS.has(content)) fault('The content is empty, id-only or full-resource', 'channel.payload.extension');
  const heartbeatS = number(find(channel, 'heartbeat-period'), 10, 86_400, 'channel', fault);
  const timeoutS = number(find(channel, 'timeout'), 1, 30, 'channel', fault) ?? TIMEOUT_S;
  const end = text(resource['end']);
  if (issues.length > 0) return { issues };
  return {
    issues,
    value: {
      ...(topic !== undefined && { topic }),
      searches,
      channel: kind as SubscriptionPlan['channel'], // one of CHANNELS
      ...(endpoint !== undefined && { endpoint }),
      ...(payload !== undefined && { payload }),
      content: content as SubscriptionPlan['content'], // one of CONTENTS
      headers,
      ...(heartbeatS !== undefined && { heartbeatS }),
      timeoutMs: timeoutS * 1000,
      ...(end !== undefined && { end: Date.parse(end) }),
    },
  };
}

type Fault = (diagnostics: string, expression: string) => void;

function readCriteria(criteria: string, fault: Fault): readonly SearchPart[] {
  const [, type = '', query = ''] = FILTER.exec(criteria) ?? [];
  if (type === '' || query === '')
    fault('The criteria are a search such as Observation?code=x, or the URL of a topic', 'criteria');
  checkControls(query, fault);
  return [{ type, query }];
}

/** `filter-criteria` of a topic, each a search of one of its types. */
function readFilters(resource: Json, fault: Fault): readonly SearchPart[] {
  const given = extensions(resource['_criteria']).filter(({ url }) => url === `${BACKPORT}filter-criteria`);
  if (given.length > FILTERS_MAX) fault(`There are at most ${FILTERS_MAX} filters`, 'criteria.extension');
  return given.slice(0, FILTERS_MAX).flatMap(({ valueString }) => {
    const [, type, query = ''] = FILTER.exec(text(valueString) ?? '') ?? [];
    if (type === undefined) fault('A filter is a search such as Patient?name=x', 'criteria.extension');
    checkControls(query, fault);
    return type === undefined ? [] : [{ type, query }];
  });
}

function checkControls(query: string, fault: Fault): void {
  if (CONTROL.test(query))
    fault('The criteria say what is found; controls such as _count have no place there', 'criteria');
}

function checkTopic(canonical: string, filters: readonly SearchPart[], topics: TopicBook, fault: Fault): void {
  const topic = topics.find(canonical);
  if (!topic) {
    const known = topics.list().map(({ url, version }) => (version === undefined ? url : `${url}|${version}`));
    const some = known.length > TOLD_MAX ? `${known.slice(0, TOLD_MAX).join(', ')} and more` : known.join(', ');
    fault(`There is no such topic: there are ${some}`, 'criteria');
    return;
  }
  for (const one of narrowTopic(topic, filters).faults) fault(one, 'criteria.extension');
}

function number(
  extension: Json | undefined,
  low: number,
  high: number,
  place: string,
  fault: Fault,
): number | undefined {
  if (!extension) return undefined;
  const value = Object.entries(extension).find(([name]) => name.startsWith('value'))?.[1];
  const given = Number(value);
  if (Number.isInteger(given) && given >= low && given <= high) return given;
  fault(
    `${String(extension['url']).slice(BACKPORT.length)} is a whole number from ${low} to ${high}`,
    `${place}.extension`,
  );
  return undefined;
}

function checkUrl(endpoint: string | undefined, fault: Fault): void {
  const url = endpoint === undefined ? null : URL.parse(endpoint);
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    fault('The endpoint of this channel is an https URL', 'channel.endpoint');
  else if (url.username !== '' || url.password !== '' || url.hash !== '')
    fault('The endpoint has no user name and no fragment: credentials belong into channel.header', 'channel.endpoint');
}

function checkHeaders(headers: readonly string[], fault: Fault): void {
  if (headers.length > HEADERS_MAX) fault(`At most ${HEADERS_MAX} header fields are sent`, 'channel.header');
  for (const [i, header] of headers.entries()) {
    const [, name, value] = HEADER.exec(header) ?? [];
    const place = `channel.header[${i}]`;
    if (name === undefined || header.length > HEADER_MAX) fault('A header field is one line, Name: value', place);
    else if (RESERVED.test(name)) fault(`The header field ${name} cannot be set`, place);
    else if (name.toLowerCase() === SECRET_HEADER && value !== KEPT && !readWebhookSecret(value ?? ''))
      fault('Webhook-Secret is whsec_ and the base64 of 24 to 64 random bytes', place);
    else if (value === KEPT) fault(`The value of ${name} is kept and not shown: give it again`, place);
  }
}

/** Signs what is sent, and is never sent itself. docs/subscriptions.md "Signed" */
const SECRET_HEADER = 'webhook-secret';

/** The key that header fields name, and those that are sent. */
export function secretIn(headers: readonly string[]): { readonly key?: Buffer; readonly sent: readonly string[] } {
  const isSecret = (header: string): boolean => header.slice(0, header.indexOf(':')).toLowerCase() === SECRET_HEADER;
  const secret = headers.find(isSecret);
  const key = secret === undefined ? undefined : readWebhookSecret(secret.slice(secret.indexOf(':') + 1).trim());
  return { ...(key && { key }), sent: headers.filter((header) => !isSecret(header)) };
}

/** What stands for the values of header fields, which are never shown again. SECURITY IN-41 */
export const KEPT = '(kept)';
export const maskHeader = (header: string): string => `${header.split(':')[0] ?? ''}: ${KEPT}`;
