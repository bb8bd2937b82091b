/**
 * Where imported records came from: one Provenance beside what a message or a bulk import writes, in the same
 * transaction. A message about several patients leaves one for each, so that nobody sees what came of another's.
 * https://hl7.org/fhir/R4/provenance.html, docs/gateway.md "Where records came from"
 */
import type { NewResource, Resource, WriteResult } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';

/** Who sent what is imported, and what it is known by here. */
export interface ImportOrigin {
  /** `ADT^A01`, `NewRx`; for people. */
  readonly kind: string;
  /** Reference or logical reference to the partner or program. */
  readonly sender: Readonly<Record<string, unknown>>;
  /** As the message names its receiver. */
  readonly receiver?: Readonly<Record<string, unknown>>;
  /** Of the message log. */
  readonly messageId?: string;
}

const LIFECYCLE = 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle';
const PARTICIPANT = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type';
/** System of UUIDs in `Identifier`. https://hl7.org/fhir/R4/datatypes.html#Identifier */
const URI = 'urn:ietf:rfc:3986';

/** Elements by which a resource says whose it is. */
const SUBJECTS = ['subject', 'patient', 'beneficiary', 'for'] as const;
/** Lists of those who take part, each with a reference below one of these names. */
const PARTICIPANTS = ['participant', 'member'] as const;

/** `Provenance.entity.what.identifier.value` of a message of the log. */
export const messageUrn = (messageId: string): string => `urn:uuid:${messageId}`;

/** Makes the Provenance resources of what was written; none where no version was made. `at`: ms UTC. */
export function importProvenance(
  origin: ImportOrigin,
  at: number,
  newId: () => string,
): (results: readonly WriteResult[]) => readonly NewResource[] {
  return (results) =>
    groupByPatient(results).map(({ patient, targets }) => ({
      id: newId(),
      resource: provenance(origin, at, patient, targets),
    }));
}

interface Group {
  /** `Patient/1`; undefined for what is about nobody. */
  readonly patient: string | undefined;
  readonly targets: string[];
}

function groupByPatient(results: readonly WriteResult[]): readonly Group[] {
  const groups = new Map<string | undefined, Group>();
  for (const { version, outcome } of results) {
    if (outcome === 'unchanged' || outcome === 'existing' || outcome === 'deleted') continue;
    const target = `${version.type}/${version.id}/_history/${version.versionId}`;
    const patients = patientsOf(version.type, version.id, parseJson(version.content) as Resource); // just written
    for (const patient of patients.length === 0 ? [undefined] : patients) {
      const group = groups.get(patient) ?? { patient, targets: [] };
      group.targets.push(target);
      groups.set(patient, group);
    }
  }
  const shared = groups.get(undefined);
  const [only] = [...groups.values()].filter(({ patient }) => patient !== undefined);
  // Doctors and wards that came with one patient's record are told of there.
  if (groups.size !== 2 || !shared || !only) return [...groups.values()];
  return [{ patient: only.patient, targets: [...only.targets, ...shared.targets] }];
}

function patientsOf(type: string, id: string, resource: Resource): readonly string[] {
  if (type === 'Patient') return [`Patient/${id}`];
  const named = [
    ...SUBJECTS.flatMap((name) => resource[name] ?? []),
    ...PARTICIPANTS.flatMap((name) => (resource[name] ?? []) as object[]).flatMap((one) => [
      ...('actor' in one ? [one.actor] : []),
      ...('member' in one ? [one.member] : []),
      ...('entity' in one ? [one.entity] : []),
    ]),
  ] as readonly { readonly reference?: unknown }[]; // validated
  const patients = named.flatMap(({ reference }) =>
    typeof reference === 'string' && /^Patient\/[^/]+$/.test(reference) ? [reference] : [],
  );
  return [...new Set(patients)];
}

function provenance(
  { kind, sender, receiver, messageId }: ImportOrigin,
  at: number,
  patient: string | undefined,
  targets: readonly string[],
): Resource {
  // R4 knows a Provenance as a patient's only by a target that is the Patient.
  const isNamed = patient === undefined || targets.some((target) => target.startsWith(`${patient}/`));
  return {
    resourceType: 'Provenance',
    target: [...targets, ...(isNamed ? [] : [patient])].map((reference) => ({ reference })),
    recorded: new Date(at).toISOString(),
    activity: { coding: [{ system: LIFECYCLE, code: 'receive' }], text: kind },
    agent: [
      { type: { coding: [{ system: PARTICIPANT, code: 'informant' }] }, who: sender },
      {
        type: { coding: [{ system: PARTICIPANT, code: 'custodian' }] },
        who: receiver ?? { type: 'Device', display: 'Mortar' },
      },
    ],
    ...(messageId !== undefined && {
      entity: [{ role: 'source', what: { identifier: { system: URI, value: messageUrn(messageId) } } }],
    }),
  };
}
