/**
 * What is stored of a message that goes to the Spine, or of a prescription that comes from it: the resources, each under
 * the identifier by which EPS knows it. People, places and the patient are only mentioned by prescriptions: what is
 * stored of them already stays as it is. docs/eps.md "What is stored"
 */
import type { FhirResource, TransactionEntry } from '../transaction-bundle.ts';
import { createUnlessFound, nameUrl, nameUuid, updateById, updateByIdentifier } from '../transaction-bundle.ts';
import { isNode, type Node } from './node.ts';
import { type EpsRequestKind, recogniseEps } from './recognise.ts';
import { ID_SYSTEM, UUID_SYSTEM } from './systems.ts';

/** Resources that the message is about, by the system of their identifier. */
const KNOWN_BY: ReadonlyMap<string, string> = new Map([
  ['MedicationRequest', ID_SYSTEM.orderItem],
  ['MedicationDispense', ID_SYSTEM.dispenseItem],
  ['Task', UUID_SYSTEM],
  ['Claim', UUID_SYSTEM],
]);
/** Those that it mentions, by the systems in the order in which they are looked for. */
const MENTIONED_BY: ReadonlyMap<string, readonly string[]> = new Map([
  ['Patient', [ID_SYSTEM.nhsNumber]],
  [
    'Practitioner',
    [ID_SYSTEM.sdsUser, ID_SYSTEM.gmc, ID_SYSTEM.gphc, ID_SYSTEM.nmc, ID_SYSTEM.hcpc, ID_SYSTEM.professional],
  ],
  ['PractitionerRole', [ID_SYSTEM.sdsRoleProfile]],
  ['Organization', [ID_SYSTEM.odsOrganisation]],
  ['HealthcareService', [ID_SYSTEM.odsOrganisation]],
  ['Location', [ID_SYSTEM.odsOrganisation]],
]);
/** Why an order was refused goes when it is sent again, corrected. */
const REMOVED: ReadonlyMap<string, readonly string[]> = new Map([['MedicationRequest', ['statusReason']]]);
/** Whom and what any message may mention. */
const MENTIONED: readonly string[] = [...MENTIONED_BY.keys(), 'Medication', 'Provenance'];
/**
 * What is stored of a Bundle, by its event. Whatever else a sender puts beside it is of no prescription: the gateway
 * writes it, so that nobody's rights to a Consent or an Observation would be asked. SECURITY AZ-01
 */
const STORED: ReadonlyMap<EpsRequestKind, ReadonlySet<string>> = new Map([
  ['order', new Set([...MENTIONED, 'MedicationRequest', 'CommunicationRequest', 'List'])],
  ['notification', new Set([...MENTIONED, 'MedicationDispense'])],
]);
const NOTHING: ReadonlySet<string> = new Set();
const OF_PATIENT: ReadonlySet<string> = new Set(['MedicationRequest', 'MedicationDispense']);

/**
 * The entries of a message as it was given, `payload` being what `normaliseSystems` returns. Of a cancellation nothing is
 * stored before the Spine has said what became of it; a release request is none. `messageId` names what has no identifier.
 */
export function storedEntries(payload: unknown, messageId: string): readonly TransactionEntry[] {
  if (!isNode(payload)) return [];
  const kind = recogniseEps(payload);
  if (kind === undefined || kind === 'release' || kind === 'cancellation') return [];
  if (payload['resourceType'] === 'Bundle') return entriesOfBundle(payload, messageId, kind);
  return withMentions([{ fullUrl: nameUrl('eps-resource', messageId), resource: payload as FhirResource }], messageId);
}

interface Given {
  readonly fullUrl: string;
  readonly resource: FhirResource;
}

/** Of a message Bundle. `owner`: who has the prescription now, in the place of whom the prescriber thought of. */
export function entriesOfBundle(
  bundle: Node,
  messageId: string,
  kind: EpsRequestKind,
  owner?: Node,
): readonly TransactionEntry[] {
  const stored = STORED.get(kind) ?? NOTHING;
  const entries = Array.isArray(bundle['entry']) ? bundle['entry'].filter(isNode) : [];
  const given = entries.flatMap(({ fullUrl, resource }, n): readonly Given[] => {
    if (!isNode(resource) || typeof resource['resourceType'] !== 'string') return [];
    const url = typeof fullUrl === 'string' ? fullUrl : nameUrl('eps-entry', messageId, String(n));
    return stored.has(resource['resourceType']) ? [{ fullUrl: url, resource: resource as FhirResource }] : [];
  });
  return withMentions(owner === undefined ? given : given.map((one) => ownedBy(one, owner)), messageId);
}

function ownedBy({ fullUrl, resource }: Given, owner: Node): Given {
  if (resource.resourceType !== 'MedicationRequest') return { fullUrl, resource };
  const dispenseRequest = isNode(resource['dispenseRequest']) ? resource['dispenseRequest'] : {};
  const before = isNode(dispenseRequest['performer']) ? dispenseRequest['performer'] : {};
  const performer = { ...(before['extension'] !== undefined && { extension: before['extension'] }), ...owner };
  return { fullUrl, resource: { ...resource, dispenseRequest: { ...dispenseRequest, performer } } };
}

