/** Who sends a message through the gateway, when and under which permissions: what its headers say. */

export interface EpsContext {
  /** The current time, ms UTC. */
  readonly now: number;
  /** Accredited system id of the Spine. */
  readonly toAsid: string;
  /** Accredited system id of the caller's system. */
  readonly fromAsid: string;
  readonly fromPartyKey: string;
  /** SDS user id of the person; absent when an application acts by itself. */
  readonly userId?: string;
  /** SDS role profile id of the session; absent with the person. */
  readonly roleProfileId?: string;
  /** OAuth scopes of the caller. */
  readonly scopes: ReadonlySet<string>;
  readonly applicationId: string;
  /** Applications whose prescriptions are prepared for signing with SHA-1. */
  readonly sha1ApplicationIds: ReadonlySet<string>;
  readonly prescribeEnabled: boolean;
  readonly dispenseEnabled: boolean;
  /** A random UUID in lower case. */
  readonly newId: () => string;
}

export type EpsHeaders = ReadonlyMap<string, string> | Readonly<Record<string, string | undefined>>;

/** What only the composition root knows, and what it wants otherwise than the sandbox has it. */
export type EpsDefaults = Pick<EpsContext, 'now' | 'newId'> & Partial<EpsContext>;

const USER_SCOPE = 'urn:nhsd:apim:user-nhs-id:aal3:electronic-prescription-service-api:';

/** The values of the national gateway's sandbox, and the Spine of its examples. */
export const SANDBOX: Omit<EpsContext, 'now' | 'newId'> = {
  toAsid: '567456789789',
  fromAsid: '200000001285',
  fromPartyKey: 'DEFAULT_SANDBOX_PARTY_KEY',
  userId: '555254239107',
  roleProfileId: '555254240100',
  scopes: new Set([`${USER_SCOPE}prescribing`, `${USER_SCOPE}dispensing`, `${USER_SCOPE}tracker`]),
  applicationId: '00000000-0000-0000-0000-000000000000',
  sha1ApplicationIds: new Set(),
  prescribeEnabled: true,
  dispenseEnabled: true,
};

const HEADERS = [
  ['nhsd-asid', 'fromAsid'],
  ['nhsd-party-key', 'fromPartyKey'],
  ['nhsd-identity-uuid', 'userId'],
  ['nhsd-session-urid', 'roleProfileId'],
  ['nhsd-application-id', 'applicationId'],
] as const;

/** The context of a request: its headers, by names in any case; for those absent, the defaults; then the sandbox. */
export function epsContext(headers: EpsHeaders, defaults: EpsDefaults): EpsContext {
  const given = lowerCased(headers);
  const context: Record<string, unknown> = { ...SANDBOX, ...defaults };
  for (const [header, name] of HEADERS) {
    const value = given.get(header);
    if (value !== undefined) context[name] = value;
  }
  const scope = given.get('nhsd-scope');
  if (scope !== undefined) context['scopes'] = new Set(scope.split(/\s+/).filter((name) => name !== ''));
  // Every member of the context is in SANDBOX or in the defaults' required part, and keeps its type above.
  return context as unknown as EpsContext;
}

function lowerCased(headers: EpsHeaders): ReadonlyMap<string, string> {
  const entries: Iterable<readonly [string, string | undefined]> =
    headers instanceof Map ? headers.entries() : Object.entries(headers);
  const given = new Map<string, string>();
  for (const [name, value] of entries) if (value !== undefined) given.set(name.toLowerCase(), value);
  return given;
}
