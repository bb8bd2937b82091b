/**
 * A prescriber's standing protocol: which medicines, that need no approval of their own, the patients of the practice get at
 * once when they ask, in this prescriber's name. A PlanDefinition with a Provenance of who signed it; a changed one is not
 * signed any more. MISSION M9; https://hl7.org/fhir/R4/plandefinition.html
 */
import type { Resource } from '../../ports/resource-store.ts';
import { extensionUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { type CatalogueEntry, isScheduled } from './catalogue/entry.ts';
import { identifierIn, listOf, type Node, nodeOf, numberIn, textIn } from './chart.ts';
import type { Found } from './desk.ts';
import { type Item, rulesBroken } from './items.ts';
import { CATALOGUE } from './systems.ts';

/** Of the practice whose patients it is for: by it protocols are found. */
export const PROTOCOL_PRACTICE = namingSystemUrl('standing-protocol-practice');
const MAX_QUANTITY = extensionUrl('standing-protocol-max-quantity');
const SIGNED_BY = extensionUrl('standing-protocol-signed-by');

export interface ProtocolMedicine {
  /** Of the catalogue. */
  readonly id: string;
  readonly name: string;
  /** Of one request. */
  readonly maxQuantity: number;
}

export interface StandingProtocol {
  readonly id: string;
  readonly practiceId: string;
  /** `Practitioner/1` */
  readonly signer: string;
  readonly role?: string;
  readonly signerName: string;
  readonly medicines: readonly ProtocolMedicine[];
  /** `2026-11-22`, the last day. */
  readonly validUntil: string;
}

/** Whether it may be in a standing protocol at all: never a controlled drug. */
export const isStanding = (entry: CatalogueEntry): boolean =>
  !entry.requiresApproval && entry.isActive && !isScheduled(entry);

/** The medicines that are named. Throws 422 with each that may not be in a protocol. */
export function readProtocolMedicines(given: readonly Node[], catalogue: Catalogue): readonly ProtocolMedicine[] {
  const faults: { code: string; message: string; at: string }[] = [];
  const medicines = given.flatMap((one, i): readonly ProtocolMedicine[] => {
    const id = textIn(one['medication_id']);
    const name = textIn(one['medication_name']);
    const entry =
      id === undefined ? catalogue.match({ codes: [], ...(name !== undefined && { text: name }) }) : catalogue.find(id);
    const at = `medications[${i}]`;
    if (!entry) faults.push({ code: 'RX-UNKNOWN-MEDICINE', message: 'The catalogue does not hold this medicine', at });
    else if (!isStanding(entry))
      faults.push({
        code: 'RX-PROTOCOL',
        message: `${entry.name} is prescribed by a decision each time: no standing protocol can name it`,
        at,
      });
    return entry ? [{ id: entry.id, name: entry.name, maxQuantity: Number(one['max_quantity']) }] : [];
  });
  if (faults.length > 0) throw rulesBroken(faults);
  return medicines;
}

export function protocolResource(protocol: StandingProtocol, at: number): Resource {
  const { id, practiceId, signer, role, signerName, medicines, validUntil } = protocol;
  return {
    resourceType: 'PlanDefinition',
    id,
    extension: [
      { url: SIGNED_BY, valueReference: { reference: signer, display: signerName } },
      ...(role === undefined ? [] : [{ url: SIGNED_BY, valueReference: { reference: role } }]),
    ],
    identifier: [{ system: PROTOCOL_PRACTICE, value: practiceId }],
    type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/plan-definition-type', code: 'protocol' }] },
    title: 'Standing protocol',
    status: 'active',
    date: new Date(at).toISOString(),
    author: [{ name: signerName }],
    effectivePeriod: { start: new Date(at).toISOString().slice(0, 10), end: validUntil },
    action: medicines.map((one) => ({
      extension: [{ url: MAX_QUANTITY, valueDecimal: one.maxQuantity }],
      title: one.name,
      code: [{ coding: [{ system: CATALOGUE, code: one.id }] }],
    })),
  };
}

/** Undefined of a PlanDefinition that is none of ours. */
export function readProtocol({ id, resource }: Found): StandingProtocol | undefined {
  const practiceId = identifierIn(resource, PROTOCOL_PRACTICE);
  const signers = listOf(resource['extension'])
    .filter(({ url }) => url === SIGNED_BY)
    .map(({ valueReference }) => nodeOf(valueReference));
  const by = (type: string): Node | undefined =>
    signers.find(({ reference }) => String(reference).startsWith(`${type}/`));
  const [signer, role] = [by('Practitioner'), by('PractitionerRole')];
  const validUntil = textIn(nodeOf(resource['effectivePeriod'])['end']);
  if (practiceId === undefined || signer === undefined || validUntil === undefined) return undefined;
  const medicines = listOf(resource['action']).flatMap((action): readonly ProtocolMedicine[] => {
    const codings = listOf(action['code']).flatMap(({ coding }) => listOf(coding));
    const code = textIn(codings.find(({ system }) => system === CATALOGUE)?.['code']);
    const maxQuantity = numberIn(listOf(action['extension']).find(({ url }) => url === MAX_QUANTITY)?.['valueDecimal']);
    return code === undefined || maxQuantity === undefined
      ? []
      : [{ id: code, name: textIn(action['title']) ?? '', maxQuantity }];
  });
  return {
    id,
    practiceId,
    signer: String(signer['reference']),
    ...(role && { role: String(role['reference']) }),
    signerName: textIn(signer['display']) ?? '',
    medicines,
    validUntil,
  };
}

/** Whether all that is asked for is in it, on this day. `at`: ms UTC. */
export function covers({ medicines, validUntil }: StandingProtocol, items: readonly Item[], at: number): boolean {
  if (new Date(at).toISOString().slice(0, 10) > validUntil) return false;
  return items.every(({ entry, quantity, repeats }) => {
    if (!entry || !isStanding(entry) || repeats > 0) return false;
    const named = medicines.find(({ id }) => id === entry.id);
    return named !== undefined && quantity <= named.maxQuantity;
  });
}
