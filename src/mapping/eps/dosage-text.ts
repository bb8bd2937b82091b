/** The dosage instructions of an item as one text. */
import { invalidValue, requiredFieldMissing } from './fault.ts';
import { type Node, numberAt, requiredString } from './node.ts';

/**
 * Of several dosages those of one sequence number are taken together, and the numbers one after another.
 * `path`: of the instructions. Deviates: a dosage without text is a fault here; the national gateway sends it empty.
 */
export function dosageText(dosages: readonly Node[] | undefined, path: string): string {
  const [first, ...others] = dosages ?? [];
  if (dosages === undefined || first === undefined) throw requiredFieldMissing(path);
  if (others.length === 0) return requiredString(first, 'text', path);
  const bySequence = new Map<number, string[]>();
  for (const dosage of dosages) {
    const sequence = numberAt(dosage, 'sequence', path);
    if (sequence === undefined) throw invalidValue('Dosage instructions lacking complete sequencing', path);
    const same = bySequence.get(sequence) ?? [];
    bySequence.set(sequence, [...same, requiredString(dosage, 'text', path)]);
  }
  return [...bySequence]
    .sort(([a], [b]) => a - b)
    .map(([, texts]) => texts.join(', and '))
    .join(', then ');
}
