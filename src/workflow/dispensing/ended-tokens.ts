/**
 * Tokens of a pharmacy that are good no more though their time is not over: dispensed, cancelled, on hold, or gone to
 * another pharmacy. For checks without a connection. SECURITY RX-07, RX-08
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import type { Node } from './pharmacies.ts';
import { DISPENSING_CODES, PRESCRIPTION_TOKEN } from './queue-entry.ts';
import { LIFETIME_MS } from './tokens.ts';

export interface EndedTokensServices {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly now: () => number;
}

export interface EndedTokens {
  readonly ids: readonly string[];
  /** Of the next page. */
  readonly next?: string;
}

const PAGE = 500;
const MOVED_MAX = 1000;
const ENDED = 'completed,cancelled,failed,rejected,entered-in-error,on-hold';
const SERVICE = serviceCaller('dispensing');

/** A page; those that went to other pharmacies are on the first. */
export type ListEnded = (caller: Caller, pharmacyId: string, cursor?: string) => Promise<EndedTokens>;

export function createListEnded({ store, searchOf, now }: EndedTokensServices): ListEnded {
  return async (caller, pharmacyId, cursor) => {
    const since = new Date(now() - LIFETIME_MS).toISOString();
    const owner = encodeURIComponent(`Organization/${pharmacyId}`);
    const tasks = searchOf(
      'Task',
      `owner=${owner}&status=${ENDED}&code=${DISPENSING_CODES}|dispense&authored-on=ge${since}&_count=${PAGE}`,
    );
    // They are the pharmacy's to know, and notices of it alone.
    const notices = searchOf(
      'Communication',
      `recipient=${owner}&category=${NOTICE_CATEGORY}|prescription-moved&sent=ge${since}&_count=${MOVED_MAX}`,
    );
    const [page, moved] = await Promise.all([
      store.search(caller, { ...tasks, ...(cursor !== undefined && { cursor }) }),
      cursor === undefined ? store.search(SERVICE, notices) : undefined,
    ]);
    const idsOf = (content: string): readonly string[] => {
      const { identifier } = parseJson(content) as { readonly identifier?: readonly Node[] }; // stored: it is valid
      return (identifier ?? []).filter(({ system }) => system === PRESCRIPTION_TOKEN).map(({ value }) => String(value));
    };
    const all = [...page.matches, ...(moved?.matches ?? [])].flatMap(({ content }) => idsOf(content));
    return { ids: [...new Set(all)], ...(page.next !== undefined && { next: page.next }) };
  };
}
