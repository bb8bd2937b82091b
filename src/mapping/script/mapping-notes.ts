/** What a mapping tells beside its value: what is kept as residue, dropped, only in the text, or came twice. */
import type { Issue } from '../../standards/fhir/outcome.ts';

export function mappingNotes(
  kept: number,
  dropped: readonly string[],
  unmapped: readonly string[],
  merged: readonly string[],
): readonly Issue[] {
  const note = (diagnostics: string, ...expression: readonly string[]): Issue => ({
    severity: 'information',
    code: 'informational',
    diagnostics,
    ...(expression.length > 0 && { expression }),
  });
  return [
    ...(kept > 0 ? [note(`${kept} elements have no place in FHIR and are kept with the order as residue`)] : []),
    ...dropped.map((path) => note('SocialSecurity is never kept', path)),
    ...(unmapped.length > 0
      ? [note(`Parts of the structured Sig are kept as sent, the text says them: ${unmapped.join(', ')}`, 'Sig')]
      : []),
    ...merged.map((type) => note(`A ${type} comes twice with the same number and other data: the first stands`)),
  ];
}
