/** What an evaluation knows besides its focus, and how much work it may still do. */
import type { Item, Items } from './values.ts';
import { PathError } from './values.ts';

/** Thrown where an expression would take more steps than it may. SECURITY IN-31 */
export class TooCostlyError extends PathError {
  override readonly name = 'TooCostlyError';
  constructor() {
    super('the expression takes too many steps');
  }
}

/** What only the world around can answer. */
export interface Questions {
  /** Whether a code (of a system, where it is known) is in a value set; undefined where the value set cannot be told. */
  memberOf?(item: Item, valueSet: string): boolean | undefined;
  conformsTo?(item: Item, profile: string): boolean | undefined;
  /** ms UTC, for `now()` and `today()`. */
  now?(): number;
}

/** One evaluation; reused for many expressions of one resource. */
export class Scope {
  /** The resource around the element; a contained one counts. */
  resource: Item | undefined;
  /** The resource that contains it, where it is contained. */
  rootResource: Item | undefined;
  /** What the expression began with. */
  context: Item | undefined;
  index = 0;
  total: Items | undefined;
  /** Results of parts that depend on nothing but the resource. */
  memo: (Items | undefined)[] = [];
  readonly questions: Questions;
  readonly variables: Readonly<Record<string, string>>;
  /** What else an expression may name, `%current`; empty where there is nothing. */
  readonly elements: ReadonlyMap<string, Items>;
  #steps: number;

  constructor(
    steps: number,
    questions: Questions = {},
    variables: Readonly<Record<string, string>> = VARIABLES,
    elements: ReadonlyMap<string, Items> = NO_ELEMENTS,
  ) {
    this.#steps = steps;
    this.questions = questions;
    this.variables = variables;
    this.elements = elements;
  }

  /** Does some work with no more than so many steps of those that are left. */
  within<T>(steps: number, work: () => T): T {
    const before = this.#steps;
    const lent = Math.min(before, steps);
    this.#steps = lent;
    try {
      return work();
    } finally {
      this.#steps = before - (lent - this.#steps);
    }
  }

  /** Throws `TooCostlyError` when the work is used up. */
  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new TooCostlyError();
  }
}

const NO_ELEMENTS: ReadonlyMap<string, Items> = new Map();
/** https://hl7.org/fhir/R4/fhirpath.html#variables */
export const VARIABLES: Readonly<Record<string, string>> = {
  sct: 'http://snomed.info/sct',
  loinc: 'http://loinc.org',
  ucum: 'http://unitsofmeasure.org',
};
