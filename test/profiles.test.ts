/** What one process writes, another knows soon. */
import { expect } from 'chai';
import type { StoredVersion } from '../src/ports/resource-store.ts';
import { readKnownProfiles } from '../src/postgres/known-profiles.ts';
import { client } from './support/callers.ts';

describe('profiles › what other processes write', () => {
  it('is read at the start and caught up with, deletions too', async () => {
    const known = new Map<string, string>();
    const registry = {
      put(_origin: 'store', key: string, resource: Readonly<Record<string, unknown>>) {
        known.set(key, String(resource['url']));
        return true;
      },
      remove: (_origin: 'store', key: string) => void known.delete(key),
    };
    const version = (
      id: string,
      versionId: number,
      operation: StoredVersion['operation'],
      url = `urn:${id}`,
    ): StoredVersion => ({
      type: 'StructureDefinition',
      id,
      versionId,
      lastUpdated: 0,
      operation,
      content:
        operation === 'delete' ? '' : JSON.stringify({ resourceType: 'StructureDefinition', url, status: 'active' }),
    });
    const isOurs = (type: string | undefined): boolean => type === 'StructureDefinition';
    let written: StoredVersion[] = [];
    const pages = [[version('a', 1, 'create')], [version('b', 1, 'create')]];
    const catchUp = await readKnownProfiles(
      {
        async search(_caller, { type, cursor }) {
          const matches = isOurs(type) ? (pages[cursor === undefined ? 0 : 1] ?? []) : [];
          return { matches, included: [], issues: [], ...(isOurs(type) && cursor === undefined && { next: 'more' }) };
        },
        history: async (_caller, { type }) => ({ versions: isOurs(type) ? written : [] }),
      },
      registry,
      client('system/*.rs'),
      (type) => ({ type }) as never,
      () => 0,
    );
    expect([...known.values()]).to.eql(['urn:a', 'urn:b']);
    // Newest first, as history has it.
    written = [version('b', 2, 'delete'), version('a', 2, 'update', 'urn:changed'), version('c', 1, 'create')];
    await catchUp();
    expect(Object.fromEntries(known)).to.eql({
      'StructureDefinition/a': 'urn:changed',
      'StructureDefinition/c': 'urn:c',
    });
  });
});
