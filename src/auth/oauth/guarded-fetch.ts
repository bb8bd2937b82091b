/**
 * The way out: asks an address that came with data, without being led to machines of our own network. Names are
 * resolved here, every answer is checked, and the connection goes to the very address that was checked. A redirect is
 * an answer that is not taken, so that nothing sent goes anywhere else. SECURITY IN-40
 */
import { lookup as resolveName } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface GuardedFetchOptions {
  /** At most 10 MiB. */
  readonly bytesMax: number;
  /** For all of it, the name's resolution included; at most 30 s. */
  readonly timeoutMs: number;
  /** `host:port` that may be reached whatever its address, also without TLS: a partner in the own network. */
  readonly allowed?: ReadonlySet<string>;
  /** A form to post. */
  readonly form?: URLSearchParams;
  /** Anything else to post. */
  readonly post?: { readonly type: string; readonly bytes: Buffer };
  /** Anything else to send: whatever 2xx says is enough, and nothing of the answer is read. */
  readonly send?: GuardedSend;
  readonly accept?: string;
  /** Also without TLS, on port 80: for what is signed itself, such as revocation lists. */
  readonly isPlainAllowed?: boolean;
  /** Sent in the header `Authorization`. */
  readonly bearer?: string;
  /** All addresses of a name; the system's resolver unless given. */
  readonly resolve?: Resolve;
  /** Addresses of this machine; those of its network interfaces unless given. */
  readonly ownAddresses?: () => readonly string[];
  /** PEM of the CAs to believe; those of the system unless given. */
  readonly ca?: string;
}

export interface GuardedSend {
  readonly method: 'POST' | 'PUT';
  /** Besides those that say where it goes and how long it is. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly bytes: Buffer;
}

export interface Resolved {
  readonly address: string;
  readonly family: number;
}

export type Resolve = (name: string) => Promise<readonly Resolved[]>;

export interface Fetched {
  readonly text: string;
  readonly bytes: Buffer;
  /** Header fields by their names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const PORTS = new Set(['', '443', '8443']);
const BYTES_MAX = 10 * 1024 * 1024;
const TIMEOUT_MAX_MS = 30_000;
const resolveBySystem: Resolve = (name) => resolveName(name, { all: true });
const blocked = { 4: blockedIpv4(), 6: blockedIpv6() };

/** The other side has answered, and not as was hoped for. */
export class AnsweredError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the answer has status ${status}`);
    this.name = 'AnsweredError';
    this.status = status;
  }
}

/** Rejects for anything but a 200 within the limits; the message holds nothing of the answer. */
export async function fetchGuarded(address: string, options: GuardedFetchOptions): Promise<Fetched> {
  const url = new URL(address);
  const isAllowed = options.allowed?.has(`${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`);
  const isPlain = url.protocol === 'http:' && (isAllowed || options.isPlainAllowed);
  if (url.protocol !== 'https:' && !isPlain) throw new Error('the URL is not https');
  if (!isAllowed && !PORTS.has(url.port)) throw new Error('the port is not allowed');
  if (url.username !== '' || url.password !== '') throw new Error('the URL has a user name');
  const signal = AbortSignal.timeout(Math.min(options.timeoutMs, TIMEOUT_MAX_MS));
  const answers = await Promise.race([resolve(url, options.resolve ?? resolveBySystem), expiry(signal)]);
  const [first] = answers;
  if (!first) throw new Error('the name has no address');
  const own = (options.ownAddresses ?? interfaceAddresses)();
  if (!isAllowed && answers.some((answer) => isBlocked(answer.address) || own.includes(answer.address)))
    throw new Error('the address is not public');
  return read(url, first, signal, options);
}

/** Without the brackets of an IPv6 address. */
const bare = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

async function resolve(url: URL, byName: Resolve): Promise<readonly Resolved[]> {
  const host = bare(url);
  const family = isIP(host);
  return family === 0 ? byName(host) : [{ address: host, family }];
}

function expiry(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(new Error('it took too long')), { once: true });
  promise.catch(() => {}); // what it races with may have won
  return promise;
}

const interfaceAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);

/** Whether an address is of this machine, this network, or not of the Internet at all. */
export function isBlocked(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return blocked[4].check(address, 'ipv4');
  return family === 0 || blocked[6].check(address, 'ipv6');
}

function read(
  url: URL,
  to: Resolved,
  signal: AbortSignal,
  { bytesMax: asked, form, post, send: sent, accept = 'application/json', bearer, ca }: GuardedFetchOptions,
): Promise<Fetched> {
  const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
  const bytesMax = Math.min(asked, BYTES_MAX);
  const ask = url.protocol === 'https:' ? requestHttps : requestHttp;
  const req = ask({
    // The address itself: nobody resolves the name a second time. The certificate is still to be of the name.
    host: to.address,
    family: to.family,
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
    path: url.pathname + url.search,
    servername: isIP(bare(url)) === 0 ? url.hostname : '',
    agent: false,
    signal,
    ...(ca !== undefined && { ca }),
    method: sent?.method ?? (form || post ? 'POST' : 'GET'),
    headers: {
      ...sent?.headers,
      Host: url.host,
      Accept: accept,
      'Accept-Encoding': 'identity',
      ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
      ...(post && { 'Content-Type': post.type }),
      ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
    },
  });
  req.on('error', reject);
  req.on('response', (res) => {
    const { statusCode = 0 } = res;
    if (sent && statusCode >= 200 && statusCode < 300) {
      req.destroy();
      return resolve({ bytes: Buffer.alloc(0), text: '', headers: {} });
    }
    if (sent || statusCode !== 200) {
      req.destroy();
      return reject(new AnsweredError(statusCode));
    }
    const chunks: Buffer[] = [];
    let length = 0;
    res.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) return void chunks.push(chunk);
      req.destroy();
      reject(new Error('the answer is too long'));
    });
    res.on('error', reject);
    res.on('end', () => {
      const bytes = Buffer.concat(chunks);
      resolve({ bytes, text: bytes.toString('utf8'), headers: res.headers });
    });
  });
  req.end(sent?.bytes ?? post?.bytes ?? form?.toString());
  return promise;
}

/** https://www.iana.org/assignments/iana-ipv4-special-registry */
function blockedIpv4(): BlockList {
  const list = new BlockList();
  const ranges = [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ] as const;
  for (const [net, bits] of ranges) list.addSubnet(net, bits, 'ipv4');
  return list;
}

/** What is not global unicast (2000::/3), and what carries an IPv4 address inside: mapped, NAT64, 6to4, Teredo. */
function blockedIpv6(): BlockList {
  const list = new BlockList();
  const ranges = [
    ['::', 3],
    ['64:ff9b::', 96],
    ['2001::', 23],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['4000::', 2],
    ['8000::', 1],
  ] as const;
  for (const [net, bits] of ranges) list.addSubnet(net, bits, 'ipv6');
  return list;
}
