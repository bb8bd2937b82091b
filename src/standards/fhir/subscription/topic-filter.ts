/**
 * How a Subscription narrows a topic: by what the topic says that it can be filtered by, and no more.
 * https://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.canFilterBy
 */
import { parseQueryString } from '../search/query-string.ts';
import { suggestNames } from '../search/suggest.ts';
import { type Topic, typesOf } from './topics.ts';

/** Search parameters that a resource of the type must match; an empty query: every one. */
export interface SearchPart {
  readonly type: string;
  readonly query: string;
}

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d.+-])/;

/** One search for each type of the topic, and what of the filters does not fit it. Several filters must all hold. */
export function narrowTopic(
  topic: Topic,
  filters: readonly SearchPart[],
): { readonly parts: readonly SearchPart[]; readonly faults: readonly string[] } {
  const types = typesOf(topic);
  const faults = filters.flatMap(({ type, query }) =>
    types.includes(type) ? faultsOf(topic, type, query) : [`The filter of this topic is of ${types.join(' or ')}`],
  );
  const parts = types.map((type) => ({
    type,
    query: filters
      .filter((one) => one.type === type && one.query !== '')
      .map(({ query }) => query)
      .join('&'),
  }));
  return { parts, faults };
}

function faultsOf({ filters }: Topic, type: string, query: string): readonly string[] {
  if (!filters) return [];
  const mine = filters.filter((one) => one.type === type);
  return parseQueryString(query).pairs.flatMap(([name, value]) => {
    const [parameter = '', ...modifiers] = name.split(':');
    const found = mine.filter((one) => one.parameter === parameter);
    if (found.length === 0) {
      const known = [...new Set(mine.map((one) => one.parameter))];
      const near = suggestNames(parameter, known);
      const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
      const there = known.length > 0 ? `it can be by ${known.join(', ')}` : 'it cannot be at all';
      return [`The topic cannot be filtered by '${parameter.slice(0, 64)}' of ${type}: ${there}${hint}`];
    }
    const isAllowed = (operator: string): boolean => found.some(({ operators }) => operators.has(operator));
    const said = found.some(({ isOrdered }) => isOrdered)
      ? value.split(',').flatMap((one) => PREFIX.exec(one)?.[1] ?? [])
      : [];
    return [...new Set([...modifiers, ...said.filter((one) => one !== 'eq')])]
      .filter((operator) => !isAllowed(operator))
      .map((operator) => `The topic cannot be filtered by '${parameter}' with '${operator.slice(0, 64)}'`);
  });
}
