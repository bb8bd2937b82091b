/** What a row of the table of settings says. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface Setting<T> {
  readonly env: string;
  /** What to write, in words; shown when a value is refused. */
  readonly allowed: string;
  readonly about: string;
  /** As it would be written; absent where the setting is optional. */
  readonly fallback?: string;
  /** Why a default is not a plain value, for the documents. */
  readonly fallbackAbout?: string;
  /** Never shown, not even when it is wrong. */
  readonly secret?: true;
  /** The value, or undefined when the text is not allowed. */
  parse(text: string): T | undefined;
}

export const MIB = 1024 * 1024;
