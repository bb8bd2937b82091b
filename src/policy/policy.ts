/**
 * The policy engine: scope ∩ role ∩ compartment or relation, decided once for every door. Pure: callers in, filters out.
 * SECURITY C, SC-06, AZ-01, AZ-02
 */
import type { Caller, CallerUser } from '../ports/caller.ts';
import type { Decision, Filter, Policy } from '../ports/policy.ts';
import { covers, type Letter, type ResourceScope } from '../standards/smart/scope.ts';
import { programAsks, undenied } from './asker.ts';
import { isNoRightToConsent } from './consent-writing.ts';
import { all, any, compartment, EVERYTHING, NOTHING, search } from './filters.ts';
import { RIGHTS } from './rights.ts';
import { patientFilter, type RoleContext, roleFilter, visibleElements } from './roles.ts';
import { isConsented, type PatientTypes, SHARED_TYPES } from './types.ts';

export interface PolicyOptions extends PatientTypes {
  /** ms UTC */
  readonly now: () => number;
  /** How long a closed encounter keeps a patient in reach. */
  readonly closedEncounterDays?: number;
}

const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];
/** Kinds of caller to whom `system/` scopes speak; never to a person (SC-13). */
const SYSTEMS: ReadonlySet<Caller['kind']> = new Set(['client', 'partner', 'service']);

export function createPolicy({ now, closedEncounterDays = 30, ...types }: PolicyOptions): Policy {
  const { isPatientType } = types;
  const contextOf = (user: CallerUser, purpose?: string): RoleContext => ({
    user,
    ...types,
    now: now(),
    closedEncounterDays,
    ...(purpose !== undefined && { purpose }),
  });
  const roles = ({ user, purpose }: Caller, type: string, letter: Letter): Filter =>
    user ? roleFilter(contextOf(user, purpose), type, letter) : NOTHING;

  /**
   * What patients keep from everybody they keep from programs too; not from Mortar's own parts nor from its operator.
   * What a program may write is not asked: it would no longer know whom it writes of. But it changes only what it may read.
   */
  function consented(caller: Caller, type: string, letter: Letter): Filter {
    const learns = letter === 'r' || letter === 's' || letter === 'u';
    const isFree = !learns || caller.kind === 'user' || caller.kind === 'service' || hasEverything(caller);
    return isFree || !isConsented(type, types) ? EVERYTHING : undenied(programAsks(caller), 'r');
  }

  /** What one scope lets its caller reach, its constraint aside. */
  function reach(caller: Caller, level: ResourceScope['level'], type: string, letter: Letter): Filter {
    if (level === 'system') return SYSTEMS.has(caller.kind) ? EVERYTHING : NOTHING;
    if (level === 'user') return roles(caller, type, letter);
    // Without a patient in context a patient scope is no scope (SC-12).
    if (caller.patientId === undefined || !caller.user) return NOTHING;
    const theirs = patientFilter(caller.patientId, type, letter, isPatientType);
    const reads = letter === 'r' || letter === 's';
    // People read all of their own compartment: one condition serves for both.
    const isOwn = caller.user.roles.includes('PATIENT') && caller.user.patientIds.includes(caller.patientId);
    return isOwn && reads ? theirs : all(theirs, roles(caller, type, letter));
  }

  function filterFor(caller: Caller, type: string, letter: Letter): Filter {
    const isFree = hasEverything(caller);
    const scopes = caller.scopes.filter(
      (scope) => covers(scope, type, letter) && (isFree || !isNoRightToConsent(scope, type, letter)),
    );
    const granted = scopes.map((scope) => all(reach(caller, scope.level, type, letter), constrained(scope, type)));
    return all(any(...granted, letter === 'r' ? ownResource(caller, type) : NOTHING), consented(caller, type, letter));
  }

  return {
    filterFor,

    decide(caller, type, letter): Decision {
      if (filterFor(caller, type, letter).kind !== 'nothing') return { allowed: true };
      return { allowed: false, rule: caller.scopes.some((scope) => covers(scope, type, letter)) ? 'role' : 'scope' };
    },

    referenceFilter(caller, type) {
      if (SHARED_TYPES.has(type) || hasEverything(caller)) return EVERYTHING;
      if (!caller.user) return filterFor(caller, type, 'r');
      const wide = caller.scopes.some((scope) => scope.level === 'user');
      if (!wide && caller.patientId !== undefined) {
        if (type === 'Binary') return reach(caller, 'patient', type, 'r');
        const theirs = ofOwnPatient(caller.patientId, type, isPatientType);
        const isProxied = caller.user.proxies?.some(({ patientId }) => patientId === caller.patientId) === true;
        return isProxied && isConsented(type, types) ? all(theirs, roles(caller, type, 'r')) : theirs;
      }
      return roles(caller, type, 'r');
    },

    // Whoever searches reads the same (`GRANTS`), and a scope of theirs only narrows what their roles let them find.
    mayReferToFound: ({ kind, user, scopes }) =>
      kind === 'user' && user !== undefined && scopes.every(({ level }) => level === 'user'),

    elementsFor(caller, type) {
      return caller.user && visibleElements(contextOf(caller.user), type);
    },

    allows(caller, right): Decision {
      const holders = Object.hasOwn(RIGHTS, right) ? RIGHTS[right] : undefined;
      if (!holders) return { allowed: false, rule: 'right' };
      if (hasEverything(caller)) return { allowed: true };
      if (SYSTEMS.has(caller.kind))
        return systemMay(caller, right) ? { allowed: true } : { allowed: false, rule: 'scope' };
      const byUser = personMay(caller, right);
      const byRole = caller.user?.roles.some((role) => role === 'SYSTEM' || holders.includes(role)) === true;
      return byUser && byRole ? { allowed: true } : { allowed: false, rule: byUser ? 'role' : 'scope' };
    },
  };
}

