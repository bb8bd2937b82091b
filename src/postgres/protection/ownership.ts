/** Whose a resource is: of the patients who are being removed, of others as well, or of nobody. SECURITY DP-04 */
import { parseReference } from '../../standards/fhir/reference.ts';
import type { TypeParameters } from '../../standards/fhir/search/parameter.ts';
import { COMPARTMENTS, DEAF_SINK, type Extractor, type SearchSink } from '../../standards/fhir/search/sink.ts';

/**
 * `own`: it goes with them. `shared`: it is about others too, and stays without them. `other`: it is about others. `none`:
 * it is about no patient.
 */
export type Whose = 'own' | 'shared' | 'other' | 'none';

export interface Ownership {
  whose(resource: Readonly<Record<string, unknown>>, patients: ReadonlySet<string>): Whose;
  /** Ids of the patients whom a resource is about. */
  patientsOf(resource: Readonly<Record<string, unknown>>): ReadonlySet<string>;
  /** `Type/id` of a reference to a resource here, relative or below the base. */
  localReference(text: string): string | undefined;
}

const PATIENT = COMPARTMENTS.indexOf('Patient');
/** Parameters that say whom a resource is about, also where the type is in no compartment (Task, Device). */
const ABOUT = ['patient', 'subject'];

export function createOwnership(options: {
  readonly parametersOf: (type: string) => TypeParameters;
  readonly extractorOf: (type: string) => Extractor;
  readonly baseUrl: string;
}): Ownership {
  const base = `${options.baseUrl}/`;

  function localReference(text: string): string | undefined {
    const parsed = parseReference(text.startsWith(base) ? text.slice(base.length) : text);
    return parsed?.kind === 'relative' ? `${parsed.type}/${parsed.id}` : undefined;
  }
  const patientIn = (reference: string): string | undefined => {
    const local = localReference(reference);
    return local?.startsWith('Patient/') ? local.slice('Patient/'.length) : undefined;
  };

  /** Whom it is about: the one subject it has, else all members it makes it one of. */
  function patientsOf(resource: Readonly<Record<string, unknown>>): ReadonlySet<string> {
    const { resourceType, id } = resource;
    if (resourceType === 'Patient') return new Set(typeof id === 'string' ? [id] : []);
    if (resourceType === 'Binary') return securityContextOf(resource, patientIn);
    const parameters = options.parametersOf(String(resourceType));
    const about = new Set(
      ABOUT.flatMap((code) => parameters.parameters.get(code) ?? []).flatMap(({ custom, atoms }) =>
        custom ? [] : atoms.map(({ index }) => index),
      ),
    );
    const found = new Set<string>();
    let subject: string | undefined;
    options.extractorOf(String(resourceType))(
      resource,
      sinkOf(
        (atom, reference) => {
          const patient = patientIn(reference);
          if (patient === undefined) return;
          if (about.has(atom)) found.add(patient);
          if (atom === parameters.patientAtom?.index) subject = patient;
        },
        (reference) => {
          const patient = patientIn(reference);
          if (patient !== undefined) found.add(patient);
        },
      ),
    );
    return subject === undefined ? found : new Set([subject]);
  }

  function whose(resource: Readonly<Record<string, unknown>>, patients: ReadonlySet<string>): Whose {
    if (resource['resourceType'] === 'Bundle') return ofBundle(resource, (entry) => whose(entry, patients));
    return among(patientsOf(resource), patients);
  }

  return { whose, patientsOf, localReference };
}

function among(of: ReadonlySet<string>, patients: ReadonlySet<string>): Whose {
  if (of.size === 0) return 'none';
  const theirs = [...of].filter((id) => patients.has(id)).length;
  if (theirs === 0) return 'other';
  return theirs === of.size ? 'own' : 'shared';
}

/** A Bundle goes when what it holds of patients is all theirs. */
function ofBundle(
  bundle: Readonly<Record<string, unknown>>,
  whose: (resource: Record<string, unknown>) => Whose,
): Whose {
  const entries = Array.isArray(bundle['entry']) ? (bundle['entry'] as { resource?: Record<string, unknown> }[]) : [];
  const kinds = new Set(entries.flatMap(({ resource }) => (resource?.['resourceType'] ? [whose(resource)] : [])));
  if (kinds.has('shared') || (kinds.has('own') && kinds.has('other'))) return 'shared';
  return kinds.has('own') ? 'own' : kinds.has('other') ? 'other' : 'none';
}

function securityContextOf(
  binary: Readonly<Record<string, unknown>>,
  patientIn: (reference: string) => string | undefined,
): ReadonlySet<string> {
  const context = binary['securityContext'] as { readonly reference?: string } | undefined; // validated
  const patient = context?.reference === undefined ? undefined : patientIn(context.reference);
  return new Set(patient === undefined ? [] : [patient]);
}

const sinkOf = (
  reference: (atom: number, reference: string) => void,
  ofPatient: (reference: string) => void,
): SearchSink => ({
  ...DEAF_SINK,
  reference,
  member(kind, of) {
    if (kind === PATIENT) ofPatient(of);
  },
});
