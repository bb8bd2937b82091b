/** What our own authority issues: for what, for how long, with which extensions. SECURITY PK-02, PK-03 */
import { type Extension, extensions, type KeyUsage } from '../../standards/x509/extensions.ts';
import { USAGE } from '../../standards/x509/oids.ts';

export const AUTHORITIES = ['server-ca', 'client-ca', 'signing-ca'] as const;
/** The root and those under it. */
export const ALL_AUTHORITIES = ['root-ca', ...AUTHORITIES] as const;
export type AuthorityName = (typeof ALL_AUTHORITIES)[number];

export const PROFILES = ['server', 'client', 'signing'] as const;
export type ProfileName = (typeof PROFILES)[number];

export interface Profile {
  readonly authority: AuthorityName;
  readonly days: number;
  readonly keyUsage: readonly KeyUsage[];
  /** Empty: none is written. */
  readonly extendedKeyUsage: readonly string[];
  /** What names may be asked for, as an expression over the whole name. */
  readonly names: RegExp;
  readonly namesAre: string;
}

const HOST =
  /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$|^\d{1,3}(?:\.\d{1,3}){3}$|^[0-9a-f:]*:[0-9a-f:.]+$/i;
/** `urn:mortar:org:A83008`: whose client it is. SECURITY PK-09 */
export const ORGANIZATION_URN = /^urn:mortar:org:[A-Za-z0-9]{3,20}$/;

export const PROFILE = {
  server: {
    authority: 'server-ca',
    days: 397,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [USAGE.serverAuth],
    names: HOST,
    namesAre: 'host names or IP addresses',
  },
  client: {
    authority: 'client-ca',
    days: 365,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [USAGE.clientAuth],
    names: ORGANIZATION_URN,
    namesAre: 'urn:mortar:org:CODE',
  },
  signing: {
    authority: 'signing-ca',
    days: 730,
    keyUsage: ['digitalSignature', 'nonRepudiation'],
    extendedKeyUsage: [],
    names: /^urn:mortar:sds:\d{12}$/,
    namesAre: 'urn:mortar:sds:USER, twelve digits',
  },
} as const satisfies Readonly<Record<ProfileName, Profile>>;

/** What an intermediate may issue for; it names its responder as well. */
const AUTHORITY_USAGES: Readonly<Record<(typeof AUTHORITIES)[number], readonly string[]>> = {
  'server-ca': [USAGE.serverAuth, USAGE.ocspSigning],
  'client-ca': [USAGE.clientAuth, USAGE.ocspSigning],
  'signing-ca': [USAGE.documentSigning, USAGE.ocspSigning],
};

export const DAYS = { root: 3652, intermediate: 1096, responder: 90, list: 1 } as const;

export const leafExtensions = (
  { keyUsage, extendedKeyUsage }: Profile,
  names: readonly string[],
): readonly Extension[] => [
  extensions.basicConstraints(false),
  extensions.keyUsage(...keyUsage),
  ...(extendedKeyUsage.length === 0 ? [] : [extensions.extendedKeyUsage(extendedKeyUsage)]),
  ...(names.length === 0 ? [] : [extensions.subjectAltName(names)]),
];

export const responderExtensions = (): readonly Extension[] => [
  extensions.basicConstraints(false),
  extensions.keyUsage('digitalSignature'),
  extensions.extendedKeyUsage([USAGE.ocspSigning]),
  extensions.ocspNoCheck(),
];

export const authorityExtensions = (name: AuthorityName): readonly Extension[] =>
  name === 'root-ca'
    ? [extensions.basicConstraints(true, 1), extensions.keyUsage('keyCertSign', 'cRLSign')]
    : [
        extensions.basicConstraints(true, 0),
        extensions.keyUsage('keyCertSign', 'cRLSign'),
        extensions.extendedKeyUsage(AUTHORITY_USAGES[name]),
      ];
