/**
 * The invariants of R4, compiled once to functions. https://hl7.org/fhir/R4/conformance-rules.html#constraints
 * Each is evaluated here, is part of another check (`CHECKED_ELSEWHERE`), or is left out for a reason (`LEFT_OUT`).
 */
import type { Constraint } from '../definition-constraints.ts';
import { findTriggers } from '../fhirpath/absence.ts';
import { type CompiledPath, compilePath } from '../fhirpath/compile.ts';
import { PathSyntaxError } from '../fhirpath/lexer.ts';
import type { Model } from '../fhirpath/model.ts';
import { TooCostlyError } from '../fhirpath/scope.ts';
import { type Item, PathError } from '../fhirpath/values.ts';
import { hintFor } from './hints.ts';
import type { Run } from './run.ts';

export interface Invariant {
  readonly key: string;
  readonly severity: 'error' | 'warning';
  readonly human: string;
  readonly path: CompiledPath;
  /** Elements of which one must be there for the rule to be broken; undefined: it is always evaluated. */
  readonly triggers: readonly string[] | undefined;
  readonly hint: string;
  /** Who made the rule: where its key is defined. */
  readonly source: string;
}

/** Rules that other checks include, and where. */
export const CHECKED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['ele-1', 'check.ts: empty objects, and objects with an id alone'],
  ['ext-1', 'validator.ts: extensionRule'],
  ['dom-2', 'references.ts: checkContained'],
  ['dom-3', 'references.ts: checkReferredTo'],
  ['dom-4', 'references.ts: checkContained'],
  ['dom-5', 'references.ts: checkContained'],
  ['ref-1', 'references.ts: fragmentTarget'],
  ['txt-1', 'xhtml.ts'],
  ['txt-2', 'xhtml.ts'],
]);

/** Rules that are not evaluated, and why. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ['evv-1', 'counts elements that R4 does not have: EvidenceVariable.characteristic.definition[x] is a choice'],
  ['inv-0', 'is of MetadataResource, which is not a resource type of R4'],
]);

const NAME_RULE = "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')";
const CONSENT_SCOPE = 'http://terminology.hl7.org/CodeSystem/consentscope';

/** A date is after another only where both are known so well: unknown is not broken. */
const notAfter = (low: string, high: string): string =>
  `${low}.hasValue().not() or ${high}.hasValue().not() or (${low} > ${high}).where($this).empty()`;
const patientOf = (code: string): string =>
  `patient.exists() or scope.coding.where(system = '${CONSENT_SCOPE}' and code = '${code}').exists().not()`;

/** Defects of the published expressions, by path and key. */
export const CORRECTED: ReadonlyMap<string, { readonly expression: string; readonly why: string }> = new Map([
  [
    'Period|per-1',
    {
      expression: notAfter('start', 'end'),
      why: 'an end of lower precision includes all of it: 2012-02-03 the whole day',
    },
  ],
  [
    'Task|inv-1',
    { expression: notAfter('authoredOn', 'lastModified'), why: 'dates of different precision may be equal' },
  ],
  [
    'MedicationDispense|mdd-1',
    { expression: notAfter('whenPrepared', 'whenHandedOver'), why: 'dates of different precision may be equal' },
  ],
  [
    'Range|rng-2',
    {
      expression: 'low.empty() or high.empty() or (low > high).where($this).empty()',
      why: 'quantities of different units are not compared',
    },
  ],
  [
    'Questionnaire.item.enableWhen|que-7',
    {
      expression: "operator = 'exists' implies (answer is boolean)",
      why: 'Boolean is not a type of FHIR: it is boolean',
    },
  ],
  [
    'Condition|con-3',
    {
      expression:
        "clinicalStatus.exists() or verificationStatus.coding.where(system = 'http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or category.coding.where(code = 'problem-list-item').empty()",
      why: 'it asked whether there is a category, not whether it is problem-list-item',
    },
  ],
  ['Consent|ppc-2', { expression: patientOf('patient-privacy'), why: "the system was left as 'something'" }],
  ['Consent|ppc-3', { expression: patientOf('research'), why: "the system was left as 'something'" }],
  ['Consent|ppc-4', { expression: patientOf('adr'), why: "the system was left as 'something'" }],
  ['Consent|ppc-5', { expression: patientOf('treatment'), why: "the system was left as 'something'" }],
]);

/** `name.matches(…)` must be of the whole name, and is nothing to a resource without one. */
const correctedExpression = (path: string, { key, expression }: Constraint): string | undefined => {
  const corrected = CORRECTED.get(`${path}|${key}`);
  if (corrected !== undefined) return corrected.expression;
  if (expression === NAME_RULE) return "name.empty() or name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')";
  if (key === 'eld-19' || key === 'eld-20')
    return expression?.replace(/^path\.matches\('(.*)'\)$/s, "path.matches('^(?:$1)$$')");
  return expression;
};

/** The constraints of a type or an element that are evaluated, in their order. */
export function compileInvariants(
  path: string,
  constraints: readonly Constraint[],
  model: Model,
): readonly Invariant[] {
  return constraints.flatMap((constraint) => {
    const { key, severity, human } = constraint;
    const expression = correctedExpression(path, constraint);
    if (expression === undefined || CHECKED_ELSEWHERE.has(key) || LEFT_OUT.has(key)) return [];
    return [
      createInvariant(
        { key, severity, human, expression, source: `http://hl7.org/fhir/StructureDefinition/${path.split('.')[0]}` },
        model,
      ),
    ];
  });
}

/** Throws `PathSyntaxError` or `PathError` where the expression is none. */
export function createInvariant(
  { key, severity, human, expression, source }: Required<Constraint> & { readonly source: string },
  model: Model,
): Invariant {
  const path = compilePath(expression, model);
  return {
    key,
    severity,
    human,
    path,
    triggers: findTriggers(path.expression),
    hint: hintFor(path.expression),
    source,
  };
}

/** Evaluates one rule of one element and adds what is wrong to the run. */
export function checkInvariant(invariant: Invariant, element: Item, run: Run): void {
  const { key, severity, human, path, hint } = invariant;
  let met: boolean | undefined;
  try {
    met = path.test(element, run.scope);
  } catch (error) {
    if (error instanceof TooCostlyError) {
      run.tooCostly(key);
      return;
    }
    if (!(error instanceof PathError)) throw error;
    if (severity === 'error') run.add('invariant', `cannot be checked against ${key}: ${error.message}`, invariant);
    return;
  }
  // Empty is not true: the rule is not kept. https://hl7.org/fhir/R4/fhirpath.html
  if (met === true) return;
  const text = `breaks ${key}: ${human.replace(/\.$/, '')}${hint === '' ? '' : `; ${hint}`}`;
  if (severity === 'error') run.add('invariant', text, invariant);
  else run.warn('invariant', text, invariant);
}

export const isPathFault = (error: unknown): error is Error =>
  error instanceof PathSyntaxError || error instanceof PathError;
