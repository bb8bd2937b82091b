/** People who sign in through another provider. `src/postgres/identity/upstream.ts` implements it. SECURITY NH-03 to NH-09 */
import type { NhsActor, Role } from './caller.ts';
import type { NewPerson, Person } from './people.ts';

export type ProviderId = NhsActor['provider'];

/** As what somebody acts for as long as a session lasts: it stands in place of what their account says. */
export interface Acting {
  readonly roles: readonly Role[];
  readonly patientIds: readonly string[];
  readonly practitionerId?: string;
  readonly practitionerRoleIds: readonly string[];
  readonly organizationIds: readonly string[];
  readonly nhs: NhsActor;
  /** ms UTC; from then on nobody acts by it. */
  readonly endsAt: number;
}

/** Whom a provider knows, by its name for them and by nothing else. SECURITY NH-09 */
export interface IdentityKey {
  readonly issuer: string;
  readonly subject: string;
}

export interface UpstreamIdentity extends IdentityKey {
  readonly id: string;
  readonly provider: ProviderId;
  readonly personId: string;
  /** ms UTC */
  readonly createdAt: number;
}

/** request: somebody was sent to a provider; role: has come back and chooses a role; link: has come back and confirms. */
export type StepKind = 'request' | 'role' | 'link';

export interface UpstreamStore {
  findPerson(key: IdentityKey): Promise<Person | undefined>;
  /** The person of the identity; one that is made for it when there is none, under any race one alone. */
  findOrAddPerson(key: IdentityKey, provider: ProviderId, person: NewPerson): Promise<Person>;
  /** False when it is somebody's already. */
  link(key: IdentityKey, provider: ProviderId, personId: string): Promise<boolean>;
  list(personId: string): Promise<readonly UpstreamIdentity[]>;
  /** Only one of this person's. */
  unlink(personId: string, id: string): Promise<boolean>;

  /** Keeps a step by the hash of what the browser holds; `content` is sealed. A later one of the same hash replaces it. */
  addStep(kind: StepKind, hash: Buffer, content: Buffer, expiresAt: number): Promise<void>;
  /** Undefined when it is over. */
  findStep(kind: StepKind, hash: Buffer): Promise<Buffer | undefined>;
  /** Uses it up: of many at once one gets it. */
  takeStep(kind: StepKind, hash: Buffer): Promise<Buffer | undefined>;

  /** For tokens that belong to no browser's session: returns the id that stands in place of a session's. */
  addActing(personId: string, acting: Acting): Promise<string>;
  /** Whatever was granted in the session is over at once. */
  endActing(sessionId: string): Promise<void>;
  /**
   * The same for every session of an identity: those in browsers go, and what was exchanged for its ID tokens. Resolves to
   * the person, if it is anybody's.
   */
  endSessions(key: IdentityKey): Promise<string | undefined>;
  /** Removes what is over, at most `limit` of each; resolves to how many. */
  purge(limit: number): Promise<number>;
}
