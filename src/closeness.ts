/** How close a record is to the member of staff who reads it; a piece of the composition root. SECURITY FA-08 */
import { randomBytes } from 'node:crypto';
import { isGuarded, type Marks, marksOf, type Portrait } from './policy/closeness.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Closeness } from './ports/audit.ts';
import type { CallerUser } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import { parseJson } from './standards/fhir/json.ts';
import { FhirError } from './standards/fhir/outcome.ts';

export type ClosenessOf = (user: CallerUser, patientId: string) => Promise<readonly Closeness[]>;

const REMEMBERED_MS = 10 * 60 * 1000;
const REMEMBERED_MAX = 1000;
const OWN_MAX = 5;

export function createCloseness({
  store,
  now,
}: {
  readonly store: Pick<ResourceStore, 'read'>;
  readonly now: Clock;
}): ClosenessOf {
  const caller = serviceCaller('auth');
  /** Lives as long as this process, and is nowhere else. */
  const key = randomBytes(32);
  const known = new Map<string, { readonly until: number; readonly marks: Promise<Marks> }>();

  async function read(type: string, id: string): Promise<Portrait | undefined> {
    try {
      return parseJson((await store.read(caller, type, id)).content) as Portrait; // stored text was checked
    } catch (error) {
      if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  async function marksOfUser({ name, practitionerId, patientIds }: CallerUser): Promise<Marks> {
    const own = await Promise.all([
      ...(practitionerId === undefined ? [] : [read('Practitioner', practitionerId)]),
      ...patientIds.slice(0, OWN_MAX).map((id) => read('Patient', id)),
    ]);
    return marksOf([{ name: [{ text: name }] }, ...own.filter((portrait) => portrait !== undefined)], key);
  }

  function rememberedMarks(user: CallerUser): Promise<Marks> {
    const found = known.get(user.id);
    if (found && now() < found.until) return found.marks;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const marks = marksOfUser(user);
    marks.catch(() => known.delete(user.id));
    known.set(user.id, { until: now() + REMEMBERED_MS, marks });
    return marks;
  }

  return async (user, patientId) => {
    const patient = await read('Patient', patientId);
    if (!patient) return [];
    const theirs = marksOf([patient], key);
    const ours = theirs.size === 0 ? theirs : await rememberedMarks(user);
    return [
      ...(theirs.isDisjointFrom(ours) ? [] : (['family-record'] as const)),
      ...(isGuarded(patient) ? (['vip-record'] as const) : []),
    ];
  };
}
