/** Sign-in through NHS Care Identity and NHS login, put together from the settings; a piece of the composition root. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { GrantHandler } from './auth/oauth/token-endpoint.ts';
import { answerPath } from './auth/pages/upstream-pages.ts';
import { createCis2, type StaffRecord } from './auth/upstream/cis2.ts';
import { createUpstream, type Upstream } from './auth/upstream/create-upstream.ts';
import { createTokenExchange, TOKEN_EXCHANGE } from './auth/upstream/exchange.ts';
import { createNhsLogin } from './auth/upstream/nhs-login.ts';
import type { Provider } from './auth/upstream/provider.ts';
import { createRelyingParty } from './auth/upstream/relying-party.ts';
import type { Config } from './config.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { Grants } from './ports/grants.ts';
import type { ResourceStore, StoredVersion } from './ports/resource-store.ts';
import type { ProviderId, UpstreamStore } from './ports/upstream.ts';
import { StartError } from './postgres/start-error.ts';
import { parseJson } from './standards/fhir/json.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import {
  type Identifier,
  NHS_NUMBER_SYSTEM,
  ODS_SYSTEM,
  SDS_ROLE_PROFILE_SYSTEM,
  SDS_USER_SYSTEM,
} from './standards/nhs/identifiers.ts';
import { type CitizenClaims, isTheirRecord } from './standards/nhs/nhs-login-claims.ts';
import { parseRoleMap, type RoleMap } from './standards/nhs/role-map.ts';
import type { ScopeVocabulary } from './standards/smart/scope.ts';

export interface UpstreamParts {
  readonly config: Config;
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly store: ResourceStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly identities: UpstreamStore;
  readonly grants: Grants;
  readonly cipher: Cipher;
  readonly vocabulary: ScopeVocabulary;
  readonly forgetTokens: () => void;
  readonly now: Clock;
}

export interface UpstreamDoors {
  /** For the pages of people. */
  readonly upstream: Upstream;
  /** For the token endpoint. */
  readonly grantTypes: ReadonlyMap<string, GrantHandler>;
}

/** Undefined when the settings name no provider. Throws `StartError` for a key or a table of roles that cannot be used. */
export function createUpstreamDoors(parts: UpstreamParts): UpstreamDoors | undefined {
  const providers = createProviders(parts);
  if (providers.length === 0) return undefined;
  const { identities: store, grants, cipher, vocabulary, fhirBaseUrl, forgetTokens, now } = parts;
  const exchange = createTokenExchange({ providers, store, grants, vocabulary, fhirBaseUrl, now });
  return {
    upstream: createUpstream({ providers, store, grants, cipher, forgetTokens, now }),
    grantTypes: new Map([[TOKEN_EXCHANGE, exchange]]),
  };
}

function createProviders({ config, url, store, searchOf, now }: UpstreamParts): readonly Provider[] {
  const { cis2Issuer, cis2ClientId, cis2KeyFile, cis2RolesFile, nhsLoginIssuer, nhsLoginClientId, nhsLoginKeyFile } =
    config;
  const records = createRecordLookup(store, searchOf);
  const partyOf = (id: ProviderId, issuer: string, clientId: string, keyFile: string) =>
    createRelyingParty({
      issuer,
      clientId,
      key: readKey(keyFile),
      redirectUri: url + answerPath(id),
      ...(config.signInHosts && { allowedHosts: config.signInHosts }),
      now,
    });
  const providers: Provider[] = [];
  // The settings of a provider are given together or not at all: config.ts looks.
  if (
    cis2Issuer !== undefined &&
    cis2ClientId !== undefined &&
    cis2KeyFile !== undefined &&
    cis2RolesFile !== undefined
  )
    providers.push(
      createCis2({
        party: partyOf('cis2', cis2Issuer, cis2ClientId, cis2KeyFile),
        level: config.cis2Level === 'AAL2' ? 2 : 3,
        roleMap: readRoleMap(cis2RolesFile),
        organizationByOds: records.organizationByOds,
        findStaff: records.findStaff,
        now,
      }),
    );
  if (nhsLoginIssuer !== undefined && nhsLoginClientId !== undefined && nhsLoginKeyFile !== undefined)
    providers.push(
      createNhsLogin({
        party: partyOf('nhs-login', nhsLoginIssuer, nhsLoginClientId, nhsLoginKeyFile),
        level: config.nhsLoginLevel,
        matchPatient: records.matchPatient,
        now,
      }),
    );
  return providers;
}

const SHARED_MODE = 0o077;
const MODULUS_BITS_MIN = 2048;

function readKey(file: string): KeyObject {
  try {
    if (process.platform !== 'win32' && (statSync(file).mode & SHARED_MODE) !== 0)
      throw new Error('other users can read it: chmod 600');
    const key = createPrivateKey(readFileSync(file));
    if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < MODULUS_BITS_MIN)
      throw new Error(`it is no RSA key of ${MODULUS_BITS_MIN} bits or more`);
    return key;
  } catch (cause) {
    throw new StartError('configuration', `the key file ${file} cannot be used: ${wordsOf(cause)}`, cause as Error);
  }
}

function readRoleMap(file: string): RoleMap {
  try {
    return parseRoleMap(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new StartError('configuration', `CIS2_ROLES_FILE ${file} cannot be used: ${wordsOf(cause)}`, cause as Error);
  }
}

const contentOf = <T>({ content }: StoredVersion): T => parseJson(content) as T; // as it was validated when stored

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Records by the identifiers of the NHS: each the only one of its kind, or none. */
function createRecordLookup(store: ResourceStore, searchOf: UpstreamParts['searchOf']) {
  const caller = serviceCaller('auth');
  const search = async (type: string, query: Readonly<Record<string, string>>): Promise<readonly StoredVersion[]> => {
    const text = new URLSearchParams({ ...query, _count: '2' }).toString();
    return (await store.search(caller, searchOf(type, text))).matches;
  };
  const findOnly = async (type: string, system: string, value: string): Promise<StoredVersion | undefined> => {
    const [only, ...more] = await search(type, { identifier: `${system}|${value}` });
    return more.length === 0 ? only : undefined;
  };

  return {
    /** Ones that are not in use count for nothing. SECURITY NH-10 */
    async organizationByOds(odsCode: string): Promise<string | undefined> {
      const found = await findOnly('Organization', ODS_SYSTEM, odsCode);
      return found && contentOf<Active>(found).active !== false ? found.id : undefined;
    },

    async findStaff(sdsUserId: string, roleProfileId: string): Promise<StaffRecord | undefined> {
      const found = await findOnly('Practitioner', SDS_USER_SYSTEM, sdsUserId);
      if (!found) return undefined;
      const { active, identifier = [] } = contentOf<Active & { identifier?: readonly Identifier[] }>(found);
      if (active === false) return undefined;
      const roles = await search('PractitionerRole', {
        identifier: `${SDS_ROLE_PROFILE_SYSTEM}|${roleProfileId}`,
        practitioner: `Practitioner/${found.id}`,
      });
      return { practitionerId: found.id, identifiers: identifier, practitionerRoleIds: roles.map(({ id }) => id) };
    },

    /** SECURITY NH-08 */
    async matchPatient(citizen: CitizenClaims): Promise<string | undefined> {
      const found = await findOnly('Patient', NHS_NUMBER_SYSTEM, citizen.nhsNumber);
      return found && isTheirRecord(contentOf<object>(found), citizen) ? found.id : undefined;
    },
  };
}

interface Active {
  readonly active?: boolean;
}
