/** Organizations below others, over a server whose pages are small. */
import { expect } from 'chai';
import { createOrganizationsBelow } from '../src/organizations.ts';
import type { Caller } from '../src/ports/caller.ts';
import type { StoredVersion } from '../src/ports/resource-store.ts';
import type { SearchRequest } from '../src/standards/fhir/search/request.ts';

const VALUES_MAX = 500;

/** A store of organizations by parent, with pages of `page`; it refuses what a search refuses. */
function organizationsOf(parents: Readonly<Record<string, string>>, page: number) {
  const searchOf = (_type: string, query: string): SearchRequest => {
    const asked = new URLSearchParams(query);
    const values = (asked.get('partof') ?? '').split(',').map((text) => text.replace('Organization/', ''));
    if (values.length > VALUES_MAX) throw new Error('too many values');
    return { values, from: Number(asked.get('_cursor') ?? 0) } as unknown as SearchRequest; // what search below reads
  };
  const search = async (_caller: Caller, request: SearchRequest) => {
    const { values, from } = request as unknown as { values: readonly string[]; from: number };
    const ids = Object.keys(parents).filter((id) => values.includes(parents[id] ?? ''));
    const matches = ids.slice(from, from + page).map((id) => ({ id }) as StoredVersion);
    return { matches, included: [], issues: [], ...(from + page < ids.length && { next: String(from + page) }) };
  };
  return createOrganizationsBelow({ store: { search }, searchOf, now: () => 0 });
}

describe('organizations', () => {
  it('[FA-02] are all there when they take many pages', async () => {
    const below = organizationsOf({ b: 'a', c: 'a', d: 'a', e: 'd', f: 'x' }, 1);
    expect([...(await below(['a']))].sort()).deep.equal(['a', 'b', 'c', 'd', 'e']);
  });

  it('[FA-02] a level wider than a search takes keeps nobody from signing in, and there is an end to it', async () => {
    const wide = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`w${i}`, 'a']));
    const deep = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`x${i}`, `w${i}`]));
    expect(await organizationsOf({ ...wide, ...deep }, 1000)(['a'])).length(1000);
  });

  it('[FA-02] a circle ends', async () => {
    expect(await organizationsOf({ a: 'b', b: 'a' }, 10)(['a'])).deep.equal(['a', 'b']);
  });
});
