/** Staff by NHS Care Identity Service 2: levels, roles, and what a role gives. SECURITY NH-04 to NH-06, NH-10 */
import type { Clock } from '../../ports/clock.ts';
import type { Acting } from '../../ports/upstream.ts';
import {
  type AuthenticatorLevel,
  acrValuesFor,
  authenticatorLevel,
  type Cis2Role,
  type Cis2User,
  isIdentityProved,
  readCis2User,
} from '../../standards/nhs/cis2-claims.ts';
import { findRegistration, type Identifier } from '../../standards/nhs/identifiers.ts';
import { mapRole, PRESCRIBING_ROLES, type RoleMap } from '../../standards/nhs/role-map.ts';
import type { Claims, IdToken } from './id-token.ts';
import type { Judged, Provider, Vouched } from './provider.ts';
import { UpstreamRefusal } from './refusal.ts';
import type { RelyingParty } from './relying-party.ts';

/** A member of staff as the record has them. */
export interface StaffRecord {
  readonly practitionerId: string;
  readonly identifiers: readonly Identifier[];
  /** PractitionerRoles of the role profile. */
  readonly practitionerRoleIds: readonly string[];
}

export interface Cis2Options {
  readonly party: RelyingParty;
  /** The lowest level of authentication. */
  readonly level: AuthenticatorLevel;
  readonly roleMap: RoleMap;
  /** Id of the one Organization with this ODS code. */
  readonly organizationByOds: (odsCode: string) => Promise<string | undefined>;
  /** The one Practitioner with this SDS user id. */
  readonly findStaff: (sdsUserId: string, roleProfileId: string) => Promise<StaffRecord | undefined>;
  readonly now: Clock;
}

const SCOPE = 'openid profile nationalrbacaccess associatedorgs selectedrole';
/** How old a sign-in at the provider may be. */
const AUTH_AGE_SECONDS = 300;
const SKEW_MS = 30_000;
/** As long as the longest session of staff. */
const ACTING_MS = 12 * 3_600_000;

export function createCis2(options: Cis2Options): Provider {
  const { party, level, now } = options;

  function judge({ claims, subject, authTime }: IdToken, userinfo: Claims, notBefore: number): Judged {
    const reached = authenticatorLevel(claims);
    if (reached < level) throw new UpstreamRefusal('authenticator-level');
    if (!isIdentityProved(claims)) throw new UpstreamRefusal('identity-level');
    if (authTime < notBefore - SKEW_MS) throw new UpstreamRefusal('not-fresh');
    const user = readCis2User(claims, userinfo);
    if (!user) throw new UpstreamRefusal('id-token', 'no-sds-user');
    const vouched: Vouched = {
      provider: 'cis2',
      issuer: party.issuer,
      subject,
      name: user.name,
      authTime,
      amr: reached === 3 ? ['mfa', 'hwk'] : ['mfa'],
      roles: user.roles,
      sdsUserId: user.sdsUserId,
    };
    const role = roleOf(user);
    return { vouched, ...(role && { role }) };
  }
  const youngest = (): number => now() - AUTH_AGE_SECONDS * 1000;

  return {
    id: 'cis2',
    label: 'NHS Care Identity',
    party,
    parameters: (again) => ({
      scope: SCOPE,
      acr_values: acrValuesFor(level),
      ...(again ? { prompt: 'login', max_age: '0' } : { max_age: String(AUTH_AGE_SECONDS) }),
    }),
    vouch: ({ idToken, userinfo }, notBefore) => judge(idToken, userinfo, notBefore ?? youngest()),
    vouchFor: (idToken) => judge(idToken, {}, youngest()),
    act: (vouched, role) => actIn(options, vouched, role),
  };
}

/** The role to act in, when there is nothing to choose. Throws when there is none, or when another's was named. */
function roleOf({ roles, selectedRoleId }: Cis2User): Cis2Role | undefined {
  const [only, ...more] = roles;
  if (!only) throw new UpstreamRefusal('no-roles');
  if (selectedRoleId === undefined) return more.length === 0 ? only : undefined;
  const selected = roles.find(({ id }) => id === selectedRoleId);
  if (!selected) throw new UpstreamRefusal('role-not-listed');
  return selected;
}

/** As what a user acts in a role: roles of Mortar by the operator's table, at the organisation of the role. */
async function actIn(
  { roleMap, organizationByOds, findStaff, now }: Cis2Options,
  { sdsUserId }: Vouched,
  role: Cis2Role | undefined,
): Promise<Acting> {
  if (!role || sdsUserId === undefined) throw new UpstreamRefusal('no-roles');
  const mapped = mapRole(roleMap, role);
  if (mapped.length === 0) throw new UpstreamRefusal('role-not-mapped');
  const [organizationId, staff] = await Promise.all([organizationByOds(role.odsCode), findStaff(sdsUserId, role.id)]);
  if (organizationId === undefined) throw new UpstreamRefusal('organization-unknown');
  const today = new Date(now()).toISOString().slice(0, 10);
  const isRegistered = findRegistration(staff?.identifiers ?? [], today) !== undefined;
  const roles = mapped.filter((one) => isRegistered || !PRESCRIBING_ROLES.has(one));
  if (roles.length === 0) throw new UpstreamRefusal('no-registration');
  return {
    roles,
    patientIds: [],
    ...(staff && { practitionerId: staff.practitionerId }),
    practitionerRoleIds: staff?.practitionerRoleIds ?? [],
    organizationIds: [organizationId],
    nhs: { provider: 'cis2', sdsUserId, roles: [{ id: role.id, odsCode: role.odsCode, roleCode: role.roleCode }] },
    endsAt: now() + ACTING_MS,
  };
}
