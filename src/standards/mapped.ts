/** What every parser and every mapper returns. */
import type { Issue } from './fhir/outcome.ts';

/**
 * The result of reading or translating, with all that could not be read or translated, each as an issue that names the
 * place and never a patient's value. `value` is absent when there is nothing to go on with; then at least one issue has
 * severity error or fatal. A value beside error issues may be shown, and must not be acted on.
 */
export interface Mapped<T> {
  readonly value?: T;
  readonly issues: readonly Issue[];
}
