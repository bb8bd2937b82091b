/**
 * Who may see what, written from SECURITY C a second time, as plain code over plain JSON; it shares nothing with
 * src/policy or src/postgres, and is as slow as it is simple.
 */
import type { Caller, CallerUser, Role } from '../../src/ports/caller.ts';
import { isDenied, isPermitted } from './naive-consent.ts';
import { type Current, type Json, rangeOf, referencesAt, typeOf, valuesAt } from './naive-search.ts';

export type Letter = 'c' | 'r' | 'u' | 'd' | 's';

/** What may be decided from: all current resources, and the time. */
export interface Facts {
  readonly current: readonly Current[];
  /** Patients that were deleted. */
  readonly deletedPatientIds: readonly string[];
  readonly now: number;
}

type Test = (resource: Json, type: string, facts: Facts) => boolean;

/** One way in; without a test it leads to every resource of the type. */
interface Way {
  readonly test?: Test;
}

const DAY = 86_400_000;
const SHARED = new Set(
  'Organization Location Practitioner PractitionerRole HealthcareService Medication MedicationKnowledge Substance Endpoint Library'.split(
    ' ',
  ),
);
const BOOKING = new Set(['Schedule', 'Slot']);

/** https://hl7.org/fhir/R4/compartmentdefinition-patient.html, as paths; of types that the world has. */
const MEMBERSHIP: Readonly<Record<string, string>> = {
  AllergyIntolerance: 'patient|recorder|asserter',
  Appointment: 'participant.actor',
  AuditEvent: 'agent.who|entity.what',
  Basic: 'subject|author',
  CareTeam: 'subject|participant.member',
  Communication: 'subject|sender|recipient',
  Condition: 'subject|asserter',
  Consent: 'patient',
  DiagnosticReport: 'subject',
  DocumentReference: 'subject|author',
  Encounter: 'subject',
  Flag: 'subject',
  Group: 'member.entity',
  List: 'subject|source',
  MedicationDispense: 'subject|receiver',
  MedicationRequest: 'subject',
  Observation: 'subject|performer',
  Provenance: 'target',
  QuestionnaireResponse: 'subject|author',
  RelatedPerson: 'patient',
  Schedule: 'actor',
};
/** Types that are about one patient: for staff it is that one, whoever else takes part. */
const ABOUT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(MEMBERSHIP).map((type) => [type, 'subject'])),
  AllergyIntolerance: 'patient',
  Appointment: 'participant.actor',
  AuditEvent: 'agent.who|entity.what',
  Consent: 'patient',
  Group: 'member.entity',
  Provenance: 'target',
  RelatedPerson: 'patient',
  Schedule: 'actor',
};
const inCompartment = (type: string): boolean => type === 'Patient' || type in MEMBERSHIP;

const patientsAt = (resource: Json, path: string | undefined): string[] =>
  path === undefined ? [] : referencesAt(resource, path).filter((text) => typeOf(text) === 'Patient');
/** Patients of whose compartment a resource is a member. */
export const membersOf = (resource: Json, type: string): string[] =>
  type === 'Patient' ? [`Patient/${resource['id']}`] : patientsAt(resource, MEMBERSHIP[type]);
const aboutOf = (resource: Json, type: string): string[] =>
  type === 'Patient' ? [`Patient/${resource['id']}`] : patientsAt(resource, ABOUT[type]);

const RESTRICTED = new Set(['R', 'V', 'L', '_LEGAL', 'SEX', 'HIV', 'PSY', 'ETH', 'SDV', 'SUD']);
const labels = (resource: Json): string[] => valuesAt(resource, 'meta.security.code').map(String);
const isRestricted = (resource: Json): boolean => labels(resource).some((code) => RESTRICTED.has(code));
const isSealed = (resource: Json): boolean => labels(resource).some((code) => code === 'L' || code === '_LEGAL');

