/** Cookies of the pages. `__Host-` binds them to this host and to TLS. RFC 6265bis section 4.1.3.2; SECURITY LG-13 */
import type { IncomingMessage, ServerResponse } from 'node:http';

export type CookieName = 'session' | 'step' | 'device' | 'upstream';

export interface Cookies {
  read(req: IncomingMessage, name: CookieName): string | undefined;
  /** Without `maxAgeMs` it goes when the browser closes. */
  set(res: ServerResponse, name: CookieName, value: string, maxAgeMs?: number): void;
  clear(res: ServerResponse, name: CookieName): void;
}

const SUFFIX: Readonly<Record<CookieName, string>> = {
  session: '',
  step: '-step',
  device: '-device',
  upstream: '-upstream',
};
/** What we set has this form: 256 bits in base64url. */
const VALUE = /^[A-Za-z0-9_-]{43}$/;

/**
 * `url`: how browsers reach us; without https (loopback only) there is no `Secure`. `__Host-` wants the path `/`, so what
 * comes below a path of the URL has it in its name: two servers of one host must not take each other's cookies.
 */
export function createCookies(url: string): Cookies {
  const { protocol, pathname } = new URL(url);
  const isTls = protocol === 'https:';
  const base = pathname.replaceAll('/', '.').replace(/\.$/, '');
  const nameOf = (name: CookieName): string => `${isTls ? '__Host-' : ''}mortar${SUFFIX[name]}${base}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isTls ? '; Secure' : ''}`;
  return {
    read(req, name) {
      const prefix = `${nameOf(name)}=`;
      const found = (req.headers.cookie ?? '')
        .split(';')
        .map((pair) => pair.trim())
        .filter((pair) => pair.startsWith(prefix));
      // Two of one name: one of them was planted, and nobody can say which.
      if (found.length !== 1) return undefined;
      const value = found[0]?.slice(prefix.length) ?? '';
      return VALUE.test(value) ? value : undefined;
    },
    set(res, name, value, maxAgeMs) {
      const age = maxAgeMs === undefined ? '' : `; Max-Age=${Math.floor(maxAgeMs / 1000)}`;
      res.appendHeader('Set-Cookie', `${nameOf(name)}=${value}; ${attributes}${age}`);
    },
    clear(res, name) {
      res.appendHeader('Set-Cookie', `${nameOf(name)}=; ${attributes}; Max-Age=0`);
    },
  };
}
