/** Two providers, a server that trusts them, and browsers that go between them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { answerPath } from '../../../src/auth/pages/upstream-pages.ts';
import { createCis2, type StaffRecord } from '../../../src/auth/upstream/cis2.ts';
import { createUpstream } from '../../../src/auth/upstream/create-upstream.ts';
import { createNhsLogin } from '../../../src/auth/upstream/nhs-login.ts';
import type { Provider } from '../../../src/auth/upstream/provider.ts';
import { createRelyingParty } from '../../../src/auth/upstream/relying-party.ts';
import type { UpstreamStore } from '../../../src/ports/upstream.ts';
import { createGrants } from '../../../src/postgres/identity/grants.ts';
import { createUpstreamStore } from '../../../src/postgres/identity/upstream.ts';
import type { CitizenClaims } from '../../../src/standards/nhs/nhs-login-claims.ts';
import { parseRoleMap } from '../../../src/standards/nhs/role-map.ts';
import { type OidcPeer, type PeerPerson, startOidcPeer } from '../../support/oidc-peer.ts';
import { openWorld, type World } from '../people/world.ts';

export const CLIENT_ID = 'mortar.test';
export const CLIENT_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 });
const GMC = { system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: '6095103' };

export const ROLES = {
  roles: [
    { roleCodes: ['R8000'], grants: ['DOCTOR'] },
    { activityCodes: ['B0420'], grants: ['PRESCRIBER'] },
    { roleCodes: ['R8010'], grants: ['RECEPTIONIST'] },
  ],
};

export const DOCTOR_ROLE = {
  person_orgid: '555254239107',
  person_roleid: '555254240100',
  org_code: 'A83008',
  role_name: '"Clinical":"Clinical Provision":"Clinical Practitioner Access Role"',
  role_code: 'S8000:G8000:R8000',
  activity_codes: ['B0420'],
};
export const DESK_ROLE = {
  ...DOCTOR_ROLE,
  person_roleid: '555254242102',
  org_code: 'B82001',
  role_name: '"Admin and Clerical":"Management - A & C":"Receptionist"',
  role_code: 'S8002:G8003:R8010',
  activity_codes: [],
};
export const UNMAPPED_ROLE = { ...DESK_ROLE, person_roleid: '555254242103', role_code: 'S8002:G8003:R8012' };
export const ELSEWHERE_ROLE = { ...DESK_ROLE, person_roleid: '555254242104', org_code: 'ZZ999' };

/** A doctor with one role, at the level asked for. */
export const doctor = (more: Partial<PeerPerson> = {}): PeerPerson => ({
  sub: '910000000001',
  idToken: { acr: 'AAL3_ANY', authentication_assurance_level: '3', id_assurance_level: '3' },
  userinfo: staff('555254239107', [DOCTOR_ROLE]),
  ...more,
});

export const staff = (id: string, roles: readonly object[], more: object = {}): Record<string, unknown> => ({
  uid: id,
  nhsid_useruid: id,
  name: 'Userq Randoma Dr',
  given_name: 'Userq',
  family_name: 'Randoma',
  nhsid_nrbac_roles: roles,
  nhsid_user_orgs: [
    { org_code: 'A83008', org_name: 'THE DENSHAM SURGERY' },
    { org_code: 'B82001', org_name: 'PARKSIDE CLINIC' },
  ],
  ...more,
});

/** A citizen whose identity is proved. */
export const citizen = (level = 'P9', more: object = {}): PeerPerson => ({
  sub: '49f470a1-cc52-49b7-beba-0f9cec937c46',
  idToken: { vot: `${level}.Cp.Cd`, identity_proofing_level: level },
  userinfo: {
    nhs_number: '9449304130',
    birthdate: '1984-02-29',
    family_name: 'Ashworth',
    given_name: 'Nell',
    identity_proofing_level: level,
    ...more,
  },
});

/** As the provider is told. */
export async function publicJwkOf(key: KeyObject): Promise<JWK> {
  const jwk = await exportJWK(key);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'RS512', use: 'sig' };
}

export interface UpstreamWorld extends World {
  readonly cis2: OidcPeer;
  readonly nhsLogin: OidcPeer;
  readonly providers: readonly Provider[];
  readonly identities: UpstreamStore;
  readonly staffRecords: Map<string, StaffRecord>;
  traveller(): Traveller;
}

