/**
 * The pharmacies that people may choose, kept in memory and followed as they change: Organizations with a pharmacy's code,
 * or with a Location that is a pharmacy, with the HealthcareService that says when they are open. MISSION M9
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { StoredVersion } from '../../ports/resource-store.ts';
import { type FollowedParts, followResources } from '../followed-resources.ts';
import { isOpen, type OpeningTime, openingTimes } from './opening-hours.ts';
import { type Node, type Pharmacy, readPharmacy } from './pharmacies.ts';

export interface ListedPharmacy extends Pharmacy {
  readonly isActive: boolean;
  readonly isEpsEnabled: boolean;
  readonly position?: Position;
  readonly openingTimes: readonly OpeningTime[];
  /** Undefined where nothing says when. */
  isOpen(at: number): boolean | undefined;
}

export interface Position {
  readonly latitude: number;
  readonly longitude: number;
}

export interface PharmacyRegister {
  /** Not older than a few seconds. */
  list(): Promise<readonly ListedPharmacy[]>;
  find(id: string): Promise<ListedPharmacy | undefined>;
}

export interface RegisterOptions extends Omit<FollowedParts, 'caller'> {
  readonly pharmacyCodeSystem: string;
  readonly timeZone: string;
  readonly now: () => number;
}

const SERVICE = serviceCaller('dispensing');
const TYPES = ['Organization', 'Location', 'HealthcareService'] as const;
const FRESH_MS = 1000;
const RESOURCES_MAX = 300_000;
/** v3 ServiceDeliveryLocationRoleType */
const PHARMACY_PLACES = new Set(['PHARM', 'OUTPHARM']);

type Known = Map<string, { readonly resource: Node; readonly versionId: number }>;

export function createPharmacyRegister(options: RegisterOptions): PharmacyRegister {
  const { now } = options;
  const known = new Map<string, Known>(TYPES.map((type) => [type, new Map()]));
  let checkedAt = Number.NEGATIVE_INFINITY;
  let view: ReadonlyMap<string, ListedPharmacy> | undefined;

  function take({ type, id, versionId, operation, content }: StoredVersion): void {
    const list = known.get(type) as Known; // one of TYPES
    const before = list.get(id);
    if (before && before.versionId >= versionId) return;
    if (operation === 'delete') list.delete(id);
    else if (before || list.size < RESOURCES_MAX) list.set(id, { resource: JSON.parse(content) as Node, versionId });
    view = undefined;
  }

  const follow = followResources({
    ...options,
    caller: SERVICE,
    types: TYPES,
    take,
    forget() {
      for (const list of known.values()) list.clear();
      view = undefined;
    },
  });

  async function open(): Promise<ReadonlyMap<string, ListedPharmacy>> {
    if (now() - checkedAt >= FRESH_MS) {
      await follow();
      checkedAt = now();
    }
    view ??= compile(known, options);
    return view;
  }

  return {
    list: async () => [...(await open()).values()],
    find: async (id) => (await open()).get(id),
  };
}

const resourcesOf = (known: ReadonlyMap<string, Known>, type: string): readonly Node[] =>
  [...(known.get(type)?.values() ?? [])].map(({ resource }) => resource);
const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated
const organizationOf = (reference: unknown): string =>
  String((reference as Node | undefined)?.['reference'] ?? '').replace(/^Organization\//, '');
const hasCode = (concepts: unknown, isOne: (code: string) => boolean): boolean =>
  listOf(concepts).some(({ coding }) => listOf(coding).some(({ code }) => isOne(String(code))));

function compile(
  known: ReadonlyMap<string, Known>,
  { pharmacyCodeSystem, timeZone }: RegisterOptions,
): ReadonlyMap<string, ListedPharmacy> {
  const places = new Map(
    resourcesOf(known, 'Location').map((location) => [organizationOf(location['managingOrganization']), location]),
  );
  const services = new Map(
    resourcesOf(known, 'HealthcareService').map((service) => [organizationOf(service['providedBy']), service]),
  );
  const found = resourcesOf(known, 'Organization').flatMap((organization): ListedPharmacy[] => {
    const id = String(organization['id']);
    const place = places.get(id);
    const service = services.get(id);
    const isCoded = listOf(organization['identifier']).some(({ system }) => system === pharmacyCodeSystem);
    if (!isCoded && !hasCode(place?.['type'], (code) => PHARMACY_PLACES.has(code))) return [];
    const position = positionOf(place);
    return [
      {
        ...readPharmacy(id, organization, pharmacyCodeSystem),
        isActive: organization['active'] !== false && service?.['active'] !== false && place?.['status'] !== 'inactive',
        isEpsEnabled: !service || hasCode(service['characteristic'], (code) => code === 'eps-enabled'),
        openingTimes: service ? openingTimes(service) : [],
        isOpen: (at) => (service ? isOpen(service, at, timeZone) : undefined),
        ...(position && { position }),
      },
    ];
  });
  return new Map(found.map((pharmacy) => [pharmacy.id, pharmacy]));
}

function positionOf(place: Node | undefined): Position | undefined {
  const position = place?.['position'] as Node | undefined;
  const [latitude, longitude] = [Number(String(position?.['latitude'])), Number(String(position?.['longitude']))];
  return Number.isFinite(latitude) && Number.isFinite(longitude) ? { latitude, longitude } : undefined;
}

const EARTH_KM = 6371.0088;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Along the surface, in km (haversine). */
export function distanceKm(a: Position, b: Position): number {
  const [dLat, dLon] = [radians(b.latitude - a.latitude), radians(b.longitude - a.longitude)];
  const h =
    Math.sin(dLat / 2) ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

export interface PharmacyQuery {
  /** Part of the name, without case. */
  readonly name?: string;
  readonly odsCode?: string;
  /** Of a place, or its beginning. */
  readonly postcode?: string;
  readonly near?: Position;
  readonly withinKm?: number;
  readonly isOpenNow?: boolean;
}

/** Active ones that fit: the nearest first where a position is known, else by name. */
export function searchPharmacies(
  all: readonly ListedPharmacy[],
  query: PharmacyQuery,
  at: number,
): readonly { readonly pharmacy: ListedPharmacy; readonly distanceKm?: number }[] {
  const name = query.name?.toLowerCase();
  const postcode = query.postcode === undefined ? undefined : plainPostcode(query.postcode);
  const { near, withinKm = Number.POSITIVE_INFINITY } = query;
  return all
    .filter(
      (one) =>
        one.isActive &&
        (name === undefined || one.name.toLowerCase().includes(name)) &&
        (query.odsCode === undefined || one.odsCode === query.odsCode.toUpperCase()) &&
        (postcode === undefined || plainPostcode(one.contact.postcode).startsWith(postcode)) &&
        (query.isOpenNow !== true || one.isOpen(at) === true),
    )
    .map((pharmacy) => ({
      pharmacy,
      ...(near && pharmacy.position && { distanceKm: distanceKm(near, pharmacy.position) }),
    }))
    .filter((one) => !near || (one.distanceKm !== undefined && one.distanceKm <= withinKm))
    .sort(
      (a, b) =>
        (a.distanceKm ?? 0) - (b.distanceKm ?? 0) ||
        a.pharmacy.name.localeCompare(b.pharmacy.name) ||
        (a.pharmacy.id < b.pharmacy.id ? -1 : 1),
    );
}

const plainPostcode = (text: string): string => text.toUpperCase().replaceAll(/\s+/g, '');
