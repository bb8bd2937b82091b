/**
 * Signing in through a provider: the browser goes there and comes back, and what came back is checked before anything
 * of it counts. What must stay secret on the way (nonce, PKCE verifier) is made from a cookie and is in no table.
 * SECURITY NH-04, NH-08, NH-09
 */
import { randomUUID } from 'node:crypto';
import { actAs } from '../../policy/acting.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import type { Person } from '../../ports/people.ts';
import type { IdentityKey, ProviderId, StepKind, UpstreamIdentity, UpstreamStore } from '../../ports/upstream.ts';
import type { User } from '../../ports/users.ts';
import type { Cis2Role } from '../../standards/nhs/cis2-claims.ts';
import { derive, hashOf, newSecret } from '../people/secrets.ts';
import type { Proof } from '../people/sessions.ts';
import { createIdTokenMemory } from './id-token-memory.ts';
import type { Provider, Vouched } from './provider.ts';
import { UpstreamRefusal } from './refusal.ts';
import type { SignInSecrets } from './relying-party.ts';

export interface UpstreamOptions {
  readonly providers: readonly Provider[];
  readonly store: UpstreamStore;
  readonly grants: Pick<Grants, 'rememberAssertion'>;
  readonly cipher: Cipher;
  /** What was granted in a session has ended: tokens are looked up anew. */
  readonly forgetTokens?: () => void;
  readonly now: Clock;
}

/** What somebody is sent to a provider for. */
export interface Errand {
  /** A path of ours where the person goes afterwards. */
  readonly next: string;
  /** The person shows anew who they are, or changes their role. */
  readonly again: boolean;
  /** The account to which the identity is to be connected. */
  readonly linkPersonId?: string;
}

/** What came back. */
export interface ProviderAnswer {
  readonly state: string;
  readonly code: string | undefined;
  readonly iss: string | undefined;
}

export type SignInResult =
  | { readonly kind: 'done'; readonly proof: Proof; readonly next: string }
  | { readonly kind: 'choose-role' }
  | { readonly kind: 'confirm-link' };

export interface RoleChoice {
  readonly provider: Provider;
  readonly roles: readonly Cis2Role[];
}

export interface LinkOffer {
  readonly label: string;
  /** The name that the provider gives. */
  readonly name: string;
}

/** `browser`: the value of a cookie that this browser alone has. */
export interface Upstream {
  readonly providers: readonly Pick<Provider, 'id' | 'label' | 'party'>[];
  find(id: string): Provider | undefined;
  /** The URL at the provider where the browser goes. */
  begin(provider: Provider, errand: Errand, browser: string): Promise<string>;
  /** Throws `UpstreamRefusal`. */
  answer(provider: Provider, answer: ProviderAnswer, browser: string): Promise<SignInResult>;
  findRoleChoice(browser: string): Promise<RoleChoice | undefined>;
  /** Throws `UpstreamRefusal` for a role that was not offered. */
  chooseRole(roleId: string, browser: string): Promise<SignInResult>;
  findLinkOffer(user: User, browser: string): Promise<LinkOffer | undefined>;
  /** Connects the identity of the offer to the person who asked for it. */
  confirmLink(user: User, browser: string): Promise<void>;
  identities(personId: string): Promise<readonly UpstreamIdentity[]>;
  unlink(personId: string, id: string): Promise<boolean>;
  /**
   * Ends what the provider says is over: every session of that identity, and what was granted in it. Resolves to whose
   * account it is, if it is anybody's. Throws `UpstreamRefusal`.
   */
  signOut(provider: Provider, logoutToken: string): Promise<string | undefined>;
  /** Ends all that was granted in a session, when its person signs in anew in another role. */
  endActing(sessionId: string): Promise<void>;
}

interface RequestStep extends Errand {
  readonly provider: ProviderId;
  readonly browser: string;
  readonly at: number;
}

/** Between the provider's answer and the choice of a role. */
interface RoleStep {
  readonly vouched: Vouched;
  readonly next: string;
}

interface LinkStep {
  readonly vouched: Vouched;
  readonly personId: string;
}

const REQUEST_MS = 10 * 60_000;
const CHOICE_MS = 5 * 60_000;
const SKEW_MS = 30_000;

