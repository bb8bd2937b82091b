/** Findings of the rules of intake: what they are of, where, and what follows from each (reference section 12, stage 3). */
import { codeSystemUrl } from '../fhir/canonical.ts';
import type { Issue } from '../fhir/outcome.ts';
import type { XmlElement } from '../xml/tree.ts';
import { findDescriptionCode } from './description-codes.ts';
import { DESCRIPTION_SYSTEM, RULE_SYSTEM } from './rule-issue.ts';

/** Reject: an Error is answered. Hold: stored, and somebody looks at it before anything is dispensed. Warn: recorded. */
export type Consequence = 'reject' | 'hold' | 'warn';

/** Every rule with what it looks at: the documentation is printed from it. */
export const INTAKE_RULES = {
  'V-NPI-1': "the prescriber's NPI has ten digits and its check digit",
  'V-DEA-1': 'a controlled drug: the prescriber has a DEA number, well formed, with its check digit',
  'V-DEA-2': 'the second letter of the DEA number is that of the last name or of the business',
  'V-DEA-3': 'the DEA number is of a registrant who may prescribe',
  'V-CS-1': 'the schedule in the message is that of the drug directory',
  'V-CS-2': 'Schedule II has no refills, III and IV five at most',
  'V-CS-3': 'Schedule III and IV were written less than six months ago',
  'V-CS-4': 'a controlled drug: a digital signature, or the indicator that there is one',
  'V-CS-5': "a controlled drug: the patient's full address and the prescriber's",
  'V-NDC-1': 'a product code with qualifier ND has 11 digits',
  'V-NDC-2': 'the drug directory knows the product, as active',
  'V-REQ-1': 'what an order cannot do without: drug, quantity over zero, unit, date, directions',
  'V-DEM-1':
    'birth date not to come and not over 130 years ago; written date not after tomorrow; telephones of ten digits',
  'V-DEM-2': 'a patient under 18 has a weight',
  'V-SIG-1': 'the directions can be read, and fit quantity and days of supply',
  'V-QTY-1': 'a supply of 90 days at most, and in no case more than 365',
  'V-ALG-1': 'no allergy in the message is to the drug itself',
  'V-TEST-1': 'a test message: stored with a tag, never dispensed or billed',
} as const;

export type IntakeRule = keyof typeof INTAKE_RULES;

/** What follows from a finding: coding of the issue. */
const CONSEQUENCE_SYSTEM = codeSystemUrl('script-consequence');

export interface IntakePlace {
  readonly path: string;
  readonly line: number;
}

export const placeOf = (path: string, element: XmlElement): IntakePlace => ({ path, line: element.line });

/** `what`: what is wrong, without any value, in words that end a sentence which begins with the element's name. */
export function intakeIssue(rule: IntakeRule, then: Consequence, { path, line }: IntakePlace, what: string): Issue {
  const description = findDescriptionCode(path, 'format');
  const name = path
    .replaceAll(/\[\d+\]/g, '')
    .split('/')
    .slice(-2)
    .join(' ');
  return {
    severity: then === 'reject' ? 'error' : 'warning',
    code: 'business-rule',
    diagnostics: `Line ${line}: ${name} ${what} (${rule})`,
    details: {
      coding: [
        { system: RULE_SYSTEM, code: rule },
        { system: CONSEQUENCE_SYSTEM, code: then },
        ...(description === undefined ? [] : [{ system: DESCRIPTION_SYSTEM, code: description }]),
      ],
    },
    expression: [path],
  };
}

export const consequenceOf = ({ details }: Issue): string | undefined =>
  details?.coding.find(({ system }) => system === CONSEQUENCE_SYSTEM)?.code;
