/**
 * Fetches certificates of authorities from where a certificate says they are (RFC 5280 section 4.2.2.1). They only help
 * to find the way to an anchor: nobody trusts them. Node does not hand on what a TLS client sends beside its own.
 */
import type { FetchBytes } from '../ports/fetch-bytes.ts';
import { type Certificate, readCertificates } from '../standards/x509/certificate.ts';

export type FindIssuers = (certificate: Certificate) => Promise<readonly Certificate[]>;

const KEPT_MAX = 500;
const KEPT_MS = 24 * 60 * 60 * 1000;
const FAILED_MS = 60_000;
const BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 5_000;
const DEPTH_MAX = 3;
const URLS_MAX = 2;

/** `isAllowed`: whoever connects can name any place, and must not send us there. */
export function createIssuerFinder(
  fetch: FetchBytes,
  now: () => number,
  isAllowed: (url: string) => boolean,
): FindIssuers {
  const kept = new Map<string, { readonly found: Promise<readonly Certificate[]>; readonly until: number }>();

  function at(url: string): Promise<readonly Certificate[]> {
    const known = kept.get(url);
    if (known && now() < known.until) return known.found;
    const request = { url, accept: 'application/pkix-cert', bytesMax: BYTES_MAX, timeoutMs: TIMEOUT_MS };
    const found = fetch(request).then(readCertificates);
    const orNone = found.catch((): readonly Certificate[] => {
      kept.set(url, { found: Promise.resolve([]), until: now() + FAILED_MS });
      return [];
    });
    kept.delete(url);
    kept.set(url, { found: orNone, until: now() + KEPT_MS });
    for (const [oldest] of kept) {
      if (kept.size <= KEPT_MAX) break;
      kept.delete(oldest);
    }
    return orNone;
  }

  return async (certificate) => {
    const all: Certificate[] = [];
    let level: readonly Certificate[] = [certificate];
    for (let depth = 0; depth < DEPTH_MAX && level.length > 0; depth++) {
      const urls = level.flatMap(({ issuerUrls }) =>
        issuerUrls.filter((url) => /^https?:/i.test(url) && isAllowed(url)).slice(0, URLS_MAX),
      );
      level = (await Promise.all(urls.slice(0, URLS_MAX).map(at))).flat();
      all.push(...level);
    }
    return all;
  };
}
