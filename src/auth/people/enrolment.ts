/** Second factors made: TOTP with its recovery codes, and security keys. SECURITY LG-06, LG-08, LG-09, LG-10 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Challenge, ChallengeStore, FactorFor, PeopleStore, Person } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import type { RecordPeople } from './audit-people.ts';
import { newRecoveryCodes, recoveryHashes } from './recovery-codes.ts';
import { hashOf } from './secrets.ts';
import { personOf, totpContext } from './sign-in.ts';
import type { Tell } from './tell.ts';
import { findTotpStep, newTotpSecret, readTotpCode, toBase32 } from './totp.ts';

/** A TOTP secret on its way to a person's app. */
export interface OfferedSecret {
  readonly secret: Buffer;
  readonly base32: string;
}

export interface Enrolment {
  /** Whose enrolment it is, while it is open. */
  find(token: string): Promise<{ readonly person: Person; readonly challenge: Challenge } | undefined>;
  /** The secret of this enrolment or setup; the same each time it is asked for. */
  offer(token: string, kind: 'enrolment' | 'setup'): Promise<OfferedSecret | undefined>;
  /** Keeps the secret once a code proves that the app has it. Undefined when it does not. */
  enrol(token: string, code: string, address: string): Promise<User | undefined>;
  /** Codes that were made in this enrolment, to be shown until they are taken away. */
  codes(token: string): Promise<readonly string[] | undefined>;
  /** Keeps codes to be shown by `codes`. */
  keepCodes(token: string, codes: readonly string[]): Promise<void>;
  /** New codes in place of the old; they are shown by `codes`. */
  renewCodes(token: string, user: User): Promise<void>;
  forget(token: string): Promise<void>;
  /** A factor for somebody else's app: the secret to hand over, and what is to be kept. */
  make(): { readonly factor: FactorFor; readonly totpSecret: string; readonly recoveryCodes: readonly string[] };
  /** What is to be kept of an offered secret that this code proves. */
  prove(secret: Buffer, code: string): { readonly factor: FactorFor; readonly codes: readonly string[] } | undefined;
}

export interface EnrolmentOptions {
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly cipher: Cipher;
  readonly record: RecordPeople;
  readonly tell: Tell;
  readonly now: Clock;
}

const OFFER = 'offered totp secret';
const CODES = 'recovery codes to show';
const WRONG_CODES_MAX = 20;

export function createEnrolment(options: EnrolmentOptions): Enrolment {
  const { people, challenges, cipher, record, tell, now } = options;
  const seal = (plain: Buffer, context: string): string => cipher.seal(plain, context).toString('base64');
  const unseal = (sealed: string, context: string): Buffer => cipher.open(Buffer.from(sealed, 'base64'), context);
  const factorOf =
    (secret: Buffer, codes: readonly string[], step?: number): FactorFor =>
    (personId) => ({
      totp: cipher.seal(secret, totpContext(personId)),
      recoveryHashes: recoveryHashes(codes),
      ...(step !== undefined && { step }),
    });

  const find = async (token: string) => {
    const challenge = await challenges.find('enrolment', hashOf(token));
    const person = await personOf(people, challenge);
    return challenge && person && { challenge, person };
  };

  async function offer(token: string, kind: 'enrolment' | 'setup'): Promise<OfferedSecret | undefined> {
    const hash = hashOf(token);
    const challenge = await challenges.find(kind, hash);
    if (!challenge) return undefined;
    const known = challenge.data['secret'];
    const secret = typeof known === 'string' ? unseal(known, OFFER) : newTotpSecret();
    if (typeof known !== 'string') await challenges.setData(hash, { secret: seal(secret, OFFER) });
    return { secret, base32: toBase32(secret) };
  }

  function prove(secret: Buffer, text: string) {
    const code = readTotpCode(text);
    const step = code === undefined ? undefined : findTotpStep(secret, code, now());
    if (step === undefined) return undefined;
    const codes = newRecoveryCodes();
    return { factor: factorOf(secret, codes, step), codes };
  }

  const keepCodes = (token: string, codes: readonly string[]): Promise<void> =>
    challenges.setData(hashOf(token), { codes: seal(Buffer.from(JSON.stringify(codes)), CODES) });

  return {
    find,
    offer,
    prove,
    keepCodes,

    async enrol(token, code, address) {
      const found = await find(token);
      if (!found || !(await challenges.attempt('enrolment', hashOf(token), WRONG_CODES_MAX))) return undefined;
      const offered = await offer(token, 'enrolment');
      const proven = offered && prove(offered.secret, code);
      if (!proven) return undefined;
      const { person } = found;
      const user = await people.setFactor(person.id, proven.factor(person.id));
      if (!user) return undefined;
      await keepCodes(token, proven.codes);
      await record({ kind: 'mfa', outcome: 0, rule: 'enrolled-code', user, address, account: user.id });
      tell({ kind: 'second-factor-changed', to: user.email, name: user.name });
      return user;
    },

    async codes(token) {
      // The enrolment itself is over: the person's security version has moved on.
      const challenge = await challenges.find('enrolment', hashOf(token));
      const sealed = challenge?.data['codes'];
      return typeof sealed === 'string' ? (JSON.parse(unseal(sealed, CODES).toString()) as string[]) : undefined;
    },

    async renewCodes(token, user) {
      const codes = newRecoveryCodes();
      await people.setRecoveryCodes(user.id, recoveryHashes(codes));
      await keepCodes(token, codes);
      await record({ kind: 'mfa', outcome: 0, rule: 'recovery-codes-renewed', user, account: user.id });
      tell({ kind: 'second-factor-changed', to: user.email, name: user.name });
    },

    forget: async (token) => void (await challenges.take('enrolment', hashOf(token))),

    make() {
      const secret = newTotpSecret();
      const recoveryCodes = newRecoveryCodes();
      return { factor: factorOf(secret, recoveryCodes), totpSecret: toBase32(secret), recoveryCodes };
    },
  };
}
