/** Names and numbers of the tables of each resource type. Identifiers in SQL come from here and nowhere else. */

/** R4 resource types in the order of their number in the `change` table. Append only. */
export const STORED_TYPES = (
  'Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary ' +
  'BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem ' +
  'ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest ' +
  'CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest ' +
  'CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement ' +
  'DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest ' +
  'EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit ' +
  'FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization ' +
  'ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List ' +
  'Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge ' +
  'MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization ' +
  'MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient ' +
  'MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged ' +
  'MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader ' +
  'MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition ' +
  'OperationOutcome Organization OrganizationAffiliation Patient PaymentNotice PaymentReconciliation Person ' +
  'PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse ' +
  'RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject ' +
  'RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition ' +
  'StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein ' +
  'SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task ' +
  'TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription'
).split(' ');

export interface TypeTable {
  readonly type: string;
  /** Number in the `change` table. */
  readonly number: number;
  /** `fhir.patient`: current version and search columns. */
  readonly main: string;
  /** `fhir.patient_n`: numbers, dates, hot tokens. */
  readonly numbers: string;
  /** `fhir.patient_s`: strings. */
  readonly strings: string;
  /** `fhir.patient_h`: old versions. */
  readonly history: string;
}

const TABLES = new Map<string, TypeTable>(
  STORED_TYPES.map((type, number) => {
    const main = `fhir.${type.toLowerCase()}`;
    return [type, { type, number, main, numbers: `${main}_n`, strings: `${main}_s`, history: `${main}_h` }];
  }),
);

export const findTable = (type: string): TypeTable | undefined => TABLES.get(type);

/** Throws for a type that cannot be stored: callers have checked it. */
export function tableOf(type: string): TypeTable {
  const table = TABLES.get(type);
  if (!table) throw new Error(`no table for type ${type}`);
  return table;
}

export const tableByNumber = (number: number): TypeTable => tableOf(STORED_TYPES[number] ?? `number ${number}`);
