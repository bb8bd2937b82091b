/** Tokens that were shown, of all who share a transaction: logged by one statement with their writes. `shared-transaction.ts` */
import type { DispensingTransaction, TokenAttempt } from '../ports/dispensing.ts';

interface Shown {
  readonly attempts: readonly TokenAttempt[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class SharedAttempts {
  readonly #shown: Shown[] = [];

  /** Resolves when they were sent with the others, rejects where any of these was refused. */
  add(attempts: readonly TokenAttempt[]): Promise<void> {
    return new Promise((resolve, reject) => void this.#shown.push({ attempts, resolve, reject }));
  }

  /** Sends all before it returns. */
  send(dispensing: Pick<DispensingTransaction, 'attempts'>): void {
    const shown = this.#shown.splice(0);
    if (shown.length === 0) return;
    dispensing.attempts(shown.flatMap(({ attempts }) => attempts)).then(
      () => {
        for (const { resolve } of shown) resolve();
      },
      (error: unknown) => {
        for (const { reject } of shown) reject(error);
      },
    );
  }
}
