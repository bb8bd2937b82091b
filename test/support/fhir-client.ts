/** A FHIR client that shows everything: text as it came, headers, status. Nothing is retried and nothing is hidden. */
import type { TestServer } from './server.ts';

export type Json = Record<string, unknown>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON value; throws when it is none. */
  json<T = Json>(): T;
}

/** Bodies that are objects are sent as JSON; text and bytes go as they are. */
type Body = object | string | Uint8Array;

export interface FhirClient {
  readonly base: string;
  /** `path` is below the base (`Patient/1`), or absolute. */
  request(method: string, path: string, body?: Body, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  post(path: string, body: Body, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  put(path: string, body: Body, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** A JSON Patch. */
  patch(path: string, operations: readonly object[], headers?: Readonly<Record<string, string>>): Promise<Reply>;
  delete(path: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
}

export function createFhirClient(server: Pick<TestServer, 'fhirBaseUrl' | 'bearer'>): FhirClient {
  const base = server.fhirBaseUrl;
  const request: FhirClient['request'] = async (method, path, body, headers = {}) => {
    const url = /^https?:/.test(path) ? path : `${base}${path === '' ? '' : `/${path}`}`;
    const isJson = typeof body === 'object' && !(body instanceof Uint8Array);
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...server.bearer, ...(body !== undefined && { 'content-type': 'application/fhir+json' }), ...headers },
      ...(body !== undefined && { body: isJson ? JSON.stringify(body) : (body as string | Uint8Array<ArrayBuffer>) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  return {
    base,
    request,
    get: (path, headers) => request('GET', path, undefined, headers),
    post: (path, body, headers) => request('POST', path, body, headers),
    put: (path, body, headers) => request('PUT', path, body, headers),
    patch: (path, operations, headers) =>
      request('PATCH', path, operations, { 'content-type': 'application/json-patch+json', ...headers }),
    delete: (path, headers) => request('DELETE', path, undefined, headers),
  };
}

export interface BundleEntryShape {
  readonly fullUrl?: string;
  readonly resource?: Json & { resourceType: string; id?: string };
  readonly search?: { readonly mode: string };
  readonly request?: { readonly method: string; readonly url: string };
  readonly response?: {
    readonly status: string;
    readonly location?: string;
    readonly etag?: string;
    readonly lastModified?: string;
    readonly outcome?: OutcomeShape;
  };
}

export interface BundleShape {
  readonly resourceType: 'Bundle';
  readonly type: string;
  readonly total?: number;
  readonly link?: readonly { readonly relation: string; readonly url: string }[];
  readonly entry?: readonly BundleEntryShape[];
}

export interface OutcomeShape {
  readonly resourceType: 'OperationOutcome';
  readonly issue: readonly {
    readonly severity: string;
    readonly code: string;
    readonly diagnostics: string;
    readonly expression?: readonly string[];
  }[];
}

export const bundleOf = (reply: Reply): BundleShape => {
  const bundle = reply.json<BundleShape>();
  if (bundle.resourceType !== 'Bundle') throw new Error(`no bundle but ${reply.status} ${reply.text.slice(0, 500)}`);
  return bundle;
};

/** The outcome of a refusal: checks that it is one. */
export function outcomeOf(reply: Reply): OutcomeShape['issue'][number] {
  const outcome = reply.json<OutcomeShape>();
  const [first] = outcome.issue ?? [];
  if (outcome.resourceType !== 'OperationOutcome' || first === undefined)
    throw new Error(`no OperationOutcome but ${reply.status} ${reply.text.slice(0, 500)}`);
  return first;
}

/** Ids of the matches of a page, in its order. */
export const matchIds = (bundle: BundleShape): string[] =>
  (bundle.entry ?? []).filter((e) => e.search?.mode === 'match').map((e) => e.resource?.id ?? '');

/** `Type/id` of what was included. */
export const includedPaths = (bundle: BundleShape): string[] =>
  (bundle.entry ?? [])
    .filter((e) => e.search?.mode === 'include')
    .map((e) => `${e.resource?.resourceType}/${e.resource?.id}`);

export const linkOf = (bundle: BundleShape, relation: string): string | undefined =>
  bundle.link?.find((l) => l.relation === relation)?.url;

/** Id of a resource just created. */
export function idOf(reply: Reply): string {
  const { id } = reply.json<{ id?: string }>();
  if (id === undefined) throw new Error(`nothing created: ${reply.status} ${reply.text.slice(0, 500)}`);
  return id;
}