/** What `fhirUser` names can be read by whoever was granted that scope. SECURITY SO-01 */
function ownResource({ otherScopes, user }: Caller, type: string): Filter {
  const [ownType, id] = user?.fhirUser?.split('/') ?? [];
  const isGranted = otherScopes.includes('fhirUser') && ownType === type && id !== undefined;
  return isGranted ? { kind: 'id', ids: [id] } : NOTHING;
}

/** Every type at once (`*`) is reached only without a constraint: which parameters there are depends on the type. */
function constrained({ constraint }: ResourceScope, type: string): Filter {
  if (constraint === undefined) return EVERYTHING;
  return type === '*' ? NOTHING : search(constraint);
}

const ofOwnPatient = (patientId: string, type: string, isPatientType: (type: string) => boolean): Filter =>
  type === 'Patient' || isPatientType(type) ? compartment([patientId]) : EVERYTHING;

/** `system/*.cruds` without a constraint. */
const hasEverything = (caller: Caller): boolean => SYSTEMS.has(caller.kind) && hasAll(caller, 'system');

function hasAll({ scopes }: Caller, level: ResourceScope['level']): boolean {
  const plain = scopes.filter((s) => s.level === level && s.type === '*' && s.constraint === undefined);
  return LETTERS.every((letter) => plain.some((scope) => scope.letters.includes(letter)));
}

/**
 * Whether the app was granted what a right needs of the person's: all of it, as no scope speaks of users, keys or
 * messages, and whoever lets an app read patients has not let it do those.
 */
function personMay(caller: Caller, right: string): boolean {
  const may = (type: string, letter: Letter): boolean =>
    caller.scopes.some((s) => s.level === 'user' && s.constraint === undefined && covers(s, type, letter));
  if (right === 'audit:own') return true;
  if (right === 'convert') return caller.scopes.some(({ level }) => level === 'user');
  if (right === 'consents:record') return may('Consent', 'c') || may('Consent', 'u');
  const needed = WORKFLOW_NEEDS.get(right);
  if (needed) return caller.otherScopes.includes(right) || needed.every(([type, letter]) => may(type, letter));
  if (Object.hasOwn(EPS_NEEDS, right)) return needsOf(right).every(([type, letter]) => may(type, letter));
  return right === 'audit:read' ? may('AuditEvent', 's') : hasAll(caller, 'user');
}

