/** The command line of `npm run pki`: its options, and what is ordered by them. docs/pki.md */
import { parseArgs } from 'node:util';
import type { KeyKind } from './pki/ca/authority.ts';
import type { Order } from './pki/ca/issue.ts';
import { ORGANIZATION_URN, PROFILES, type ProfileName } from './pki/ca/profiles.ts';
import { REVOCATION_REASONS, type RevocationReason } from './standards/x509/revocation-list.ts';

/** As `--reason` takes them. */
export const REASONS = [...REVOCATION_REASONS.values()].filter((reason) => reason !== 'removeFromCRL').join(', ');
/** What was asked for cannot be understood. */
export class UsageError extends Error {
  /** Needs the whole of the help, not one word of it. */
  readonly isLost: boolean;

  constructor(message: string, isLost = false) {
    super(message);
    this.isLost = isLost;
  }
}

export type PkiOptions = ReturnType<typeof parseArguments>['values'];

/** Throws `UsageError`. */
export function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        'base-url': { type: 'string' },
        organization: { type: 'string' },
        key: { type: 'string' },
        label: { type: 'string' },
        profile: { type: 'string' },
        cn: { type: 'string' },
        name: { type: 'string', multiple: true, default: [] },
        org: { type: 'string' },
        sds: { type: 'string' },
        early: { type: 'boolean' },
        use: { type: 'string' },
        reason: { type: 'string' },
        port: { type: 'string' },
        pem: { type: 'string' },
        p12: { type: 'string' },
        pkcs11: { type: 'string' },
        token: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The one word that a command takes. */
export function one(words: readonly string[], what: string): string {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0) throw new UsageError(`name one ${what}`);
  return word;
}

export function keyKind({ key = 'ec' }: PkiOptions): KeyKind {
  if (key !== 'ec' && key !== 'rsa') throw new UsageError('--key is ec or rsa');
  return key;
}

/** What is ordered by the words of a command. */
export function orderOf(profile: ProfileName, words: readonly string[], values: PkiOptions): Order {
  const [first = ''] = words;
  const common = {
    profile,
    commonName: values.cn ?? first,
    label:
      values.label ??
      first
        .toLowerCase()
        .replaceAll(/[^a-z0-9.-]+/g, '-')
        .replaceAll(/^[-.]+|-+$/g, ''),
    ...(values.organization !== undefined && { organization: values.organization }),
  };
  switch (profile) {
    case 'server':
      return { ...common, names: words };
    case 'client':
      if (!ORGANIZATION_URN.test(`urn:mortar:org:${first}`))
        throw new UsageError(`${JSON.stringify(first)} is no ODS code or NPI: 3 to 20 letters and digits`);
      return { ...common, names: [`urn:mortar:org:${first}`] };
    default:
      if (values.sds !== undefined && !/^\d{12}$/.test(values.sds))
        throw new UsageError(`--sds ${values.sds} is no SDS user id: twelve digits`);
      return { ...common, names: values.sds === undefined ? [] : [`urn:mortar:sds:${values.sds}`] };
  }
}

/** For a request that brings its own key. */
export function requestOrder(values: PkiOptions): Order {
  const profile = PROFILES.find((name) => name === values.profile);
  if (!profile) throw new UsageError(`--profile is one of ${PROFILES.join(', ')}`);
  const words = profile === 'server' ? values.name : profile === 'client' ? [values.org ?? ''] : [values.cn ?? ''];
  if (words.length === 0 || words[0] === '')
    throw new UsageError(
      `a request for ${profile} needs ${profile === 'server' ? '--name' : profile === 'client' ? '--org' : '--cn'}`,
    );
  return orderOf(profile, words, values);
}

export function reasonIn({ reason = 'unspecified' }: PkiOptions): RevocationReason {
  const found = [...REVOCATION_REASONS.values()].find((name) => name === reason && name !== 'removeFromCRL');
  if (!found) throw new UsageError(`--reason ${reason} is not one of those there are: ${REASONS}`);
  return found;
}
