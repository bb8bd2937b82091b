/** Issues of the rules: segment, field, position and rule, and the reject code a payer would answer; never a value. */
import { codeSystemUrl } from '../fhir/canonical.ts';
import type { Issue, IssueCode } from '../fhir/outcome.ts';

/** Rule, the issue code it has, and whether a lenient reader only warns. */
const RULES = {
  /** Bytes that are no transmission, or more than is taken. */
  framing: { code: 'structure', lenient: false },
  size: { code: 'too-long', lenient: false },
  'header-length': { code: 'structure', lenient: true },
  version: { code: 'not-supported', lenient: false },
  transaction: { code: 'not-supported', lenient: false },
  count: { code: 'structure', lenient: false },
  'lead-in': { code: 'structure', lenient: true },
  'unknown-segment': { code: 'informational', lenient: true },
  'unknown-field': { code: 'informational', lenient: true },
  placement: { code: 'structure', lenient: false },
  'segment-repeated': { code: 'structure', lenient: false },
  'segment-required': { code: 'required', lenient: false },
  required: { code: 'required', lenient: false },
  empty: { code: 'structure', lenient: true },
  repeated: { code: 'structure', lenient: true },
  rows: { code: 'structure', lenient: true },
  length: { code: 'too-long', lenient: true },
  format: { code: 'value', lenient: false },
  date: { code: 'value', lenient: false },
  characters: { code: 'value', lenient: true },
  'lower-case': { code: 'value', lenient: true },
  code: { code: 'code-invalid', lenient: true },
  npi: { code: 'value', lenient: false },
  ndc: { code: 'value', lenient: false },
  'service-date': { code: 'business-rule', lenient: false },
  'other-coverage': { code: 'business-rule', lenient: false },
  'gross-amount': { code: 'business-rule', lenient: false },
  'compound-cost': { code: 'business-rule', lenient: true },
  'total-paid': { code: 'business-rule', lenient: true },
  'patient-pay': { code: 'business-rule', lenient: true },
  'paid-with-reject': { code: 'business-rule', lenient: false },
  'reject-without-code': { code: 'business-rule', lenient: true },
} as const satisfies Record<string, { readonly code: IssueCode; readonly lenient: boolean }>;

export type TelecomRule = keyof typeof RULES;

const TELECOM_RULE_SYSTEM = codeSystemUrl('telecom-rule');
/** 511-FB */
export const REJECT_SYSTEM = codeSystemUrl('telecom-reject-code');

export interface TelecomPlace {
  /** From 1; absent in the header and in segments of the transmission. */
  readonly transaction?: number | undefined;
  /** `07` */
  readonly segment?: string | undefined;
  /** `407-D7` */
  readonly field?: string | undefined;
  /** From 1, where the field stands in rows. */
  readonly row?: number | undefined;
  /** Characters before it in the transmission. */
  readonly at?: number | undefined;
}

export interface RuleOptions {
  /** Reject code of 511-FB that says it; R8, syntax, unless another does. */
  readonly reject?: string;
  readonly severity?: 'warning' | 'information';
}

/** `what`: what is wrong, in words that end a sentence which begins with the place. */
export function telecomIssue(rule: TelecomRule, place: TelecomPlace, what: string, options: RuleOptions = {}): Issue {
  const { reject = 'R8', severity = 'error' } = options;
  const position = place.at === undefined ? '' : ` at character ${place.at + 1}`;
  return {
    severity,
    code: RULES[rule].code,
    diagnostics: `${wordsOf(place)}${position} ${what} (${rule})`,
    details: {
      coding: [
        { system: TELECOM_RULE_SYSTEM, code: rule },
        ...(severity === 'error' ? [{ system: REJECT_SYSTEM, code: reject }] : []),
      ],
    },
    expression: [pathOf(place)],
  };
}

/** Faults as a lenient reader has them: what can still be read is a warning. */
export const asLenientTelecom = (issues: readonly Issue[]): readonly Issue[] =>
  issues.map((one) => (one.severity === 'error' && isLenient(one) ? { ...one, severity: 'warning' } : one));

export const telecomRuleOf = ({ details }: Issue): string | undefined =>
  details?.coding.find(({ system }) => system === TELECOM_RULE_SYSTEM)?.code;

export const rejectCodeOf = ({ details }: Issue): string | undefined =>
  details?.coding.find(({ system }) => system === REJECT_SYSTEM)?.code;

function isLenient(one: Issue): boolean {
  const rule = telecomRuleOf(one);
  return rule !== undefined && Object.hasOwn(RULES, rule) && RULES[rule as TelecomRule].lenient;
}

function wordsOf({ transaction, segment, field, row }: TelecomPlace): string {
  const words = [
    transaction === undefined ? undefined : `transaction ${transaction}`,
    segment === undefined ? undefined : `AM${segment}`,
    field,
    row === undefined ? undefined : `row ${row}`,
  ].filter((word) => word !== undefined);
  const text = words.length === 0 ? 'the transmission' : words.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `Transaction[1].AM07.407-D7`, `Header.101-A1` */
function pathOf({ transaction, segment, field, row }: TelecomPlace): string {
  const parts = [
    transaction === undefined ? (segment === undefined ? 'Header' : 'Transmission') : `Transaction[${transaction}]`,
    segment === undefined ? undefined : `AM${segment}`,
    field === undefined ? undefined : row === undefined ? field : `${field}[${row}]`,
  ];
  return parts.filter((part) => part !== undefined).join('.');
}
