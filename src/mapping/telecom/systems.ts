/** Code and naming systems between Telecommunication and FHIR. Reference sections 17, 21 */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';

export const NDC = 'http://hl7.org/fhir/sid/ndc';
const NPI = 'http://hl7.org/fhir/sid/us-npi';
const DEA = 'urn:oid:2.16.840.1.113883.4.814';
const NCPDP_ID = 'http://terminology.hl7.org/CodeSystem/NCPDPProviderIdentificationNumber';
const ICD_10_CM = 'http://hl7.org/fhir/sid/icd-10-cm';
const ICD_9_CM = 'http://hl7.org/fhir/sid/icd-9-cm';
export const CURRENCY = 'urn:iso:std:iso:4217';
export const COVERAGE_CLASS = 'http://terminology.hl7.org/CodeSystem/coverage-class';
export const RELATIONSHIP = 'http://terminology.hl7.org/CodeSystem/subscriber-relationship';
export const ADJUDICATION = 'http://terminology.hl7.org/CodeSystem/adjudication';
export const CLAIM_TYPE = 'http://terminology.hl7.org/CodeSystem/claim-type';
export const PROCESS_PRIORITY = 'http://terminology.hl7.org/CodeSystem/processpriority';
/** Fields by number and id, `308-C8`. */
export const TELECOM_FIELD = codeSystemUrl('telecom-field');
/** What a piece of supporting information is about. */
export const CLAIM_INFORMATION = codeSystemUrl('telecom-claim-information');
/** `B1` … */
export const TELECOM_TRANSACTION = codeSystemUrl('telecom-transaction');
/** 112-AN */
export const RESPONSE_STATUS = codeSystemUrl('telecom-response-status');
/** Reason for service (439-E4). */
export const REASON_FOR_SERVICE = codeSystemUrl('telecom-reason-for-service');
/** Prescription numbers, each pharmacy's own. */
export const RX_NUMBER = namingSystemUrl('telecom-prescription-number');
/** Provider, prescription, fill, day and payer of a claim. */
export const CLAIM_NUMBER = namingSystemUrl('telecom-claim');
export const CARDHOLDER = namingSystemUrl('telecom-cardholder');
/** BIN and PCN of a payer. */
export const PAYER = namingSystemUrl('telecom-payer');

/** Both ways between a qualifier and a system; a qualifier without a system of its own has one of ours. */
export interface QualifierSystems {
  readonly systemOf: (qualifier: string) => string;
  readonly qualifierOf: (system: unknown) => string | undefined;
}

function systems(base: string, known: Readonly<Record<string, string>>): QualifierSystems {
  const byQualifier = new Map(Object.entries(known));
  const bySystem = new Map([...byQualifier].map(([qualifier, system]) => [system, qualifier]));
  return {
    systemOf: (qualifier) => byQualifier.get(qualifier) ?? `${base}/${encodeURIComponent(qualifier)}`,
    qualifierOf(system) {
      if (typeof system !== 'string') return undefined;
      if (!system.startsWith(`${base}/`)) return bySystem.get(system);
      const last = system.slice(base.length + 1);
      return /^[\w%.~!*'()-]{1,6}$/.test(last) ? safeDecode(last) : undefined;
    },
  };
}

function safeDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export const PROVIDERS = systems(namingSystemUrl('telecom-provider'), { '01': NPI, '07': NCPDP_ID, 12: DEA });
export const PATIENTS = systems(namingSystemUrl('telecom-patient'), {});
export const PRODUCTS = systems(codeSystemUrl('telecom-product'), { '03': NDC });
/** 492-WE: 01 ICD-9, 02 ICD-10. */
export const DIAGNOSES = systems(codeSystemUrl('telecom-diagnosis'), { '01': ICD_9_CM, '02': ICD_10_CM });
