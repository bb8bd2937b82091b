/**
 * Does a piece of upkeep again and again, never twice at once. Returns what ends it, which waits for the one under way: so
 * that what it works with can be closed next. A failure is told, and the next turn tries again.
 */
export function every(
  ms: number,
  work: () => Promise<unknown>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let under: Promise<void> | undefined;
  async function turn(): Promise<void> {
    try {
      await work();
    } catch (error) {
      onError(error);
    }
  }
  const timer = setInterval(() => {
    under ??= turn().finally(() => {
      under = undefined;
    });
  }, ms);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await under;
  };
}
