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

/** Of patients, though R4 has them in no compartment. */
const HELD_FOR_PATIENTS: ReadonlySet<string> = new Set(['Device', 'Task']);

/** Types about which Consents have a say; `*` stands for all of them. SECURITY FA-06 */
export const isConsented = (type: string, isPatientType: (type: string) => boolean): boolean =>
  type === '*' ||
  HELD_FOR_PATIENTS.has(type) ||
  (isPatientType(type) && !TRAIL_TYPES.has(type) && !BOOKING_TYPES.has(type));
