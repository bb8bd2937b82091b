/** Identifier systems and codes of the prescribing and dispensing workflows: each in one place. */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';

/** `groupIdentifier` of what was asked for or issued together: the `request_reference` of seed 000. */
export const REQUEST_REFERENCE = namingSystemUrl('request-reference');
/** Id of the signed token of a prescription: `PHB-RX-########`. */
export const PRESCRIPTION_TOKEN = namingSystemUrl('prescription-token');
/** Medicines of the catalogue, by the id of their MedicationKnowledge. */
export const CATALOGUE = codeSystemUrl('catalogue');
/** What kind of work a Task is: `prescription-request`. Those of pharmacies have codes of their own. */
export const TASK_CODE = codeSystemUrl('prescribing-task');
/** Codes of the rules of prescribing, in problems and DetectedIssues. */
export const PRESCRIBING_RULE = codeSystemUrl('prescribing-rule');
/** Categories of Communications of the workflows. */
export const NOTICE_CATEGORY = codeSystemUrl('communication-category');
/** Where pharmacies and people are known by numbers of their own: settings, with PHB's. */
export interface IdentifierSystems {
  readonly pharmacyCode: string;
  readonly healthNumber: string;
}
/** What the first is unless it is given. */
export const PHARMACY_CODE_DEFAULT = 'https://phb.example/pharmacy-code';

export const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
export const ODS_CODE = 'https://fhir.nhs.uk/Id/ods-organization-code';
export const DMD = 'http://snomed.info/sct';
export const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm';
export const NDC = 'http://hl7.org/fhir/sid/ndc';
export const BNF = 'https://fhir.hl7.org.uk/Id/bnf-code';

/** Schedules of controlled drugs, and other classes of medicines. */
export const UK_SCHEDULE = codeSystemUrl('uk-controlled-drug-schedule');
export const US_SCHEDULE = codeSystemUrl('us-controlled-substance-schedule');
export const NAFDAC_SCHEDULE = codeSystemUrl('nafdac-schedule');
export const MEDICINE_CLASS = codeSystemUrl('medicine-class');
