/** What each role may do, as data. SECURITY C1; MISSION M7. Whatever no row names is refused (AZ-01). */
import type { CallerUser, Role } from '../ports/caller.ts';
import type { Filter } from '../ports/policy.ts';
import { codeSystemUrl } from '../standards/fhir/canonical.ts';
import type { Letter } from '../standards/smart/scope.ts';
import { personAsks, undenied } from './asker.ts';
import { inContext, pointedTo } from './binaries.ts';
import { all, any, compartment, EVERYTHING, NOTHING, ofPatient, referredBy, refersTo, search } from './filters.ts';
import { ofProxies } from './proxy.ts';
import {
  dispensesOfFacility,
  ordersForFacility,
  patientsOfFacility,
  relatedPatients,
  tasksOfFacility,
  told,
  toldThemselves,
} from './relation.ts';
import { BOOKING_TYPES, isConsented, type PatientTypes, SHARED_TYPES, TRAIL_TYPES } from './types.ts';

export interface RoleContext extends PatientTypes {
  readonly user: CallerUser;
  readonly now: number;
  readonly closedEncounterDays: number;
  /** Why, where the caller says it: a code of v3-PurposeOfUse. */
  readonly purpose?: string;
}

/** A right of a role: which of the resources of which types, with which letters. */
interface Grant {
  readonly types: (type: string, context: RoleContext) => boolean;
  readonly letters: string;
  readonly where: (context: RoleContext, type: string, letter: Letter) => Filter;
  /** Elements that may be seen; absent: all. Id, meta and type always are. SECURITY AZ-04 */
  readonly elements?: readonly string[];
  /** What Consents keep back is not looked at, or by `where` itself: the record is the person's own, or law asks for it. */
  readonly isOwn?: true;
}

const only =
  (...types: readonly string[]) =>
  (type: string): boolean =>
    types.includes(type);
const shared = (type: string): boolean => SHARED_TYPES.has(type);
const bookings = (type: string): boolean => BOOKING_TYPES.has(type);
/** The chart: what belongs to a patient, but for the trail of who looked at it. */
const chart = (type: string, { isPatientType }: RoleContext): boolean =>
  isPatientType(type) && !TRAIL_TYPES.has(type) && !BOOKING_TYPES.has(type);
const everywhere = (): Filter => EVERYTHING;

/** v3-Confidentiality codes and sensitivities that need a right of their own. SECURITY FA-07 */
const RESTRICTED = ['R', 'V', 'L', '_LEGAL', 'SEX', 'HIV', 'PSY', 'ETH', 'SDV', 'SUD'];
const unrestricted = search(`_security:not=${RESTRICTED.join(',')}`);

const ofRelated = ({ user, now, closedEncounterDays }: RoleContext): Filter =>
  all(ofPatient(relatedPatients(user, now, closedEncounterDays)), unrestricted);
const ofFacility = ({ user }: RoleContext): Filter => all(ofPatient(patientsOfFacility(user)), unrestricted);
/** R4 has Task in no patient's compartment: a person reaches those that are for them, staff those that are theirs to do. */
const heldFor = (patientIds: readonly string[]): Filter =>
  refersTo(
    'patient',
    patientIds.map((id) => `Patient/${id}`),
  );
const self = ({ user }: RoleContext): Filter => compartment(user.patientIds);
/** One's own, and what one sees to for others (FA-09). */
const own = ({ user, now }: RoleContext, _type: string, letter: Letter): Filter =>
  any(compartment(user.patientIds), ofProxies(user, now, letter, RESTRICTED));
const ofOwnTasks = ({ user, now }: RoleContext, _type: string, letter: Letter): Filter =>
  any(heldFor(user.patientIds), ofProxies(user, now, letter, RESTRICTED, heldFor));
const ownDevices = ({ user, now }: RoleContext, _type: string, letter: Letter): Filter =>
  any(devicesOf(user.patientIds), ofProxies(user, now, letter, RESTRICTED, heldFor));
/** Patients for whom a pharmacy has something to dispense or to answer. */
const ofOrders = ({ user }: RoleContext): Filter =>
  all(
    ofPatient(
      any(
        referredBy('MedicationRequest', 'patient', ordersForFacility(user)),
        referredBy('Task', 'patient', tasksOfFacility(user)),
      ),
    ),
    unrestricted,
  );

const ofTasks = ({ user }: RoleContext): Filter =>
  all(ofPatient(referredBy('Task', 'patient', tasksOfFacility(user))), unrestricted);

/** What a patient opened to the person by name, label by label (FA-06, FA-07). */
const permitted = ({ user, purpose }: RoleContext): Filter => ({
  kind: 'permitted',
  asker: { ...personAsks(user, purpose), action: 'access' },
  labels: RESTRICTED,
  isByPatient: false,
});

