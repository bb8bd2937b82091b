/**
 * Signing in with a security key first: it proves possession and, as it verifies its user, the person, so that no
 * password is asked. Nothing of it can be guessed, so that no lock of the account stands before it. SECURITY LG-05, LG-10
 */
import type { Clock } from '../../ports/clock.ts';
import type { ChallengeStore, Person } from '../../ports/people.ts';
import type { RecordPeople } from './audit-people.ts';
import { hashOf, newSecret } from './secrets.ts';
import type { SecurityKeys } from './security-keys.ts';
import type { Proof } from './sessions.ts';

const STEP_MS = 5 * 60_000;

export interface Passkeys {
  /** Opens the step; it is nobody's until a key answers. */
  begin(): Promise<string>;
  /** What the browser is asked, as JSON, while the step is open. */
  question(token: string): Promise<string | undefined>;
  /** Undefined when the answer proves nothing, or its person may not sign in: which of them is not told. */
  signIn(token: string, answer: string, address: string): Promise<Proof | undefined>;
}

export interface PasskeysOptions {
  readonly challenges: ChallengeStore;
  readonly securityKeys: Pick<SecurityKeys, 'askAnybody' | 'verifyAnybody'>;
  readonly record: RecordPeople;
  readonly now: Clock;
}

export function createPasskeys({ challenges, securityKeys, record, now }: PasskeysOptions): Passkeys {
  return {
    async begin() {
      const token = newSecret();
      const { options, challenge } = await securityKeys.askAnybody();
      const data = { keyChallenge: challenge, options: JSON.stringify(options) };
      await challenges.add({ kind: 'security-key', hash: hashOf(token), data, expiresAt: now() + STEP_MS });
      return token;
    },

    async question(token) {
      const options = (await challenges.find('security-key', hashOf(token)))?.data['options'];
      return typeof options === 'string' ? options : undefined;
    },

    async signIn(token, answer, address) {
      const expected = (await challenges.take('security-key', hashOf(token)))?.data['keyChallenge'];
      if (typeof expected !== 'string') return undefined;
      const person = await securityKeys.verifyAnybody(answer, expected);
      const fault = faultOf(person);
      if (!person || fault !== undefined) {
        const account = person && { account: person.id };
        await record({ kind: 'login', outcome: 4, rule: fault ?? 'wrong-passkey', address, ...account });
        return undefined;
      }
      const proof = { user: person, amr: ['hwk', 'mfa'], authTime: now() };
      await record({ kind: 'login', outcome: 0, rule: 'signed-in-passkey', address, ...proof });
      return proof;
    },
  };
}

function faultOf(person: Person | undefined): string | undefined {
  if (!person) return 'wrong-passkey';
  if (person.isDisabled) return 'disabled';
  return person.isEmailVerified ? undefined : 'email-not-verified';
}
