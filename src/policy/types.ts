/** Kinds of resource types, as rights speak of them. SECURITY C2 */

/** Known to any caller whose scope names them: they are about nobody's health. */
export const SHARED_TYPES: ReadonlySet<string> = new Set([
  'Endpoint',
  'HealthcareService',
  'Location',
  'Medication',
  'MedicationKnowledge',
  'Organization',
  'OrganizationAffiliation',
  'Practitioner',
  'PractitionerRole',
  'Substance',
  // Terminology and conformance.
  'ActivityDefinition',
  'CapabilityStatement',
  'ChargeItemDefinition',
  'CodeSystem',
  'CompartmentDefinition',
  'ConceptMap',
  'DeviceDefinition',
  'EventDefinition',
  'ExampleScenario',
  'GraphDefinition',
  'ImplementationGuide',
  'Library',
  'Measure',
  'MessageDefinition',
  'NamingSystem',
  'ObservationDefinition',
  'OperationDefinition',
  'PlanDefinition',
  'Questionnaire',
  'SearchParameter',
  'SpecimenDefinition',
  'StructureDefinition',
  'StructureMap',
  'TerminologyCapabilities',
  'ValueSet',
]);

/** Times that can be booked: of nobody until they are. */
export const BOOKING_TYPES: ReadonlySet<string> = new Set(['Schedule', 'Slot']);

/** Kept by Mortar itself; rights to them are told apart from rights to the chart. */
export const TRAIL_TYPES: ReadonlySet<string> = new Set(['AuditEvent']);

/** Which types may be about a patient, by the official definitions. */
export interface PatientTypes {
  /** Types of the Patient compartment, Patient included. */
  readonly isPatientType: (type: string) => boolean;
  /** Types of no compartment that may name a patient (Task, Device, Contract): `patientParametersBeside`. */
  readonly mayNamePatients: (type: string) => boolean;
}

/** About patients by what points to them, or by what is in them. */
const BY_CONTENT: ReadonlySet<string> = new Set(['Binary', 'Bundle']);
/** Types about which patients have no say. */
export const OF_NOBODY: readonly ReadonlySet<string>[] = [SHARED_TYPES, TRAIL_TYPES, BOOKING_TYPES];

/** Types about which Consents have a say; `*` stands for all of them. SECURITY FA-06 */
export const isConsented = (type: string, { isPatientType, mayNamePatients }: PatientTypes): boolean =>
  type === '*' ||
  (!OF_NOBODY.some((types) => types.has(type)) &&
    (isPatientType(type) || mayNamePatients(type) || BY_CONTENT.has(type)));
