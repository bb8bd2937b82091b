/**
 * Types that R4 has in no patient's compartment though they can be about one (Task, Device, GuidanceResponse, Contract): which
 * of their parameters say so. https://hl7.org/fhir/R4/compartmentdefinition-patient.html
 */
import type { Definitions } from '../definitions.ts';
import type { Atom, SearchParameter, SearchParameters } from './parameter.ts';
import { storableTypes } from './parameters.ts';

/** `named`: parameters whose definition names Patient as a target. `any`: also those that may point to anything. */
export type PatientReach = 'named' | 'any';

/**
 * Type to the codes of its parameters that may point to a Patient, for the types outside the Patient compartment. Each place
 * in a resource is there once (Task `patient` and not `subject` as well), `patient` first.
 */
export function patientParametersBeside(
  definitions: Definitions,
  parameters: SearchParameters,
  reach: PatientReach,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const storable = storableTypes(definitions);
  for (const type of storable) {
    if (type === 'Patient' || Object.hasOwn(definitions.compartments.Patient, type)) continue;
    const all = [...(parameters.get(type)?.parameters.values() ?? [])];
    const fitting = all.filter((one) => mayBePatient(one, storable.length, reach)).sort(byCode);
    const seen = new Set<Atom>();
    const codes = fitting.flatMap(({ code, atoms }) => {
      if (atoms.every((atom) => seen.has(atom))) return [];
      for (const atom of atoms) seen.add(atom);
      return [code];
    });
    if (codes.length > 0) found.set(type, codes);
  }
  return found;
}

function mayBePatient({ type, targets, atoms }: SearchParameter, allTypes: number, reach: PatientReach): boolean {
  // A definition without targets means all types; a canonical points to a definition.
  const pointsAnywhere = targets.length === 0 || targets.length === allTypes;
  const isReference =
    type === 'reference' && atoms.some(({ leaves }) => leaves.some((leaf) => leaf.type === 'Reference'));
  return isReference && (pointsAnywhere ? reach === 'any' : targets.includes('Patient'));
}

const byCode = (a: SearchParameter, b: SearchParameter): number =>
  Number(b.code === 'patient') - Number(a.code === 'patient') || (a.code < b.code ? -1 : 1);
