/**
 * Where SCRIPT messages may be brought, by the operator's own file: nothing that is stored, and no partner, can name
 * another place. docs/ncpdp.md "Pushing"
 */
import { resolve } from 'node:path';
import type { ScriptTarget } from '../../../ports/script-push.ts';

export interface ScriptTargetRow extends ScriptTarget {
  /** HTTP Basic (RFC 7617). */
  readonly user?: string;
  readonly password?: string;
  /** Our certificate for this partner and its key, in PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Authorities of the partner's server; those of the system where it is absent. */
  readonly ca?: string;
}

const NAMES: ReadonlySet<string> = new Set(['receiver', 'url', 'user', 'password', 'cert', 'key', 'ca']);
const RECEIVER = /^(?:P|D|C|M|CF|PY|REMS|DIRECT|ZZZ):\S{1,255}$/;
const ROWS_MAX = 1000;

/** Rows of a file's text; paths are from `folder`. Throws, with the row and no password, where it is not as it should be. */
export function parseScriptTargets(text: string, folder: string): readonly ScriptTargetRow[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (!Array.isArray(json) || json.length > ROWS_MAX) throw new Error(`it must be a list of at most ${ROWS_MAX} rows`);
  const receivers = new Set<string>();
  return json.map((row: unknown, at) => {
    const refuse = (what: string): never => {
      throw new Error(`row ${at + 1}: ${what}`);
    };
    const texts = new Map<string, string>();
    for (const [name, value] of Object.entries((row ?? {}) as object)) {
      if (!NAMES.has(name)) refuse(`${name.slice(0, 32)} is not known: ${[...NAMES].join(', ')} are`);
      if (typeof value !== 'string' || value === '') refuse(`${name} must be a text`);
      texts.set(name, value as string); // refused else
    }
    const [receiver = '', address = ''] = [texts.get('receiver'), texts.get('url')];
    if (!RECEIVER.test(receiver)) refuse('receiver must be a name in To, like P:0300123');
    if (receivers.has(receiver)) refuse(`another row is for ${receiver} too`);
    receivers.add(receiver);
    const url = urlOf(address);
    if (url === undefined) return refuse('url must be https://host/path, without user, query and fragment');
    if (texts.has('user') !== texts.has('password')) refuse('user and password are given together');
    if (texts.get('user')?.includes(':') === true) refuse('user must have no colon');
    if (texts.has('cert') !== texts.has('key')) refuse('cert and key are given together');
    if (texts.has('cert') && !texts.has('ca')) refuse('ca is missing: beside cert it says whose server is believed');
    if (!texts.has('user') && !texts.has('cert')) refuse('user and password, or cert and key, are missing');
    const file = (name: string): Record<string, string> => {
      const path = texts.get(name);
      return path === undefined ? {} : { [name]: resolve(folder, path) };
    };
    return {
      receiver,
      url,
      ...(texts.has('user') && { user: texts.get('user') as string, password: texts.get('password') as string }), // together
      ...file('cert'),
      ...file('key'),
      ...file('ca'),
    };
  });
}

function urlOf(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return /[?#]/.test(text) ? undefined : url;
}