const orgsOf = (user: CallerUser): string[] => user.organizationIds.map((id) => `Organization/${id}`);
const selvesOf = (user: CallerUser): string[] => [
  ...(user.practitionerId === undefined ? [] : [`Practitioner/${user.practitionerId}`]),
  ...user.practitionerRoleIds.map((id) => `PractitionerRole/${id}`),
];
const hits = (resource: Json, path: string, wanted: readonly string[]): boolean =>
  referencesAt(resource, path).some((text) => wanted.includes(text));
const status = (resource: Json, ...allowed: readonly string[]): boolean => allowed.includes(String(resource['status']));

const atFacility = (user: CallerUser, patient: Json): boolean =>
  hits(patient, 'managingOrganization|generalPractitioner', orgsOf(user));

const OPEN_TASK = ['requested', 'received', 'accepted', 'ready', 'in-progress', 'on-hold'];

/** FA-01 */
function isRelated(user: CallerUser, patient: Json, { current, now }: Facts): boolean {
  const orgs = orgsOf(user);
  const selves = selvesOf(user);
  if (atFacility(user, patient) || hits(patient, 'generalPractitioner', selves)) return true;
  const self = `Patient/${patient['id']}`;
  const since = now - 30 * DAY;
  return current.some(({ type, resource }) => {
    if (type === 'Encounter' && hits(resource, 'subject', [self])) {
      if (!hits(resource, 'participant.individual', selves) && !hits(resource, 'serviceProvider', orgs)) return false;
      if (status(resource, 'arrived', 'triaged', 'in-progress', 'onleave')) return true;
      if (!status(resource, 'finished')) return false;
      const { start, end } = (resource['period'] ?? {}) as { start?: string; end?: string };
      // Closed within the days, or else begun within them.
      return (end !== undefined && rangeOf(end).high > since) || (start !== undefined && rangeOf(start).low > since);
    }
    if (type === 'CareTeam' && hits(resource, 'subject', [self]))
      return status(resource, 'active') && hits(resource, 'participant.member', [...selves, ...orgs]);
    if (type === 'Task' && hits(resource, 'for', [self]))
      return status(resource, ...OPEN_TASK) && hits(resource, 'owner', [...orgs, ...selves]);
    return false;
  });
}

/** Something of a patient for whom `holds` holds; the patient must be there. */
const ofPatient =
  (holds: (patient: Json, facts: Facts) => boolean): Test =>
  (resource, type, facts) => {
    if (isRestricted(resource)) return false;
    if (type === 'Patient') return holds(resource, facts);
    const about = aboutOf(resource, type);
    return facts.current.some(
      (one) => one.type === 'Patient' && about.includes(`Patient/${one.id}`) && holds(one.resource, facts),
    );
  };

const memberOf =
  (ids: readonly string[]): Test =>
  (resource, type) =>
    membersOf(resource, type).some((text) => ids.includes(text.slice('Patient/'.length)));

const deviceOf =
  (ids: readonly string[]): Test =>
  (resource) => {
    const owners = referencesAt(resource, 'patient');
    return owners.length === 0 || owners.some((text) => ids.includes(text.slice('Patient/'.length)));
  };

const EVERYTHING: Way = {};

const aboutAny = (resource: Json, type: string): string[] =>
  type === 'Task'
    ? patientsAt(resource, 'for|owner|requester|focus|basedOn')
    : type === 'Device'
      ? patientsAt(resource, 'patient')
      : aboutOf(resource, type);
/** Types of which patients may keep something from others. */
const isConsented = (type: string): boolean =>
  ['Task', 'Device', 'Binary'].includes(type) || (inCompartment(type) && type !== 'AuditEvent' && !BOOKING.has(type));

/** FA-06: what no Consent keeps back; of a Binary no Consent about what it belongs to. */
const consented = (caller: Caller, purpose?: string): Way => ({
  test: (resource, type, { current, deletedPatientIds, now }) => {
    const question = { caller, now, ...(purpose !== undefined && { purpose }) };
    if (type !== 'Binary') return !isDenied({ ...question, type, resource }, aboutAny(resource, type), current);
    // What was denied stays so when the patient is deleted.
    const deleted = deletedPatientIds.map(
      (id): Current => ({ type: 'Patient', id, lastUpdated: 0, resource: { resourceType: 'Patient', id } }),
    );
    return [...current, ...deleted].every((one) => {
      if (!belongs(resource, one)) return true;
      const asked = { ...question, type: one.type, resource: one.resource, binary: resource };
      return !isDenied(asked, aboutAny(one.resource, one.type), current);
    });
  },
});

