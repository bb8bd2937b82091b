/**
 * What apps ask of people, from the first request until the answer. `src/postgres/identity/authorization-requests.ts`
 * implements it. SECURITY SL-02 to SL-10
 */
import type { LaunchContext } from './grants.ts';

export type ResponseMode = 'query' | 'form_post';
export type Prompt = 'none' | 'login' | 'consent' | 'select_account';

/** A request whose every parameter has been checked. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly responseMode: ResponseMode;
  readonly state: string;
  /** What the client may be granted of what it asked for. */
  readonly scope: string;
  readonly audience: string;
  /** PKCE, S256. */
  readonly challenge: string;
  readonly nonce?: string;
  /** Thumbprint of the key that the code is for. RFC 9449 section 10 */
  readonly dpopJkt?: string;
  readonly prompts: readonly Prompt[];
  readonly maxAgeMs?: number;
  /** Authentication context class that the person must reach. */
  readonly acr?: string;
  /** Who must be the one signed in: an ID token of theirs came as a hint. */
  readonly hintedUserId?: string;
  /** The handle of an EHR launch, sealed. SECURITY ST-13 */
  readonly sealedLaunch?: string;
}

/** What has been settled so far. */
export interface AuthorizationProgress {
  /** The launch, once its handle has been used up. */
  readonly launch?: {
    readonly patientId?: string;
    readonly encounterId?: string;
    readonly context?: LaunchContext;
  };
  readonly patientId?: string;
  /** `null`: none was chosen. */
  readonly encounterId?: string | null;
}

export interface StoredAuthorizationRequest extends AuthorizationRequest {
  /** Who has begun to answer it. */
  readonly userId?: string;
  readonly progress: AuthorizationProgress;
  /** ms UTC */
  readonly createdAt: number;
}

export interface AuthorizationRequests {
  /** Keeps a request for the time given; returns its id, which is kept as a hash only. */
  add(request: AuthorizationRequest, lifetimeMs: number): Promise<string>;
  /** Undefined when it is unknown, answered or expired. */
  find(id: string): Promise<StoredAuthorizationRequest | undefined>;
  /** Keeps what this person has settled. False when the request is gone or another person's. */
  keep(id: string, userId: string, progress: AuthorizationProgress): Promise<boolean>;
  /** Ends it: of many answers at once one gets true. */
  take(id: string): Promise<boolean>;
  /** Deletes expired ones, at most `limit`; resolves to how many. */
  purge(limit: number): Promise<number>;
}
