/** What a provider publishes about itself. OpenID Connect Discovery 1.0, sections 3 and 4. */
import type { Clock } from '../../ports/clock.ts';
import type { Fetched } from '../oauth/guarded-fetch.ts';

export interface Metadata {
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl: string;
  readonly jwksUrl: string;
  /** RFC 9207: its answers name it. */
  readonly namesItself: boolean;
}

const FRESH_MS = 60 * 60_000;
const KEPT_WHEN_DOWN_MS = 24 * 60 * 60_000;

/** Reads the document and keeps it for an hour; for a day while the provider is down. Rejects when there is none. */
export function createMetadata(issuer: string, fetch: (url: string) => Promise<Fetched>, now: Clock) {
  let known: { readonly metadata: Metadata; readonly at: number } | undefined;
  let loading: Promise<Metadata> | undefined;

  async function load(): Promise<Metadata> {
    try {
      const { text } = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
      const metadata = readMetadata(JSON.parse(text), issuer);
      known = { metadata, at: now() };
      return metadata;
    } catch (error) {
      if (known && now() - known.at < KEPT_WHEN_DOWN_MS) return known.metadata;
      throw error;
    }
  }

  return async (): Promise<Metadata> => {
    if (known && now() - known.at < FRESH_MS) return known.metadata;
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };
}

function readMetadata(value: unknown, issuer: string): Metadata {
  const document = (value ?? {}) as Readonly<Record<string, unknown>>; // each member is looked at below
  if (document['issuer'] !== issuer) throw new Error('the discovery document is of another issuer');
  const { protocol } = new URL(issuer);
  const url = (name: string): string => {
    const text = document[name];
    const isUrl = typeof text === 'string' && URL.canParse(text);
    // As safe as the issuer, which the operator has set.
    if (!isUrl || ![protocol, 'https:'].includes(new URL(text).protocol))
      throw new Error(`${name} is not a URL to use`);
    return text;
  };
  return {
    authorizationUrl: url('authorization_endpoint'),
    tokenUrl: url('token_endpoint'),
    userinfoUrl: url('userinfo_endpoint'),
    jwksUrl: url('jwks_uri'),
    namesItself: document['authorization_response_iss_parameter_supported'] === true,
  };
}
