/** Issues of the structural rules: the place, the line and the rule, never a value. */
import { codeSystemUrl } from '../fhir/canonical.ts';
import type { Issue, IssueCode } from '../fhir/outcome.ts';
import { findDescriptionCode } from './description-codes.ts';

/** Rule, the issue code it has, and whether a lenient reader only warns. */
const RULES = {
  required: { code: 'required', lenient: false },
  order: { code: 'structure', lenient: true },
  surplus: { code: 'structure', lenient: false },
  unknown: { code: 'structure', lenient: true },
  choice: { code: 'structure', lenient: false },
  text: { code: 'structure', lenient: false },
  empty: { code: 'structure', lenient: true },
  attribute: { code: 'required', lenient: true },
  length: { code: 'too-long', lenient: false },
  format: { code: 'value', lenient: false },
  code: { code: 'code-invalid', lenient: false },
  transaction: { code: 'not-supported', lenient: false },
  version: { code: 'not-supported', lenient: true },
} as const satisfies Record<string, { readonly code: IssueCode; readonly lenient: boolean }>;

export type RuleId = keyof typeof RULES;

export const RULE_SYSTEM = codeSystemUrl('script-rule');
/** DescriptionCode of Error (reference section 7.1), where one is near. */
export const DESCRIPTION_SYSTEM = codeSystemUrl('script-description-code');

export interface RulePlace {
  /** `Message/Body/NewRx/…`, with `[n]` from 1 where an element repeats. */
  readonly path: string;
  readonly line: number;
}

/** `what`: what is wrong, in words that end a sentence which begins with the element's name. */
export function ruleIssue(rule: RuleId, place: RulePlace, what: string, warning = false): Issue {
  const path = shortened(place.path);
  const description = findDescriptionCode(path, rule);
  return {
    severity: warning ? 'warning' : 'error',
    code: RULES[rule].code,
    diagnostics: `Line ${place.line}: ${elementName(path)} ${what} (${rule})`,
    details: {
      coding: [
        { system: RULE_SYSTEM, code: rule },
        ...(description === undefined ? [] : [{ system: DESCRIPTION_SYSTEM, code: description }]),
      ],
    },
    expression: [path],
  };
}

/** Issues as a lenient reader has them: what can still be read is a warning. */
export function asLenient(issues: readonly Issue[]): readonly Issue[] {
  return issues.map((one) =>
    one.severity === 'error' && isLenient(ruleOf(one)) ? { ...one, severity: 'warning' } : one,
  );
}

export const ruleOf = ({ details }: Issue): string | undefined =>
  details?.coding.find(({ system }) => system === RULE_SYSTEM)?.code;

const isLenient = (rule: string | undefined): boolean =>
  rule !== undefined && Object.hasOwn(RULES, rule) && RULES[rule as RuleId].lenient;

const NAME_MAX = 64;
/** Names are the sender's: a long one says nothing more. */
const shortened = (path: string): string =>
  path
    .split('/')
    .map((name) => name.slice(0, NAME_MAX))
    .join('/');

/** The last two names of a path without their numbers: what people call the element. */
function elementName(path: string): string {
  return path
    .replaceAll(/\[\d+\]/g, '')
    .split('/')
    .slice(-2)
    .join(' ');
}
