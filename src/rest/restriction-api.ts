/**
 * An end to processing: what is kept of a patient is only stored until two people agree that it may be used again.
 * SECURITY DP-05, AZ-08; UK GDPR article 18
 */
import { randomUUID } from 'node:crypto';
import type { Restriction, RestrictionBook } from '../ports/subject-rights.ts';
import { badValue, conflict, notFound } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { iso } from './instant.ts';
import { type PersonAnswer, type PersonCall, type PersonRoute, readWords } from './person-api.ts';

export interface RestrictionOptions {
  readonly book: RestrictionBook;
  readonly patientExists: (id: string) => Promise<boolean>;
  /** Tells whoever opens the record: a Flag in it, active until the restriction is lifted. */
  readonly flag: (restriction: Restriction) => Promise<void>;
  /** What was held for the patient may go out. */
  readonly resume: (patientId: string) => Promise<unknown>;
  readonly now: () => number;
}

const PATH = '/api/v2/restrictions';
const LIST_MAX = 500;

export function createRestrictionRoutes(options: RestrictionOptions): readonly PersonRoute[] {
  const { book, patientExists, flag, resume, now } = options;

  async function place({ user, path, body }: PersonCall): Promise<PersonAnswer> {
    const patientId = patientOf(path);
    const reason = readWords(body, 'reason');
    if (!(await patientExists(patientId))) throw notFound(`Patient/${patientId}`);
    const entry = { id: randomUUID(), patientId, reason, placedBy: user.id, placedAt: now() };
    const { restriction, isNew } = await book.place(entry);
    await flag(restriction); // again as well: it may have failed before
    return {
      status: isNew ? 201 : 200,
      json: shown(restriction),
      patientId,
      detail: { restriction: restriction.id, what: isNew ? 'placed' : 'stands' },
    };
  }

  /** The first asks that it end, and says why; the second agrees. */
  async function lift({ user, path, body }: PersonCall): Promise<PersonAnswer> {
    const patientId = patientOf(path);
    const restriction = await standing(patientId);
    const detail = { restriction: restriction.id };
    if (!restriction.lift) {
      const asked = { by: user.id, at: now(), reason: readWords(body, 'reason') };
      if (!(await book.askLift(patientId, asked))) throw conflict('Somebody has just asked that it be lifted');
      const answer = shown({ ...restriction, lift: asked });
      return { status: 202, json: answer, patientId, detail: { ...detail, what: 'lift-asked' } };
    }
    const at = now();
    if (restriction.lift.by === user.id || !(await book.lift(patientId, user.id, at)))
      throw conflict('You asked that it be lifted: somebody else must agree');
    const lifted = { ...restriction, lifted: { by: user.id, at } };
    await resume(patientId);
    await flag(lifted);
    return { status: 200, json: shown(lifted), patientId, detail: { ...detail, what: 'lifted' } };
  }

  async function standing(patientId: string): Promise<Restriction> {
    const restriction = await book.find(patientId);
    if (!restriction) throw notFound(`A restriction of Patient/${patientId}`);
    return restriction;
  }

  async function show({ path }: PersonCall): Promise<PersonAnswer> {
    const patientId = patientOf(path);
    return { status: 200, json: shown(await standing(patientId)), patientId };
  }

  async function list(): Promise<PersonAnswer> {
    return { status: 200, json: { restrictions: (await book.list(LIST_MAX)).map(shown) } };
  }

  const rights = ['restrictions:manage'];
  const one = `${PATH}/:patient`;
  const change = { path: one, rights, stepUp: true, kind: 'configuration' } as const;
  return [
    { method: 'GET', path: PATH, rights, stepUp: false, kind: 'operation', told: 'restriction-list', handle: list },
    { method: 'GET', path: one, rights, stepUp: false, kind: 'operation', told: 'restriction-show', handle: show },
    { ...change, method: 'PUT', told: 'restriction-place', handle: place },
    { ...change, method: 'DELETE', told: 'restriction-lift', handle: lift },
  ];
}

function patientOf({ patient = '' }: Readonly<Record<string, string>>): string {
  if (!isId(patient)) throw badValue('The path ends with the id of a Patient');
  return patient;
}

const shown = ({ id, patientId, reason, placedBy, placedAt, lift, lifted }: Restriction): object => ({
  id,
  patient: `Patient/${patientId}`,
  reason,
  placed_by: placedBy,
  placed_at: iso(placedAt),
  ...(lift && { lift_asked_by: lift.by, lift_asked_at: iso(lift.at), lift_reason: lift.reason }),
  ...(lifted && { lifted_by: lifted.by, lifted_at: iso(lifted.at) }),
});
