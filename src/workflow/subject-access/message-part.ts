/** What a message of the log says of one patient, as FHIR. SECURITY DP-03 */
import { SHARED_TYPES } from '../../policy/types.ts';
import type { StoredMessage } from '../../ports/message-log.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';
import type { Transform } from '../../standards/fhir/transform.ts';
import { messageUrn } from '../import-provenance.ts';
import { redact } from './redact.ts';
import { identifiersOf, referencesOf, type Subject } from './reference-target.ts';

interface Entry {
  readonly fullUrl?: string;
  readonly resource?: Resource;
}

/** The patient's part of a message that has been translated to a Bundle; `undefined` where there is none. */
export function messagePart(
  transform: Transform,
  message: Pick<StoredMessage, 'id' | 'kind' | 'receivedAt'>,
  bundle: Resource,
  subject: Subject,
): Resource | undefined {
  const entries = ((bundle['entry'] ?? []) as readonly Entry[]).flatMap(({ fullUrl, resource }) =>
    resource === undefined ? [] : [{ resource, names: namesOf(fullUrl, resource) }],
  );
  const patients = entries.filter(({ resource }) => resource.resourceType === 'Patient');
  const isSelf = ({ resource, names }: (typeof entries)[number]): boolean =>
    names.some((name) => subject.selves.has(name)) ||
    identifiersOf(resource).some((identifier) => subject.identifiers.has(identifier));
  const selves = new Set([...subject.selves, ...patients.filter(isSelf).flatMap(({ names }) => names)]);
  const others = new Set(patients.flatMap(({ names }) => names).filter((name) => !selves.has(name)));
  const kept = entries.filter(({ resource, names }) => {
    if (resource.resourceType === 'Patient') return names.some((name) => selves.has(name));
    if (SHARED_TYPES.has(resource.resourceType)) return true;
    return [...referencesOf(transform, resource, subject.baseUrl)].some((reference) => selves.has(reference));
  });
  if (!kept.some(({ resource }) => !SHARED_TYPES.has(resource.resourceType))) return undefined;
  const known = new Set(kept.flatMap(({ names }) => names));
  const own: Subject = { ...subject, selves, others, isOwn: (reference) => known.has(reference) };
  const parts = kept.flatMap(({ resource, names: [fullUrl] }) => {
    // A patient of the message is told by its place there: it may have no id, or another.
    const asSelf =
      resource.resourceType === 'Patient' ? { ...own, selves: new Set([...selves, `Patient/${resource['id']}`]) } : own;
    const part = redact(transform, resource, asSelf);
    return part === undefined ? [] : [{ ...(fullUrl !== undefined && { fullUrl }), resource: part }];
  });
  return {
    resourceType: 'Bundle',
    id: message.id,
    meta: { tag: [{ system: codeSystemUrl('message-kind'), code: message.kind }] },
    identifier: { system: 'urn:ietf:rfc:3986', value: messageUrn(message.id) },
    type: 'collection',
    timestamp: new Date(message.receivedAt).toISOString(),
    entry: parts,
  };
}

/** What an entry is referred to by. */
function namesOf(fullUrl: string | undefined, { resourceType, id }: Resource): readonly string[] {
  return [...(fullUrl === undefined ? [] : [fullUrl]), ...(typeof id === 'string' ? [`${resourceType}/${id}`] : [])];
}
