/** Which names an authority may certify. RFC 5280 section 4.2.1.10 */
import type { Certificate } from '../standards/x509/certificate.ts';
import {
  cursorOver,
  DerFault,
  type DerValue,
  explicitTag,
  implicitTag,
  readDer,
  TAG,
  valuesIn,
} from '../standards/x509/der.ts';
import { addressBytes, type GeneralName } from '../standards/x509/general-name.ts';
import { attributeOfName, type Name, readName } from '../standards/x509/name.ts';
import { EXTENSION } from '../standards/x509/oids.ts';

type Constraint =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly address: Buffer; readonly mask: Buffer }
  | { readonly kind: 'directory'; readonly value: Name };
type Subject = Exclude<GeneralName, { readonly kind: 'other' }>;

interface NameConstraints {
  readonly permitted: readonly Constraint[];
  readonly excluded: readonly Constraint[];
}

const SUBTREES_MAX = 256;

/** Why the authority may not certify these names, if so. `below`: the certificates under it. */
export function breachOfNameConstraints(authority: Certificate, below: readonly Certificate[]): string | undefined {
  const extension = authority.extensions.get(EXTENSION.nameConstraints);
  if (!extension) return undefined;
  let constraints: NameConstraints;
  try {
    constraints = readNameConstraints(extension.value);
  } catch (error) {
    if (error instanceof DerFault) return 'its name constraints are not understood';
    throw error;
  }
  for (const certificate of below) {
    if (certificate.alternativeNames.some(({ kind }) => kind === 'other'))
      return 'a name under its name constraints is not understood';
    for (const name of namesOf(certificate)) {
      const alike = constraints.permitted.filter(({ kind }) => kind === name.kind);
      if (alike.length > 0 && !alike.some((constraint) => isWithin(name, constraint)))
        return 'a name is outside what its authority may certify';
      if (constraints.excluded.some((constraint) => isWithin(name, constraint)))
        return 'a name is one that its authority must not certify';
    }
  }
  return undefined;
}

function namesOf({ subject, alternativeNames }: Certificate): readonly Subject[] {
  const email = attributeOfName(subject, 'emailAddress');
  return [
    ...alternativeNames.filter((name) => name.kind !== 'other'),
    ...(subject.parts.length === 0 ? [] : [{ kind: 'directory' as const, value: subject }]),
    ...(email === undefined ? [] : [{ kind: 'email' as const, value: email }]),
  ];
}

function readNameConstraints(value: Buffer): NameConstraints {
  const cursor = cursorOver(readDer(value, TAG.sequence, 'the name constraints').content);
  const permitted = cursor.optional(explicitTag(0));
  const excluded = cursor.optional(explicitTag(1));
  cursor.end('the name constraints');
  const read = (list: DerValue | undefined): readonly Constraint[] => {
    const items = list ? [...valuesIn(list.content, 'the subtrees')] : [];
    if (items.length > SUBTREES_MAX) throw new DerFault('there are too many subtrees');
    return items.map(readSubtree);
  };
  return { permitted: read(permitted), excluded: read(excluded) };
}

const TEXTS = new Map([
  [implicitTag(1), 'email'],
  [implicitTag(2), 'dns'],
  [implicitTag(6), 'uri'],
] as const);

function readSubtree({ bytes }: DerValue): Constraint {
  const cursor = cursorOver(readDer(bytes, TAG.sequence, 'a subtree').content);
  const { tag, content } = cursor.any('the name of a subtree');
  cursor.end('a subtree'); // RFC 5280 uses neither minimum nor maximum
  const kind = TEXTS.get(tag);
  if (kind) return { kind, value: content.toString('latin1').toLowerCase() };
  if (tag === explicitTag(4)) return { kind: 'directory', value: readName(readDer(content, TAG.sequence, 'a name')) };
  if (tag === implicitTag(7) && (content.length === 8 || content.length === 32))
    return { kind: 'ip', address: content.subarray(0, content.length / 2), mask: content.subarray(content.length / 2) };
  throw new DerFault('the kind of a subtree is not known');
}

function isWithin(name: Subject, constraint: Constraint): boolean {
  switch (constraint.kind) {
    case 'dns':
      return name.kind === 'dns' && isHostWithin(name.value.toLowerCase(), constraint.value, true);
    case 'uri':
      return name.kind === 'uri' && isHostWithin(hostOf(name.value), constraint.value, false);
    case 'email':
      return name.kind === 'email' && isMailWithin(name.value.toLowerCase(), constraint.value);
    case 'ip':
      return name.kind === 'ip' && isAddressWithin(addressBytes(name.value), constraint);
    default:
      return name.kind === 'directory' && isNameWithin(name.value, constraint.value);
  }
}

/** `a.example` holds itself and what is below it; of URIs, only `.a.example` holds what is below. */
const isHostWithin = (host: string, constraint: string, below: boolean): boolean =>
  constraint === '' ||
  (constraint.startsWith('.')
    ? host.endsWith(constraint)
    : host === constraint || (below && host.endsWith(`.${constraint}`)));

const isMailWithin = (mail: string, constraint: string): boolean =>
  constraint.includes('@')
    ? mail === constraint
    : isHostWithin(mail.slice(mail.lastIndexOf('@') + 1), constraint, false);

const hostOf = (uri: string): string => (URL.canParse(uri) ? new URL(uri).hostname.toLowerCase() : '');

const isAddressWithin = (bytes: Buffer, { address, mask }: { address: Buffer; mask: Buffer }): boolean =>
  bytes.length === address.length && bytes.every((byte, i) => (byte & mask[i]!) === (address[i]! & mask[i]!));

/** The constraint's parts are the first parts of the name. */
function isNameWithin(name: Name, constraint: Name): boolean {
  const [own, limit] = [JSON.parse(name.key), JSON.parse(constraint.key)] as readonly (readonly string[])[][]; // as `keyOf` wrote them
  return limit!.length <= own!.length && limit!.every((part, i) => JSON.stringify(part) === JSON.stringify(own![i]));
}
