/**
 * Which roles of Mortar a job role of the national directory gives, by a table that the operator keeps: what no row names
 * gives nothing. docs/nhs-sign-in.md shows a file. SECURITY NH-06
 */

/** Roles that a table may give; an administrator is made in Mortar alone. */
const MAPPED_ROLES = [
  'DOCTOR',
  'PRESCRIBER',
  'PHARMACIST',
  'RECEPTIONIST',
  'STAFF',
  'OPS_AGENT',
  'OPS_MANAGER',
] as const;
export type MappedRole = (typeof MAPPED_ROLES)[number];

/** Roles that order medicines; they need a professional registration too. */
export const PRESCRIBING_ROLES: ReadonlySet<string> = new Set<MappedRole>(['DOCTOR', 'PRESCRIBER']);

export interface RoleRow {
  /** Job roles: `R8000` wherever it stands, or whole: `S8000:G8000:R8000`. None: whatever the job role. */
  readonly roleCodes?: readonly string[];
  /** Activities, of which the role has at least one. */
  readonly activityCodes?: readonly string[];
  readonly grants: readonly MappedRole[];
  /** For people who read the file. */
  readonly about?: string;
}

export interface RoleMap {
  readonly roles: readonly RoleRow[];
}

/** The role of somebody as the directory has it. */
export interface DirectoryRole {
  readonly roleCode: string;
  readonly activityCodes: readonly string[];
}

/** What is wrong with a value; undefined when nothing is. */
type Check = (value: unknown) => string | undefined;

const matches =
  (pattern: RegExp, about: string): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : `must be ${about}`;

const list =
  (max: number, check: Check): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > max) return `must be a list of 1 to ${max}`;
    if (new Set(value).size !== value.length) return 'must not name anything twice';
    return value.map(check).find((fault) => fault !== undefined);
  };

const isMapped: Check = (value) =>
  MAPPED_ROLES.some((role) => role === value) ? undefined : `must be one of ${MAPPED_ROLES.join(', ')}`;

/** Members of a row, each with what it may be. */
const ROW = new Map<string, Check>([
  ['roleCodes', list(500, matches(/^(?:S\d{4}:G\d{4}:)?R\d{4}$/, 'a code such as R8000 or S8000:G8000:R8000'))],
  ['activityCodes', list(500, matches(/^B\d{4}$/, 'a code such as B0420'))],
  ['grants', list(MAPPED_ROLES.length, isMapped)],
  ['about', matches(/^[^\0]{1,500}$/, 'a text of at most 500 characters')],
]);
const ROWS_MAX = 1000;
const FAULTS_MAX = 20;

/** Reads the text of a file; throws an `Error` that names its faults by their places. */
export function parseRoleMap(text: string): RoleMap {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error('it is not JSON', { cause });
  }
  const faults = findFaults(value);
  if (faults.length > 0) throw new Error(faults.slice(0, FAULTS_MAX).join('; '));
  return value as RoleMap; // every member was looked at
}

function findFaults(value: unknown): readonly string[] {
  const { roles, ...rest } = isObject(value) ? value : { roles: undefined };
  if (!Array.isArray(roles) || roles.length === 0 || roles.length > ROWS_MAX)
    return [`roles must be a list of 1 to ${ROWS_MAX}`];
  const others = Object.keys(rest).map((name) => `${name} is not known`);
  return [...others, ...roles.flatMap((row, i) => faultsOfRow(row).map((fault) => `roles[${i}]${fault}`))];
}

function faultsOfRow(row: unknown): readonly string[] {
  if (!isObject(row)) return [' must be an object'];
  const faults = Object.entries(row).flatMap(([name, value]) => {
    const check = ROW.get(name);
    const fault = check ? check(value) : 'is not known';
    return fault === undefined ? [] : [`.${name} ${fault}`];
  });
  if (!('grants' in row)) faults.push('.grants is missing');
  if (!('roleCodes' in row) && !('activityCodes' in row)) faults.push(' names neither roleCodes nor activityCodes');
  return faults;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a role gives; nothing unless a row names it. */
export function mapRole({ roles }: RoleMap, { roleCode, activityCodes }: DirectoryRole): readonly MappedRole[] {
  const names = new Set([roleCode, roleCode.split(':').at(-1) ?? '']);
  const given = roles
    .filter((row) => row.roleCodes === undefined || row.roleCodes.some((code) => names.has(code)))
    .filter((row) => row.activityCodes === undefined || row.activityCodes.some((code) => activityCodes.includes(code)))
    .flatMap((row) => row.grants);
  return [...new Set(given)];
}
