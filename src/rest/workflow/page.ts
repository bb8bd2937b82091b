/** Pages of the workflow APIs: a word for the next one, absent on the last. */
export const nextLink = (next: string | undefined): object => (next === undefined ? {} : { next });
