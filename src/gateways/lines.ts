/** Ways to partners, each kept as long as it is used: partners come and go, and what led to them must not stay. */
import type { Clock } from '../ports/clock.ts';

export interface Lines<L> {
  find(key: string): L | undefined;
  /** Takes the place of another of that key, which is closed; so are those that nobody has asked for in an hour. */
  keep(key: string, line: L): void;
  /** Closes all. */
  close(): void;
}

/** Longer than any answer is waited for, and than any breaker stays open. */
const UNUSED_MS = 3_600_000;

export function createLines<L>({ now, close }: { readonly now: Clock; readonly close: (line: L) => void }): Lines<L> {
  /** The one that was used last stands last. */
  const lines = new Map<string, { readonly line: L; readonly usedAt: number }>();
  function use(key: string, line: L): void {
    lines.delete(key);
    lines.set(key, { line, usedAt: now() });
  }
  return {
    find(key) {
      const line = lines.get(key)?.line;
      if (line !== undefined) use(key, line);
      return line;
    },
    keep(key, line) {
      const known = lines.get(key);
      if (known) close(known.line);
      use(key, line);
      for (const [other, { line: unused, usedAt }] of lines) {
        if (usedAt > now() - UNUSED_MS) break;
        lines.delete(other);
        close(unused);
      }
    },
    close() {
      for (const { line } of lines.values()) close(line);
      lines.clear();
    },
  };
}
