/** Who sends a request, by address. SECURITY WB-07: only proxies that are named are believed. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';

/** The address of the client: the peer, or what a trusted proxy says about it. */
export type AddressOf = (req: IncomingMessage) => string;

const HOPS_MAX = 20;

/** `trusted` holds addresses and CIDR ranges of proxies. */
export function createAddressOf(trusted: readonly string[] = []): AddressOf {
  const proxies = createAddressList(trusted);
  return (req) => {
    const peer = plainAddress(req.socket.remoteAddress ?? '');
    const forwarded = req.headers['x-forwarded-for'];
    if (trusted.length === 0 || forwarded === undefined || !proxies(peer)) return peer;
    return lastUntrusted(peer, String(forwarded), proxies);
  };
}

/** Each proxy adds its peer at the end, so what the last untrusted one wrote is not believed. */
function lastUntrusted(peer: string, forwarded: string, isTrusted: (address: string) => boolean): string {
  let last = peer;
  for (const hop of forwarded.split(',').slice(-HOPS_MAX).reverse()) {
    const address = plainAddress(hop.trim());
    if (isIP(address) === 0) return last;
    last = address;
    if (!isTrusted(address)) return last;
  }
  return last;
}

/** An IPv4 address in its IPv6 form is the IPv4 address. */
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** Whether an address is one of these addresses or ranges. Throws for what is neither. */
function createAddressList(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** What counts as one client in a limit: of IPv6 the first 64 bits, as a customer has that many addresses. */
export function addressGroup(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::'); // a split has a first part
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return `${groups.map((group) => group.toLowerCase().replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** Of this machine itself: not one whose request a proxy has handed on, wherever that proxy runs. */
export function isLocalRequest(req: IncomingMessage): boolean {
  const { headers } = req;
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined || headers['via'] !== undefined)
    return false;
  return LOOPBACK.check(plainAddress(req.socket.remoteAddress ?? ''), familyOf(req));
}

const familyOf = (req: IncomingMessage): 'ipv4' | 'ipv6' =>
  isIPv6(plainAddress(req.socket.remoteAddress ?? '')) ? 'ipv6' : 'ipv4';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
