/** Patients whose data may only be stored, in what is taken out in large numbers. SECURITY DP-05, UK GDPR article 18(2) */
import type { ProcessingStop } from '../../ports/subject-rights.ts';

const PATIENT = /\bPatient\/([A-Za-z0-9.-]{1,64})/g;
/** How the text of a Patient begins, as it is stored. */
const OWN_ID = /^\{"resourceType":"Patient","id":"([A-Za-z0-9.-]{1,64})"/;

/** Those of the things that name no such patient; `textOf` gives the stored text of one. */
export async function withoutRestricted<T>(
  stop: ProcessingStop,
  things: readonly T[],
  textOf: (thing: T) => string,
): Promise<readonly T[]> {
  const named = things.map((thing) => patientsOf(textOf(thing)));
  const restricted = await stop.restrictedAmong([...new Set(named.flat())]);
  return restricted.size === 0 ? things : things.filter((_, i) => !named[i]?.some((id) => restricted.has(id)));
}

function patientsOf(text: string): readonly string[] {
  const named = text.includes('Patient/') ? [...text.matchAll(PATIENT)].map(([, found]) => found as string) : [];
  const own = OWN_ID.exec(text)?.[1];
  return own === undefined ? named : [own, ...named];
}
