/** The first administrator, made by who holds a link that only the operator's terminal and folder show. SECURITY LG-16 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { ChallengeStore, PeopleStore } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import type { RecordPeople } from './audit-people.ts';
import type { Enrolment } from './enrolment.ts';
import type { Hashing } from './hashing.ts';
import { hashOf, newSecret } from './secrets.ts';

const SETUP_MS = 24 * 60 * 60_000;
const TOKEN = /\/setup\/([\w-]{43})\s*$/;
const ROLES = ['ADMIN'] as const;

export interface NewAdministrator {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

export interface Setup {
  /**
   * A new link, in place of the one before in this data folder; those of other nodes stay. Undefined, and nothing is left
   * of any, when there is an administrator.
   */
  link(): Promise<string | undefined>;
  isOpen(token: string): Promise<boolean>;
  /** `wrong-code`: the app does not have the secret. Undefined when the link is not good any more. */
  make(
    token: string,
    administrator: NewAdministrator,
    code: string,
    address: string,
  ): Promise<{ readonly user: User; readonly recoveryCodes: readonly string[] } | 'wrong-code' | undefined>;
}

export interface SetupOptions {
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly enrolment: Enrolment;
  readonly hashing: Hashing;
  readonly record: RecordPeople;
  readonly url: string;
  readonly dataDir: string;
  readonly now: Clock;
}

export function createSetup(options: SetupOptions): Setup {
  const { people, challenges, enrolment, hashing, record, url, dataDir, now } = options;
  const file = join(dataDir, 'setup-link');

  /** What an earlier start wrote here. */
  async function forgetOwn(): Promise<void> {
    const before = existsSync(file) ? TOKEN.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
    if (before !== undefined) await challenges.take('setup', hashOf(before));
    rmSync(file, { force: true });
  }

  return {
    async link() {
      await forgetOwn();
      if (await people.hasAdministrator()) {
        await challenges.removeAll('setup');
        return undefined;
      }
      const token = newSecret();
      await challenges.add({ kind: 'setup', hash: hashOf(token), expiresAt: now() + SETUP_MS });
      const link = `${url}/setup/${token}`;
      // Servers that share the folder may begin at one time: the last one's link stays.
      const aside = `${file}.${token.slice(0, 8)}`;
      writeFileSync(aside, `${link}\n`, { mode: 0o600, flag: 'wx' });
      renameSync(aside, file);
      return link;
    },

    isOpen: async (token) => (await challenges.find('setup', hashOf(token))) !== undefined,

    async make(token, { name, email, password }, code, address) {
      const offered = await enrolment.offer(token, 'setup');
      if (!offered) return undefined;
      const proven = enrolment.prove(offered.secret, code);
      if (!proven) return 'wrong-code';
      const passwordHash = await hashing.hash(password);
      if (!(await challenges.take('setup', hashOf(token)))) return undefined;
      const user = await people.addFirstAdministrator(
        {
          name,
          email,
          roles: ROLES,
          patientIds: [],
          practitionerRoleIds: [],
          organizationIds: [],
          passwordHash,
          isEmailVerified: true,
        },
        proven.factor,
      );
      await challenges.removeAll('setup'); // the links of all nodes
      if (!user) return undefined;
      rmSync(file, { force: true });
      await record({ kind: 'user', outcome: 0, rule: 'first-administrator', user, account: user.id, address });
      return { user, recoveryCodes: proven.codes };
    },
  };
}
