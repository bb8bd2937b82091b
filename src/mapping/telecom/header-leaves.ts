/** Fields of the header among the others: `H/A1`. Version, transaction code and count are said otherwise. */
import { parseFormat } from '../../standards/telecom/formats.ts';
import { type Header, type HeaderField, REQUEST_HEADER, RESPONSE_HEADER } from '../../standards/telecom/header.ts';
import type { Leaf } from './paths.ts';

const SAID_OTHERWISE: ReadonlySet<string> = new Set(['A2', 'A3', 'A9']);

export const headerFields = (side: 'request' | 'response'): readonly HeaderField[] =>
  (side === 'request' ? REQUEST_HEADER : RESPONSE_HEADER).filter(({ id }) => !SAID_OTHERWISE.has(id));

export function headerLeaves(header: Header, side: 'request' | 'response'): readonly Leaf[] {
  return headerFields(side).flatMap(({ id, number, name, length, reject }): Leaf[] => {
    const value = header[id] ?? '';
    if (value === '') return [];
    if (!/^[ -~]+$/.test(value)) return [{ path: `H/${id}`, text: value }];
    const isDay = id === 'D1' && /^\d{8}$/.test(value);
    const text = isDay ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : value;
    const notation = isDay ? 'date' : `x${length}`;
    return [{ path: `H/${id}`, text, model: { id, number, name, format: parseFormat(notation), notation, reject } }];
  });
}

/** Undefined: the text is wider than its field. */
export function headerValue({ id, length }: HeaderField, text: string): string | undefined {
  const value = id === 'D1' && /^\d{4}-\d{2}-\d{2}$/.test(text) ? text.replaceAll('-', '') : text;
  return value.length <= length && /^[ -~]*$/.test(value) ? value : undefined;
}
