/**
 * What the scopes of the workflow APIs stand for, so that one engine decides for them as for FHIR: `prescription:read` and
 * the like reach what the person's roles reach of the types behind them. MISSION M7; SECURITY SC-06
 */
import type { Caller } from '../ports/caller.ts';
import type { Letter, ResourceScope } from '../standards/smart/scope.ts';

const letters = (text: string): readonly Letter[] => [...text] as Letter[]; // only letters stand below

/** Types behind each scope, with letters. */
const BEHIND: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'prescription:read': {
    AllergyIntolerance: 'rs',
    DetectedIssue: 'rs',
    HealthcareService: 'rs',
    Location: 'rs',
    MedicationDispense: 'rs',
    MedicationKnowledge: 'rs',
    MedicationRequest: 'rs',
    Organization: 'rs',
    Patient: 'r',
    Practitioner: 'rs',
    PractitionerRole: 'rs',
    Provenance: 'rs',
    Task: 'rs',
  },
  'prescription:write': {
    AllergyIntolerance: 'rs',
    MedicationKnowledge: 'rs',
    MedicationRequest: 'crsu',
    Organization: 'rs',
    Patient: 'r',
    Task: 'crsu',
  },
  'pharmacy:read': { HealthcareService: 'rs', Location: 'rs', Organization: 'rs', Patient: 'r' },
  'pharmacy:nominate': { HealthcareService: 'rs', Location: 'rs', Organization: 'rs', Patient: 'r' },
};

const SCOPES: ReadonlyMap<string, readonly ResourceScope[]> = new Map(
  Object.entries(BEHIND).map(([scope, types]) => [
    scope,
    Object.entries(types).map(([type, of]) => ({ level: 'user', type, letters: letters(of) })),
  ]),
);

/** The caller with what its workflow scopes stand for; the same caller where there are none, or no person. */
export function withWorkflowScopes(caller: Caller): Caller {
  if (!caller.user) return caller;
  const added = caller.otherScopes.flatMap((scope) => SCOPES.get(scope) ?? []);
  return added.length === 0 ? caller : { ...caller, scopes: [...caller.scopes, ...added] };
}