/** Sealed by law: emergency access does not open it (FA-05). */
const notSealed = search('_security:not=L,_LEGAL');
/** Records that the person has broken the glass of. Only where law is the reason it overrides what the patient denied. */
const inEmergency =
  (letter: Letter) =>
  ({ user }: RoleContext): Filter =>
    all(
      any(
        compartment(user.lawfulPatientIds ?? []),
        all(compartment(user.emergencyPatientIds ?? []), undenied(personAsks(user, 'BTG'), letter)),
      ),
      notSealed,
    );
/** What may be written in an emergency: notes and orders. Not an Encounter, which would keep the record open after it. */
const EMERGENCY_WRITES = only('ClinicalImpression', 'DocumentReference', 'MedicationRequest', 'ServiceRequest');

/** Devices that are nobody's, or the patients' own. */
const devicesOf = (patientIds: readonly string[]): Filter =>
  patientIds.length === 0
    ? search('patient:missing=true')
    : any(search('patient:missing=true'), search(`patient=${patientIds.map((id) => `Patient/${id}`).join(',')}`));

/** Binaries that a role sees with what it sees of the chart (CP-22); it writes those whose context it may write. */
const binariesOf =
  (role: Role) =>
  (context: RoleContext, _type: string, letter: Letter): Filter => {
    const alone: RoleContext = { ...context, user: { ...context.user, roles: [role] } };
    if (letter === 'c') return inContext((type) => roleFilter(alone, type, 'u'));
    return pointedTo((type) => roleFilter(alone, type, letter));
  };

/** And those of records that are open in an emergency, whatever else points to them. */
const binariesInEmergency = (context: RoleContext): Filter =>
  pointedTo((type) => (chart(type, context) ? inEmergency('r')(context) : NOTHING));

const CLINICIAN: readonly Grant[] = [
  { types: (type, context) => chart(type, context) && type !== 'Provenance', letters: 'crus', where: ofRelated },
  { types: only('Provenance'), letters: 'crs', where: ofRelated },
  { types: chart, letters: 'rs', where: permitted },
  { types: chart, letters: 'rs', where: inEmergency('r'), isOwn: true },
  { types: EMERGENCY_WRITES, letters: 'c', where: inEmergency('c'), isOwn: true },
  { types: only('Binary'), letters: 'crus', where: binariesOf('DOCTOR') },
  { types: only('Binary'), letters: 'rs', where: binariesInEmergency, isOwn: true },
  // Deciding on a request closes the Task of their practice (MISSION M9).
  { types: only('Task'), letters: 'rsu', where: ({ user }) => tasksOfFacility(user) },
  { types: only('Device'), letters: 'rs', where: () => search('patient:missing=true') },
  { types: shared, letters: 'rs', where: everywhere },
  { types: bookings, letters: 'rs', where: everywhere },
];

/** What the front desk sees of a request: reference, patient, items, status (MISSION M7). */
const MEDICINE = ['medicationCodeableConcept', 'medicationReference'];
const TASK_TIMES = ['owner', 'authoredOn', 'lastModified'];

const FRONT_DESK: readonly Grant[] = [
  { types: only('Patient', 'Appointment', 'AppointmentResponse', 'RelatedPerson'), letters: 'crus', where: ofFacility },
  { types: bookings, letters: 'crus', where: everywhere },
  { types: shared, letters: 'rs', where: everywhere },
];

/** What the workflows tell: no letters, and nothing that others write to one another. MISSION M13 */
const NOTICES = `category=${codeSystemUrl('communication-category')}|`;
/** What they are told themselves, or where they work, and no other. CP-01 */
const noticesTo = (whom: (user: CallerUser) => Filter): Grant => ({
  types: only('Communication'),
  letters: 'rs',
  where: ({ user }) => all(whom(user), search(NOTICES), unrestricted),
});
const NOTICES_TO_THEM = noticesTo(told);

const OPERATIONS: readonly Grant[] = [{ types: shared, letters: 'rs', where: everywhere }];

