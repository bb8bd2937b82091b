/** How the text of a setting becomes its value: `undefined` where it is not allowed. */
import { isIP, isIPv6 } from 'node:net';

export const integer = (min: number, max: number) => ({
  allowed: `a whole number from ${min} to ${max}`,
  parse: (text: string): number | undefined => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  },
});

export const oneOf = <T extends string>(...values: readonly T[]) => ({
  allowed: values.map((value) => `\`${value}\``).join(', '),
  parse: (text: string): T | undefined => values.find((value) => value === text),
});

export const file = { allowed: 'a file', parse: (text: string): string => text };
export const privateFile = { allowed: 'a file that other users cannot read', parse: (text: string): string => text };
export const ISSUER_ALLOWED = 'a URL without query or user name, spelt as the provider spells it';
export const clientId = {
  allowed: 'the client id that the provider gave',
  parse: (text: string): string | undefined => (/^[\x21-\x7e]{1,255}$/.test(text) ? text : undefined),
};

export function parseIssuer(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.username === '' && url.password === '' && !/[?#]/.test(text) ? text : undefined;
}

const HOSTS_MAX = 20;

export function parseHosts(text: string): ReadonlySet<string> | undefined {
  const hosts = text.split(',').map((host) => host.trim());
  return hosts.length <= HOSTS_MAX && hosts.every((host) => /^(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):\d{1,5}$/.test(host))
    ? new Set(hosts)
    : undefined;
}

const DOMAINS_MAX = 100;
export function parseDomains(text: string): ReadonlySet<string> | undefined {
  const domains = text.split(',').map((domain) => domain.trim().toLowerCase());
  return domains.length <= DOMAINS_MAX && domains.every((domain) => /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(domain))
    ? new Set(domains)
    : undefined;
}

export function parsePublicUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!plain || text.endsWith('/') || /[?#]$/.test(text)) return undefined;
  // What a proxy takes off and cookies are named after: spelt in one way only.
  const path = /^https?:\/\/[^/]+(\/.*)?$/i.exec(text)?.[1] ?? '/';
  return path === url.pathname && /^(?:\/[A-Za-z0-9._~-]*)+$/.test(path) && !path.includes('//') ? text : undefined;
}

const PROFILES_MAX = 200;

/** `Type=canonical` with commas between: the canonicals of each type. */
export function parseProfiles(text: string): ReadonlyMap<string, readonly string[]> | undefined {
  const pairs = text.split(',').flatMap((pair) => pair.trim() || []);
  const found = new Map<string, string[]>();
  for (const pair of pairs) {
    const [, type = '', url = ''] = /^([A-Z][A-Za-z]{1,63})=((?:https?:\/\/|urn:)[^\s|]{1,1000})$/.exec(pair) ?? [];
    if (type === '') return undefined;
    found.set(type, [...(found.get(type) ?? []), url]);
  }
  return pairs.length <= PROFILES_MAX ? found : undefined;
}

const RANGES_MAX = 100;

export function parseAddressRanges(text: string): readonly string[] | undefined {
  const ranges = text.split(',').map((range) => range.trim());
  const isRange = (range: string): boolean => {
    const [address = '', bits, more] = range.split('/');
    if (isIP(address) === 0 || more !== undefined) return false;
    return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv6(address) ? 128 : 32));
  };
  return ranges.length <= RANGES_MAX && ranges.every(isRange) ? ranges : undefined;
}

export interface RateSetting {
  readonly count: number;
  readonly perMs: number;
}

const RATE = /^(login|register|token|verify|verify-prescription|read|search|write)=(?:off|(\d{1,7})\/(s|min|h))$/;
const RATE_UNIT_MS = new Map([
  ['s', 1_000],
  ['min', 60_000],
  ['h', 3_600_000],
]);

export function parseRates(text: string): ReadonlyMap<string, RateSetting | 'off'> | undefined {
  const rates = new Map<string, RateSetting | 'off'>();
  for (const part of text.split(',')) {
    const [, name, count, unit = ''] = RATE.exec(part.trim()) ?? [];
    if (name === undefined || rates.has(name) || Number(count) === 0) return undefined;
    rates.set(name, count === undefined ? 'off' : { count: Number(count), perMs: RATE_UNIT_MS.get(unit) ?? 0 });
  }
  return rates;
}

