/** Finding a pharmacy, and nominating one. MISSION M9; seed 000 */
import type { Caller } from '../../ports/caller.ts';
import type { Resource, ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badValue, FhirError, issue, notFound } from '../../standards/fhir/outcome.ts';
import { ruled } from '../../workflow/dispensing/controlled.ts';
import type { Nominate } from '../../workflow/dispensing/nominate.ts';
import { earlierNominations, type Nomination, nominatedPharmacyOf } from '../../workflow/dispensing/nomination.ts';
import {
  type ListedPharmacy,
  type PharmacyQuery,
  type PharmacyRegister,
  searchPharmacies,
} from '../../workflow/dispensing/pharmacy-register.ts';
import { TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface PharmacyRouteParts {
  readonly register: PharmacyRegister;
  /** Audited. */
  readonly store: Pick<ResourceStore, 'read'>;
  /** Writes the nomination, and what goes with it. */
  readonly renominate: Nominate;
  readonly now: () => number;
}

const TAG = 'Pharmacies';

export function createPharmacyRoutes({
  register,
  store,
  renominate,
  now,
}: PharmacyRouteParts): readonly WorkflowRoute[] {
  const iso = (ms: number): string => new Date(ms).toISOString();

  const shown = (pharmacy: ListedPharmacy, distanceKm?: number): object => ({
    id: pharmacy.id,
    name: pharmacy.name,
    ods_code: pharmacy.odsCode ?? null,
    pharmacy_code: pharmacy.code,
    address: pharmacy.contact.address,
    city: pharmacy.contact.city,
    postcode: pharmacy.contact.postcode,
    phone: pharmacy.contact.phone,
    email: pharmacy.email ?? null,
    is_eps_enabled: pharmacy.isEpsEnabled,
    is_active: pharmacy.isActive,
    is_open: pharmacy.isOpen(now()) ?? null,
    opening_hours: pharmacy.openingTimes.map(({ days, isAllDay, open, close }) => ({
      days,
      ...(isAllDay ? { all_day: true } : { open: open ?? null, close: close ?? null }),
    })),
    ...(pharmacy.position && pharmacy.position),
    ...(distanceKm !== undefined && { distance_km: Math.round(distanceKm * 10) / 10 }),
  });

  async function search({ query }: WorkflowCall): Promise<WorkflowAnswer> {
    // Each as the schema says.
    const text = (of: string): string | undefined => query[of] as string | undefined;
    const number = (of: string): number | undefined => query[of] as number | undefined;
    const [name, odsCode, postcode] = [text('name'), text('ods_code'), text('postcode')];
    const [lat, lng, withinKm] = [number('lat'), number('lng'), number('within_km')];
    const [limit, offset] = [number('limit') ?? 20, number('offset') ?? 0];
    if ((lat === undefined) !== (lng === undefined)) throw badValue('lat and lng go together', 'lat');
    const asked: PharmacyQuery = {
      ...(name !== undefined && { name }),
      ...(odsCode !== undefined && { odsCode }),
      ...(postcode !== undefined && { postcode }),
      ...(lat !== undefined && lng !== undefined && { near: { latitude: lat, longitude: lng } }),
      ...(withinKm !== undefined && { withinKm }),
      ...(query['open_now'] === true && { isOpenNow: true }),
    };
    const found = searchPharmacies(await register.list(), asked, now());
    const page = found.slice(offset, offset + limit);
    const pharmacies = page.map(({ pharmacy, distanceKm }) => shown(pharmacy, distanceKm));
    return { status: 200, json: { count: found.length, pharmacies } };
  }

  async function pharmacyOf(id: string): Promise<ListedPharmacy> {
    const pharmacy = await register.find(id);
    if (!pharmacy) throw notFound('That pharmacy');
    return pharmacy;
  }

  /** The caller's own record: that of the token, or their only one. */
  function ownPatient(caller: Caller, own: readonly string[]): string {
    const id = caller.patientId ?? (own.length === 1 ? own[0] : undefined);
    if (id !== undefined && own.includes(id)) return id;
    throw new FhirError(403, [issue('forbidden', 'Whoever nominates a pharmacy has one record that is their own')], {
      cause: { rule: 'own-record' },
    });
  }

  const nominated = async ({ pharmacyId, since, until }: Nomination): Promise<object> => {
    const pharmacy = await register.find(pharmacyId);
    return {
      pharmacy: pharmacy ? shown(pharmacy) : { id: pharmacyId },
      is_current: until === undefined,
      nomination_date: since === undefined ? null : iso(since),
      ...(until !== undefined && { ended: iso(until) }),
    };
  };

  async function answerOf(patient: Resource, patientId: string, moved = 0): Promise<WorkflowAnswer> {
    const current = nominatedPharmacyOf(patient);
    return {
      status: 200,
      json: {
        nominated: current ? await nominated(current) : null,
        history: await Promise.all(earlierNominations(patient).map(nominated)),
        ...(moved > 0 && { prescriptions_moved: moved }),
      },
      patientId,
    };
  }

  async function show({ caller, person }: WorkflowCall): Promise<WorkflowAnswer> {
    const patientId = ownPatient(caller, person().patientIds);
    const { content } = await store.read(caller, 'Patient', patientId);
    return answerOf(parseJson(content) as Resource, patientId);
  }

  /** People may not write their Patient; this one element of it, by this way, they may. */
  async function change({ caller, person }: WorkflowCall, of: (current: string | undefined) => string | undefined) {
    const patientId = ownPatient(caller, person().patientIds);
    await store.read(caller, 'Patient', patientId); // what the caller may not see, or is gone
    const { patient, moved } = await renominate(patientId, of, caller.correlationId);
    return answerOf(patient, patientId, moved);
  }

  async function nominate(call: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacyOf(call.path['id'] ?? '');
    if (!pharmacy.isActive) throw ruled('pharmacy-closed', 'This pharmacy has closed: nominate another');
    if (!pharmacy.isEpsEnabled)
      throw ruled('pharmacy-not-eps', 'This pharmacy takes no electronic prescriptions: nominate another');
    return change(call, () => pharmacy.id);
  }

  async function withdraw(call: WorkflowCall): Promise<WorkflowAnswer> {
    const { id } = call.path;
    return change(call, (current) => (current === id ? undefined : current));
  }

  const one = { 200: { about: 'The pharmacy', schema: { type: 'object' } } };
  const nomination = { 200: { about: 'The nomination, and those before it', schema: { type: 'object' } } };
  return [
    {
      method: 'GET',
      path: '/api/pharmacies/search',
      summary: 'Pharmacies by name, ODS code, postcode or position',
      tag: TAG,
      rights: ['pharmacy:read'],
      kind: 'search',
      told: 'pharmacy-search',
      isUntold: true, // of nobody
      request: {
        query: {
          type: 'object',
          properties: {
            name: TEXT(100),
            ods_code: TEXT(20),
            postcode: TEXT(10),
            lat: { type: 'number', minimum: -90, maximum: 90 },
            lng: { type: 'number', minimum: -180, maximum: 180 },
            within_km: { type: 'number', exclusiveMinimum: 0, maximum: 500 },
            open_now: { type: 'boolean' },
            limit: { type: 'integer', minimum: 1, maximum: 100 },
            offset: { type: 'integer', minimum: 0, maximum: 100_000 },
          },
        },
      },
      answers: { 200: { about: 'The nearest first where a position is given', schema: { type: 'object' } } },
      handle: search,
    },
    {
      method: 'GET',
      path: '/api/pharmacies/nominated',
      summary: 'The nominated pharmacy',
      tag: TAG,
      rights: ['pharmacy:read'],
      kind: 'read',
      told: 'pharmacy-nominated',
      answers: nomination,
      handle: show,
    },
    {
      method: 'GET',
      path: '/api/pharmacies/:id',
      summary: 'One pharmacy',
      tag: TAG,
      rights: ['pharmacy:read'],
      kind: 'read',
      told: 'pharmacy-read',
      isUntold: true, // of nobody
      answers: one,
      handle: async ({ path }) => ({ status: 200, json: shown(await pharmacyOf(path['id'] ?? '')) }),
    },
    {
      method: 'POST',
      path: '/api/pharmacies/:id/nominate',
      summary: 'Nominates a pharmacy; again, nothing changes',
      tag: TAG,
      rights: ['pharmacy:nominate'],
      kind: 'update',
      told: 'pharmacy-nominate',
      answers: nomination,
      problems: ['pharmacy-closed', 'pharmacy-not-eps'],
      handle: nominate,
    },
    {
      method: 'DELETE',
      path: '/api/pharmacies/:id/nominate',
      summary: 'Withdraws the nomination of this pharmacy, if it is the one',
      tag: TAG,
      rights: ['pharmacy:nominate'],
      kind: 'update',
      told: 'pharmacy-withdraw',
      answers: nomination,
      handle: withdraw,
    },
  ];
}
