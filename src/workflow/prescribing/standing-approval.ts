/**
 * Standing protocols: signed by a prescriber, looked at, ended by who signed; and what they approve at once. A request that
 * is not covered whole, or has any warning, waits for the practice as ever. MISSION M9; docs/prescribing.md "Standing protocols"
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { CallerUser } from '../../ports/caller.ts';
import { FhirError, forbidden, notFound } from '../../standards/fhir/outcome.ts';
import { idIn, listOf, type Node, nodeOf } from './chart.ts';
import { approve, type Decided } from './decide.ts';
import {
  type Chart,
  changed,
  chartOf,
  chartQueries,
  created,
  type Found,
  findAllOf,
  idQuery,
  type Keep,
  type Prescribing,
} from './desk.ts';
import { selfOf } from './find-request.ts';
import { type Item, readItems, rulesBroken } from './items.ts';
import type { Asked, RequestMade } from './request.ts';
import {
  covers,
  PROTOCOL_PRACTICE,
  protocolResource,
  readProtocol,
  readProtocolMedicines,
  type StandingProtocol,
} from './standing-protocol.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A protocol is looked at again once a year. */
const DAYS_MAX = 366;
const SIGNED = { system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' };
const AUTHOR = { system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: 'author' };

/** The person's right is asked for at the door; what is written is Mortar's own. */
const serviceFor = (correlationId: string) => serviceCaller('prescribing', correlationId);

/** Signs a protocol for the patients of one's practice. Throws 422 for what may not be in one. */
export async function signProtocol(
  desk: Prescribing,
  user: CallerUser,
  body: Node,
  correlationId: string,
  keep: Keep<StandingProtocol>,
): Promise<StandingProtocol> {
  const { store, now } = desk;
  const catalogue = await desk.openCatalogue();
  const at = now();
  const validUntil = String(body['valid_until']);
  const isSoon =
    Date.parse(validUntil) <= at + DAYS_MAX * DAY_MS && validUntil >= new Date(at).toISOString().slice(0, 10);
  if (!isSoon)
    throw rulesBroken([
      { code: 'RX-PROTOCOL', message: 'A protocol ends within a year, and not before today', at: 'valid_until' },
    ]);
  const signer = selfOf(user);
  const [practiceId] = user.organizationIds;
  if (practiceId === undefined || user.practitionerId === undefined)
    throw rulesBroken([{ code: 'RX-NO-PRACTICE', message: 'Your account names no practice, or no Practitioner' }]);
  const [role] = user.practitionerRoleIds;
  const protocol: StandingProtocol = {
    id: store.newId(),
    practiceId,
    signer,
    signerName: user.name,
    ...(role !== undefined && { role: `PractitionerRole/${role}` }),
    medicines: readProtocolMedicines(body['medications'] as readonly Node[], catalogue), // the route's schema describes it
    validUntil,
  };
  const when = new Date(at).toISOString();
  const who = { reference: signer };
  await store.transaction(serviceFor(correlationId), (tx) =>
    tx.write(
      [created(protocolResource(protocol, at))],
      () => keep(tx, protocol),
      (results) => [
        {
          id: store.newId(),
          resource: {
            resourceType: 'Provenance',
            target: results.map(({ version: { type, id, versionId } }) => ({
              reference: `${type}/${id}/_history/${versionId}`,
            })),
            recorded: when,
            agent: [{ type: { coding: [AUTHOR] }, who }],
            signature: [{ type: [SIGNED], when, who }],
          },
        },
      ],
    ),
  );
  return protocol;
}

type Finding = Parameters<typeof findAllOf>[1];

/** Active ones of a practice, that are as they were signed. */
async function signedProtocols(desk: Prescribing, tx: Finding, practiceId: string): Promise<readonly Signed[]> {
  const [found = []] = await findAllOf(desk, tx, [
    ['PlanDefinition', `identifier=${PROTOCOL_PRACTICE}|${encodeURIComponent(practiceId)}&status=active`],
  ]);
  if (found.length === 0) return [];
  const [provenances = []] = await findAllOf(desk, tx, [
    ['Provenance', `target=${found.map(({ id }) => `PlanDefinition/${id}`).join(',')}`],
  ]);
  const signatures = new Set(
    provenances.flatMap(({ resource }) =>
      listOf(resource['signature']).flatMap(({ who }) =>
        listOf(resource['target']).map(({ reference }) => `${String(reference)} ${String(nodeOf(who)['reference'])}`),
      ),
    ),
  );
  return found.flatMap((one): readonly Signed[] => {
    const protocol = readProtocol(one);
    const version = `PlanDefinition/${one.id}/_history/${one.versionId}`;
    return protocol && signatures.has(`${version} ${protocol.signer}`) ? [{ found: one, protocol }] : [];
  });
}

interface Signed {
  readonly found: Found;
  readonly protocol: StandingProtocol;
}

/** Those of the caller's practices. */
export async function listProtocols(
  desk: Prescribing,
  user: CallerUser,
  correlationId: string,
): Promise<readonly StandingProtocol[]> {
  return desk.store.transaction(serviceFor(correlationId), async (tx) => {
    const all = await Promise.all(user.organizationIds.map((id) => signedProtocols(desk, tx, id)));
    return all.flat().map(({ protocol }) => protocol);
  });
}

/** Ends a protocol. Throws not-found, 403 for another's. */
export async function endProtocol(
  desk: Prescribing,
  user: CallerUser,
  id: string,
  correlationId: string,
): Promise<StandingProtocol> {
  return desk.store.transaction(serviceFor(correlationId), async (tx) => {
    const [[found] = []] = await findAllOf(desk, tx, [['PlanDefinition', idQuery(id)]]);
    const protocol = found && readProtocol(found);
    if (!found || !protocol || !user.organizationIds.includes(protocol.practiceId)) throw notFound('That protocol');
    if (protocol.signer !== selfOf(user)) throw forbidden();
    await tx.write([changed(found, (one) => ({ ...one, status: 'retired' }))]);
    return protocol;
  });
}

/** Approves what was just asked for, where a protocol covers all of it; undefined where the practice decides. */
export async function approveByProtocol(
  desk: Prescribing,
  asked: Asked,
  made: RequestMade,
  correlationId: string,
): Promise<Decided | undefined> {
  if (made.warnings.length > 0) return undefined;
  const practiceId = idIn({ reference: made.owner }, 'Organization');
  if (practiceId === undefined) return undefined;
  const catalogue = await desk.openCatalogue();
  const items = readItems(asked.items, catalogue);
  const caller = serviceFor(correlationId);
  const protocol = await desk.store.transaction(caller, async (tx) => {
    const found = await signedProtocols(desk, tx, practiceId);
    const covering = found.find((one) => covers(one.protocol, items, desk.now()))?.protocol;
    if (!covering) return undefined;
    const chart = chartOf(await findAllOf(desk, tx, chartQueries(asked.patientId)), catalogue);
    return chart && isNew(items, chart) ? covering : undefined;
  });
  if (!protocol) return undefined;
  const medications = items.map((item, i) => ({
    item_id: made.itemIds[i],
    quantity: asked.items[i]?.['quantity'],
    dosage_instructions: item.dose ?? '',
    frequency: item.frequency ?? item.instructions ?? '',
    refills_allowed: 0,
  }));
  const note = `Approved by the standing protocol PlanDefinition/${protocol.id} of ${protocol.signerName}`;
  try {
    return await approve(
      desk,
      caller,
      signerOf(protocol),
      made.id,
      { medications, clinical_notes: note },
      async () => {},
    );
  } catch (error) {
    // A rule, or somebody of the practice, was in the way: they decide.
    if (error instanceof FhirError && error.status < 500) return undefined;
    throw error;
  }
}

/** A protocol begins what the patient does not have: whoever wants more of it asks the practice. */
const isNew = (items: readonly Item[], { current }: Chart): boolean =>
  items.every(({ entry }) => !current.some((one) => one.entry?.substances.some((s) => entry?.substances.includes(s))));

/** Who signed, as the approval names them. */
const signerOf = ({ signer, role, signerName, practiceId }: StandingProtocol): CallerUser => ({
  id: signer,
  name: signerName,
  roles: ['PRESCRIBER'],
  practitionerId: idIn({ reference: signer }, 'Practitioner') ?? '',
  practitionerRoleIds: role === undefined ? [] : [role.slice('PractitionerRole/'.length)],
  organizationIds: [practiceId],
  patientIds: [],
  authTime: 0,
  amr: [],
});