export function parseDatabaseUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1 ? text : undefined;
}

export function parseRedisUrl(text: string): string | undefined {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol) ? text : undefined;
}

/** With a password only where TLS keeps it, or nobody else listens: the sender sees to STARTTLS. */
export function parseSmtpUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '') return undefined;
  const isPlain = /^\/?$/.test(url.pathname) && url.search === '' && url.hash === '';
  return isPlain && (url.username === '') === (url.password === '') && isEscaped(url) ? text : undefined;
}

function isEscaped({ username, password }: URL): boolean {
  try {
    return decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

export const mailAddress = {
  allowed: 'an e-mail address',
  parse: (text: string): string | undefined =>
    /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text) ? text : undefined,
};

/** In capitals. ISO 3166-1 */
export function parseCountries(text: string): ReadonlySet<string> | undefined {
  const codes = text.split(',').map((code) => code.trim().toUpperCase());
  return codes.every((code) => /^[A-Z]{2,3}$/.test(code)) ? new Set(codes) : undefined;
}

export const identifierSystem = {
  allowed: 'an absolute URI, such as `https://example.org/id/pharmacy` or `urn:oid:2.999.1`',
  parse: (text: string): string | undefined => (/^(?:https?:\/\/|urn:)[^\s|,]{1,500}$/.test(text) ? text : undefined),
};

export function parseTimeZone(text: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

const TARGETS_MAX = 100;

/** In one spelling: `mllps://host:port`. */
export function parseFeedTargets(text: string): ReadonlySet<string> | undefined {
  const targets = text.split(',').map((target) => readTarget(target.trim()));
  const isTarget = (target: string): boolean => {
    if (/^(?:https|file):/.test(target)) return true;
    const [, port = '0'] = /^mllps?:\/\/(?:[a-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\]):([1-9]\d{0,4})$/.exec(target) ?? [];
    return Number(port) > 0 && Number(port) <= 65_535;
  };
  return targets.length <= TARGETS_MAX && targets.every(isTarget) ? new Set(targets) : undefined;
}

/** Hosts in lower case; paths as they are. */
function readTarget(target: string): string {
  if (!/^(?:https|file):\/\//i.test(target)) return target.toLowerCase();
  const url = URL.canParse(target) ? new URL(target) : undefined;
  const isBare = url?.username === '' && url.password === '' && !/[?#]/.test(target);
  const isPlace = url?.protocol === 'https:' || (url?.host === '' && url.pathname !== '/');
  return url && isBare && isPlace ? url.href : '';
}

const SENDERS_MAX = 100;

export function parseSenders(text: string): ReadonlySet<string> | undefined {
  const senders = text.split(',').map((sender) => sender.trim());
  return senders.length <= SENDERS_MAX && senders.every((sender) => /^[^|]{0,199}\|[^|]{0,199}$/.test(sender))
    ? new Set(senders)
    : undefined;
}

export function parseSpineUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  return url?.protocol === 'https:' && isBare ? url : undefined;
}

/** A service that is posted to: over TLS, unless it is on this machine. */
export function parseServiceUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isHere) ? url.href : undefined;
}

/** `P:0300123,D:6301875277001` */
export function parseScriptAddresses(text: string): readonly string[] | undefined {
  const names = text.split(',').flatMap((name) => name.trim() || []);
  return names.every((name) => /^(?:P|D|C|M|CF|PY|REMS|DIRECT|ZZZ):\S{1,255}$/.test(name)) ? names : undefined;
}

/** Claims are about patients: without TLS they stay on this machine. */
export function parseTelecomUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.port === '' || url.username !== '' || url.search !== '' || url.hash !== '')
    return undefined;
  if (!/^\/?$/.test(url.pathname)) return undefined;
  if (url.protocol === 'tls:') return url;
  return url.protocol === 'tcp:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname) ? url : undefined;
}