const DOCUMENTS = ['DocumentReference', 'Media', 'DiagnosticReport'];
const CONTEXTS = [
  ...DOCUMENTS,
  'Patient',
  'Encounter',
  'Observation',
  'Composition',
  'QuestionnaireResponse',
  'Consent',
];

/** Whether it is the Binary's security context, or a document that points to it. */
function belongs(binary: Json, { type, id, resource }: Current): boolean {
  const urls = valuesAt(resource, 'content.attachment.url|presentedForm.url');
  const isContext = CONTEXTS.includes(type) && referencesAt(binary, 'securityContext').includes(`${type}/${id}`);
  return isContext || (DOCUMENTS.includes(type) && urls.includes(`Binary/${binary['id']}`));
}

/** CP-22: Binaries of which something is seen by the ways that `waysTo` gives, be it their context or a document. */
function waysToBinaries(waysTo: (type: string) => readonly Way[]): Way[] {
  const isSeen = ({ type, resource }: Current, facts: Facts): boolean =>
    waysTo(type).some(({ test }) => !test || test(resource, type, facts));
  // What names a context is seen with nothing else.
  const opens = (binary: Json, { type, id }: Current): boolean =>
    binary['securityContext'] === undefined || referencesAt(binary, 'securityContext').includes(`${type}/${id}`);
  if (CONTEXTS.every((type) => waysTo(type).length === 0)) return [];
  return [
    {
      test: (binary, _type, facts) =>
        facts.current.some((one) => belongs(binary, one) && opens(binary, one) && isSeen(one, facts)),
    },
  ];
}

/** What a role opens: patients and the system itself are not asked for consent. */
function waysOfRole(role: Role, caller: Caller, user: CallerUser, type: string): Way[] {
  if (type === 'Binary' && role === 'PATIENT') return waysToBinaries((other) => waysOfRole(role, caller, user, other));
  if (type === 'Binary' && (role === 'DOCTOR' || role === 'PRESCRIBER'))
    return [
      ...waysToBinaries((other) => waysOfRole(role, caller, user, other)).map((way) => both(way, consented(caller))),
      ...waysToBinaries((other) => (inCompartment(other) ? waysInEmergency(caller, user) : [])),
    ];
  const ways = waysWithoutConsent(role, caller, user, type);
  if (role === 'PATIENT' || role === 'SYSTEM' || !isConsented(type)) return ways;
  return [
    ...ways.map((way) => both(way, consented(caller))),
    ...((role === 'DOCTOR' || role === 'PRESCRIBER') && inCompartment(type) ? waysInEmergency(caller, user) : []),
  ];
}

function waysInEmergency(caller: Caller, { emergencyPatientIds = [], lawfulPatientIds = [] }: CallerUser): Way[] {
  const unsealed: Way = { test: (resource) => !isSealed(resource) };
  return [
    ...(lawfulPatientIds.length > 0 ? [both({ test: memberOf(lawfulPatientIds) }, unsealed)] : []),
    ...(emergencyPatientIds.length > 0
      ? [both(both({ test: memberOf(emergencyPatientIds) }, unsealed), consented(caller, 'BTG'))]
      : []),
  ];
}

const NOTICES = 'https://mortar-fhir.org/CodeSystem/communication-category';

/** What the workflows tell those who work somewhere. */
const waysToNotices = (recipients: readonly string[]): Way[] =>
  recipients.length === 0
    ? []
    : [
        {
          test: (resource) =>
            !isRestricted(resource) &&
            hits(resource, 'recipient', recipients) &&
            valuesAt(resource, 'category.coding.system').includes(NOTICES),
        },
      ];