/** Who is named by an identifier alone becomes a resource of the same transaction, so that they are found by reference. */
function withMentions(all: readonly Given[], messageId: string): readonly TransactionEntry[] {
  const own = new Set(all.map(({ fullUrl }) => fullUrl));
  const given = all.map(({ fullUrl, resource }): Given => ({ fullUrl, resource: asSender(resource, own) }));
  const patients = given.filter(({ resource }) => resource.resourceType === 'Patient');
  const urls = new Map(given.map(({ fullUrl, resource }) => [keyOf(resource), fullUrl]));
  const mentions = new Map<string, Given>();
  const refer = (reference: unknown, type: 'Patient' | 'Organization', system: string): unknown => {
    const identifier = isNode(reference) && isNode(reference['identifier']) ? reference['identifier'] : undefined;
    const value = identifier?.['value'];
    if (
      !isNode(reference) ||
      'reference' in reference ||
      identifier?.['system'] !== system ||
      typeof value !== 'string'
    )
      return reference;
    const only = { system, value };
    const key = `${type} ${value}`;
    const url = urls.get(key) ?? nameUrl('eps-mention', type, value);
    if (!urls.has(key)) {
      const { display } = reference;
      const named = type === 'Organization' && typeof display === 'string' ? { name: display } : {};
      mentions.set(key, { fullUrl: url, resource: { resourceType: type, identifier: [only], ...named } });
    }
    return { reference: url, ...reference };
  };
  const referring = given.map(({ fullUrl, resource }): Given => {
    const changed: Record<string, unknown> = { ...resource };
    for (const name of ['subject', 'patient', 'for'])
      if (isNode(resource[name])) changed[name] = refer(resource[name], 'Patient', ID_SYSTEM.nhsNumber);
    // Translation takes the one Patient of a Bundle for whom it is, whatever its items refer to.
    if (OF_PATIENT.has(resource.resourceType) && patients.length === 1)
      changed['subject'] = { ...(isNode(changed['subject']) && changed['subject']), reference: patients[0]?.fullUrl };
    if (isNode(resource['owner']))
      changed['owner'] = refer(resource['owner'], 'Organization', ID_SYSTEM.odsOrganisation);
    const { dispenseRequest } = resource;
    if (isNode(dispenseRequest) && isNode(dispenseRequest['performer']))
      changed['dispenseRequest'] = {
        ...dispenseRequest,
        performer: refer(dispenseRequest['performer'], 'Organization', ID_SYSTEM.odsOrganisation),
      };
    return { fullUrl, resource: changed as FhirResource };
  });
  return [...mentions.values(), ...referring].map(({ fullUrl, resource }) => entryFor(fullUrl, resource, messageId));
}

const keyOf = (resource: FhirResource): string => {
  const systems = MENTIONED_BY.get(resource.resourceType) ?? [];
  return `${resource.resourceType} ${findValue(resource, systems[0] ?? '') ?? ''}`;
};

function entryFor(fullUrl: string, given: FhirResource, messageId: string): TransactionEntry {
  const { id: _theirs, ...rest } = given;
  const resource = rest as FhirResource; // its type stays
  const type = resource.resourceType;
  const system = KNOWN_BY.get(type);
  const own = system === undefined ? undefined : findValue(resource, system);
  if (system !== undefined && own !== undefined)
    return updateByIdentifier(fullUrl, resource, [{ system, value: own }], REMOVED.get(type));
  for (const one of MENTIONED_BY.get(type) ?? []) {
    const value = findValue(resource, one);
    if (value !== undefined) return createUnlessFound(fullUrl, resource, [{ system: one, value }]);
  }
  return updateById(fullUrl, { ...resource, id: nameUuid('eps-stored', messageId, fullUrl) });
}

function findValue(resource: Node, system: string): string | undefined {
  const list = Array.isArray(resource['identifier']) ? resource['identifier'].filter(isNode) : [];
  const found = list.find((one) => one['system'] === system && typeof one['value'] === 'string');
  return found === undefined ? undefined : String(found['value']);
}

const URI = 'urn:ietf:rfc:3986';

/** A resource as somebody outside may say it: labels of security are set by who manages rights (SECURITY AZ-06). */
function asSender(resource: FhirResource, known: ReadonlySet<string>): FhirResource {
  const { meta, ...rest } = resource;
  const profile = isNode(meta) ? meta['profile'] : undefined;
  const said = withinMessage(rest, known) as Omit<FhirResource, 'meta'> & { readonly resourceType: string };
  return { ...said, ...(profile !== undefined && { meta: { profile } }) };
}

/**
 * What the message does not bring is named by its URL instead of referred to: an id that a sender writes must not lead
 * into somebody's record here.
 */
function withinMessage(value: unknown, known: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((one) => withinMessage(one, known));
  if (!isNode(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withinMessage(member, known)] as const);
  const { reference } = value;
  if (typeof reference !== 'string' || reference.startsWith('#') || known.has(reference))
    return Object.fromEntries(members);
  const named = Object.fromEntries(members.filter(([name]) => name !== 'reference'));
  return { ...named, ...(!('identifier' in named) && { identifier: { system: URI, value: reference } }) };
}
