/**
 * What people granted to clients, and the tokens of it. `src/postgres/identity/grants.ts` implements it. SECURITY A2, A4
 *
 * A code is made by `createCode` once the person has consented: it gives back the code itself, which goes to the
 * redirect URI and is kept as a hash only, and with it the *family* of everything that is born of the code. The token
 * endpoint reads the code with `findCode`, checks what it is bound to, and then takes it with `useCode`, which succeeds
 * once. Revoking the family ends its refresh tokens and its access tokens in one statement.
 */

/** Launch context besides patient and encounter, as the token answer shows it at its top level. SECURITY ST-03 */
export type LaunchContext = Readonly<Record<string, unknown>>;

/** What a token was granted for. */
export interface Grant {
  readonly clientId: string;
  /** As it was granted, not as it was asked for. */
  readonly scope: string;
  /** FHIR base URL that the tokens are for. */
  readonly audience: string;
  readonly patientId?: string;
  readonly encounterId?: string;
  readonly context?: LaunchContext;
  /** RFC 7800: the key or certificate that the tokens are bound to. */
  readonly cnf?: Readonly<Record<string, string>>;
  readonly user?: GrantUser;
}

/** Who granted it, as of then. */
export interface GrantUser {
  readonly id: string;
  /** `User.securityVersion`: a change since ends the grant. SECURITY ST-08 */
  readonly securityVersion: number;
  readonly sessionId?: string;
  /** ms UTC */
  readonly authTime: number;
  readonly amr: readonly string[];
  readonly acr?: string;
}

export type UserGrant = Grant & { readonly user: GrantUser };

/** What a code is bound to besides. SECURITY SL-12 */
export interface CodeBinding {
  readonly redirectUri: string;
  /** PKCE, S256. */
  readonly challenge: string;
  /** OpenID Connect: comes back in the ID token. */
  readonly nonce?: string;
}

export interface StoredCode {
  readonly familyId: string;
  readonly grant: UserGrant;
  readonly binding: CodeBinding;
  readonly isUsed: boolean;
  /** ms UTC */
  readonly expiresAt: number;
}

/** A refresh token lives as long as the session (`online`), or beyond it (`offline`). */
export type RefreshKind = 'online' | 'offline';

export interface Family {
  readonly id: string;
  readonly grant: UserGrant;
  readonly refresh?: RefreshKind;
  readonly nonce?: string;
  /** ms UTC */
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  readonly isRevoked: boolean;
}

export interface StoredRefresh {
  readonly family: Family;
  /** current: may be used; previous: was used last; older: was used before that. SECURITY ST-07 */
  readonly generation: 'current' | 'previous' | 'older';
  /** When `previous` was used, ms UTC. */
  readonly rotatedAt?: number;
  /** When the current one ends, ms UTC. */
  readonly expiresAt: number;
}

export interface StoredToken {
  readonly grant: Grant;
  readonly familyId?: string;
  /** ms UTC */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Which families: all given conditions hold. */
export interface FamilyFilter {
  readonly id?: string;
  readonly userId?: string;
  readonly clientId?: string;
  readonly sessionId?: string;
}

export interface Launch {
  readonly clientId: string;
  readonly userId: string;
  readonly patientId?: string;
  readonly encounterId?: string;
  readonly context?: LaunchContext;
}

export interface PushedRequest {
  readonly clientId: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface RememberedConsent {
  readonly userId: string;
  readonly clientId: string;
  /** Consent to one patient's record does not speak of another's. */
  readonly patientId?: string;
  readonly scope: string;
}

export interface Grants {
  /** Makes a code with its family; returns the code. It lives 60 s unless told otherwise. */
  createCode(grant: UserGrant, binding: CodeBinding, lifetimeMs?: number): Promise<string>;
  /** Also a used or an expired one. */
  findCode(code: string): Promise<StoredCode | undefined>;
  /** Whether it was this call that used the code up: true once, and never after its time. */
  useCode(code: string): Promise<boolean>;

  /** A family without a code, for a person who signed in to the API itself. */
  createFamily(grant: UserGrant): Promise<string>;
  /** Gives a family its first refresh token, and returns it. It may be bound to a key, as those after it. */
  openRefresh(familyId: string, kind: RefreshKind, lifetime: RefreshLifetime, cnf?: Grant['cnf']): Promise<string>;
  /** Undefined for what is no refresh token of ours. Also of a revoked or expired family. */
  findRefresh(token: string): Promise<StoredRefresh | undefined>;
  /** The successor of a current token; undefined when it is current no more. One statement: one of many wins. ST-06 */
  rotateRefresh(token: string, lifetimeMs: number): Promise<string | undefined>;
  /** The very successor that `rotateRefresh` made of a token, while it is the previous one. SECURITY ST-07 */
  successorOf(token: string): Promise<string | undefined>;

  /** Makes an access token and returns it. */
  createToken(token: StoredToken): Promise<string>;
  /** By its SHA-256; undefined when it is unknown, expired or revoked, or its family or its client ended. */
  findToken(hash: Buffer): Promise<StoredToken | undefined>;
  revokeToken(hash: Buffer): Promise<void>;

  /** Newest first; those that can still be used. */
  listFamilies(filter: FamilyFilter, limit: number): Promise<readonly Family[]>;
  /** Ends families with all their tokens, and with a user or a client named also tokens without a family. */
  revoke(filter: FamilyFilter, reason: string): Promise<number>;
  /** A person signed out: what was granted for the length of the session ends. */
  endSession(sessionId: string): Promise<void>;

  /** A handle for an EHR launch, 5 minutes unless told otherwise. SECURITY SL-07 */
  createLaunch(launch: Launch, lifetimeMs?: number): Promise<string>;
  /** Uses a handle up; undefined, and not used up, when it is not this client's and this user's. */
  useLaunch(handle: string, by: { readonly clientId: string; readonly userId: string }): Promise<Launch | undefined>;

  /** Keeps a pushed request (RFC 9126); returns its `request_uri`. */
  createPushedRequest(request: PushedRequest, lifetimeMs: number): Promise<string>;
  /** Reads it; `usePushedRequest` ends it, once the code is made. */
  findPushedRequest(requestUri: string, clientId: string): Promise<PushedRequest | undefined>;
  usePushedRequest(requestUri: string, clientId: string): Promise<boolean>;

  findConsent(consent: Omit<RememberedConsent, 'scope'>): Promise<RememberedConsent | undefined>;
  rememberConsent(consent: RememberedConsent, lifetimeMs: number): Promise<void>;
  /** Forgets what a person consented to for a client, and ends what was granted. */
  withdrawConsent(userId: string, clientId: string): Promise<void>;
  /** Forgets consents of a person, to a client, or of a person to a client; what was granted stands. */
  forgetConsents(filter: { readonly userId?: string; readonly clientId?: string }): Promise<void>;

  /** False when the issuer has used the `jti` before, on whatever node. SECURITY SA-05 */
  rememberAssertion(issuer: string, jti: string, until: number): Promise<boolean>;
  /** False when a proof of this key (its thumbprint) with this `jti` was used before, on whatever node. SECURITY ST-10 */
  rememberProof(jkt: string, jti: string, until: number): Promise<boolean>;

  /** Deletes what has been over for a day, and proofs that are over, at most `limit` rows of each kind. Resolves to how many. */
  purge(limit: number): Promise<number>;
}

export interface RefreshLifetime {
  /** From each rotation. */
  readonly slidingMs: number;
  /** From the first. */
  readonly absoluteMs: number;
}
