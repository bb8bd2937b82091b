/**
 * What NHS Care Identity Service 2 says of a member of staff, read from what it sent.
 * https://digital.nhs.uk/services/care-identity-service/applications-and-services/cis2-authentication SECURITY NH-04, NH-05
 */
import { isOdsCode, isSdsId } from './identifiers.ts';
import type { DirectoryRole } from './role-map.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** A role profile of a user: a job at an organisation. */
export interface Cis2Role extends DirectoryRole {
  /** SDS role profile id, `person_roleid`. */
  readonly id: string;
  readonly name: string;
  readonly odsCode: string;
  readonly organizationName?: string;
}

export interface Cis2User {
  readonly sdsUserId: string;
  readonly name: string;
  readonly roles: readonly Cis2Role[];
  /** What the user chose at the provider; it need not be one of `roles`. */
  readonly selectedRoleId?: string;
}

const ROLES_MAX = 200;
const ACTIVITIES_MAX = 1000;
const NAME_CHARS_MAX = 200;
const IDENTITY_LEVEL_MIN = 3;

/** The user of an ID token and of userinfo, whose claims count first; undefined when it names no user of the directory. */
export function readCis2User(idToken: Claims, userinfo: Claims): Cis2User | undefined {
  const claims = { ...idToken, ...userinfo };
  const sdsUserId = claims['nhsid_useruid'] ?? claims['uid'];
  if (!isSdsId(sdsUserId)) return undefined;
  const { selected_roleid: selected, name, given_name: given, family_name: family } = claims;
  const organizations = organizationNames(claims['nhsid_user_orgs']);
  const text = words(name) ?? words([given, family].filter((part) => typeof part === 'string').join(' '));
  return {
    sdsUserId,
    name: text ?? 'NHS staff',
    roles: readRoles(claims['nhsid_nrbac_roles'], organizations),
    ...(selected !== undefined && { selectedRoleId: String(selected) }),
  };
}

/** Only well-formed ones count: a role without an organisation or an id cannot be acted in. SECURITY NH-10 */
function readRoles(value: unknown, organizations: ReadonlyMap<string, string>): readonly Cis2Role[] {
  const roles = objects(value, ROLES_MAX).flatMap((role): Cis2Role[] => {
    const { person_roleid: id, org_code: odsCode, role_code: roleCode, role_name: name } = role;
    if (!isSdsId(id) || !isOdsCode(odsCode)) return [];
    if (typeof roleCode !== 'string' || !/^(S\d{4}:G\d{4}:)?R\d{4}$/.test(roleCode)) return [];
    const activities = role['activity_codes'];
    const organizationName = organizations.get(odsCode);
    return [
      {
        id,
        odsCode,
        roleCode,
        name: jobOf(words(name) ?? roleCode),
        activityCodes: (Array.isArray(activities) ? activities.slice(0, ACTIVITIES_MAX) : []).filter(
          (code) => typeof code === 'string' && /^B\d{4}$/.test(code),
        ),
        ...(organizationName !== undefined && { organizationName }),
      },
    ];
  });
  return roles.filter(({ id }, i) => roles.findIndex((other) => other.id === id) === i);
}

/** `"Clinical":"Clinical Provision":"Nurse Access Role"`: the last is the job. */
const jobOf = (name: string): string => name.split(':').at(-1)?.replaceAll('"', '').trim() || name;

const organizationNames = (value: unknown): ReadonlyMap<string, string> =>
  new Map(
    objects(value, ROLES_MAX).flatMap(({ org_code: code, org_name: name }) => {
      const text = words(name);
      return isOdsCode(code) && text !== undefined ? [[code, text] as const] : [];
    }),
  );

const objects = (value: unknown, max: number): readonly Claims[] =>
  (Array.isArray(value) ? value.slice(0, max) : []).filter((one) => typeof one === 'object' && one !== null);

const words = (value: unknown): string | undefined => {
  const text = typeof value === 'string' ? value.trim().slice(0, NAME_CHARS_MAX) : '';
  return text === '' || text.includes('\0') ? undefined : text;
};

export type AuthenticatorLevel = 2 | 3;

/** The `acr_values` that ask for at least this level. */
export const acrValuesFor = (level: AuthenticatorLevel): string => (level === 3 ? 'AAL3_ANY' : 'AAL2_OR_AAL3_ANY');

/** The level that a class of authentication promises: the lower where it leaves two open. */
function levelOfAcr(acr: unknown): number {
  const [, level] = (typeof acr === 'string' && /^AAL([123])(?:_[A-Z0-9_]{1,50})?$/.exec(acr)) || [];
  return level === undefined ? 0 : Number(level);
}

/**
 * How strongly a user proved who they are: the lower of what `acr` and `authentication_assurance_level` say; 0 when
 * either is missing.
 */
export const authenticatorLevel = (idToken: Claims): number =>
  Math.min(levelOfAcr(idToken['acr']), levelOf(idToken['authentication_assurance_level']));

/** Whether the user's identity was proved to level 3. */
export const isIdentityProved = (claims: Claims): boolean =>
  levelOf(claims['id_assurance_level']) >= IDENTITY_LEVEL_MIN;

/** They are sent as text and as numbers. */
const levelOf = (value: unknown): number => (/^[0-9]$/.test(String(value)) ? Number(value) : 0);
