/** What the two providers have in common: whom they vouch for, and as what that person may act here. */
import type { Acting, ProviderId } from '../../ports/upstream.ts';
import type { Cis2Role } from '../../standards/nhs/cis2-claims.ts';
import type { CitizenClaims } from '../../standards/nhs/nhs-login-claims.ts';
import type { IdToken } from './id-token.ts';
import type { Answer, RelyingParty } from './relying-party.ts';

/** Somebody whom a provider vouches for, strongly enough. */
export interface Vouched {
  readonly provider: ProviderId;
  readonly issuer: string;
  readonly subject: string;
  /** For a new account. */
  readonly name: string;
  /** ms UTC */
  readonly authTime: number;
  readonly amr: readonly string[];
  /** Roles that a member of staff has: none for citizens. */
  readonly roles: readonly Cis2Role[];
  readonly sdsUserId?: string;
  /** How well a citizen's identity is proved. */
  readonly proofing?: 'P5' | 'P9';
  /** By what a citizen's record is found. */
  readonly citizen?: CitizenClaims;
}

export interface Provider {
  readonly id: ProviderId;
  /** On buttons: `NHS login`. */
  readonly label: string;
  readonly party: RelyingParty;
  /** Of the authorization request; `again`: the person shows anew who they are. */
  parameters(again: boolean): Readonly<Record<string, string>>;
  /** Checks levels and freshness; throws `UpstreamRefusal`. `notBefore`: the person must have signed in since, ms UTC. */
  vouch(answer: Answer, notBefore?: number): Judged;
  /** The same of an ID token alone. */
  vouchFor(idToken: IdToken): Judged;
  /** As what the person acts in this role, or as a citizen. Throws `UpstreamRefusal`. */
  act(vouched: Vouched, role?: Cis2Role): Promise<Acting>;
}

export interface Judged {
  readonly vouched: Vouched;
  /** Chosen at the provider, or the only one; absent while somebody must choose. */
  readonly role?: Cis2Role;
}
