/** Where answers may go. RFC 9700 section 2.1, RFC 8252 section 7.3; SECURITY SL-02 */
import type { Client } from '../../ports/clients.ts';

const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?(?=[/?]|$)/;

/** Whether the client registered this very text; of a public client's address on its own machine the port may differ. */
export function isRegisteredRedirect(client: Pick<Client, 'kind' | 'redirectUris'>, uri: string): boolean {
  if (client.redirectUris.includes(uri)) return true;
  const asked = client.kind === 'public' ? withoutPort(uri) : undefined;
  return asked !== undefined && client.redirectUris.some((registered) => withoutPort(registered) === asked);
}

/** A loopback address without its port; undefined for others. */
function withoutPort(uri: string): string | undefined {
  const match = LOOPBACK.exec(uri);
  if (!match) return undefined;
  const port = match[2];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined;
  return match[1] + uri.slice(match[0].length);
}

/** The address with parameters added to those it may have. */
export function withParameters(uri: string, parameters: Readonly<Record<string, string>>): string {
  const joint = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?';
  return `${uri}${joint}${new URLSearchParams(parameters)}`;
}

/** What a page must allow for its forms to lead there. https://www.w3.org/TR/CSP3/#framework-directive-source-list */
export function formTarget(uri: string): string {
  const { protocol, origin, hostname } = new URL(uri); // registered addresses can be read
  const isWeb = protocol === 'https:' || protocol === 'http:';
  // A source list has no form for IPv6 addresses.
  return isWeb && !hostname.startsWith('[') ? origin : protocol;
}
