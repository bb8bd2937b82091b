/** Composition of access in emergencies: the book of it, who may, and who is told. SECURITY FA-04; docs/access.md */
import { serviceCaller } from './policy/service-caller.ts';
import type { Resource } from './ports/resource-store.ts';
import type { OpenStore } from './postgres/store.ts';
import { type BreakGlassOptions, createBreakGlassApi } from './rest/break-glass-api.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { MORTAR } from './standards/fhir/canonical.ts';
import { FhirError } from './standards/fhir/outcome.ts';

export interface BreakGlassParts extends Omit<BreakGlassOptions, 'patientExists' | 'alert'> {
  readonly store: OpenStore;
}

/** Answers `/api/v2/break-glass`. */
export const createBreakGlass = ({ store, ...options }: BreakGlassParts): RequestHandler =>
  createBreakGlassApi({
    ...options,
    patientExists: (id) => exists(store, id),
    alert: (entry) => alertOf(store, entry),
  });

async function exists(store: OpenStore, patientId: string): Promise<boolean> {
  try {
    await store.read(serviceCaller('auth'), 'Patient', patientId);
    return true;
  } catch (error) {
    if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return false;
    throw error;
  }
}

const BREAK_GLASS_CODES = `${MORTAR}/CodeSystem/communication-category`;

/** Two messages that wait to be sent: to whoever reviews, and to the patient. SECURITY FA-04 */
async function alertOf(
  store: OpenStore,
  { userId, patientId, reason }: { readonly userId: string; readonly patientId: string; readonly reason: string },
): Promise<void> {
  const subject = { reference: `Patient/${patientId}` };
  const communication = (recipient: object, text: string): Resource => ({
    resourceType: 'Communication',
    status: 'preparation',
    category: [{ coding: [{ system: BREAK_GLASS_CODES, code: 'break-glass' }] }],
    subject,
    recipient: [recipient],
    payload: [{ contentString: text }],
  });
  const officer = { type: 'Organization', display: 'Privacy officer' };
  await store.transaction(serviceCaller('alerts'), (tx) =>
    tx.write([
      {
        kind: 'create',
        id: store.newId(),
        resource: communication(
          officer,
          `User ${userId} opened this record in an emergency (${reason}): please review it.`,
        ),
      },
      {
        kind: 'create',
        id: store.newId(),
        resource: communication(
          subject,
          'A member of staff opened your record in an emergency. Somebody else will review why.',
        ),
      },
    ]),
  );
}
