/** Pieces of SQL text with their parameters. Text is ours; whatever comes from outside is a parameter. */
export class Params {
  readonly values: unknown[] = [];

  /** Adds a value and gives its placeholder, `$3::bigint`. */
  add(
    value: unknown,
    type: 'bigint' | 'bigint[]' | 'float8' | 'float8[]' | 'text' | 'text[]' | 'int' | 'int[]',
  ): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

export const and = (parts: readonly string[]): string => (parts.length === 0 ? 'true' : parts.join('\n  and '));
export const or = (parts: readonly string[]): string =>
  parts.length === 1 ? (parts[0] as string) : parts.length === 0 ? 'false' : `(${parts.join(' or ')})`;
