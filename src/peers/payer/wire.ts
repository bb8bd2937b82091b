/**
 * D.0 as the local payer reads and writes it: by itself, sharing nothing with the gateway, so that an error in one
 * shows in the other. Reference sections 14, 15.1
 */

const [FS, GS, RS] = ['\u001C', '\u001D', '\u001E'];
export const STX = 0x02;
export const ETX = 0x03;

export type Field = readonly [id: string, value: string];
export interface Part {
  readonly id: string;
  readonly fields: readonly Field[];
}
export interface Asked {
  readonly bin: string;
  readonly version: string;
  readonly code: string;
  readonly pcn: string;
  readonly count: string;
  readonly providerQualifier: string;
  readonly provider: string;
  readonly date: string;
  readonly shared: readonly Part[];
  readonly claims: readonly (readonly Part[])[];
}

const HEADER = 56;

/** Undefined: it has no header, or nothing after it. */
export function readAsked(text: string): Asked | undefined {
  if (text.length <= HEADER || !text.slice(HEADER).startsWith(RS)) return undefined;
  const [head = '', ...groups] = text.split(GS);
  const cut = (from: number, to: number): string => head.slice(from, to).trim();
  return {
    bin: cut(0, 6),
    version: cut(6, 8),
    code: cut(8, 10),
    pcn: cut(10, 20),
    count: cut(20, 21),
    providerQualifier: cut(21, 23),
    provider: cut(23, 38),
    date: cut(38, 46),
    shared: readParts(head.slice(HEADER)),
    claims: groups.map(readParts),
  };
}

const readParts = (text: string): readonly Part[] =>
  text
    .split(RS)
    .slice(1)
    .map((segment) => {
      const [name = '', ...fields] = segment.split(FS).slice(1);
      return { id: name.slice(2), fields: fields.map((field): Field => [field.slice(0, 2), field.slice(2).trimEnd()]) };
    });

export const part = (parts: readonly Part[], id: string): Part | undefined => parts.find((one) => one.id === id);
export const value = (parts: readonly Part[], segment: string, id: string): string =>
  part(parts, segment)?.fields.find(([name]) => name === id)?.[1] ?? '';
export const values = (parts: readonly Part[], segment: string, id: string): readonly string[] =>
  (part(parts, segment)?.fields ?? []).filter(([name]) => name === id).map(([, text]) => text);

export interface Answer {
  readonly status: 'A' | 'R';
  readonly shared: readonly Part[];
  readonly claims: readonly (readonly Part[])[];
}

export function writeAnswer(asked: Asked, { status, shared, claims }: Answer): string {
  const head = `D0${asked.code}${claims.length}${status}${asked.providerQualifier.padStart(2, '0')}${asked.provider.padEnd(15)}${asked.date.padStart(8, '0')}`;
  const parts = (list: readonly Part[]): string =>
    list
      .map(({ id, fields }) => `${RS}${FS}AM${id}${fields.map(([name, text]) => `${FS}${name}${text}`).join('')}`)
      .join('');
  return head + parts(shared) + claims.map((list) => GS + parts(list)).join('');
}

/** Cents of an overpunched amount; undefined where it is none. */
export function cents(text: string): number | undefined {
  const at = '{ABCDEFGHI'.indexOf(text.at(-1) ?? ' ');
  const below = '}JKLMNOPQR'.indexOf(text.at(-1) ?? ' ');
  if (!/^\d{0,9}$/.test(text.slice(0, -1)) || (at < 0 && below < 0)) return undefined;
  const amount = Number(text.slice(0, -1)) * 10 + Math.max(at, below);
  return at >= 0 ? amount : -amount;
}

export function overpunch(amount: number): string {
  const digits = String(Math.abs(amount));
  const last = (amount < 0 ? '}JKLMNOPQR' : '{ABCDEFGHI').charAt(Number(digits.at(-1)));
  return `${digits.slice(0, -1)}${last}`;
}
