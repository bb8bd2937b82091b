/**
 * Signing in: the password, then the second factor. Whoever fails learns nothing about the account: unknown, wrong,
 * disabled and locked give one answer in one time. SECURITY LG-04 to LG-07, LG-09
 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Challenge, ChallengeStore, PeopleStore, Person } from '../../ports/people.ts';
import type { RecordPeople } from './audit-people.ts';
import type { Hashing } from './hashing.ts';
import { recoveryHash } from './recovery-codes.ts';
import { hashOf, newSecret } from './secrets.ts';
import type { SecurityKeys } from './security-keys.ts';
import type { Proof } from './sessions.ts';
import type { Tell } from './tell.ts';
import type { Throttle } from './throttle.ts';
import { findTotpStep, readTotpCode } from './totp.ts';

const SECOND_STEP_MS = 5 * 60_000;
const ENROLMENT_MS = 15 * 60_000;
const WRONG_CODES_MAX = 5;

export interface PasswordAttempt {
  readonly email: string;
  readonly password: string;
  readonly address: string;
  /** Value of the cookie of a trusted browser. */
  readonly device?: string;
}

export type PasswordResult =
  | { readonly kind: 'done'; readonly proof: Proof }
  /** `token` opens the second step for five minutes. */
  | { readonly kind: 'second-step'; readonly token: string; readonly person: Person }
  /** The person may do nothing before they have a second factor; `token` opens its making. */
  | { readonly kind: 'enrolment'; readonly token: string; readonly person: Person }
  | { readonly kind: 'refused' }
  | { readonly kind: 'throttled'; readonly retryAfterMs: number };

export type SecondFactorAnswer =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'recovery'; readonly code: string }
  | { readonly kind: 'security-key'; readonly answer: string };

export interface SecondAttempt {
  readonly token: string;
  readonly answer: SecondFactorAnswer;
  readonly address: string;
  readonly device?: string;
}

export type SecondResult =
  | { readonly kind: 'done'; readonly proof: Proof; readonly recoveryCodesLeft?: number }
  | { readonly kind: 'wrong' }
  /** The step is over: it took too long, or there were too many wrong codes. */
  | { readonly kind: 'over' }
  | { readonly kind: 'throttled'; readonly retryAfterMs: number };

export interface SignIn {
  password(attempt: PasswordAttempt): Promise<PasswordResult>;
  secondStep(attempt: SecondAttempt): Promise<SecondResult>;
  /** Whose second step this is, while it is open. */
  findSecondStep(token: string): Promise<{ readonly person: Person; readonly challenge: Challenge } | undefined>;
  /** Opens the making of a second factor for somebody who has proven who they are. */
  beginEnrolment(person: Pick<Person, 'id' | 'securityVersion'>, data?: Record<string, unknown>): Promise<string>;
}

export interface SignInOptions {
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly hashing: Hashing;
  readonly throttle: Throttle;
  readonly cipher: Cipher;
  readonly securityKeys: SecurityKeys;
  readonly needsMfa: (person: Person) => boolean;
  readonly record: RecordPeople;
  readonly tell: Tell;
  readonly now: Clock;
}

export const totpContext = (personId: string): string => `totp ${personId}`;

/** Whether the person has a second factor. */
export const hasMfa = ({ totp, securityKeyCount }: Person): boolean => totp !== undefined || securityKeyCount > 0;

