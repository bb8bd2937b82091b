/** What a literal reference says. https://hl7.org/fhir/R4/references.html#literal */

export type ParsedReference =
  | { readonly kind: 'relative'; readonly type: string; readonly id: string; readonly version?: string }
  | {
      readonly kind: 'absolute';
      readonly url: string;
      /** What stands before `Type/id`, without the slash; the whole URL when it does not end so. */
      readonly base: string;
      readonly type?: string;
      readonly id?: string;
      readonly version?: string;
    }
  /** `urn:uuid:` and `urn:oid:`: the fullUrl of another entry, or a name beyond this server. */
  | { readonly kind: 'urn'; readonly urn: string }
  /** A contained resource; an empty id is the container itself. */
  | { readonly kind: 'fragment'; readonly id: string }
  /** `Patient?identifier=…`, in transactions only: https://hl7.org/fhir/R4/http.html#trules */
  | { readonly kind: 'conditional'; readonly type: string; readonly query: string }
  /** An absolute URL with a business version, `url|version`. */
  | { readonly kind: 'canonical'; readonly url: string; readonly version: string };

const ID = /^[A-Za-z0-9\-.]{1,64}$/;
const TYPE = /^[A-Z][A-Za-z]{1,63}$/;
const UUID = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const OID = /^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const HISTORY = '_history';

/** Whether a text can be a logical id. https://hl7.org/fhir/R4/datatypes.html#id */
export const isId = (text: string): boolean => ID.test(text);

/**
 * Returns the parts of a literal reference, or undefined when it is none. Whether the type named exists, and whether
 * the server's own base stands in front, is for the caller to say.
 */
export function parseReference(text: string): ParsedReference | undefined {
  const first = text.charCodeAt(0);
  if (first >= 0x41 && first <= 0x5a) {
    const local = parseLocal(text);
    if (local !== undefined) return local;
  }
  if (first === 0x23) {
    const id = text.slice(1);
    return id === '' || isId(id) ? { kind: 'fragment', id } : undefined;
  }
  if (text === '' || /\s/.test(text)) return undefined;
  if (/^urn:(uuid|oid):/i.test(text)) return UUID.test(text) || OID.test(text) ? { kind: 'urn', urn: text } : undefined;
  return SCHEME.test(text) ? parseAbsolute(text) : undefined;
}

/** `Type/id`, `Type/id/_history/version` and `Type?query`. */
function parseLocal(text: string): ParsedReference | undefined {
  const slash = text.indexOf('/');
  const question = text.indexOf('?');
  if (question > 0 && (slash < 0 || question < slash)) {
    const type = text.slice(0, question);
    const query = text.slice(question + 1);
    return TYPE.test(type) && query !== '' && !/\s/.test(query) ? { kind: 'conditional', type, query } : undefined;
  }
  if (slash < 0) return undefined;
  const type = text.slice(0, slash);
  const next = text.indexOf('/', slash + 1);
  const id = next < 0 ? text.slice(slash + 1) : text.slice(slash + 1, next);
  if (!TYPE.test(type) || !isId(id)) return undefined;
  if (next < 0) return { kind: 'relative', type, id };
  const version = versionOf(text.slice(next + 1));
  return version === undefined ? undefined : { kind: 'relative', type, id, version };
}

/** `_history/3` → `3`. */
function versionOf(text: string): string | undefined {
  if (!text.startsWith(`${HISTORY}/`)) return undefined;
  const version = text.slice(HISTORY.length + 1);
  return isId(version) ? version : undefined;
}

function parseAbsolute(url: string): ParsedReference {
  const bar = url.indexOf('|');
  if (bar > 0) return { kind: 'canonical', url: url.slice(0, bar), version: url.slice(bar + 1) };
  const parts = url.split('/');
  const versioned = parts.length > 4 && parts[parts.length - 2] === HISTORY;
  const end = versioned ? parts.length - 2 : parts.length;
  const type = parts[end - 2];
  const id = parts[end - 1];
  const version = versioned ? parts[parts.length - 1] : undefined;
  if (end < 5 || type === undefined || id === undefined || !TYPE.test(type) || !isId(id))
    return { kind: 'absolute', url, base: url };
  if (version !== undefined && !isId(version)) return { kind: 'absolute', url, base: url };
  const base = parts.slice(0, end - 2).join('/');
  return version === undefined
    ? { kind: 'absolute', url, base, type, id }
    : { kind: 'absolute', url, base, type, id, version };
}
