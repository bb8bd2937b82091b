/** Entries of a message's Bundle, as tests ask for them. */
import { getAt, type Json, objectsAt, textAt } from '../../../src/mapping/script/place.ts';
import {
  ONLY_IF_FOUND,
  type TransactionBundle,
  type TransactionEntry,
} from '../../../src/mapping/transaction-bundle.ts';

/** Whether the entry changes what is stored, and so need not be a whole resource. */
export const isChange = ({ extension = [] }: TransactionEntry): boolean =>
  extension.some(({ url }) => url === ONLY_IF_FOUND);

/** The resources of a type that the Bundle brings. */
export const broughtOf = (bundle: TransactionBundle, type: string): readonly Json[] =>
  bundle.entry
    .filter((entry) => !isChange(entry) && entry.resource.resourceType === type)
    .map((entry) => entry.resource);

/** What it changes where it is stored: `MedicationRequest stopped`. */
export const changesOf = (bundle: TransactionBundle): readonly string[] =>
  bundle.entry
    .filter(isChange)
    .map(({ resource }) => `${resource.resourceType} ${String(resource['status'] ?? Object.keys(resource).at(-1))}`);

export const codeAt = (json: unknown, path: string): string | undefined => textAt(json, `${path}.coding[0].code`);

/** Types of a Task's inputs or outputs, each with the type of what it refers to or its value. */
export const partsOf = (task: unknown, list: 'input' | 'output'): readonly string[] =>
  objectsAt(task, list).map((one) => String(getAt(one, 'type.coding[0].code')));
