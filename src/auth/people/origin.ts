/** Whether a form was sent from a page of ours. https://www.w3.org/TR/fetch-metadata/ ; SECURITY WB-01 */
import type { IncomingMessage } from 'node:http';

/**
 * Browsers say in `Sec-Fetch-Site` where a request comes from, and no page can change that. Without it `Origin` must be
 * ours. A page with `Referrer-Policy: no-referrer` sends `Origin: null`, so that alone proves nothing either way.
 */
export function createOriginCheck(url: string): (req: IncomingMessage) => boolean {
  const own = new URL(url).origin;
  return ({ headers }) => {
    const site = headers['sec-fetch-site'];
    if (site !== undefined) return site === 'same-origin';
    return headers.origin === own;
  };
}
