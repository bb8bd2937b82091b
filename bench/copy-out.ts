/** `COPY … TO STDOUT` through `pg`, which has no such thing of its own: counts the rows and lets them go. */
/** What `pg` calls of a query while a COPY runs. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY */
export class CopyOut {
  #rows = 0;
  #ends: { resolve: (rows: number) => void; reject: (error: Error) => void } | undefined;
  readonly done: Promise<number>;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.done = new Promise((resolve, reject) => {
      this.#ends = { resolve, reject };
    });
  }

  submit(connection: { query(text: string): void }): void {
    connection.query(this.#text);
  }

  handleCopyData(): void {
    this.#rows += 1;
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.#ends?.reject(error);
  }

  handleReadyForQuery(): void {
    this.#ends?.resolve(this.#rows);
  }
}
