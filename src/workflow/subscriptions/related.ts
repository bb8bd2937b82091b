/**
 * What goes with an event, as the topic shapes its notifications: found as the subscriber, and so no more than it may see.
 * https://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.notificationShape, SECURITY CP-06, CP-17
 */
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { RelatedResource } from '../../standards/fhir/subscription/notification.ts';
import type { SubscriptionPlan } from '../../standards/fhir/subscription/read-subscription.ts';
import type { KeptTopics } from './kept-topics.ts';

export interface RelatedOptions {
  /** Searches of it leave entries in the audit trail. */
  readonly store: Pick<ResourceStore, 'search'>;
  readonly topics: Pick<KeptTopics, 'find'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
}

/** What of an event of this plan goes with it; nothing where nothing is to, or the resource is not there any more. */
export type FindRelated = (
  caller: Caller,
  plan: Pick<SubscriptionPlan, 'topic' | 'content'>,
  event: { readonly type: string; readonly id: string },
) => Promise<readonly RelatedResource[]>;

/** More is left out. */
const RELATED_MAX = 100;

export const createFindRelated =
  ({ store, topics, searchOf }: RelatedOptions): FindRelated =>
  async (caller, { topic: canonical, content }, { type, id }) => {
    const topic = canonical === undefined ? undefined : topics.find(canonical);
    const query = (topic?.shapes ?? []).filter((one) => one.type === type).map((one) => one.query);
    if (query.length === 0 || content === 'empty') return [];
    try {
      const { included } = await store.search(caller, searchOf(type, [`_id=${id}`, ...query].join('&')));
      return included
        .slice(0, RELATED_MAX)
        .map((one) => ({ type: one.type, id: one.id, ...(content === 'full-resource' && { content: one.content }) }));
    } catch (error) {
      // Rights that do not reach so far, or a parameter that is not there any more: the event is told without.
      if (error instanceof FhirError && error.status < 500 && error.status !== 409) return [];
      throw error;
    }
  };
