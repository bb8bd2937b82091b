/** Settings: Where Mortar listens, with which certificates, and whom it lets near. */
import { isIP } from 'node:net';
import { HTTPS_PORT } from '../config-checks.ts';
import { file, integer, oneOf, parseAddressRanges, parseHosts, parsePublicUrl, parseRates } from '../config-parsers.ts';
import type { Setting } from './setting.ts';

const METRICS_TOKEN_CHARS_MIN = 32;

export const DOORS = {
  nodeEnv: {
    env: 'NODE_ENV',
    fallback: 'development',
    ...oneOf('development', 'test', 'production'),
    about: 'With `production` the start refuses what is for development, and a public URL that is not https.',
  },
  host: {
    env: 'HOST',
    fallback: '127.0.0.1',
    allowed: 'an IP address or `localhost`',
    about:
      'Address to listen on. Any but a loopback address is for TLS alone; plain HTTP then stays on the loopback address.',
    parse: (text: string): string | undefined => (isIP(text) !== 0 || text === 'localhost' ? text : undefined),
  },
  port: { env: 'PORT', fallback: '8080', ...integer(0, 65_535), about: 'Port of the HTTP server; 0 takes a free one.' },
  plainHttp: {
    env: 'PLAIN_HTTP',
    fallback: 'loopback',
    ...oneOf('loopback', 'allow'),
    about: 'Whether HTTP without TLS is also served on a HOST off this machine: only behind a proxy that speaks TLS.',
  },
  httpsPort: {
    env: 'HTTPS_PORT',
    fallbackAbout: `\`${HTTPS_PORT}\` when TLS_CERT_FILE is given, else \`off\``,
    allowed: 'a whole number from 0 to 65535, or `off`',
    about:
      'Port of the TLS listener, on HOST; 0 takes a free one. Without TLS_CERT_FILE it has a development certificate.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  tlsCertFile: {
    env: 'TLS_CERT_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Certificate of the server and those between it and the root, in PEM. A renewed file is read by itself.',
  },
  tlsKeyFile: {
    env: 'TLS_KEY_FILE',
    fallbackAbout: 'none',
    allowed: 'a file that other users cannot read',
    about: 'Private key of TLS_CERT_FILE, in PEM.',
    parse: (text: string): string => text,
  },
  tlsClientCaFile: {
    env: 'TLS_CLIENT_CA_FILE',
    fallbackAbout: 'none: no client is asked for a certificate',
    ...file,
    about:
      'Certificates, in PEM, of the authorities whose client certificates are believed, with the intermediate ones below them.',
  },
  tlsClientCertificate: {
    env: 'TLS_CLIENT_CERTIFICATE',
    fallback: 'optional',
    ...oneOf('optional', 'required'),
    about:
      'Whether clients may come without a certificate. One that is sent must hold, or the connection is broken off.',
  },
  tlsClientCrlFile: {
    env: 'TLS_CLIENT_CRL_FILE',
    fallbackAbout: 'none: they are fetched from the places that certificates name',
    ...file,
    about: 'Lists of revoked client certificates (CRLs), in PEM. A renewed file is read by itself.',
  },
  partnerCertificatesFile: {
    env: 'PARTNER_CERTIFICATES_FILE',
    fallbackAbout: 'none: a certificate alone opens nothing',
    ...file,
    about:
      'Whose a client certificate is, as a JSON list ([Certificates](pki.md)): Organization, client, names in messages. A renewed file is read by itself.',
  },
  cardPort: {
    env: 'CARD_PORT',
    fallback: 'off',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about: 'Port where people sign in with smart cards, on HOST ([Certificates](pki.md)); 0 takes a free one.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  cardCaFile: {
    env: 'CARD_CA_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Certificates, in PEM, of the authorities of smart cards, with the intermediate ones below them.',
  },
  cardPolicy: {
    env: 'CARD_POLICY',
    fallbackAbout: 'none',
    allowed: 'an object identifier such as `2.16.840.1.101.3.2.1.3.13`',
    about: 'Policy that the certificate of a smart card must carry: the one which says that the card asks for a PIN.',
    parse: (text: string): string | undefined => (/^[0-2](?:\.\d{1,20}){1,30}$/.test(text) ? text : undefined),
  },
  cardHoldersFile: {
    env: 'CARD_HOLDERS_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Whose a smart card is, as a JSON list ([Certificates](pki.md)). A renewed file is read by itself.',
  },
  revocation: {
    env: 'REVOCATION',
    fallback: 'fail-closed',
    ...oneOf('fail-closed', 'fail-open', 'off'),
    about:
      'What happens when nobody can say whether a certificate is revoked: it is refused, believed with a warning, or never asked about.',
  },
  revocationHosts: {
    env: 'REVOCATION_HOSTS',
    fallbackAbout: 'none',
    allowed: 'names with ports such as `pki.example.org:8079`, with commas between them',
    about: 'Hosts of revocation lists and responders that may be reached although they are in the own network.',
    parse: parseHosts,
  },
  trustedProxies: {
    env: 'TRUSTED_PROXIES',
    fallbackAbout: 'none',
    allowed: 'IP addresses and ranges such as `10.0.0.0/8`, with commas between them',
    about: 'Proxies whose `X-Forwarded-For` is believed.',
    parse: parseAddressRanges,
  },
  metricsToken: {
    env: 'METRICS_TOKEN',
    fallbackAbout: 'none: they are shown to this machine only',
    secret: true,
    allowed: `at least ${METRICS_TOKEN_CHARS_MIN} letters, digits and \`-._~+/=\``,
    about: 'Bearer token that shows `/metrics` and the details of `/readyz` to others than this machine.',
    parse: (text: string): string | undefined =>
      text.length >= METRICS_TOKEN_CHARS_MIN && /^[A-Za-z0-9._~+/-]+=*$/.test(text) ? text : undefined,
  },
  rateLimits: {
    env: 'RATE_LIMITS',
    fallbackAbout: 'login=10/min, register=5/h, token=60/min, read=600/min, search=300/min, write=120/min and others',
    allowed: 'rates such as `login=10/min,token=5/s,register=off`, with commas between them',
    about: 'How often a client may do a thing, where that is not the default. Backend services have no limit by rate.',
    parse: parseRates,
  },
  clockFile: {
    env: 'CLOCK_FILE',
    fallbackAbout: "none: the machine's clock",
    allowed: 'a file that holds a time such as `2026-03-01T09:00:00Z`',
    about: 'For tests and demonstrations: the time from which the clock runs on, read again when it changes.',
    parse: (text: string): string => text,
  },
  publicUrl: {
    env: 'PUBLIC_URL',
    fallbackAbout: 'made from HOST and the port: HTTPS_PORT when TLS_CERT_FILE is given or HOST is off this machine',
    allowed:
      'an http or https URL without a trailing slash, query or user name, such as `https://fhir.example.org`; a path of it has only letters, digits and `-._~`',
    about:
      'How clients reach the server. Every link, `Location` and `fullUrl` begins with it. If it has a path, a proxy takes that off.',
    parse: parsePublicUrl,
  },
} as const satisfies Record<string, Setting<unknown>>;
