/** Scopes of SMART App Launch 2.2, versions 1 and 2. https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html */

/** What a scope allows: create, read, update, delete, search. */
export type Letter = 'c' | 'r' | 'u' | 'd' | 's';

export interface ResourceScope {
  readonly level: 'patient' | 'user' | 'system';
  /** A resource type, or `*`. */
  readonly type: string;
  /** In the order `cruds`. */
  readonly letters: readonly Letter[];
  /** Search parameters that every instance must match, as a query string: `category=laboratory`. */
  readonly constraint?: string;
}

/** Whether a scope speaks of a type with a letter. */
export const covers = (scope: ResourceScope, type: string, letter: Letter): boolean =>
  (scope.type === '*' || scope.type === type) && scope.letters.includes(letter);
