/** Passwords changed and forgotten, accounts that people make for themselves. SECURITY LG-03, LG-11, LG-15 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ChallengeStore, PeopleStore, Person } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { RecordPeople } from './audit-people.ts';
import type { Hashing } from './hashing.ts';
import { findPasswordFault } from './passwords.ts';
import { hashOf, newSecret } from './secrets.ts';
import type { PeopleSessions } from './sessions.ts';
import { personOf } from './sign-in.ts';
import type { Tell } from './tell.ts';
import type { Throttle } from './throttle.ts';

const RESET_MS = 30 * 60_000;
const WRONG_PASSWORDS_MAX = 5;
const VERIFY_MS = 24 * 60 * 60_000;

export interface ResetLink {
  readonly link: string;
  /** ms UTC */
  readonly expiresAt: number;
}

/** `fault`: what is wrong with the new password. */
export type Changed = { readonly user: User } | { readonly fault: string } | undefined;

export interface Registration {
  readonly email: string;
  readonly password: string;
  readonly nhsNumber: string;
}

export interface Account {
  /** Sends a link to the address if it is anybody's. Returns at once, whosever it is. */
  requestReset(email: string): void;
  /** A link for an administrator to hand over; it proves the e-mail address as well. */
  makeResetLink(person: Pick<Person, 'id' | 'email' | 'securityVersion'>): Promise<ResetLink>;
  /** Whose link it is, while it is good. */
  findReset(token: string): Promise<Person | undefined>;
  /** Undefined when the link is not good any more. Ends every session; the second factor stays. */
  reset(token: string, password: string, address: string): Promise<Changed>;
  /** For who has just shown the current one. Ends every session. */
  changePassword(user: User, password: string, address: string): Promise<Changed>;
  /** Whether it is the person's password, for who is signed in already. */
  isPassword(user: User, password: string): Promise<boolean>;
  /** Makes a patient's account and sends a link that proves the address. Resolves alike when the address is known. */
  register(registration: Registration): Promise<void>;
  isVerifyLink(token: string): Promise<boolean>;
  /**
   * Confirms the address. The password is asked for, as somebody else may have made the account with this address:
   * whoever only owns the address must not confirm it for them. `wrong`: it is another one.
   */
  verifyEmail(token: string, password: string): Promise<'confirmed' | 'wrong' | 'over'>;
}

export interface AccountOptions {
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly hashing: Hashing;
  readonly throttle: Throttle;
  readonly sessions: PeopleSessions;
  readonly cipher: Cipher;
  readonly record: RecordPeople;
  readonly tell: Tell;
  readonly url: string;
  readonly now: Clock;
  readonly log: Log;
}

export function createAccount(options: AccountOptions): Account {
  const { people, challenges, hashing, throttle, sessions, cipher, record, tell, url, now, log } = options;

  async function makeLink(
    kind: 'reset' | 'verify-email',
    path: string,
    ms: number,
    person: Pick<Person, 'id' | 'securityVersion'>,
  ) {
    const token = newSecret();
    const expiresAt = now() + ms;
    await challenges.add({
      kind,
      hash: hashOf(token),
      personId: person.id,
      securityVersion: person.securityVersion,
      expiresAt,
    });
    return { link: `${url}${path}${token}`, expiresAt };
  }

  const findReset = async (token: string) => personOf(people, await challenges.find('reset', hashOf(token)));

  async function setPassword(
    person: User,
    password: string,
    rule: string,
    address?: string,
  ): Promise<User | undefined> {
    const user = await people.setPassword(person.id, await hashing.hash(password));
    if (!user) return undefined;
    await sessions.endAll(user.id);
    await challenges.removeAll('reset', user.id);
    await record({ kind: 'user', outcome: 0, rule, user, account: user.id, ...(address !== undefined && { address }) });
    tell({ kind: 'password-changed', to: user.email, name: user.name });
    return user;
  }

  /** Done after the answer has gone, so that its time does not say whether there was something to do. */
  const later = (what: string, work: () => Promise<void>): void => {
    setImmediate(() => {
      work().catch((error: unknown) => log.error(what, { error }));
    });
  };

  return {
    requestReset: (email) =>
      later('a reset could not be prepared', async () => {
        const person = await people.findByEmail(email);
        if (!person || person.isDisabled) return;
        const { link } = await makeLink('reset', '/reset/', RESET_MS, person);
        tell({ kind: 'reset', to: person.email, name: person.name, link });
      }),

    async makeResetLink(person) {
      await throttle.forgive(person.email);
      return makeLink('reset', '/reset/', RESET_MS, person);
    },

    findReset,

    async reset(token, password, address) {
      const person = await findReset(token);
      if (!person) return undefined;
      const fault = findPasswordFault(password, person);
      if (fault !== undefined) return { fault };
      if (!(await challenges.take('reset', hashOf(token)))) return undefined;
      await people.verifyEmail(person.id); // the link went there, or an administrator vouches
      const user = await setPassword(person, password, 'password-reset', address);
      return user && { user };
    },

    async changePassword(user, password, address) {
      const fault = findPasswordFault(password, user);
      if (fault !== undefined) return { fault };
      const changed = await setPassword(user, password, 'password-changed', address);
      return changed && { user: changed };
    },

    async isPassword(user, password) {
      const person = await people.findPerson(user.id);
      return hashing.verify(person?.passwordHash, password);
    },

    async register({ email, password, nhsNumber }) {
      const passwordHash = await hashing.hash(password);
      later('a registration could not be kept', async () => {
        const claim = cipher.seal(Buffer.from(nhsNumber), 'claimed nhs number');
        const known = await people.findByEmail(email);
        const user = known
          ? await people.replaceRegistration(known.id, passwordHash, claim)
          : await addRegistered(email, passwordHash, claim);
        if (user) {
          await record({ kind: 'user', outcome: 0, rule: 'registered', user, account: user.id });
          const { link } = await makeLink('verify-email', '/verify-email/', VERIFY_MS, user);
          tell({ kind: 'verify-email', to: user.email, name: user.name, link });
        } else if (known) tell({ kind: 'already-registered', to: known.email, name: known.name });
      });
    },

    isVerifyLink: async (token) =>
      (await personOf(people, await challenges.find('verify-email', hashOf(token)))) !== undefined,

    async verifyEmail(token, password) {
      const hash = hashOf(token);
      const person = await personOf(people, await challenges.attempt('verify-email', hash, WRONG_PASSWORDS_MAX));
      if (!person) return 'over';
      if (!(await hashing.verify(person.passwordHash, password))) return 'wrong';
      if (!(await challenges.take('verify-email', hash))) return 'over';
      await people.verifyEmail(person.id);
      await record({ kind: 'user', outcome: 0, rule: 'email-verified', user: person, account: person.id });
      return 'confirmed';
    },
  };

  /** Undefined when another one was quicker. */
  async function addRegistered(email: string, passwordHash: string, claim: Buffer): Promise<User | undefined> {
    try {
      return await people.add({
        name: email.split('@')[0] ?? email,
        email,
        roles: ['PATIENT'],
        patientIds: [],
        practitionerRoleIds: [],
        organizationIds: [],
        passwordHash,
        isEmailVerified: false,
        nhsNumberClaim: claim,
      });
    } catch (error) {
      if (!(error instanceof FhirError) || error.status !== 409) throw error;
      return undefined;
    }
  }
}
