/**
 * Asks whether certificates are revoked: lists at hand first, then responders (OCSP), then lists at the places that the
 * certificate names. What was had is kept until its end, and looked at again now and then. SECURITY PK-07, PK-08
 */
import { randomBytes } from 'node:crypto';
import type { FetchBytes } from '../../ports/fetch-bytes.ts';
import type { Log } from '../../ports/log.ts';
import type { Certificate } from '../../standards/x509/certificate.ts';
import { DerFault } from '../../standards/x509/der.ts';
import { certificateIdOf, formatOcspRequest, readOcspAnswer } from '../../standards/x509/ocsp.ts';
import { readPem } from '../../standards/x509/pem.ts';
import { type RevocationList, readRevocationList } from '../../standards/x509/revocation-list.ts';
import { type CertificateStatus, faultOfList, needsNoCheck, statusInAnswer, statusInList } from './evidence.ts';

export interface Revocations {
  /** Of a certificate whose issuer is believed already. Never rejects. */
  statusOf(certificate: Certificate, issuer: Certificate): Promise<CertificateStatus>;
  /** Lists at hand, in the place of those before: of our own authority, or brought by a partner. Each is still checked. */
  setLists(lists: readonly RevocationList[]): void;
}

export interface RevocationOptions {
  readonly fetch: FetchBytes;
  /** ms UTC */
  readonly now: () => number;
  readonly log: Log;
  /** After which time what is kept is looked for anew, though it is good for longer. */
  readonly refreshMs?: number;
}

const REFRESH_MS = 10 * 60 * 1000;
/** After a failure nobody is asked again for so long. */
const RETRY_MS = 30_000;
const LIST_TIMEOUT_MS = 10_000;
const OCSP_TIMEOUT_MS = 5_000;
const LIST_BYTES_MAX = 10 * 1024 * 1024;
const OCSP_BYTES_MAX = 256 * 1024;
const URLS_MAX = 4;
const LISTS_MAX = 64;
const LIST_ENTRIES_MAX = 1_000_000;
const ANSWERS_MAX = 10_000;
const NONCE_BYTES = 16;

interface Kept<T> {
  readonly value: Promise<T>;
  /** ms UTC: from then on it is looked for anew. */
  readonly refreshAt: number;
  /** Of the last one that could be used, in case that the next cannot be had. */
  readonly last?: T;
}

