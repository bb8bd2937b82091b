/**
 * Serves what others check our certificates with: lists (`/client-ca.crl`), authorities (`/client-ca.crt`) and answers
 * (`/ocsp`, POST or GET). All of it is signed, so that plain HTTP does. RFC 6960 appendix A. SECURITY PK-05
 */

import { statSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Log } from '../../ports/log.ts';
import { signerOf } from '../../standards/x509/algorithms.ts';
import { type Certificate, readCertificates } from '../../standards/x509/certificate.ts';
import { DerFault } from '../../standards/x509/der.ts';
import {
  type CertificateId,
  certificateIdOf,
  formatOcspAnswer,
  formatOcspError,
  type OcspError,
  type OcspSingle,
  type OcspStatus,
  readOcspRequest,
} from '../../standards/x509/ocsp.ts';
import { readPem } from '../../standards/x509/pem.ts';
import { readRevocationList } from '../../standards/x509/revocation-list.ts';
import { DAY_MS, type PkiFolder, publishList, readAuthorityCertificate, readKey } from './authority.ts';
import { authorityFile, PkiError, readWhole, withLock } from './folder.ts';
import { ALL_AUTHORITIES, AUTHORITIES, type AuthorityName } from './profiles.ts';
import { type IssuedEntry, readRegister, registerFile } from './register.ts';

const ANSWER_MS = 60 * 60 * 1000;
const BODY_BYTES_MAX = 64 * 1024;
const PATH_MAX = 4096;
/** A list is made anew when less of its day is left. */
const LIST_LEFT_MS = DAY_MS / 2;

/** An intermediate with what it needs to answer. */
interface Answering {
  readonly issuer: Certificate;
  readonly responder: Certificate;
  readonly sign: ReturnType<typeof signerOf>;
  readonly entries: ReadonlyMap<string, IssuedEntry>;
}

/** Listens below `prefix`, such as `/pki`; anything else there is 404. */
export function createPkiHandler(pki: PkiFolder, prefix: string, log: Log): RequestListener {
  const registers = new Map<AuthorityName, { readonly look: string; readonly answering: Answering }>();

  /** Read anew when the register or the responder has changed: a revocation counts at once. */
  function answeringOf(name: (typeof AUTHORITIES)[number]): Answering {
    const look = [registerFile(pki.folder, name), authorityFile(pki.folder, name, 'ocsp.crt')].map(lookOf).join(' ');
    const known = registers.get(name);
    if (known?.look === look) return known.answering;
    const responder = readCertificates(
      readWhole(authorityFile(pki.folder, name, 'ocsp.crt'), 'npm run -s pki -- renew ocsp'),
    )[0]!;
    const answering = {
      issuer: readAuthorityCertificate(pki, name),
      responder,
      sign: signerOf(readKey(authorityFile(pki.folder, name, 'ocsp.key'), undefined)),
      entries: new Map(readRegister(pki.folder, name).issued.map((entry) => [entry.serial, entry])),
    };
    registers.set(name, { look, answering });
    return answering;
  }

  function answer(body: Buffer): Buffer {
    let request: ReturnType<typeof readOcspRequest>;
    try {
      request = readOcspRequest(body);
    } catch (error) {
      if (error instanceof DerFault) return formatOcspError('malformedRequest');
      throw error;
    }
    const at = Math.floor(pki.now() / 1000) * 1000;
    const [first] = request.ids;
    const name = first && AUTHORITIES.find((candidate) => isOf(first, answeringOf(candidate).issuer));
    if (!name) return formatOcspError('unauthorized'); // RFC 6960 section 2.3: not ours to answer
    const { issuer, responder, sign, entries } = answeringOf(name);
    if (responder.notAfter < at) return formatOcspError('tryLater');
    const singles = request.ids.map((id): OcspSingle => {
      const status = isOf(id, issuer) ? statusOf(entries.get(id.serial)) : 'unknown';
      return { id, status, thisUpdate: at, nextUpdate: at + ANSWER_MS };
    });
    return formatOcspAnswer(
      { producedAt: at, singles, responder, ...(request.nonce && { nonce: request.nonce }) },
      sign,
    );
  }

  async function ocsp(req: IncomingMessage, res: ServerResponse, rest: string): Promise<void> {
    const body = req.method === 'POST' ? await readBody(req) : req.method === 'GET' ? fromPath(rest) : undefined;
    if (!body) return refuse(res, req.method === 'POST' ? 413 : 405);
    let bytes: Buffer;
    try {
      bytes = answer(body);
    } catch (error) {
      log.error('the responder cannot answer', { error });
      bytes = formatOcspError('internalError' satisfies OcspError);
    }
    send(res, 'application/ocsp-response', bytes);
  }

  return (req, res) => {
    const { pathname } = new URL(req.url?.slice(0, PATH_MAX) ?? '/', 'http://localhost');
    const rest = pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length + 1) : '';
    if (rest === 'ocsp' || rest.startsWith('ocsp/'))
      return void ocsp(req, res, rest.slice('ocsp/'.length)).catch(() => req.destroy());
    const [, name, kind] = /^([a-z-]+)\.(crl|crt)$/.exec(rest) ?? [];
    const authority = ALL_AUTHORITIES.find((known) => known === name);
    if (!authority) return refuse(res, 404);
    if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(res, 405);
    try {
      if (kind === 'crt') send(res, 'application/pkix-cert', readAuthorityCertificate(pki, authority).bytes);
      else send(res, 'application/pkix-crl', readFreshList(pki, authority, log));
    } catch (error) {
      log.error('a revocation list or certificate cannot be served', { authority, error });
      refuse(res, 503);
    }
  };
}

/** The list as it is, or a new one when its end is near and the authority's key is at hand. */
function readFreshList(pki: PkiFolder, name: AuthorityName, log: Log): Buffer {
  const read = (): Buffer => {
    const file = authorityFile(pki.folder, name, 'ca.crl');
    const [der] = readPem(readWhole(file, 'npm run -s pki -- crl').toString('latin1'), 'X509 CRL');
    if (!der) throw new PkiError(`${file} is not a revocation list: npm run -s pki -- crl`);
    return der;
  };
  const der = read();
  if ((readRevocationList(der).nextUpdate ?? 0) - pki.now() > LIST_LEFT_MS) return der;
  try {
    withLock(pki.folder, pki.now, () => publishList(pki, name, pki.now()));
    return read();
  } catch (error) {
    log.warn('a revocation list could not be made anew', { authority: name, error: (error as Error).message });
    return der;
  }
}

const lookOf = (file: string): string => {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino}.${stat.size}.${stat.mtimeMs}` : 'none';
};

const isOf = (id: CertificateId, issuer: Certificate): boolean => {
  const own = certificateIdOf(id, issuer, id.hash);
  return own.issuerKeyHash.equals(id.issuerKeyHash) && own.issuerNameHash.equals(id.issuerNameHash);
};

const statusOf = (entry: IssuedEntry | undefined): OcspStatus =>
  entry === undefined
    ? 'unknown'
    : entry.revoked
      ? { revokedAt: entry.revoked.at, reason: entry.revoked.reason }
      : 'good';

function fromPath(rest: string): Buffer | undefined {
  try {
    return Buffer.from(decodeURIComponent(rest), 'base64');
  } catch {
    return undefined;
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(res: ServerResponse, type: string, bytes: Buffer): void {
  res.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length, 'Cache-Control': 'no-store' });
  res.end(bytes);
}

function refuse(res: ServerResponse, status: number): void {
  res.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': 0 });
  res.end();
}