export function createUpstream(options: UpstreamOptions): Upstream {
  const { providers, store, grants, cipher, forgetTokens, now } = options;
  const isNew = createIdTokenMemory(grants);
  const find = (id: string): Provider | undefined => providers.find((provider) => provider.id === id);

  const seal = (kind: StepKind, content: RequestStep | RoleStep | LinkStep): Buffer =>
    cipher.seal(Buffer.from(JSON.stringify(content)), `upstream ${kind}`);
  const open = <T>(kind: StepKind, sealed: Buffer | undefined): T | undefined =>
    sealed && (JSON.parse(cipher.open(sealed, `upstream ${kind}`).toString()) as T); // what seal was given

  /** A pending choice belongs to the browser, one of a kind. */
  const keyOf = (kind: StepKind, browser: string): Buffer => hashOf(derive(browser, kind));
  const keep = (kind: 'role' | 'link', browser: string, content: RoleStep | LinkStep): Promise<void> =>
    store.addStep(kind, keyOf(kind, browser), seal(kind, content), now() + CHOICE_MS);

  async function takeRequest(provider: Provider, state: string, browser: string): Promise<RequestStep> {
    const request = open<RequestStep>('request', await store.takeStep('request', hashOf(state)));
    if (!request || request.provider !== provider.id || request.browser !== hashOf(browser).toString('base64url'))
      throw new UpstreamRefusal('state');
    return request;
  }

  async function signIn(provider: Provider, vouched: Vouched, next: string, role?: Cis2Role): Promise<SignInResult> {
    const acting = await provider.act(vouched, role);
    const person = await personOf(store, vouched);
    const { amr, authTime } = vouched;
    return { kind: 'done', next, proof: { user: actAs(person, acting), amr, authTime, acting } };
  }

  return {
    providers,
    find,

    async begin(provider, errand, browser) {
      const state = newSecret();
      const at = now();
      const url = await provider.party.authorizationUrl(
        secretsOf(browser, state),
        provider.parameters(errand.again || errand.linkPersonId !== undefined),
      );
      const request = { ...errand, provider: provider.id, browser: hashOf(browser).toString('base64url'), at };
      await store.addStep('request', hashOf(state), seal('request', request), at + REQUEST_MS);
      return url;
    },

    async answer(provider, { state, code, iss }, browser) {
      const request = await takeRequest(provider, state, browser);
      if (code === undefined) throw new UpstreamRefusal('cancelled');
      const answer = await provider.party.redeem(code, iss, secretsOf(browser, state));
      if (!(await isNew(provider.party.issuer, answer.idToken))) throw new UpstreamRefusal('id-token', 'id-token-used');
      const { again, linkPersonId, next, at } = request;
      const { vouched, role } = provider.vouch(answer, again || linkPersonId !== undefined ? at : undefined);
      if (linkPersonId !== undefined) {
        await keep('link', browser, { vouched, personId: linkPersonId });
        return { kind: 'confirm-link' };
      }
      if (vouched.roles.length > 0 && !role) {
        await keep('role', browser, { vouched, next });
        return { kind: 'choose-role' };
      }
      return signIn(provider, vouched, next, role);
    },

    async findRoleChoice(browser) {
      const step = open<RoleStep>('role', await store.findStep('role', keyOf('role', browser)));
      const provider = step && find(step.vouched.provider);
      return step && provider && { provider, roles: step.vouched.roles };
    },

    async chooseRole(roleId, browser) {
      const step = open<RoleStep>('role', await store.takeStep('role', keyOf('role', browser)));
      const provider = step && find(step.vouched.provider);
      if (!step || !provider) throw new UpstreamRefusal('state');
      const role = step.vouched.roles.find(({ id }) => id === roleId);
      if (!role) throw new UpstreamRefusal('role-not-listed');
      return signIn(provider, step.vouched, step.next, role);
    },

    async findLinkOffer(user, browser) {
      const step = open<LinkStep>('link', await store.findStep('link', keyOf('link', browser)));
      if (!step || step.personId !== user.id) return undefined;
      return { label: find(step.vouched.provider)?.label ?? '', name: step.vouched.name };
    },

    async confirmLink(user, browser) {
      const step = open<LinkStep>('link', await store.takeStep('link', keyOf('link', browser)));
      if (!step) throw new UpstreamRefusal('state');
      if (step.personId !== user.id) throw new UpstreamRefusal('other-person');
      const { provider, issuer, subject } = step.vouched;
      if (await store.link({ issuer, subject }, provider, user.id)) return;
      const owner = await store.findPerson({ issuer, subject });
      if (owner?.id !== user.id) throw new UpstreamRefusal('linked-elsewhere');
    },

    identities: (personId) => store.list(personId),
    unlink: (personId, id) => store.unlink(personId, id),
    async signOut({ party }, logoutToken) {
      const { subject, tokenId, expiresAt } = await party.verifyLogout(logoutToken);
      if (
        !(await grants.rememberAssertion(
          `logout-token ${party.issuer}`,
          hashOf(tokenId).toString('base64url'),
          expiresAt + SKEW_MS,
        ))
      )
        throw new UpstreamRefusal('id-token', 'logout-used');
      const personId = await store.endSessions({ issuer: party.issuer, subject });
      forgetTokens?.();
      return personId;
    },
    async endActing(sessionId) {
      await store.endActing(sessionId);
      forgetTokens?.();
    },
  };
}

/** Nobody without the cookie can make them, and nobody without the state knows which they are. */
const secretsOf = (browser: string, state: string): SignInSecrets => ({
  state,
  nonce: derive(browser, `nonce ${state}`),
  verifier: derive(browser, `verifier ${state}`),
});

/**
 * The account of an identity: the one it is connected to, or one of its own that has no right but in sessions of the
 * provider. Names and addresses that a provider sends never lead to an account. SECURITY NH-09
 */
export async function personOf(
  store: Pick<UpstreamStore, 'findOrAddPerson'>,
  { issuer, subject, provider, name }: Vouched,
): Promise<Person> {
  const key: IdentityKey = { issuer, subject };
  const person = await store.findOrAddPerson(key, provider, {
    name,
    email: `${randomUUID()}@${provider}.invalid`, // RFC 2606: nobody gets mail there
    roles: [],
    patientIds: [],
    practitionerRoleIds: [],
    organizationIds: [],
    isEmailVerified: true,
  });
  if (person.isDisabled) throw new UpstreamRefusal('disabled');
  return person;
}
