/** A FHIR request as handlers see it, and the answer they give. No sockets: batches make requests of their own. */
import type { Caller } from '../ports/caller.ts';
import type { StoredVersion } from '../ports/resource-store.ts';

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
}

export interface FhirAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text unless `contentType` says otherwise; absent = no body. */
  readonly body?: string;
  readonly contentType?: string;
}

export const etag = (version: StoredVersion): string => `W/"${version.versionId}"`;
export const httpDate = (ms: number): string => new Date(ms).toUTCString();

/** ETag and Last-Modified of a version. */
export const versionHeaders = (version: StoredVersion): Record<string, string> => ({
  ETag: etag(version),
  'Last-Modified': httpDate(version.lastUpdated),
});
