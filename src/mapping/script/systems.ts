/**
 * Code and naming systems between SCRIPT and FHIR (reference section 13).
 *
 * A number only its sender gives (order, medical record, message) has a system made from the sender:
 * `https://mortar-fhir.org/NamingSystem/script-order/D%3A6301875277001`, the last part being `Qualifier:address` of
 * `From`, URL-encoded. Two senders that use the same number never meet.
 */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';

export const NPI = 'http://hl7.org/fhir/sid/us-npi';
export const DEA = 'urn:oid:2.16.840.1.113883.4.814';
export const NCPDP_ID = 'http://terminology.hl7.org/CodeSystem/NCPDPProviderIdentificationNumber';
export const NDC = 'http://hl7.org/fhir/sid/ndc';
export const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm';
export const NCIT = 'http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl';
export const SNOMED = 'http://snomed.info/sct';
export const LOINC = 'http://loinc.org';
export const UCUM = 'http://unitsofmeasure.org';
export const NUCC = 'http://nucc.org/provider-taxonomy';
export const IDENTIFIER_TYPE = 'http://terminology.hl7.org/CodeSystem/v2-0203';
export const COVERAGE_CLASS = 'http://terminology.hl7.org/CodeSystem/coverage-class';
export const REASON_FOR_SERVICE = codeSystemUrl('script-reason-for-service');
export const PROFESSIONAL_SERVICE = codeSystemUrl('script-professional-service');
export const PAYER_TYPE = codeSystemUrl('script-payer-type');

/** A naming system of its own for each sender. */
export const senderSystem = (name: string, sender: string): string =>
  `${namingSystemUrl(name)}/${encodeURIComponent(sender.toWellFormed())}`;

/** Diagnosis qualifier and its system (reference section 7.2). */
const DIAGNOSIS: ReadonlyMap<string, string> = new Map([
  ['ABF', 'http://hl7.org/fhir/sid/icd-10-cm'],
  ['DX', 'http://hl7.org/fhir/sid/icd-9-cm'],
  ['LD', SNOMED],
]);

/** Drug code qualifiers whose system has a name of its own; the others have one made from the qualifier. */
const DRUG: ReadonlyMap<string, string> = new Map([
  ['ND', NDC],
  ['SCD', RXNORM],
  ['SBD', RXNORM],
  ['GPK', RXNORM],
  ['BPK', RXNORM],
  ['RXNORM', RXNORM],
]);

const systemOf = (known: ReadonlyMap<string, string>, name: string, qualifier: string): string =>
  known.get(qualifier) ?? `${codeSystemUrl(name)}/${encodeURIComponent(qualifier.toWellFormed())}`;

export const diagnosisSystem = (qualifier: string): string => systemOf(DIAGNOSIS, 'script-diagnosis', qualifier);
export const drugSystem = (qualifier: string): string => systemOf(DRUG, 'script-drug', qualifier);
export const diagnosisQualifier = (system: unknown): string | undefined =>
  [...DIAGNOSIS].find(([, known]) => known === system)?.[0];

/** NCIt codes of quantity units (reference section 7.5). */
export const QUANTITY_UNITS: ReadonlyMap<string, string> = new Map([
  ['C48542', 'tablet'],
  ['C48480', 'capsule'],
  ['C64696', 'caplet'],
  ['C28254', 'mL'],
  ['C48155', 'g'],
  ['C28253', 'mg'],
  ['C64933', 'each'],
  ['C48524', 'patch'],
  ['C48539', 'suppository'],
  ['C48504', 'kit'],
  ['C48521', 'packet'],
  ['C62412', 'applicator'],
  ['C54564', 'blister'],
  ['C53499', 'film'],
  ['C69124', 'gum'],
  ['C48499', 'implant'],
  ['C62276', 'insert'],
  ['C120263', 'lancet'],
  ['C48506', 'lozenge'],
  ['C65032', 'pad'],
  ['C120216', 'pen needle'],
  ['C62609', 'ring'],
  ['C53502', 'sponge'],
  ['C53503', 'stick'],
  ['C48538', 'strip'],
  ['C53504', 'swab'],
  ['C48548', 'troche'],
  ['C48552', 'wafer'],
  ['C69071', 'disintegrating tablet'],
  ['C42998', 'tablet'],
  ['C25158', 'capsule'],
  ['C38046', 'unspecified'],
]);
