/** Programs that may ask for tokens. `src/postgres/identity/clients.ts` implements it. SECURITY A5, SR */

import type { SigningAlg } from './signing-keys.ts';

/** How a client proves who it is: not at all, by a secret, by a key of its own, by its TLS certificate. */
export type ClientKind = 'public' | 'symmetric' | 'asymmetric' | 'mtls';

/** Public keys (RFC 7517). */
export interface JwkSet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

export interface Client {
  /** Made by us. SECURITY SR-03 */
  readonly id: string;
  readonly name: string;
  readonly publisher?: string;
  readonly kind: ClientKind;
  readonly redirectUris: readonly string[];
  readonly postLogoutUris: readonly string[];
  /** Where an EHR launch opens the app. */
  readonly launchUrl?: string;
  /** All it may ever be granted, as a scope string. SECURITY SC-14 */
  readonly scope: string;
  /** At most one of `jwks` and `jwksUri`, of an asymmetric client. */
  readonly jwks?: JwkSet;
  readonly jwksUri?: string;
  /** Subject of the certificate of an `mtls` client (RFC 8705 section 2.1.2). */
  readonly certificateSubject?: string;
  /** Or one of its alternative names, after its kind: `uri:urn:mortar:org:A83008`. */
  readonly certificateName?: string;
  /** How the token endpoint speaks with it. SECURITY NH-01 */
  readonly profile?: 'nhs';
  /** How its ID tokens are signed; RS256 unless it asks. SECURITY SO-01 */
  readonly idTokenAlg?: SigningAlg;
  readonly mayIntrospect: boolean;
  /** Its assertions may have a list with one audience. SECURITY SA-04 */
  readonly isLegacyAudience: boolean;
  /** Somebody has looked at it; the consent page says when nobody has. */
  readonly isVerified: boolean;
  readonly needsPushedRequests: boolean;
  readonly isDisabled: boolean;
  /** ms UTC */
  readonly createdAt: number;
}

export type NewClient = Omit<Client, 'id' | 'isDisabled' | 'createdAt'>;

export interface Clients {
  /** Also a disabled one: look at `isDisabled`. */
  find(id: string): Promise<Client | undefined>;
  /** By name, a page at a time. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly Client[]>;
  add(client: NewClient): Promise<Client>;
  /** Makes or changes a client that is part of Mortar, under an id of ours. */
  put(id: string, client: NewClient): Promise<Client>;
  /** Replaces all that was registered; undefined when there is no such client. */
  change(id: string, client: NewClient): Promise<Client | undefined>;
  /** False when there is no such client. Its tokens stop within 5 s. */
  setDisabled(id: string, isDisabled: boolean): Promise<boolean>;
  /** With all that was granted to it. */
  remove(id: string): Promise<boolean>;

  /** Makes a secret and returns it, the only time it is seen. The two newest are valid. SECURITY SA-02 */
  addSecret(id: string, expiresAt?: number): Promise<string>;
  isSecret(id: string, secret: string): Promise<boolean>;
  /** Makes the token that manages a registration (RFC 7592), instead of the one before. */
  addRegistrationToken(id: string): Promise<string>;
  isRegistrationToken(id: string, token: string): Promise<boolean>;

  /** Makes a token by which one app may be registered (RFC 7591 section 3), the only time it is seen. SECURITY SR-01 */
  addInitialToken(madeBy: string, lifetimeMs: number): Promise<string>;
  isInitialToken(token: string): Promise<boolean>;
  /** Whether it was this call that used it up. */
  useInitialToken(token: string): Promise<boolean>;

  /** Origins of the redirect URIs of all clients that are not disabled. SECURITY SD-06 */
  origins(): Promise<readonly string[]>;
}