/** The ways that roles open; reading only, as that is all this model is asked for. */
function waysWithoutConsent(role: Role, caller: Caller, user: CallerUser, type: string): Way[] {
  const reads = user.organizationIds.length > 0;
  const orgs = orgsOf(user);
  const selves = selvesOf(user);
  const ways: Way[] = [];
  const chart = inCompartment(type) && type !== 'AuditEvent' && !BOOKING.has(type);
  if (SHARED.has(type)) return [EVERYTHING];
  switch (role) {
    case 'SYSTEM':
      return [EVERYTHING];
    case 'PATIENT':
      if (BOOKING.has(type)) return [EVERYTHING];
      if (type === 'Device') return [{ test: deviceOf(user.patientIds) }];
      if (type === 'Task' && user.patientIds.length > 0) {
        const self = user.patientIds.map((id) => `Patient/${id}`);
        return [{ test: (resource) => hits(resource, 'for', self) }];
      }
      if (inCompartment(type) && user.patientIds.length > 0) return [{ test: memberOf(user.patientIds) }];
      return [];
    case 'DOCTOR':
    case 'PRESCRIBER': {
      if (BOOKING.has(type)) return [EVERYTHING];
      if (type === 'Device') return [{ test: deviceOf([]) }];
      if (type === 'Task') {
        const owners = [...orgs, ...selves];
        return owners.length > 0 ? [{ test: (resource) => hits(resource, 'owner', owners) }] : [];
      }
      if (!chart) return [];
      if (reads || selves.length > 0)
        ways.push(
          { test: ofPatient((patient, facts) => isRelated(user, patient, facts)) },
          {
            test: (resource, t, { current, now }) =>
              isPermitted({ caller, type: t, resource, now }, aboutAny(resource, t), current),
          },
        );
      return ways;
    }
    case 'PHARMACIST': {
      const tasks = [...orgs, ...selves];
      if (type === 'Communication') return waysToNotices(tasks);
      if (type === 'MedicationRequest' && reads)
        ways.push({ test: (resource) => hits(resource, 'dispenseRequest.performer', orgs) });
      if (type === 'MedicationRequest' && tasks.length > 0)
        ways.push({
          test: (resource, t, facts) =>
            resource['intent'] === 'proposal' &&
            ofPatient((patient, { current }) =>
              current.some(
                (one) =>
                  one.type === 'Task' &&
                  hits(one.resource, 'for', [`Patient/${patient['id']}`]) &&
                  hits(one.resource, 'owner', tasks),
              ),
            )(resource, t, facts),
        });
      if (type === 'Task' && tasks.length > 0) ways.push({ test: (resource) => hits(resource, 'owner', tasks) });
      if (type === 'MedicationDispense' && tasks.length > 0)
        ways.push({ test: (resource) => hits(resource, 'performer.actor', tasks) });
      const context = ['Patient', 'AllergyIntolerance', 'MedicationDispense', 'Flag', 'RelatedPerson'];
      if (context.includes(type) && tasks.length > 0)
        ways.push({
          test: ofPatient((patient, { current }) =>
            current.some(({ type: t, resource }) => {
              const self = [`Patient/${patient['id']}`];
              if (t === 'MedicationRequest')
                return hits(resource, 'subject', self) && hits(resource, 'dispenseRequest.performer', orgs);
              return t === 'Task' && hits(resource, 'for', self) && hits(resource, 'owner', tasks);
            }),
          ),
        });
      return ways;
    }
    case 'RECEPTIONIST':
    case 'STAFF': {
      if (BOOKING.has(type)) return [EVERYTHING];
      if (type === 'Communication') return waysToNotices(role === 'STAFF' ? selves : [...orgs, ...selves]);
      if (role === 'RECEPTIONIST' && type === 'Task') {
        const owners = [...orgs, ...selves];
        return owners.length > 0 ? [{ test: (resource) => hits(resource, 'owner', owners) }] : [];
      }
      const types = ['Patient', 'Appointment', 'AppointmentResponse', 'RelatedPerson'];
      if (role === 'RECEPTIONIST') types.push('MedicationRequest', 'Consent');
      return types.includes(type) && reads ? [{ test: ofPatient((patient) => atFacility(user, patient)) }] : [];
    }
    case 'ADMIN':
      return type === 'AuditEvent' ? [EVERYTHING] : [];
    default:
      return [];
  }
}

