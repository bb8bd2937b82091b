/**
 * For each type the date parameter that is kept in the row itself, because most searches and sorts of the type are by
 * it. Only single-valued ones (tested).
 */
const BY_CODE: Readonly<Record<string, string>> = {
  authored: 'CommunicationRequest QuestionnaireResponse RequestGroup ServiceRequest',
  'authored-on': 'DeviceRequest Task',
  authoredon: 'MedicationRequest',
  birthdate: 'Patient Person RelatedPerson',
  collected: 'Specimen',
  created:
    'Basic Claim ClaimResponse CoverageEligibilityRequest CoverageEligibilityResponse DocumentManifest ' +
    'ExplanationOfBenefit Media PaymentNotice PaymentReconciliation',
  // Clinical: of CarePlan, CareTeam, Encounter, EpisodeOfCare and Flag it is the period.
  date:
    'AdverseEvent AllergyIntolerance Appointment AuditEvent CarePlan CareTeam ClinicalImpression Composition Consent ' +
    'DiagnosticReport DocumentReference Encounter EpisodeOfCare FamilyMemberHistory Flag Immunization ' +
    'ImmunizationEvaluation ImmunizationRecommendation Invoice List MeasureReport Observation OrganizationAffiliation ' +
    'PractitionerRole Procedure ResearchStudy ResearchSubject RiskAssessment Schedule SupplyRequest ' +
    // Definitional: the date of the last change of the content.
    'ActivityDefinition CapabilityStatement ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap ' +
    'EffectEvidenceSynthesis EventDefinition Evidence EvidenceVariable ExampleScenario GraphDefinition ' +
    'ImplementationGuide Library Measure MessageDefinition NamingSystem OperationDefinition PlanDefinition ' +
    'Questionnaire ResearchDefinition ResearchElementDefinition RiskEvidenceSynthesis SearchParameter ' +
    'StructureDefinition StructureMap TerminologyCapabilities TestScript ValueSet',
  datetime: 'NutritionOrder',
  datewritten: 'VisionPrescription',
  effective: 'MedicationStatement',
  'effective-time': 'MedicationAdministration',
  identified: 'DetectedIssue',
  issued: 'Contract TestReport',
  occurrence: 'ChargeItem',
  // Its dateTime and Period exclude one another; onsets given as age or words have no date and sort last.
  'onset-date': 'Condition',
  period: 'Account',
  recorded: 'Provenance',
  sent: 'Communication',
  start: 'Slot',
  'start-date': 'Goal',
  started: 'ImagingStudy',
  timestamp: 'Bundle',
  whenhandedover: 'MedicationDispense',
};

/** Resource type → code of its main date parameter. */
export const MAIN_DATES: ReadonlyMap<string, string> = new Map(
  Object.entries(BY_CODE).flatMap(([code, types]) => types.split(' ').map((type) => [type, code] as const)),
);
