/** One validation under way: where it stands in the resource, and what it has found. */
import { type Issue, type IssueCode, issue } from '../outcome.ts';
import type { Fault } from './primitives.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Enough to mend a resource by; a hostile one must not make the answer large. */
const ISSUES_MAX = 100;

/** Thrown to end a validation that has found enough. */
export const ENOUGH: unique symbol = Symbol('enough issues');

/** The place is kept in two arrays that are reused, so that a valid resource costs no allocation; paths are built on a fault. */
export class Run {
  readonly issues: Issue[] = [];
  readonly #names: string[] = [];
  readonly #indexes: number[] = [];
  #depth = -1;
  /** The resource whose `contained` holds what `#id` points to. */
  container: JsonObject | undefined;
  /** Whether the resource being checked is contained in another. */
  inContained = false;
  /** Bundles around the resource being checked; conditional references are for transactions. */
  bundles = 0;
  #typesOf: JsonObject | undefined;
  #types = new Map<string, string>();

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
  add(code: IssueCode, text: string): void {
    const path = this.path();
    this.issues.push(issue(code, `${path === '' ? 'The resource' : path} ${text}`, path === '' ? undefined : path));
    if (this.issues.length >= ISSUES_MAX) throw ENOUGH;
  }

  addFault(fault: Fault): void {
    this.add(fault.code, fault.text);
  }

  addBelow(name: string, code: IssueCode, text: string): void {
    this.enter(name);
    this.add(code, text);
    this.leave();
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
