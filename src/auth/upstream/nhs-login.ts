/** Citizens by NHS login: vectors of trust, proof of identity, and the one record that is theirs. SECURITY NH-08 */
import type { Clock } from '../../ports/clock.ts';
import type { Acting } from '../../ports/upstream.ts';
import {
  type CitizenClaims,
  proofingOf,
  readCitizen,
  vectorOf,
  vectorsFor,
} from '../../standards/nhs/nhs-login-claims.ts';
import type { Claims, IdToken } from './id-token.ts';
import type { Judged, Provider, Vouched } from './provider.ts';
import { UpstreamRefusal } from './refusal.ts';
import type { RelyingParty } from './relying-party.ts';

export interface NhsLoginOptions {
  readonly party: RelyingParty;
  /** The lowest level of proof that may sign in. */
  readonly level: 'P5' | 'P9';
  /** The id of the one Patient that all three fit; undefined when there is none or more. */
  readonly matchPatient: (citizen: CitizenClaims) => Promise<string | undefined>;
  readonly now: Clock;
}

const SCOPE = 'openid profile profile_extended';
const AUTH_AGE_MS = 300_000;
const SKEW_MS = 30_000;
/** As long as apps may keep what a citizen granted them (ST-04). */
const ACTING_MS = 365 * 24 * 3_600_000;
const NAME_CHARS_MAX = 200;

export function createNhsLogin({ party, level, matchPatient, now }: NhsLoginOptions): Provider {
  const asked = vectorsFor(level);

  function judge({ claims, subject, authTime }: IdToken, userinfo: Claims, notBefore: number): Judged {
    const all = { ...claims, ...userinfo };
    const vector = vectorOf(claims, asked);
    if (vector === undefined) throw new UpstreamRefusal('proofing', 'vot');
    const proofing = proofingOf(vector, all['identity_proofing_level']);
    if (proofing === undefined || proofing === 'P0' || proofing < level) throw new UpstreamRefusal('proofing');
    if (authTime < notBefore - SKEW_MS) throw new UpstreamRefusal('not-fresh');
    const citizen = readCitizen(all);
    return {
      vouched: {
        provider: 'nhs-login',
        issuer: party.issuer,
        subject,
        name: nameOf(all),
        authTime,
        amr: ['mfa'], // every vector that is asked for has two factors
        roles: [],
        proofing,
        ...(citizen && { citizen }),
      },
    };
  }

  async function act({ proofing = 'P5', citizen }: Vouched): Promise<Acting> {
    return {
      roles: ['PATIENT'],
      patientIds: proofing === 'P9' ? [await findRecord(citizen)] : [],
      practitionerRoleIds: [],
      organizationIds: [],
      nhs: { provider: 'nhs-login', roles: [], proofing },
      endsAt: now() + ACTING_MS,
    };
  }

  async function findRecord(citizen: CitizenClaims | undefined): Promise<string> {
    const patientId = citizen && (await matchPatient(citizen));
    if (patientId === undefined) throw new UpstreamRefusal('no-record');
    return patientId;
  }

  const youngest = (): number => now() - AUTH_AGE_MS;

  return {
    id: 'nhs-login',
    label: 'NHS login',
    party,
    parameters: (again) => ({
      scope: SCOPE,
      vtr: JSON.stringify(asked),
      ...(again && { prompt: 'login' }),
    }),
    // The provider keeps its own sessions; how old one may be is asked only where somebody must show anew who they are.
    vouch: ({ idToken, userinfo }, notBefore = 0) => judge(idToken, userinfo, notBefore),
    vouchFor: (idToken) => judge(idToken, {}, youngest()),
    act,
  };
}

function nameOf({ given_name: given, family_name: family }: Claims): string {
  const name = [given, family]
    .filter((part) => typeof part === 'string' && !part.includes('\0'))
    .join(' ')
    .trim()
    .slice(0, NAME_CHARS_MAX);
  return name === '' ? 'NHS login user' : name;
}