export function createSignIn(options: SignInOptions): SignIn {
  const { people, challenges, hashing, throttle, cipher, securityKeys, needsMfa, record, tell, now } = options;

  /** The browser's own counter, when the cookie is one that this person was given. */
  async function deviceOf(person: Person | undefined, device: string | undefined): Promise<string | undefined> {
    if (device === undefined) return undefined;
    const hash = hashOf(device);
    const owner = await people.findDevice(hash);
    return person && owner === person.id ? hash.toString('base64url') : undefined;
  }

  async function open(kind: 'second-step' | 'enrolment', person: Pick<Person, 'id' | 'securityVersion'>, data = {}) {
    const token = newSecret();
    await challenges.add({
      kind,
      hash: hashOf(token),
      personId: person.id,
      securityVersion: person.securityVersion,
      data,
      expiresAt: now() + (kind === 'enrolment' ? ENROLMENT_MS : SECOND_STEP_MS),
    });
    return token;
  }

  async function findSecondStep(token: string) {
    const challenge = await challenges.find('second-step', hashOf(token));
    const person = await personOf(people, challenge);
    return challenge && person && { challenge, person };
  }

  async function isRight(person: Person, challenge: Challenge, answer: SecondFactorAnswer) {
    if (answer.kind === 'security-key') {
      const expected = challenge.data['keyChallenge'];
      const isProven = typeof expected === 'string' && (await securityKeys.verify(person, answer.answer, expected));
      return isProven ? { amr: 'hwk' } : undefined;
    }
    if (answer.kind === 'recovery') {
      const hash = recoveryHash(answer.code);
      const left = hash && (await people.useRecoveryCode(person.id, hash));
      return left === undefined ? undefined : { amr: 'otp', left };
    }
    const code = readTotpCode(answer.code);
    if (code === undefined || person.totp === undefined) return undefined;
    const step = findTotpStep(cipher.open(person.totp, totpContext(person.id)), code, now());
    return step !== undefined && (await people.useTotpStep(person.id, step)) ? { amr: 'otp' } : undefined;
  }

  return {
    findSecondStep,
    beginEnrolment: (person, data) => open('enrolment', person, data),

    async password({ email, password, address, device }) {
      const person = await people.findByEmail(email);
      const deviceId = await deviceOf(person, device);
      const admission = await throttle.admit({ email, address, ...(deviceId !== undefined && { deviceId }) });
      if (admission.kind === 'throttled') return admission;
      const isLocked = admission.kind === 'locked';
      // Hashed in every case, so that the time says nothing.
      const matches = await hashing.verify(isLocked ? undefined : person?.passwordHash, password);
      const fault = faultOf(person, isLocked, matches);
      if (fault !== undefined || !person || admission.kind === 'locked') {
        if (admission.kind === 'admitted') await admission.failed();
        await record({
          kind: 'login',
          outcome: 4,
          rule: fault ?? 'unknown-user',
          address,
          ...(person && { account: person.id }),
        });
        return { kind: 'refused' };
      }
      await admission.succeeded();
      await rehash(person, password);
      if (hasMfa(person)) return { kind: 'second-step', person, token: await open('second-step', person) };
      if (needsMfa(person)) return { kind: 'enrolment', person, token: await open('enrolment', person) };
      const proof = { user: person, amr: ['pwd'], authTime: now() };
      await record({ kind: 'login', outcome: 0, rule: 'signed-in', address, ...proof });
      return { kind: 'done', proof };
    },

    async secondStep({ token, answer, address, device }) {
      const found = await findSecondStep(token);
      if (!found) return { kind: 'over' };
      const { person } = found;
      const deviceId = await deviceOf(person, device);
      // A security key cannot be guessed, so that nobody is locked out of using theirs.
      const admission =
        answer.kind === 'security-key'
          ? undefined
          : await throttle.admit({ email: `code ${person.id}`, address, ...(deviceId !== undefined && { deviceId }) });
      if (admission?.kind === 'throttled') return admission;
      const challenge = await challenges.attempt('second-step', hashOf(token), WRONG_CODES_MAX);
      if (!challenge) return { kind: 'over' };
      const right = admission?.kind === 'locked' ? undefined : await isRight(person, challenge, answer);
      // Of two right answers at once, one ends the step.
      if (!right || !(await challenges.take('second-step', hashOf(token)))) {
        if (admission?.kind === 'admitted') await admission.failed();
        await record({ kind: 'mfa', outcome: 4, rule: `wrong-${answer.kind}`, address, account: person.id });
        if (challenge.failures < WRONG_CODES_MAX) return { kind: 'wrong' };
        await challenges.take('second-step', hashOf(token));
        return { kind: 'over' };
      }
      if (admission?.kind === 'admitted') await admission.succeeded();
      const proof = { user: person, amr: ['pwd', right.amr], authTime: now() };
      await record({ kind: 'login', outcome: 0, rule: `signed-in-${answer.kind}`, address, ...proof });
      if (right.left === undefined) return { kind: 'done', proof };
      tell({ kind: 'recovery-code-used', to: person.email, name: person.name, left: right.left });
      return { kind: 'done', proof, recoveryCodesLeft: right.left };
    },
  };

  async function rehash(person: Person, password: string): Promise<void> {
    const stored = person.passwordHash;
    if (stored === undefined || !hashing.isOutdated(stored)) return;
    await people.rehashPassword(person.id, stored, await hashing.hash(password));
  }
}

function faultOf(person: Person | undefined, isLocked: boolean, matches: boolean): string | undefined {
  if (isLocked) return 'locked';
  if (!person) return 'unknown-user';
  if (!matches) return 'wrong-password';
  if (person.isDisabled) return 'disabled';
  return person.isEmailVerified ? undefined : 'email-not-verified';
}

/** Whose challenge it is, as long as nothing has happened since that ends it. */
export async function personOf(people: PeopleStore, challenge: Challenge | undefined): Promise<Person | undefined> {
  if (challenge?.personId === undefined) return undefined;
  const person = await people.findPerson(challenge.personId);
  return person && !person.isDisabled && person.securityVersion === challenge.securityVersion ? person : undefined;
}
