/** A transmission as it was read: every field as it stands, in its order, with where it stands. */
import type { Header } from './header.ts';

export interface TelecomField {
  /** Two characters: `C2`. */
  readonly id: string;
  /** As on the wire, trailing spaces and all. */
  readonly value: string;
  /** Characters before it in the transmission; 0 in one that was made here. */
  readonly at: number;
}

export interface TelecomSegment {
  /** `07` of AM07; two characters. */
  readonly id: string;
  readonly fields: readonly TelecomField[];
  readonly at: number;
}

export interface TelecomMessage {
  readonly side: 'request' | 'response';
  readonly header: Header;
  /** Segments that hold for every transaction. */
  readonly transmission: readonly TelecomSegment[];
  /** Up to four. */
  readonly transactions: readonly (readonly TelecomSegment[])[];
}

export const findSegment = (segments: readonly TelecomSegment[] | undefined, id: string): TelecomSegment | undefined =>
  segments?.find((segment) => segment.id === id);

/** The first of a field, without trailing spaces; an empty one is none. */
export function findValue(segment: TelecomSegment | undefined, id: string): string | undefined {
  const value = segment?.fields.find((field) => field.id === id)?.value.trimEnd();
  return value === '' ? undefined : value;
}

/** All of a field that repeats. */
export const valuesOf = (segment: TelecomSegment | undefined, id: string): readonly string[] =>
  (segment?.fields ?? []).filter((field) => field.id === id).map(({ value }) => value.trimEnd());
