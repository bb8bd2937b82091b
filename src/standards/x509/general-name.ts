/** GeneralName: subject alternative names, places of lists. RFC 5280 section 4.2.1.6 */
import { DerFault, type DerValue, explicitTag, implicitTag, readDer, TAG, valuesIn } from './der.ts';
import { explicit, implicit } from './der-write.ts';
import { type Name, readName } from './name.ts';

export type GeneralName =
  | { readonly kind: 'dns' | 'uri' | 'email' | 'ip'; readonly value: string }
  | { readonly kind: 'directory'; readonly value: Name }
  /** Of another kind, whose form is not read. */
  | { readonly kind: 'other'; readonly tag: number };

const NAMES_MAX = 256;
const TEXTS = new Map([
  [implicitTag(1), 'email'],
  [implicitTag(2), 'dns'],
  [implicitTag(6), 'uri'],
] as const);

export function readGeneralNames(content: Buffer, what: string): readonly GeneralName[] {
  const names = [...valuesIn(content, what)].map(readGeneralName);
  if (names.length > NAMES_MAX) throw new DerFault(`${what} has too many names`);
  return names;
}

function readGeneralName({ tag, content }: DerValue): GeneralName {
  const kind = TEXTS.get(tag);
  if (kind) return { kind, value: readAscii(content) };
  if (tag === implicitTag(7)) return { kind: 'ip', value: readAddress(content) };
  if (tag === explicitTag(4)) return { kind: 'directory', value: readName(readDer(content, TAG.sequence, 'a name')) };
  return { kind: 'other', tag };
}

/** No control characters: a NUL has hidden the rest of a name from other readers before. */
function readAscii(content: Buffer): string {
  if (content.some((byte) => byte < 0x20 || byte > 0x7e)) throw new DerFault('a name is not printable ASCII');
  return content.toString('latin1');
}

function readAddress(content: Buffer): string {
  if (content.length === 4) return content.join('.');
  if (content.length !== 16) throw new DerFault('an address is malformed');
  const groups = Array.from({ length: 8 }, (_, i) => content.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1); // in its shortest form
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const isIpv6 = (text: string): boolean => /^[0-9a-f]*:[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`);

/** An address, a URI, an e-mail address, or else a DNS name, by its look. */
export function generalNameOf(text: string): GeneralName {
  if (IPV4.test(text)) return { kind: 'ip', value: text };
  if (isIpv6(text)) return { kind: 'ip', value: new URL(`http://[${text}]`).hostname.slice(1, -1) };
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return { kind: 'uri', value: text };
  return { kind: text.includes('@') ? 'email' : 'dns', value: text };
}

export function formatGeneralName(name: GeneralName): Buffer {
  switch (name.kind) {
    case 'dns':
      return implicit(2, Buffer.from(name.value, 'latin1'));
    case 'uri':
      return implicit(6, Buffer.from(name.value, 'latin1'));
    case 'email':
      return implicit(1, Buffer.from(name.value, 'latin1'));
    case 'ip':
      return implicit(7, addressBytes(name.value));
    case 'directory':
      return explicit(4, name.value.bytes);
    default:
      throw new DerFault('a name of another kind cannot be written');
  }
}

/** The bytes of an address in the form that `readGeneralNames` gives. */
export function addressBytes(address: string): Buffer {
  if (IPV4.test(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const [before, after] = [groups(head), groups(tail)];
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

const LABELS = new Map([
  ['dns', 'DNS'],
  ['uri', 'URI'],
  ['email', 'email'],
  ['ip', 'IP Address'],
]);

/** `DNS:a.example`, as Node and OpenSSL write it. */
export const labelOf = (name: GeneralName): string | undefined =>
  name.kind === 'directory' || name.kind === 'other' ? undefined : `${LABELS.get(name.kind)}:${name.value}`;
