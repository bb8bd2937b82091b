/** A FHIR request as handlers see it, and the answer they give. No sockets: batches make requests of their own. */
import type { Caller } from '../ports/caller.ts';
import type { StoredVersion } from '../ports/resource-store.ts';
import type { Presentation } from './formats.ts';

/** Header names in lower case. */
export type Headers = Readonly<Record<string, string | undefined>>;

export interface FhirRequest {
  readonly caller: Caller;
  readonly method: string;
  /** Path segments below the base, decoded. */
  readonly segments: readonly string[];
  /** Raw query string without `?`. */
  readonly query: string;
  readonly headers: Headers;
  /** The whole body; empty when there is none. */
  readonly body: Buffer;
  /** Of routes that take more than can be held: the body as it comes, inflated, in the place of `body`. */
  readonly upload?: AsyncIterable<Buffer>;
}

/** What a client is sent. */
export interface FhirAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON text of a resource unless `contentType` says otherwise; absent = no body. */
  readonly body?: string | Buffer;
  readonly contentType?: string;
  /** A body that is too long to be held, and its length in bytes; with a `contentType`. */
  readonly stream?: AsyncIterable<Buffer>;
  readonly length?: number;
  /** Where the body of the request asked for a format, as that of `_search` may. */
  readonly presentation?: Presentation;
}

export const etag = (version: StoredVersion): string => `W/"${version.versionId}"`;
const httpDate = (ms: number): string => new Date(ms).toUTCString();

/** ETag and Last-Modified of a version. */
export const versionHeaders = (version: StoredVersion): Record<string, string> => ({
  ETag: etag(version),
  'Last-Modified': httpDate(version.lastUpdated),
});
