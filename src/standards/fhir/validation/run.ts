/** One validation under way: where it stands in the resource, and what it has found. */
import type { Model } from '../fhirpath/model.ts';
import { type Questions, Scope } from '../fhirpath/scope.ts';
import type { Item } from '../fhirpath/values.ts';
import type { Issue, IssueCode, IssueSeverity } from '../outcome.ts';
import type { Fault } from './primitives.ts';
import type { ProfileSource } from './profile-check.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Enough to mend a resource by; a hostile one must not make the answer large. */
const ISSUES_MAX = 100;

/** What the rules of R4 may do in one validation: they grow with the resource, which has a million nodes at most. SECURITY IN-31 */
const STEPS_MAX = 3_000_000;

/** What checks by profiles need. */
export interface Profiling {
  readonly model: Model;
  readonly source: ProfileSource;
  /** What expressions may ask of the world around, in a run. */
  questionsOf(run: Run): Questions;
}

/** A rule by its key, and where that key is defined. */
export interface RuleName {
  readonly key: string;
  readonly source: string;
}

/** Thrown to end a validation that has found enough. */
export const ENOUGH: unique symbol = Symbol('enough issues');

/** The place is kept in two arrays that are reused, so that a valid resource costs no allocation; paths are built on a fault. */
export class Run {
  readonly enough: typeof ENOUGH = ENOUGH;
  /** Profiles that resources and extensions may claim. */
  readonly profiling: Profiling | undefined;
  #isSilent = false;
  readonly issues: Issue[] = [];
  /** How many of the issues are errors. */
  errors = 0;
  /** Whether warnings are gathered as well: `$validate` alone asks for them. */
  readonly isThorough: boolean;
  readonly #questions: Questions | undefined;
  #scope: Scope | undefined;
  readonly #names: string[] = [];
  readonly #indexes: number[] = [];
  #depth = -1;
  /** The resource whose `contained` holds what `#id` points to. */
  container: JsonObject | undefined;
  /** Whether the resource being checked is contained in another. */
  inContained = false;
  /** Which of them. */
  containedIndex = -1;
  /** Bundles around the resource being checked; conditional references are for transactions. */
  bundles = 0;
  /** Ids that `#id` references name, within the resource with `contained`; absent where it has none. */
  referred: Set<string> | undefined;
  #resource: Item | undefined;
  #rootResource: Item | undefined;
  #typesOf: JsonObject | undefined;
  #types = new Map<string, string>();

  constructor(isThorough = false, profiling?: Profiling) {
    this.isThorough = isThorough;
    this.profiling = profiling;
    this.#questions = profiling?.questionsOf(this);
  }

  /** A run of the same work that says nothing, and ends at the first error. */
  silent(): Run {
    const run = new Run(false, this.profiling);
    run.#isSilent = true;
    run.#scope = this.scope;
    run.#resource = this.#resource;
    run.#rootResource = this.#rootResource;
    run.container = this.container;
    run.inContained = this.inContained;
    return run;
  }

  /** What expressions are evaluated in. */
  get scope(): Scope {
    this.#scope ??= new Scope(STEPS_MAX, this.#questions);
    this.#scope.resource = this.#resource;
    this.#scope.rootResource = this.#rootResource;
    return this.#scope;
  }

  /** Makes `resource` the one that expressions call %resource; returns what puts the former back. */
  begin(type: string, value: JsonObject): readonly [Item | undefined, Item | undefined] {
    const former = [this.#resource, this.#rootResource] as const;
    this.#resource = { type, value };
    if (!this.inContained) this.#rootResource = this.#resource;
    return former;
  }

  end([resource, rootResource]: readonly [Item | undefined, Item | undefined]): void {
    this.#resource = resource;
    this.#rootResource = rootResource;
  }

  enter(name: string): void {
    this.#depth++;
    this.#names[this.#depth] = name;
    this.#indexes[this.#depth] = -1;
  }

  at(index: number): void {
    this.#indexes[this.#depth] = index;
  }

  leave(): void {
    this.#depth--;
  }

  /** FHIRPath of the place: `Patient.name[0].family`. */
  path(): string {
    let path = '';
    for (let i = 0; i <= this.#depth; i++) {
      path += i === 0 ? this.#names[i] : `.${this.#names[i]}`;
      if (this.#indexes[i]! >= 0) path += `[${this.#indexes[i]}]`;
    }
    return path;
  }

  /** Adds an issue about this place; `text` continues the sentence that its path begins. */
  add(code: IssueCode, text: string, rule?: RuleName): void {
    this.errors++;
    this.#push('error', code, text, rule);
  }

  warn(code: IssueCode, text: string, rule?: RuleName): void {
    if (this.isThorough) this.#push('warning', code, text, rule);
  }

  inform(code: IssueCode, text: string): void {
    if (this.isThorough) this.#push('information', code, text);
  }

  /** An element that a profile marks as must-support is not there. */
  noteAbsent(name: string): void {
    this.enter(name);
    this.inform('informational', 'is not there; its profile asks systems to support it (must-support)');
    this.leave();
  }

  #push(severity: IssueSeverity, code: IssueCode, text: string, rule?: RuleName): void {
    if (this.#isSilent) throw ENOUGH;
    const path = this.path();
    this.issues.push({
      severity,
      code,
      ...(rule && { details: { coding: [{ system: rule.source, code: rule.key }] } }),
      diagnostics: `${path === '' ? 'The resource' : path} ${text}`,
      ...(path !== '' && { expression: [path] }),
    });
    if (this.issues.length >= ISSUES_MAX) throw ENOUGH;
  }

  /** The work that expressions may do is used up: nothing more can be told. */
  tooCostly(key: string): never {
    this.add('too-costly', `takes too many steps to be checked against ${key}; send less at once`);
    throw ENOUGH;
  }

  addFault(fault: Fault): void {
    this.add(fault.code, fault.text);
  }

  addBelow(name: string, code: IssueCode, text: string): void {
    this.enter(name);
    this.add(code, text);
    this.leave();
  }

  /** The contained resource with this id. */
  containedResource(id: string): Item | undefined {
    const contained = this.container?.['contained'];
    const found = Array.isArray(contained)
      ? (contained as readonly (JsonObject | null)[]).find((one) => one?.['id'] === id)
      : undefined;
    const type = found?.['resourceType'];
    return typeof type === 'string' ? { type, value: found } : undefined;
  }

  /** The type of the contained resource with this id; undefined when the container has none. */
  containedType(id: string): string | undefined {
    if (this.#typesOf !== this.container) {
      this.#typesOf = this.container;
      this.#types = new Map();
      const contained = this.container?.['contained'];
      if (Array.isArray(contained))
        for (const resource of contained as readonly unknown[]) {
          const { id: key, resourceType } = (resource ?? {}) as Record<string, unknown>;
          if (typeof key === 'string') this.#types.set(key, typeof resourceType === 'string' ? resourceType : '');
        }
    }
    return this.#types.get(id);
  }
}
