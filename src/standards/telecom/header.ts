/** The fixed headers of D.0 as tables: a version with other widths is another table. Reference section 14 */

export interface HeaderField {
  /** `A1` of 101-A1. */
  readonly id: string;
  readonly number: string;
  readonly name: string;
  readonly length: number;
  /** What an empty one is filled with, and on which side. */
  readonly fill: 'zero-left' | 'space-right';
  /** Reject code of 511-FB for one that is missing or invalid. */
  readonly reject: string;
}

const field = (
  number: string,
  id: string,
  length: number,
  fill: HeaderField['fill'],
  reject: string,
  name: string,
): HeaderField => ({ id, number, name, length, fill, reject });

export const REQUEST_HEADER: readonly HeaderField[] = [
  field('101', 'A1', 6, 'zero-left', '01', 'BIN Number'),
  field('102', 'A2', 2, 'space-right', '02', 'Version/Release Number'),
  field('103', 'A3', 2, 'space-right', '03', 'Transaction Code'),
  field('104', 'A4', 10, 'space-right', '04', 'Processor Control Number'),
  field('109', 'A9', 1, 'zero-left', 'A9', 'Transaction Count'),
  field('202', 'B2', 2, 'zero-left', 'B2', 'Service Provider ID Qualifier'),
  field('201', 'B1', 15, 'space-right', '05', 'Service Provider ID'),
  field('401', 'D1', 8, 'zero-left', '15', 'Date of Service'),
  field('110', 'AK', 10, 'space-right', 'AK', 'Software Vendor/Certification ID'),
];

export const RESPONSE_HEADER: readonly HeaderField[] = [
  field('102', 'A2', 2, 'space-right', '02', 'Version/Release Number'),
  field('103', 'A3', 2, 'space-right', '03', 'Transaction Code'),
  field('109', 'A9', 1, 'zero-left', 'A9', 'Transaction Count'),
  field('501', 'F1', 1, 'space-right', 'R8', 'Header Response Status'),
  field('202', 'B2', 2, 'zero-left', 'B2', 'Service Provider ID Qualifier'),
  field('201', 'B1', 15, 'space-right', '05', 'Service Provider ID'),
  field('401', 'D1', 8, 'zero-left', '15', 'Date of Service'),
];

export const VERSION = 'D0';

const lengthOf = (fields: readonly HeaderField[]): number => fields.reduce((sum, { length }) => sum + length, 0);
/** 56 and 31 characters. */
export const REQUEST_HEADER_LENGTH = lengthOf(REQUEST_HEADER);
export const RESPONSE_HEADER_LENGTH = lengthOf(RESPONSE_HEADER);
/** What some senders leave out of a response: the date of service. Only a lenient reader takes it. */
export const SHORT_RESPONSE_HEADER_LENGTH = RESPONSE_HEADER_LENGTH - 8;

/** Values by field id, trailing spaces aside. */
export type Header = Readonly<Record<string, string>>;

export function readHeader(fields: readonly HeaderField[], text: string): Header {
  const header: Record<string, string> = {}; // names of the table alone
  let at = 0;
  for (const { id, length } of fields) {
    header[id] = text.slice(at, at + length).trimEnd();
    at += length;
  }
  return header;
}

/** Exactly as wide as the table says; what is too long is the caller's to refuse beforehand. */
export const formatHeader = (fields: readonly HeaderField[], header: Header): string =>
  fields
    .map(({ id, length, fill }) => {
      const value = (header[id] ?? '').slice(0, length);
      if (value === '') return (fill === 'zero-left' ? '0' : ' ').repeat(length);
      return fill === 'zero-left' ? value.padStart(length, '0') : value.padEnd(length);
    })
    .join('');