export const GRANTS: Readonly<Record<Role, readonly Grant[]>> = {
  PATIENT: [
    { types: (type, { isPatientType }) => isPatientType(type), letters: 'rs', where: own, isOwn: true },
    {
      types: only('Appointment', 'AppointmentResponse', 'QuestionnaireResponse'),
      letters: 'cu',
      where: own,
      isOwn: true,
    },
    // Nobody consents for others to what they themselves then see.
    { types: only('Consent'), letters: 'cu', where: self, isOwn: true },
    {
      types: only('MedicationRequest'),
      letters: 'cu',
      where: (context, type, letter) => all(own(context, type, letter), search('intent=proposal')),
      isOwn: true,
    },
    { types: only('Task'), letters: 'rs', where: ofOwnTasks, isOwn: true },
    {
      types: only('Task'),
      letters: 'cu',
      where: (context, type, letter) => all(ofOwnTasks(context, type, letter), search('intent=proposal')),
      isOwn: true,
    },
    { types: only('Device'), letters: 'rs', where: ownDevices, isOwn: true },
    { types: only('Binary'), letters: 'rs', where: binariesOf('PATIENT'), isOwn: true },
    { types: shared, letters: 'rs', where: everywhere },
    { types: bookings, letters: 'rs', where: everywhere },
  ],
  DOCTOR: CLINICIAN,
  PRESCRIBER: CLINICIAN,
  PHARMACIST: [
    { types: only('MedicationRequest'), letters: 'rsu', where: ({ user }) => ordersForFacility(user) },
    // What patients asked their practice for, which a pharmacist there looks at first (MISSION M9).
    {
      types: only('MedicationRequest'),
      letters: 'rsu',
      where: (context) => all(ofTasks(context), search('intent=proposal')),
    },
    { types: only('Task'), letters: 'rsu', where: ({ user }) => tasksOfFacility(user) },
    { types: only('MedicationDispense'), letters: 'crus', where: ({ user }) => dispensesOfFacility(user) },
    NOTICES_TO_THEM,
    {
      types: only('Patient', 'AllergyIntolerance', 'MedicationDispense', 'Flag', 'RelatedPerson'),
      letters: 'rs',
      where: ofOrders,
    },
    { types: shared, letters: 'rs', where: everywhere },
  ],
  RECEPTIONIST: [
    ...FRONT_DESK,
    NOTICES_TO_THEM,
    // They record what patients say, and hold the right to (`consents:record`).
    { types: only('Consent'), letters: 'crus', where: ofFacility },
    {
      types: only('MedicationRequest'),
      letters: 'rs',
      where: ofFacility,
      elements: ['identifier', 'groupIdentifier', 'status', 'intent', 'subject', 'authoredOn', ...MEDICINE],
    },
    {
      types: only('Task'),
      letters: 'rs',
      where: ({ user }) => tasksOfFacility(user),
      elements: ['identifier', 'groupIdentifier', 'status', 'businessStatus', 'intent', 'code', 'for', ...TASK_TIMES],
    },
  ],
  // What their place is told is of prescriptions, which are not theirs to see.
  STAFF: [...FRONT_DESK, noticesTo(toldThemselves)],
  OPS_AGENT: OPERATIONS,
  OPS_MANAGER: OPERATIONS,
  ADMIN: [
    { types: shared, letters: 'cruds', where: everywhere },
    { types: (type) => TRAIL_TYPES.has(type), letters: 'rs', where: everywhere },
  ],
  SYSTEM: [{ types: () => true, letters: 'cruds', where: everywhere, isOwn: true }],
};

/** What the roles of a person allow together, without what patients keep from them. */
export function roleFilter(context: RoleContext, type: string, letter: Letter): Filter {
  const grants = context.user.roles.flatMap((role) =>
    GRANTS[role].filter((grant) => grant.letters.includes(letter) && grant.types(type, context)),
  );
  const filters = (isOwn: true | undefined): Filter =>
    any(...grants.filter((grant) => grant.isOwn === isOwn).map((grant) => grant.where(context, type, letter)));
  const others = filters(undefined);
  const isAsked = others.kind !== 'nothing' && isConsented(type, context);
  const consented = isAsked ? undenied(personAsks(context.user, context.purpose), letter) : EVERYTHING;
  return any(filters(true), all(others, consented));
}

const ALWAYS: readonly string[] = ['resourceType', 'id', 'meta'];

/** Elements of a type that the roles of a person show together; undefined where one of them shows all. SECURITY AZ-04 */
export function visibleElements(context: RoleContext, type: string): ReadonlySet<string> | undefined {
  const grants = context.user.roles.flatMap((role) =>
    GRANTS[role].filter(({ letters, types }) => /[rs]/.test(letters) && types(type, context)),
  );
  if (grants.length === 0 || grants.some(({ elements }) => elements === undefined)) return undefined;
  return new Set([...ALWAYS, ...grants.flatMap(({ elements = [] }) => elements)]);
}

/** What a patient's own app may reach, whoever holds the token. SECURITY C2 */
export function patientFilter(
  patientId: string,
  type: string,
  letter: Letter,
  isPatientType: (type: string) => boolean,
): Filter {
  const reads = letter === 'r' || letter === 's';
  if (type === 'Patient') return { kind: 'id', ids: [patientId] };
  if (SHARED_TYPES.has(type) || BOOKING_TYPES.has(type)) return reads ? EVERYTHING : NOTHING;
  if (type === 'Binary') {
    const of = (other: string): Filter => patientFilter(patientId, other, 'r', isPatientType);
    return reads ? pointedTo(of) : letter === 'd' ? NOTHING : inContext(of);
  }
  if (type === 'Device') return reads ? devicesOf([patientId]) : NOTHING;
  return isPatientType(type) ? compartment([patientId]) : NOTHING;
}
