/** What sign-in keeps about people. `src/postgres/identity/` implements it. Secrets reach it hashed or sealed. SECURITY E */
import type { Role } from './caller.ts';
import type { Acting } from './upstream.ts';
import type { User, Users } from './users.ts';

/** A user with what they prove themselves with. */
export interface Person extends User {
  readonly passwordHash?: string;
  /** TOTP secret, sealed. */
  readonly totp?: Buffer;
  readonly isEmailVerified: boolean;
  /** An administrator has removed the second factor: the next sign-in makes another. */
  readonly mustEnrol?: true;
  readonly securityKeyCount: number;
  readonly recoveryCodeCount: number;
}

/** What an administrator says about a user. */
export interface PersonDetails {
  readonly name: string;
  readonly email: string;
  readonly roles: readonly Role[];
  readonly patientIds: readonly string[];
  readonly practitionerId?: string;
  readonly practitionerRoleIds: readonly string[];
  readonly organizationIds: readonly string[];
  readonly relatedPersonIds?: readonly string[];
}

export interface NewPerson extends PersonDetails {
  readonly passwordHash?: string;
  readonly isEmailVerified: boolean;
  /** What the person says their NHS number is, sealed; it gives nothing before proof of identity. */
  readonly nhsNumberClaim?: Buffer;
}

/** A second factor made by a program that enrols for the person. */
export interface SecondFactor {
  readonly totp: Buffer;
  readonly recoveryHashes: readonly Buffer[];
  /** Time step of the code that proved it, so that it is not used twice. */
  readonly step?: number;
}

/** The factor, sealed for the person of this id. */
export type FactorFor = (personId: string) => SecondFactor;

export interface PersonPage {
  readonly people: readonly Person[];
  /** Where the next page begins. */
  readonly next?: string;
}

/** Accounts. Those that change what was proven (password, factors, disabling) raise `securityVersion`. */
export interface PeopleStore extends Users {
  /**
   * `factor`: enrolled from the start; it is sealed for the id that the person gets. Throws 409 `duplicate` when the
   * e-mail address is taken, under any race.
   */
  add(person: NewPerson, factor?: FactorFor): Promise<User>;
  /** The same while there is no administrator, and undefined afterwards. */
  addFirstAdministrator(person: NewPerson, factor: FactorFor): Promise<User | undefined>;
  hasAdministrator(): Promise<boolean>;
  findPerson(id: string): Promise<Person | undefined>;
  /** Letter case and Unicode form of the address make no difference. */
  findByEmail(email: string): Promise<Person | undefined>;
  /** By e-mail address, else by name when only one person has it. */
  findByName(nameOrEmail: string): Promise<User | undefined>;
  /** By e-mail address; `after` is `next` of the page before. */
  list(limit: number, after?: string): Promise<PersonPage>;
  /** Undefined when there is no such person. Throws 409 as `add` does. */
  change(id: string, changes: Partial<PersonDetails>): Promise<User | undefined>;
  setDisabled(id: string, isDisabled: boolean): Promise<User | undefined>;
  setPassword(id: string, hash: string): Promise<User | undefined>;
  /** The same password under other parameters: what was granted stands. False when it has changed meanwhile. */
  rehashPassword(id: string, from: string, to: string): Promise<boolean>;
  verifyEmail(id: string): Promise<void>;
  /** Password and claim of an account that its owner made and nobody has confirmed yet; undefined for any other. */
  replaceRegistration(id: string, passwordHash: string, nhsNumberClaim: Buffer): Promise<User | undefined>;

  /** Replaces TOTP secret and recovery codes. */
  setFactor(id: string, factor: SecondFactor): Promise<User | undefined>;
  /** Whether the time step is later than every one used before; if so it is used now. SECURITY LG-06 */
  useTotpStep(id: string, step: number): Promise<boolean>;
  setRecoveryCodes(id: string, hashes: readonly Buffer[]): Promise<void>;
  /** How many are left after this one; undefined when it is none of them. */
  useRecoveryCode(id: string, hash: Buffer): Promise<number | undefined>;