export function createRevocations({ fetch, now, log, refreshMs = REFRESH_MS }: RevocationOptions): Revocations {
  let local: readonly RevocationList[] = [];
  const lists = new Map<string, Kept<RevocationList | string>>();
  const answers = new Map<string, Kept<CertificateStatus>>();
  let entries = 0;

  /** The list at that place, or why there is none. */
  function listAt(url: string): Promise<RevocationList | string> {
    const kept = lists.get(url);
    if (kept && now() < kept.refreshAt) return kept.value;
    const last = kept?.last;
    const value = readList(url).then(
      (list): RevocationList | string => {
        entries += list.revoked.size - (typeof last === 'object' ? last.revoked.size : 0);
        lists.set(url, { value, refreshAt: now() + refreshMs, last: list });
        keepWithin();
        return list;
      },
      (error: Error): RevocationList | string => {
        log.warn('a revocation list cannot be had', { url, error: error.message });
        const instead = last ?? `the list cannot be had (${error.message})`;
        lists.set(url, { value: Promise.resolve(instead), refreshAt: now() + RETRY_MS, ...(last && { last }) });
        return instead;
      },
    );
    lists.delete(url);
    lists.set(url, { value, refreshAt: Number.POSITIVE_INFINITY, ...(last && { last }) });
    return value;
  }

  async function readList(url: string): Promise<RevocationList> {
    const bytes = await fetch({
      url,
      accept: 'application/pkix-crl',
      bytesMax: LIST_BYTES_MAX,
      timeoutMs: LIST_TIMEOUT_MS,
    });
    return readAnyList(bytes);
  }

  /** The oldest go first. */
  function keepWithin(): void {
    for (const [url, { last }] of lists) {
      if (lists.size <= LISTS_MAX && entries <= LIST_ENTRIES_MAX) return;
      lists.delete(url);
      if (typeof last === 'object') entries -= last.revoked.size;
    }
  }

  async function byLists(certificate: Certificate, issuer: Certificate): Promise<CertificateStatus> {
    let why = 'the certificate names no place where revocations are told';
    for (const { urls, isPartial } of certificate.distributionPoints.slice(0, URLS_MAX)) {
      if (isPartial) {
        why = 'its list is not of its issuer alone';
        continue;
      }
      for (const url of urls.filter(isWeb).slice(0, URLS_MAX)) {
        const list = await listAt(url);
        const fault = typeof list === 'string' ? list : faultOfList(list, issuer, now());
        const status = typeof list === 'string' || fault !== undefined ? undefined : statusInList(certificate, list);
        if (status && status.kind !== 'unknown') return status;
        why = fault ?? status?.why ?? why;
      }
    }
    return { kind: 'unknown', why };
  }

  function byResponders(certificate: Certificate, issuer: Certificate): Promise<CertificateStatus> {
    const key = `${certificate.fingerprint} ${issuer.fingerprint}`;
    const kept = answers.get(key);
    if (kept && now() < kept.refreshAt) return kept.value;
    const last = kept?.last;
    const value = askResponders(certificate, issuer).then((status) => {
      const usable =
        status.kind === 'unknown' && last?.kind !== 'unknown' && last && last.until >= now() ? last : status;
      const refreshAt = now() + (status.kind === 'unknown' ? RETRY_MS : Math.min(refreshMs, status.until - now()));
      answers.set(key, { value: Promise.resolve(usable), refreshAt, last: usable });
      return usable;
    });
    answers.delete(key);
    answers.set(key, { value, refreshAt: Number.POSITIVE_INFINITY, ...(last && { last }) });
    for (const [oldest] of answers) {
      if (answers.size <= ANSWERS_MAX) break;
      answers.delete(oldest);
    }
    return value;
  }

  async function askResponders(certificate: Certificate, issuer: Certificate): Promise<CertificateStatus> {
    let status: CertificateStatus = { kind: 'unknown', why: 'the certificate names no responder' };
    for (const url of certificate.ocspUrls.filter(isWeb).slice(0, URLS_MAX)) {
      status = await askResponder(url, certificate, issuer);
      if (status.kind !== 'unknown') return status;
    }
    return status;
  }

  async function askResponder(url: string, certificate: Certificate, issuer: Certificate): Promise<CertificateStatus> {
    const nonce = randomBytes(NONCE_BYTES);
    const id = certificateIdOf(certificate, issuer);
    try {
      const bytes = await fetch({
        url,
        post: { type: 'application/ocsp-request', bytes: formatOcspRequest({ ids: [id], nonce }) },
        accept: 'application/ocsp-response',
        bytesMax: OCSP_BYTES_MAX,
        timeoutMs: OCSP_TIMEOUT_MS,
      });
      const isGood = async (responder: Certificate): Promise<boolean> =>
        needsNoCheck(responder) || (await byLists(responder, issuer)).kind === 'good';
      return await statusInAnswer(readOcspAnswer(bytes), { id, issuer, nonce, now: now() }, isGood);
    } catch (error) {
      const why = `the responder cannot be used (${(error as Error).message})`;
      log.warn('a responder gave no answer that can be used', { url, error: (error as Error).message });
      return { kind: 'unknown', why };
    }
  }

  function byListsAtHand(certificate: Certificate, issuer: Certificate): CertificateStatus | undefined {
    const usable = local.filter(
      (list) => list.issuer.key === issuer.subject.key && faultOfList(list, issuer, now()) === undefined,
    );
    const statuses = usable.map((list) => statusInList(certificate, list));
    return statuses.find(({ kind }) => kind === 'revoked') ?? statuses.find(({ kind }) => kind === 'good');
  }

  return {
    async statusOf(certificate, issuer) {
      const atHand = byListsAtHand(certificate, issuer);
      if (atHand) return atHand;
      const answered: CertificateStatus =
        certificate.ocspUrls.length === 0
          ? { kind: 'unknown', why: 'the certificate names no responder' }
          : await byResponders(certificate, issuer);
      if (answered.kind !== 'unknown') return answered;
      const listed = await byLists(certificate, issuer);
      if (listed.kind !== 'unknown' || certificate.distributionPoints.length > 0) return listed;
      return certificate.ocspUrls.length > 0 ? answered : listed;
    },
    setLists(next) {
      local = next;
    },
  };
}

/** Reads a list in DER or PEM. Throws `DerFault`. */
export function readAnyList(bytes: Buffer): RevocationList {
  if (bytes[0] === 0x30) return readRevocationList(bytes);
  const [block] = readPem(bytes.toString('latin1'), 'X509 CRL');
  if (!block) throw new DerFault('there is no revocation list');
  return readRevocationList(block);
}

const isWeb = (url: string): boolean => /^https?:\/\//i.test(url);
