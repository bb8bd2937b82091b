/**
 * What is said of a Binary elsewhere, as tokens: documents that point to it, and what it names as its security context. No
 * search parameter of R4 has them. https://hl7.org/fhir/R4/binary.html#security; SECURITY CP-22
 */
import { hashDomain, type KeyedHash } from './hash.ts';
import type { Lanes } from './keys.ts';
import type { RidCodec } from './rid.ts';
import { findTable } from './tables.ts';

interface Keys {
  readonly hash: KeyedHash;
  readonly rids: RidCodec;
}

/** A document's token for a Binary: its rid XOR this. */
export const attachmentMask = ({ hash }: Keys): Lanes => hashDomain(hash, 'pointer\u0001attachment');
/** A Binary's token for its security context: the rid of that XOR this. */
export const contextMask = ({ hash }: Keys, type: string): Lanes =>
  hashDomain(hash, `pointer\u0001context\u0001${type}`);

type Json = Readonly<Record<string, unknown>>;
const members = (value: unknown, name: string): readonly unknown[] =>
  (Array.isArray(value) ? value : [value]).flatMap((one) =>
    typeof one === 'object' && one !== null ? [(one as Json)[name]] : [],
  );

/** Where each type has its attachments. */
const ATTACHMENTS: ReadonlyMap<string, (resource: Json) => readonly unknown[]> = new Map([
  ['DocumentReference', (resource: Json) => members(resource['content'], 'attachment')],
  ['Media', (resource: Json) => [resource['content']]],
  ['DiagnosticReport', (resource: Json) => [resource['presentedForm']].flat()],
]);

/** `Type/id` of a reference or address of something here. */
export function localPath(text: unknown, baseUrl: string): readonly [type: string, id: string] | undefined {
  if (typeof text !== 'string') return undefined;
  const base = `${baseUrl}/`;
  const [type = '', id = ''] = (text.startsWith(base) ? text.slice(base.length) : text).split('/');
  return id !== '' && findTable(type) ? [type, id] : undefined;
}

/** Lanes of the tokens of a resource, beside those of its search parameters. */
export function pointerLanes(resource: Json, type: string, keys: Keys, baseUrl: string): readonly number[] {
  const token = (id: string, mask: Lanes): readonly number[] => {
    keys.rids.lanes(id);
    return [keys.rids.hi ^ mask.hi, keys.rids.lo ^ mask.lo];
  };
  if (type === 'Binary') {
    const context = localPath(members(resource['securityContext'], 'reference')[0], baseUrl);
    return context ? token(context[1], contextMask(keys, context[0])) : [];
  }
  const attachments = ATTACHMENTS.get(type)?.(resource) ?? [];
  const ids = members(attachments, 'url').flatMap((url) => {
    const path = localPath(url, baseUrl);
    return path?.[0] === 'Binary' ? [path[1]] : [];
  });
  return [...new Set(ids)].flatMap((id) => token(id, attachmentMask(keys)));
}