/** What the rights of the workflow APIs need of the person's scopes, where the scope of the same name is not granted. */
const WORKFLOW_NEEDS: ReadonlyMap<string, readonly (readonly [string, Letter])[]> = new Map([
  [
    'prescription:read',
    [
      ['MedicationRequest', 's'],
      ['Task', 's'],
    ],
  ],
  [
    'prescription:write',
    [
      ['MedicationRequest', 'c'],
      ['MedicationRequest', 'u'],
      ['Task', 'c'],
      ['Task', 'u'],
    ],
  ],
  ['pharmacy:read', [['Organization', 's']]],
  ['pharmacy:nominate', [['Patient', 'u']]],
  ['medicines:read', [['MedicationKnowledge', 's']]],
  [
    'prescriptions:review',
    [
      ['MedicationRequest', 's'],
      ['Task', 's'],
    ],
  ],
  ['prescriptions:triage', [['Task', 'u']]],
  [
    'prescriptions:decide',
    [
      ['MedicationRequest', 'c'],
      ['MedicationRequest', 'u'],
      ['Task', 'u'],
    ],
  ],
  [
    'patients:look-up',
    [
      ['Patient', 's'],
      ['Encounter', 's'],
      ['MedicationRequest', 's'],
    ],
  ],
  [
    'notifications:own',
    [
      ['Communication', 's'],
      ['Communication', 'u'],
    ],
  ],
  ['prescriptions:verify', [['Task', 's']]],
  [
    'prescriptions:dispense',
    [
      ['Task', 'u'],
      ['MedicationRequest', 'u'],
      ['MedicationDispense', 'c'],
    ],
  ],
  ['pharmacy:queue', [['Task', 's']]],
  [
    'pharmacy:register',
    [
      ['MedicationDispense', 'c'],
      ['MedicationDispense', 's'],
    ],
  ],
]);

/** What a message to the Spine writes here, or tells of: whoever may send it holds as much for itself. */
const EPS_NEEDS = {
  'eps:prescribe': [
    ['MedicationRequest', 'c'],
    ['MedicationRequest', 'u'],
  ],
  'eps:dispense': [
    ['MedicationDispense', 'c'],
    ['MedicationRequest', 'u'],
    ['Task', 'u'],
  ],
  'eps:track': [['Task', 's']],
} as const satisfies Readonly<Record<string, readonly (readonly [string, Letter])[]>>;
const needsOf = (right: string): readonly (readonly [string, Letter])[] => EPS_NEEDS[right as keyof typeof EPS_NEEDS];

/** Of pharmacies: their systems hold them as well. MISSION M10 */
const PHARMACY_RIGHTS: ReadonlySet<string> = new Set([
  'prescriptions:verify',
  'prescriptions:dispense',
  'pharmacy:queue',
  'pharmacy:register',
  'pharmacy:read',
]);

/** What systems may do by narrower scopes. */
function systemMay(caller: Caller, right: string): boolean {
  const may = (type: string, letter: Letter): boolean =>
    caller.scopes.some((s) => s.level === 'system' && s.constraint === undefined && covers(s, type, letter));
  const needed = PHARMACY_RIGHTS.has(right) ? WORKFLOW_NEEDS.get(right) : undefined;
  if (needed) return needed.every(([type, letter]) => may(type, letter));
  switch (right) {
    case 'messages:send':
      return may('MessageHeader', 'c') || may('Bundle', 'c');
    case 'convert':
      return caller.scopes.length > 0;
    case 'labels:write':
      return caller.scopes.some(({ level }) => level === 'system');
    case 'audit:read':
      return may('AuditEvent', 's');
    case 'eps:prescribe':
    case 'eps:dispense':
    case 'eps:track':
      return needsOf(right).every(([type, letter]) => may(type, letter));
    default:
      return false;
  }
}
