/** People who sign in. `src/postgres/identity/` implements it. SECURITY E. */
import type { IncomingMessage } from 'node:http';
import type { NhsActor, Role } from './caller.ts';

export interface User {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly Role[];
  readonly isDisabled: boolean;
  readonly patientIds: readonly string[];
  readonly practitionerId?: string;
  readonly practitionerRoleIds: readonly string[];
  readonly organizationIds: readonly string[];
  /** RelatedPerson resources that are the person, who by them acts for patients. SECURITY FA-09 */
  readonly relatedPersonIds?: readonly string[];
  /** Grows with every change after which what was granted before must be granted anew: password, MFA, disabling. */
  readonly securityVersion: number;
  /** Where the person acts in a session of an identity provider of the NHS. */
  readonly nhs?: NhsActor;
}

export interface Users {
  /** As they act in the session of this id, if it is one of another provider; undefined once that is over. */
  find(id: string, sessionId?: string): Promise<User | undefined>;
}

/** A signed-in person in a browser. MFA is satisfied where the person's roles require it. */
export interface Session {
  /** Names the session in tables; not the cookie's value. */
  readonly id: string;
  readonly user: User;
  /** ms UTC */
  readonly authTime: number;
  /** Ways in which the person proved who they are (RFC 8176): `pwd`, `otp`, `hwk`. */
  readonly amr: readonly string[];
  /** Authentication context class: `urn:mortar:aal1`, `urn:mortar:aal2`. */
  readonly acr: string;
  /** Synchroniser token that every form of this session carries as the field `csrf`. SECURITY WB-01. */
  readonly csrf: string;
}

export interface Sessions {
  /** The session of a request's cookie; undefined when there is none, it has ended, or MFA is not done yet. */
  find(req: IncomingMessage): Promise<Session | undefined>;
  /** Whether a posted form may act: its `csrf` field and the request's `Origin` are ours. */
  isGenuine(req: IncomingMessage, session: Session, csrf: string | undefined): boolean;
}