  addSecurityKey(personId: string, key: NewSecurityKey): Promise<User | undefined>;
  securityKeys(personId: string): Promise<readonly SecurityKey[]>;
  /** Keeps the counter. False when another use has moved it as far already. */
  useSecurityKey(key: SecurityKey, counter: number, isBackedUp: boolean): Promise<boolean>;
  /** Removes one of the person's keys. */
  removeSecurityKey(personId: string, id: string): Promise<User | undefined>;

  /** Removes every second factor, and the trust in browsers, until the person makes another. */
  removeFactors(id: string): Promise<User | undefined>;

  /** Trusts the browser that holds the value of this hash; at most ten a person, the oldest go. SECURITY LG-05 */
  trustDevice(personId: string, hash: Buffer, expiresAt: number): Promise<void>;
  /** Whose browser it is. */
  findDevice(hash: Buffer): Promise<string | undefined>;
}

export interface NewSecurityKey {
  /** Base64url, as WebAuthn names it. */
  readonly id: string;
  /** What the person calls it. */
  readonly name: string;
  readonly publicKey: Buffer;
  readonly counter: number;
  readonly isBackedUp: boolean;
  readonly deviceType: string;
  readonly transports: readonly string[];
}

export interface SecurityKey extends NewSecurityKey {
  readonly createdAt: number;
  readonly usedAt?: number;
}

export type ChallengeKind = 'second-step' | 'enrolment' | 'security-key' | 'reset' | 'setup' | 'verify-email';

export interface NewChallenge {
  readonly kind: ChallengeKind;
  readonly hash: Buffer;
  readonly personId?: string;
  readonly securityVersion?: number;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly expiresAt: number;
}

export interface Challenge extends NewChallenge {
  readonly failures: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Steps that somebody must still take, by the hash of what they were given. Expired ones are not there. */
export interface ChallengeStore {
  /** At most ten of a kind a person: the oldest go. */
  add(challenge: NewChallenge): Promise<void>;
  find(kind: ChallengeKind, hash: Buffer): Promise<Challenge | undefined>;
  /** Uses it up: of many at once one gets it. */
  take(kind: ChallengeKind, hash: Buffer): Promise<Challenge | undefined>;
  /** Counts an attempt before it is judged; undefined, and the challenge gone, when there were `max` already. */
  attempt(kind: ChallengeKind, hash: Buffer, max: number): Promise<Challenge | undefined>;
  /** Keeps more of what is known by now. */
  setData(hash: Buffer, data: Readonly<Record<string, unknown>>): Promise<void>;
  /** Removes those of a person, or all that belong to none. */
  removeAll(kind: ChallengeKind, personId?: string): Promise<void>;
}

export interface NewSession {
  readonly hash: Buffer;
  readonly userId: string;
  readonly securityVersion: number;
  readonly authTime: number;
  readonly amr: readonly string[];
  readonly address?: string;
  readonly agent?: string;
  readonly endsAt: number;
  /** Where another provider vouched for it. */
  readonly acting?: Acting;
}

export interface StoredSession extends NewSession {
  readonly id: string;
  readonly createdAt: number;
  readonly seenAt: number;
}

export interface SessionStore {
  /** At most `max` a person: the oldest end. Resolves to the new one's id. */
  add(session: NewSession, max: number): Promise<string>;
  /** With the person as they are now, and as they act in it. */
  find(hash: Buffer): Promise<{ readonly session: StoredSession; readonly user: Person } | undefined>;
  list(userId: string): Promise<readonly StoredSession[]>;
  /** Keeps that it was used, never an earlier time than is kept. */
  touch(id: string, at: number): Promise<void>;
  end(userId: string, id: string): Promise<boolean>;
  /** Resolves to how many. */
  endAll(userId: string, exceptId?: string): Promise<number>;
}

/** Counters that all processes of a database share. */
export interface RateStore {
  /** Adds points, or sets them with a new end when `isForced`; a counter whose end has come begins anew. */
  upsert(key: string, points: number, durationMs: number, isForced: boolean): Promise<RateCount>;
  find(key: string): Promise<RateCount | undefined>;
  remove(key: string): Promise<boolean>;
}

export interface RateCount {
  readonly points: number;
  /** ms UTC */
  readonly expiresAt: number;
}

/** All of it. */
export interface Identity {
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly sessions: SessionStore;
  readonly rates: RateStore;
  /** Removes what has expired; resolves to how many rows. */
  purge(): Promise<number>;
}
