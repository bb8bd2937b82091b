/** Long lists without keeping others waiting: what else the process has to do comes between. SECURITY RL-43 */

/** Things after which others have their turn: some milliseconds of resources. */
const TURN = 16;

/** Resolves when everything that waits now has had its turn. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * As `list.map(of)`, `turn` things at once; a short list is done at once. `between` is waited for after each turn. Throws
 * what these throw.
 */
export async function mapInTurns<T, U>(
  list: readonly T[],
  of: (one: T, index: number) => U,
  turn = TURN,
  between?: () => Promise<void> | undefined,
): Promise<U[]> {
  const made: U[] = [];
  for (let i = 0; i < list.length; i++) {
    if (i > 0 && i % turn === 0) {
      await nextTurn();
      await between?.();
    }
    made.push(of(list[i] as T, i)); // within the list
  }
  return made;
}
