/** Pharmacies as Organizations: by what they are known, and for which of them somebody may act. MISSION M10; SECURITY PK-09 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { TokenPharmacy } from '../../ports/prescription-tokens.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { ODS_CODE } from '../prescribing/systems.ts';

export interface Pharmacy {
  /** Of the Organization. */
  readonly id: string;
  readonly name: string;
  /** The PHB code where there is one, else the ODS code, else empty. */
  readonly code: string;
  /** Whatever else it may be named by. */
  readonly codes: readonly string[];
  readonly odsCode?: string;
  readonly email?: string;
  /** As tokens show it. */
  readonly contact: TokenPharmacy;
  /** The resource. */
  readonly organization: Node;
}

export type Node = Readonly<Record<string, unknown>>;

export interface PharmaciesOptions {
  readonly store: Pick<ResourceStore, 'read'>;
  /** `Organization.identifier.system` of PHB codes. */
  readonly pharmacyCodeSystem: string;
  /** The Organization that a client acts for, as far as the client itself does not say. */
  readonly organizationOfClient: (clientId: string) => Promise<string | undefined>;
  /** Codes of `Organization.address.country`, in capitals, of pharmacies that may act; absent: wherever they are. */
  readonly countries?: ReadonlySet<string> | undefined;
  readonly now: () => number;
}

export interface Pharmacies {
  /** Undefined where there is no such Organization. */
  find(id: string): Promise<Pharmacy | undefined>;
  /** For which pharmacies they may act; those of a person's role, or of the system's partner. */
  idsOf(caller: Caller): Promise<readonly string[]>;
  /** The pharmacy of this code that they act for; their only one without a code. Throws 403. */
  actingFor(caller: Caller, code?: string): Promise<Pharmacy>;
}

const SERVICE = serviceCaller('dispensing');
const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 5_000;
/** Organizations of one person that are looked at. */
const OWN_MAX = 50;

export function createPharmacies(options: PharmaciesOptions): Pharmacies {
  const { store, pharmacyCodeSystem, organizationOfClient, countries, now } = options;
  const known = new Map<string, { readonly until: number; readonly found: Promise<Pharmacy | undefined> }>();

  async function read(id: string): Promise<Pharmacy | undefined> {
    try {
      const { content } = await store.read(SERVICE, 'Organization', id);
      return readPharmacy(id, parseJson(content) as Node, pharmacyCodeSystem); // stored: it is valid
    } catch (error) {
      if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  function find(id: string): Promise<Pharmacy | undefined> {
    const remembered = known.get(id);
    if (remembered && remembered.until > now()) return remembered.found;
    const found = read(id);
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(id, { until: now() + REMEMBERED_MS, found });
    found.catch(() => known.delete(id));
    return found;
  }

  async function idsOf({ user, organizationId, clientId }: Caller): Promise<readonly string[]> {
    if (user) return user.organizationIds;
    if (organizationId !== undefined) return [organizationId];
    const linked = clientId === undefined ? undefined : await organizationOfClient(clientId);
    return linked === undefined ? [] : [linked];
  }

  return {
    find,
    idsOf,
    async actingFor(caller, code) {
      const ids = (await idsOf(caller)).slice(0, OWN_MAX);
      const own = (await Promise.all(ids.map(find))).filter((pharmacy) => pharmacy !== undefined);
      const fitting = code === undefined ? own : own.filter(({ codes }) => codes.includes(code));
      const [pharmacy] = fitting;
      if (pharmacy && (fitting.length === 1 || code !== undefined)) {
        checkCountry(pharmacy, countries);
        return pharmacy;
      }
      const text =
        own.length === 0
          ? 'You act for no pharmacy: an administrator gives people one, and systems an Endpoint'
          : code === undefined
            ? 'You act for several pharmacies: say which by pharmacy_code'
            : 'You do not act for the pharmacy of this pharmacy_code';
      throw new FhirError(
        403,
        [{ ...issue('forbidden', text, 'pharmacy_code'), details: { coding: [{ code: 'pharmacy' }] } }],
        { cause: { rule: 'pharmacy' } },
      );
    },
  };
}

/** MISSION M10: a fence around countries. One whose country is not known is outside. */
function checkCountry({ organization }: Pharmacy, countries: ReadonlySet<string> | undefined): void {
  const [address] = listOf(organization['address']);
  if (!countries || countries.has(textOf(address?.['country']).trim().toUpperCase())) return;
  throw new FhirError(
    403,
    [
      {
        ...issue('forbidden', 'This pharmacy is in no country where prescriptions of this server are dispensed'),
        details: { coding: [{ code: 'pharmacy-country' }] },
      },
    ],
    { cause: { rule: 'pharmacy-country' } },
  );
}

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What an Organization says of itself. */
export function readPharmacy(id: string, organization: Node, pharmacyCodeSystem: string): Pharmacy {
  const identifiers = listOf(organization['identifier']);
  const byName = (system: string): string =>
    textOf(identifiers.find((identifier) => identifier['system'] === system)?.['value']);
  const odsCode = byName(ODS_CODE);
  const code = byName(pharmacyCodeSystem) || odsCode;
  const [address = {}] = listOf(organization['address']);
  const telecom = (system: string): string =>
    textOf(listOf(organization['telecom']).find((point) => point['system'] === system)?.['value']);
  const name = textOf(organization['name']);
  const email = telecom('email');
  const lines = Array.isArray(address['line']) ? address['line'].map(textOf) : [];
  return {
    id,
    name,
    code,
    codes: [byName(pharmacyCodeSystem), odsCode].filter((one) => one !== ''),
    ...(odsCode && { odsCode }),
    ...(email && { email }),
    contact: {
      name,
      code,
      address: lines.join(', '),
      city: textOf(address['city']),
      postcode: textOf(address['postalCode']),
      phone: telecom('phone'),
    },
    organization,
  };
}
