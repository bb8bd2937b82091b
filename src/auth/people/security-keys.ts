/** Security keys and passkeys as a second factor. W3C WebAuthn Level 3, sections 7.1 and 7.2. SECURITY LG-10 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { NewSecurityKey, PeopleStore, Person, SecurityKey } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import { isStaff } from './passwords.ts';

/** Loaded when somebody first uses a key: it is the largest package, and a start should not wait for it. */
const webAuthn = () => import('@simplewebauthn/server');

/** What the browser is asked, as JSON, and the challenge to compare its answer with. */
export interface Question {
  readonly options: object;
  readonly challenge: string;
}

export interface SecurityKeys {
  askToRegister(user: User): Promise<Question>;
  /** The key of the browser's answer; undefined when the answer proves nothing. */
  readRegistration(user: User, answer: string, challenge: string, name: string): Promise<NewSecurityKey | undefined>;
  ask(user: User): Promise<Question>;
  /** Of whoever has a key that knows them. */
  askAnybody(): Promise<Question>;
  /** Whose key has answered, and verified its user. */
  verifyAnybody(answer: string, challenge: string): Promise<Person | undefined>;
  /** Whether the answer proves possession of one of the person's keys. */
  verify(user: User, answer: string, challenge: string): Promise<boolean>;
}

export interface SecurityKeysOptions {
  readonly people: PeopleStore;
  /** How browsers reach us: its host is the relying party's id. */
  readonly url: string;
}

export const KEYS_MAX = 10;
const ANSWER_CHARACTERS_MAX = 16_384;

export function createSecurityKeys({ people, url }: SecurityKeysOptions): SecurityKeys {
  const { hostname, origin } = new URL(url);
  const verification = (user: User) => (isStaff(user.roles) ? 'required' : 'preferred');
  const described = ({ id, transports }: SecurityKey) => ({ id, transports: [...transports] });
  return {
    async askToRegister(user) {
      const keys = await people.securityKeys(user.id);
      const options = await (await webAuthn()).generateRegistrationOptions({
        rpName: 'Mortar',
        rpID: hostname,
        userName: user.email,
        userDisplayName: user.name,
        userID: new Uint8Array(Buffer.from(user.id)),
        attestationType: 'none',
        excludeCredentials: keys.map(described),
        authenticatorSelection: { residentKey: 'preferred', userVerification: verification(user) },
        supportedAlgorithmIDs: [-8, -7, -257],
      });
      return { options, challenge: options.challenge };
    },

    async readRegistration(user, answer, challenge, name) {
      const response = parse(answer) as RegistrationResponseJSON | undefined; // the library checks every member
      if (!response) return undefined;
      const result = await quietly(async () =>
        (await webAuthn()).verifyRegistrationResponse({
          response,
          expectedChallenge: challenge,
          expectedOrigin: origin,
          expectedRPID: hostname,
          requireUserVerification: isStaff(user.roles),
          supportedAlgorithmIDs: [-8, -7, -257],
        }),
      );
      if (!result?.verified) return undefined;
      const { credential, credentialDeviceType, credentialBackedUp } = result.registrationInfo;
      return {
        id: credential.id,
        name,
        publicKey: Buffer.from(credential.publicKey),
        counter: credential.counter,
        isBackedUp: credentialBackedUp,
        deviceType: credentialDeviceType,
        transports: readTransports(credential.transports),
      };
    },

    async ask(user) {
      const keys = await people.securityKeys(user.id);
      const options = await (await webAuthn()).generateAuthenticationOptions({
        rpID: hostname,
        allowCredentials: keys.map(described),
        userVerification: verification(user),
      });
      return { options, challenge: options.challenge };
    },

    async askAnybody() {
      const options = await (await webAuthn()).generateAuthenticationOptions({
        rpID: hostname,
        userVerification: 'required',
      });
      return { options, challenge: options.challenge };
    },

    async verifyAnybody(answer, challenge) {
      const response = readAssertion(answer);
      const handle: unknown = response?.response?.userHandle;
      if (!response || typeof handle !== 'string') return undefined;
      const person = await people.findPerson(Buffer.from(handle, 'base64url').toString());
      return person && (await prove(person, response, challenge, true)) ? person : undefined;
    },

    async verify(user, answer, challenge) {
      const response = readAssertion(answer);
      return response !== undefined && prove(user, response, challenge, isStaff(user.roles));
    },
  };

  async function prove(user: User, response: AuthenticationResponseJSON, challenge: string, needsUser: boolean) {
    const key = (await people.securityKeys(user.id)).find(({ id }) => id === response.id);
    if (!key) return false;
    const result = await quietly(async () =>
      (await webAuthn()).verifyAuthenticationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: hostname,
        credential: { id: key.id, publicKey: new Uint8Array(key.publicKey), counter: key.counter },
        requireUserVerification: needsUser,
      }),
    );
    if (!result?.verified) return false;
    const { newCounter, credentialBackedUp } = result.authenticationInfo;
    return people.useSecurityKey(key, newCounter, credentialBackedUp);
  }
}

const readAssertion = (answer: string) => parse(answer) as AuthenticationResponseJSON | undefined; // the library checks every member

function parse(text: string): object | undefined {
  if (text.length > ANSWER_CHARACTERS_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The library throws for every answer that proves nothing, and for no other reason that a caller could act on. */
async function quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

const readTransports = (given: unknown): string[] =>
  Array.isArray(given) ? given.filter((one) => typeof one === 'string' && /^[a-z-]{1,20}$/.test(one)).slice(0, 8) : [];