/** `PUBLIC_URL` has to be known before the provider registers it: a port is found first. */
export async function openUpstreamWorld({ host }: { readonly host?: string } = {}): Promise<UpstreamWorld> {
  const peers: Record<string, OidcPeer> = {};
  const providers: Provider[] = [];
  const staffRecords = new Map<string, StaffRecord>([
    ['555254239107', { practitionerId: 'dr-1', identifiers: [GMC], practitionerRoleIds: ['role-1'] }],
  ]);
  let identities: UpstreamStore | undefined;
  const publicJwk = await publicJwkOf(CLIENT_KEY.publicKey);
  const redirects = new Map<string, string>();
  const world = await openWorld({
    ...(host !== undefined && { host }),
    start: Date.now(),
    extend({ pools, cipher, url, now }) {
      const options = { ...pools, now };
      const party = (id: 'cis2' | 'nhs-login') => {
        redirects.set(id, url + answerPath(id));
        // The peer is started once the address is known; until then nobody goes there.
        return lazyParty(() => peers[id], url + answerPath(id), now);
      };
      identities = createUpstreamStore(options);
      providers.push(
        createCis2({
          party: party('cis2'),
          level: 3,
          roleMap: parseRoleMap(JSON.stringify(ROLES)),
          organizationByOds: async (code) =>
            new Map([
              ['A83008', 'org-1'],
              ['B82001', 'org-2'],
            ]).get(code),
          findStaff: async (id) => staffRecords.get(id),
          now,
        }),
        createNhsLogin({
          party: party('nhs-login'),
          level: 'P5',
          matchPatient: async ({ nhsNumber, birthDate, family }: CitizenClaims) =>
            nhsNumber === '9449304130' && birthDate === '1984-02-29' && family === 'Ashworth' ? 'p1' : undefined,
          now,
        }),
      );
      return {
        upstream: createUpstream({ providers, store: identities, grants: createGrants(options), cipher, now }),
      };
    },
  });
  for (const [id, redirectUri] of redirects)
    peers[id] = await startOidcPeer({
      clientId: CLIENT_ID,
      clientJwk: publicJwk,
      redirectUri,
      person: id === 'cis2' ? doctor() : citizen(),
    });
  const { cis2, 'nhs-login': nhsLogin } = peers;
  if (!cis2 || !nhsLogin || !identities) throw new Error('the world is not whole');
  return {
    ...world,
    cis2,
    nhsLogin,
    providers,
    identities,
    staffRecords,
    traveller: () => createTraveller(world.url),
    async stop() {
      await Promise.all([cis2.stop(), nhsLogin.stop()]);
      await world.stop();
    },
  };
}

/** A relying party of a peer that starts later than the server. */
function lazyParty(peerOf: () => OidcPeer | undefined, redirectUri: string, now: () => number): Provider['party'] {
  let made: Provider['party'] | undefined;
  const party = (): Provider['party'] => {
    const peer = peerOf();
    if (!peer) throw new Error('the peer is not there yet');
    made ??= createRelyingParty({
      issuer: peer.issuer,
      clientId: CLIENT_ID,
      key: CLIENT_KEY.privateKey,
      redirectUri,
      allowedHosts: new Set([peer.host]),
      now,
    });
    return made;
  };
  return {
    get issuer() {
      return party().issuer;
    },
    authorizationUrl: (...all) => party().authorizationUrl(...all),
    redeem: (...all) => party().redeem(...all),
    verify: (...all) => party().verify(...all),
    verifyLogout: (...all) => party().verifyLogout(...all),
    publicJwk: () => party().publicJwk(),
  };
}

export interface Visit {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  readonly h1: string;
  readonly headers: Headers;
}

/** A browser that keeps cookies of each origin apart and follows redirects between them. */
export interface Traveller {
  readonly cookies: Map<string, Map<string, string>>;
  /** Where it has been, redirects included. */
  readonly trace: URL[];
  go(path: string): Promise<Visit>;
  /** Stops before the redirect that `until` accepts, and gives its address. */
  goUntil(path: string, until: (url: URL) => boolean): Promise<URL>;
  post(path: string, fields: Readonly<Record<string, string>>): Promise<Visit>;
  /** The value of a hidden field of the last page. */
  hidden(name: string): string;
}

const HOPS_MAX = 12;

export function createTraveller(base: string): Traveller {
  const cookies = new Map<string, Map<string, string>>();
  const trace: URL[] = [];
  let last: Visit | undefined;

  async function visit(url: URL, init: RequestInit, until?: (url: URL) => boolean): Promise<Visit | URL> {
    let next: { readonly url: URL; readonly init: RequestInit } = { url, init };
    for (let hop = 0; hop < HOPS_MAX; hop += 1) {
      if (hop > 0 && until?.(next.url)) return next.url;
      trace.push(next.url);
      const jar = cookies.get(next.url.origin) ?? new Map<string, string>();
      cookies.set(next.url.origin, jar);
      const response = await fetch(next.url, {
        redirect: 'manual',
        ...next.init,
        headers: { ...next.init.headers, Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
        else jar.set(name, value);
      }
      const location = response.headers.get('location');
      const text = await response.text();
      if (location === null || response.status < 300 || response.status > 399) {
        const h1 = /<h1>([^<]*)/.exec(text)?.[1] ?? '';
        last = { url: next.url, status: response.status, text, h1, headers: response.headers };
        return last;
      }
      next = { url: new URL(location, next.url), init: {} };
    }
    throw new Error('too many redirects');
  }

  return {
    cookies,
    trace,
    go: async (path) => (await visit(new URL(path, base), {})) as Visit,
    async goUntil(path, until) {
      const stopped = await visit(new URL(path, base), {}, until);
      if (stopped instanceof URL) return stopped;
      throw new Error(`it ended at ${stopped.url} with ${stopped.status}`);
    },
    post: async (path, fields) =>
      (await visit(new URL(path, base), {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: new URL(base).origin },
        body: new URLSearchParams(fields).toString(),
      })) as Visit,
    hidden: (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(last?.text ?? '')?.[1] ?? '',
  };
}
