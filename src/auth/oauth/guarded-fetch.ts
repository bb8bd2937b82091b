/**
 * Fetches a small document from an address that came with data, without being led to machines of our own network:
 * names are resolved here, every answer is checked, and the connection goes to the very address that was checked.
 * SECURITY IN-40
 */
import { lookup as resolveName } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BlockList, isIP } from 'node:net';

export interface GuardedFetchOptions {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  /** `host:port` that may be reached whatever its address, also without TLS: a partner in the own network. */
  readonly allowed?: ReadonlySet<string>;
}

export interface Fetched {
  readonly text: string;
  /** Header fields by their names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const PORTS = new Set(['', '443', '8443']);
const blocked = { 4: blockedIpv4(), 6: blockedIpv6() };

/** Rejects for anything but a 200 within the limits; the message holds nothing of the answer. */
export async function fetchGuarded(address: string, options: GuardedFetchOptions): Promise<Fetched> {
  const url = new URL(address);
  const isAllowed = options.allowed?.has(`${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`);
  if (url.protocol !== 'https:' && !(isAllowed && url.protocol === 'http:')) throw new Error('the URL is not https');
  if (!isAllowed && !PORTS.has(url.port)) throw new Error('the port is not allowed');
  if (url.username !== '' || url.password !== '') throw new Error('the URL has a user name');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const answers = isIP(host) ? [{ address: host, family: isIP(host) }] : await resolveName(host, { all: true });
  const [first] = answers;
  if (!first) throw new Error('the name has no address');
  if (!isAllowed && answers.some((answer) => isBlocked(answer.address))) throw new Error('the address is not public');
  return read(url, first, options);
}

/** Whether an address is of this machine, this network, or not of the Internet at all. */
export function isBlocked(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return blocked[4].check(address, 'ipv4');
  return family === 0 || blocked[6].check(address, 'ipv6');
}

function read(
  url: URL,
  to: { readonly address: string; readonly family: number },
  { bytesMax, timeoutMs }: GuardedFetchOptions,
): Promise<Fetched> {
  const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const req = send(url, {
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    headers: { Accept: 'application/json', 'Accept-Encoding': 'identity' },
    lookup: (_host, { all }, done) => {
      if (all) done(null, [to]);
      else done(null, to.address, to.family);
    },
  });
  req.on('error', reject);
  req.on('response', (res) => {
    if (res.statusCode !== 200) {
      req.destroy();
      return reject(new Error(`the answer has status ${res.statusCode}`));
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
    res.on('end', () => resolve({ text: Buffer.concat(chunks).toString('utf8'), headers: res.headers }));
  });
  req.end();
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
