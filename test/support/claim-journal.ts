/** A journal of claims in memory, that can end the process at any of its steps. */
import type { ClaimJournal, JournalledClaim } from '../../src/ports/claim-journal.ts';

export class Crash extends Error {}

export interface TestJournal extends ClaimJournal {
  readonly entries: ReadonlyMap<string, JournalledClaim>;
  /** After so many steps more, nothing is kept any longer. */
  crashAfter(steps: number): void;
}

export function createTestJournal(): TestJournal {
  const entries = new Map<string, JournalledClaim>();
  let left = Number.POSITIVE_INFINITY;
  /** Half of the crashes come before the step is kept, half after it. */
  async function step<T>(change: () => T): Promise<T> {
    await Promise.resolve();
    if (left <= 0) throw new Crash();
    left -= 1;
    if (left === 0.5) throw new Crash();
    const value = change();
    if (left === 0) throw new Crash();
    return value;
  }
  const change = (id: string, part: Partial<JournalledClaim>): void => {
    const entry = entries.get(id);
    if (entry && entry.state !== 'answered' && entry.state !== 'withdrawn') entries.set(id, { ...entry, ...part });
  };
  return {
    entries,
    crashAfter(steps) {
      left = steps;
    },
    find: (id) => step(() => entries.get(id)),
    open: (id, request) =>
      step(() => {
        const entry = entries.get(id) ?? { id, request, state: 'queued', at: 0 };
        entries.set(id, entry);
        return entry;
      }),
    mark: (id, state) => step(() => change(id, { state })),
    close: (id, answer) => step(() => change(id, { state: 'answered', answer })),
  };
}
