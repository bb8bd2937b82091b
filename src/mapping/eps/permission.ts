/** Which functions the caller's scopes open, and whether they are switched on. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { EpsContext } from './context.ts';
import { fatalFinding } from './fault.ts';

export type EpsFunction = 'Prescribing' | 'Dispensing';

const API = 'electronic-prescription-service-api';
const USER = 'urn:nhsd:apim:user-nhs-id:aal3:';
const APPLICATION = 'urn:nhsd:apim:app:level3:';

interface Scopes {
  readonly user: readonly string[];
  readonly application: readonly string[];
}

const SCOPES: Readonly<Record<EpsFunction, Scopes>> = {
  Prescribing: {
    user: [`${USER}${API}:prescribing`, `${USER}fhir-prescribing`],
    application: [`${APPLICATION}${API}:prescribing`],
  },
  Dispensing: {
    user: [`${USER}${API}:dispensing`, `${USER}fhir-dispensing`],
    application: [`${APPLICATION}${API}:dispensing`],
  },
};

/**
 * Why the caller may not use the function; undefined when it may. `attended`: a person must be signed in, an application
 * alone does not do.
 */
export function findRefusal(name: EpsFunction, context: EpsContext, attended = true): Issue | undefined {
  const enabled = name === 'Prescribing' ? context.prescribeEnabled : context.dispenseEnabled;
  if (!enabled) return fatalFinding('not-supported', `${name} functionality is disabled.`);
  const holds = (scope: string): boolean => context.scopes.has(scope);
  if (SCOPES[name].user.some(holds)) return undefined;
  if (!SCOPES[name].application.some(holds))
    return fatalFinding(
      'forbidden',
      `Your app does not have permission to access ${name.toLowerCase()} functionality.`,
    );
  if (!attended) return undefined;
  return fatalFinding('forbidden', `${name} functionality can only be accessed using the user-restricted access mode.`);
}

const TRACKER = `${API}:tracker`;

/** What a caller may use, as the scopes of the national gateway. `isAttended`: a person is signed in. */
export function scopesFor(
  functions: { readonly prescribing: boolean; readonly dispensing: boolean; readonly tracking: boolean },
  isAttended: boolean,
): ReadonlySet<string> {
  const kind = isAttended ? 'user' : 'application';
  return new Set([
    ...(functions.prescribing ? SCOPES.Prescribing[kind] : []),
    ...(functions.dispensing ? SCOPES.Dispensing[kind] : []),
    ...(functions.tracking ? [`${isAttended ? USER : APPLICATION}${TRACKER}`] : []),
  ]);
}
