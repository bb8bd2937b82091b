/** Searches by `:in`, `:not-in`, `:above` and `:below`: terminology first, then the store. docs/terminology.md */
import type { Caller } from '../../ports/caller.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import type { ValueSet } from '../../standards/fhir/terminology/resources.ts';
import { resolveTokenSet } from '../../standards/fhir/terminology/token-set.ts';
import { createVocabulary } from '../../standards/fhir/terminology/vocabulary.ts';
import type { Services } from '../services.ts';
import { createTerminologySource, parseStored } from './terminology-source.ts';

const LOCAL = /^ValueSet\/([A-Za-z0-9\-.]{1,64})$/;

/** The search as a store can be asked it; the same one where terminology has no part in it. */
export async function resolveTokenSets<S extends Pick<SearchRequest, 'conditions'>>(
  services: Services,
  caller: Caller,
  search: S,
): Promise<S> {
  if (!search.conditions.some(needsTerminology)) return search;
  const vocabulary = createVocabulary(createTerminologySource(services, caller));
  const findValueSet = async (reference: string): Promise<ValueSet> => {
    const id = LOCAL.exec(reference)?.[1];
    if (id === undefined) return vocabulary.valueSet(reference);
    return parseStored(services, await services.store.read(caller, 'ValueSet', id)) as ValueSet; // read as one
  };
  const conditions: Condition[] = [];
  for (const condition of search.conditions)
    conditions.push(await resolveTokenSet(vocabulary, findValueSet, condition));
  return { ...search, conditions };
}

function needsTerminology(condition: Condition): boolean {
  if (condition.kind === 'chain') return condition.branches.some((branch) => needsTerminology(branch.condition));
  if (condition.kind === 'any' || condition.kind === 'every') return condition.conditions.some(needsTerminology);
  return condition.kind === 'has' || condition.kind === 'not'
    ? needsTerminology(condition.condition)
    : condition.kind === 'token-set';
}
