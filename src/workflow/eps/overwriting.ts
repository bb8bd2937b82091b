/**
 * What one message has brought no other writes over before the Spine has spoken: it may refuse the second, and the record
 * would have lost the first. SECURITY AZ-01; docs/eps.md "What is stored"
 */
import { isNode } from '../../mapping/eps/node.ts';
import { CODE_SYSTEM } from '../../mapping/eps/systems.ts';
import { nameUuid, type TransactionEntry, updateById } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { MessageLog } from '../../ports/message-log.ts';
import type { Criteria, StoredVersion, StoreTransaction } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, type Issue } from '../../standards/fhir/outcome.ts';
import { messageUrn } from '../import-provenance.ts';
import { findMessage } from './message-record.ts';

export interface OverwritingServices {
  readonly messages: Pick<MessageLog, 'read'>;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}

/** What becomes of an entry whose identifier stands in another message. */
const MET: ReadonlyMap<string, 'refused' | 'apart'> = new Map([
  ['MedicationRequest', 'refused'],
  ['Task', 'refused'],
  ['Claim', 'refused'],
  // An amendment may name the items of what it amends, which stands until the Spine has accepted it.
  ['MedicationDispense', 'apart'],
]);
const GATEWAY = serviceCaller('gateway');
const FOUND_MAX = 20;

/**
 * The entries of the message of that id, those that would write over another message's stored apart. What was refused, or
 * never sent, may come again. Throws `FhirError` 400.
 */
export async function withoutOverwriting(
  services: OverwritingServices,
  tx: StoreTransaction,
  entries: readonly TransactionEntry[],
  messageId: string,
): Promise<readonly TransactionEntry[]> {
  const known = entries.filter(({ resource, request }) => MET.has(resource.resourceType) && request.url.includes('?'));
  if (known.length === 0) return entries;
  const criteria = known.map(({ resource, request }) =>
    services.criteriaOf(resource.resourceType, request.url.split('?')[1] ?? ''),
  );
  const found = await tx.findCurrent(criteria, FOUND_MAX);
  const changed = new Map<TransactionEntry, TransactionEntry>();
  for (const [n, entry] of known.entries()) {
    const stored = found[n] ?? [];
    const isMet = await isOfAnother(services, stored, messageId);
    const { fullUrl, resource } = entry;
    if (MET.get(resource.resourceType) === 'refused') {
      if (isMet) throw new FhirError(400, [duplicate(resource.resourceType)]);
    } else if (isMet || stored.length > 1)
      changed.set(entry, updateById(fullUrl, { ...resource, id: nameUuid('eps-stored', messageId, fullUrl) }));
  }
  return entries.map((entry) => changed.get(entry) ?? entry);
}

/** Whether another message that the Spine may have has brought any of these. */
async function isOfAnother(
  { messages }: OverwritingServices,
  stored: readonly StoredVersion[],
  messageId: string,
): Promise<boolean> {
  for (const { type, content } of stored) {
    const id = sourceOf(content);
    if (id === undefined || id === messageId) continue;
    const message = await findMessage(messages, GATEWAY, id);
    const isGone = message?.state === 'rejected' || (type === 'MedicationDispense' && message?.state === 'dead');
    if (message?.dialect === 'eps' && !isGone) return true;
  }
  return false;
}

/** The message that a resource came with. */
function sourceOf(content: string): string | undefined {
  const stored = parseJson(content); // stored text was checked
  const { source } = isNode(stored) && isNode(stored['meta']) ? stored['meta'] : {};
  return typeof source === 'string' && source.startsWith(messageUrn(''))
    ? source.slice(messageUrn('').length)
    : undefined;
}

const duplicate = (type: string): Issue =>
  type === 'MedicationRequest'
    ? {
        severity: 'error',
        code: 'duplicate',
        details: {
          coding: [
            {
              system: CODE_SYSTEM.epsIssue,
              code: 'DUPLICATE_MEDICATIONREQUEST_ID',
              display: 'Duplicate item ID exists',
            },
          ],
        },
        diagnostics: 'An item of this prescription was sent before under another message: it is not written over',
      }
    : {
        severity: 'error',
        code: 'duplicate',
        diagnostics: `The identifier of this ${type} stands for one that was sent before: it is sent under one of its own`,
        expression: [`${type}.identifier`],
      };