function waysOfPatientScope(caller: Caller, type: string): Way[] {
  const { user, patientId } = caller;
  if (patientId === undefined || !user) return [];
  const theirs = ((): Way | undefined => {
    if (type === 'Binary') return waysToBinaries(() => [{ test: memberOf([patientId]) }])[0];
    if (SHARED.has(type) || BOOKING.has(type)) return EVERYTHING;
    if (type === 'Device') return { test: deviceOf([patientId]) };
    return inCompartment(type) ? { test: memberOf([patientId]) } : undefined;
  })();
  if (!theirs) return [];
  if (user.roles.includes('PATIENT') && user.patientIds.includes(patientId)) return [theirs];
  return waysOfUser(caller, type).map((way) => both(theirs, way));
}

const waysOfUser = (caller: Caller, type: string): Way[] =>
  (caller.user?.roles ?? []).flatMap((role) => waysOfRole(role, caller, caller.user as CallerUser, type));

/** Programs, but for Mortar's own and who holds everything, are not asked who they are: what is denied to all is denied to them. */
function waysOfSystem(caller: Caller, type: string): Way[] {
  if (caller.kind === 'user') return [];
  const holdsAll = ['c', 'r', 'u', 'd', 's'].every((letter) =>
    caller.scopes.some(
      (s) =>
        s.level === 'system' && s.type === '*' && s.constraint === undefined && s.letters.some((l) => l === letter),
    ),
  );
  return [holdsAll || caller.kind === 'service' || !isConsented(type) ? EVERYTHING : consented(caller)];
}

function both({ test: a }: Way, { test: b }: Way): Way {
  if (!a || !b) return a ? { test: a } : b ? { test: b } : {};
  return { test: (...given) => a(...given) && b(...given) };
}

/** Constraints of scopes: tokens only, as the world's callers have them. */
function constraintOf(text: string): Way {
  const tests = text.split('&').map((part): Test => {
    const [, name = '', not, value = ''] = /^([^:=]+)(:not)?=(.*)$/.exec(part) ?? [];
    return (resource) => {
      const path = name === '_security' ? 'meta.security' : name;
      const codes = valuesAt(resource, path).flatMap((v) => {
        if (typeof v === 'string') return [v];
        const { coding = [v] } = v as { coding?: unknown[] };
        return coding.map((c) => String((c as Json)['code']));
      });
      return value.split(',').some((v) => codes.includes(v)) !== (not !== undefined);
    };
  });
  return { test: (...given) => tests.every((test) => test(...given)) };
}

/** The ways by which a caller reaches resources of a type; none: the type as a whole is refused. */
export function waysOf(caller: Caller, type: string, letter: Letter): readonly Way[] {
  return caller.scopes
    .filter((scope) => (scope.type === '*' || scope.type === type) && scope.letters.includes(letter))
    .flatMap((scope) => {
      const reached =
        scope.level === 'patient'
          ? waysOfPatientScope(caller, type)
          : scope.level === 'user'
            ? waysOfUser(caller, type)
            : waysOfSystem(caller, type);
      return scope.constraint === undefined
        ? reached
        : reached.map((way) => both(way, constraintOf(scope.constraint as string)));
    });
}

export const mayNone = (caller: Caller, type: string, letter: Letter): boolean =>
  waysOf(caller, type, letter).length === 0;
/** Whether every resource of the type is in reach, so that nothing is hidden. */
export const mayAll = (caller: Caller, type: string, letter: Letter): boolean =>
  waysOf(caller, type, letter).some(({ test }) => !test);

export const sees = (caller: Caller, letter: Letter, type: string, resource: Json, facts: Facts): boolean =>
  waysOf(caller, type, letter).some(({ test }) => !test || test(resource, type, facts));
