/**
 * Approved orders on their way to the Spine. Nothing is sent unsigned: what is to be signed is told with the approval, and
 * the prescriber's signature brings the message and its job into the transaction that keeps it. A key for trying signs at
 * once, with the local Spine alone. MISSION M3, M9; docs/prescribing.md "EPS"
 */
import { createHash } from 'node:crypto';
import type { EpsContext } from '../../mapping/eps/context.ts';
import { convertToV3 } from '../../mapping/eps/convert.ts';
import { scopesFor } from '../../mapping/eps/permission.ts';
import { prepare } from '../../mapping/eps/prepare.ts';
import { type PrescriptionSigner, signDigest } from '../../mapping/eps/sign-order.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { FhirError, textOf } from '../../standards/fhir/outcome.ts';
import { faultsIn, type JudgePrescriptions } from '../eps/check-signatures.ts';
import type { Outgoing, Queued } from '../eps/send.ts';
import type { SenderSettings } from '../eps/sender.ts';
import { identifierIn, type Node } from './chart.ts';
import { type EpsParties, epsCancellation, epsMessage, type ToCancelItem } from './eps-message.ts';
import { ruleIssue } from './items.ts';

export interface EpsOrdersServices {
  readonly prepareSending: (outgoing: Outgoing) => Queued;
  /** Without it signatures are not checked here. */
  readonly judge: JudgePrescriptions | undefined;
  readonly settings: SenderSettings;
  /** Of the local Spine, for trying; absent elsewhere: people sign with their own. */
  readonly signer?: PrescriptionSigner;
}

/** What is to be signed: the bytes of a SignedInfo, in base64. */
export interface ToSign {
  readonly digest: string;
  /** ISO 8601; the signature comes back with it. */
  readonly timestamp: string;
  readonly algorithm: string;
}

export interface EpsOrders {
  /** What the prescriber signs; throws 422 with what EPS finds wrong. */
  toSign(orders: readonly Resource[], parties: EpsParties, requestId: string, at: number): ToSign;
  /** The signature by the key for trying; undefined where there is none. */
  trySign(toSign: ToSign): Promise<string | undefined>;
  /** The signed message, checked, ready to be queued. `data`: of the Provenance's signature. Throws 422. */
  signed(
    orders: readonly Resource[],
    parties: EpsParties,
    requestId: string,
    timestamp: string,
    data: string,
  ): Promise<Queued>;
  /** Whether a key for trying may speak for prescribers. */
  readonly hasKeyForTrying: boolean;
  /** The message that cancels an item, ready to be queued: EPS has no signature in it. Throws 422 with what EPS finds wrong. */
  cancellation(item: ToCancelItem): Queued;
  /** In the transaction that writes what is sent. `versions`: of the orders, `MedicationRequest/1/_history/2`. */
  queue(tx: Pick<StoreTransaction, 'messages' | 'jobs'>, queued: Queued, versions: readonly string[]): Promise<void>;
}

const SIGNATURE_TYPE = { system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' };

export function createEpsOrders({ prepareSending, judge, settings, signer }: EpsOrdersServices): EpsOrders {
  const contextOf = ({ practitioner, role }: EpsParties, requestId: string, now: number): EpsContext => {
    let made = 0;
    return {
      now,
      toAsid: settings.toAsid,
      fromAsid: settings.fromAsid ?? '',
      fromPartyKey: settings.fromPartyKey ?? '',
      userId: (practitioner && identifierIn(practitioner, ID_SYSTEM.sdsUser)) ?? '',
      roleProfileId: (role && identifierIn(role, ID_SYSTEM.sdsRoleProfile)) ?? '',
      scopes: scopesFor({ prescribing: true, dispensing: false, tracking: false }, true),
      applicationId: '',
      sha1ApplicationIds: new Set(),
      prescribeEnabled: true,
      dispenseEnabled: true,
      newId: () => nameUuid('eps-ids', requestId, String(made++)),
    };
  };
  return {
    toSign(orders, parties, requestId, at) {
      const { value, issues } = prepare(epsMessage(orders, parties, requestId, at), contextOf(parties, requestId, at));
      if (value === undefined) throw refused(issues.map(textOf));
      const of = (name: string): string =>
        (value['parameter'] as readonly { readonly name: string; readonly valueString: string }[]).find(
          (one) => one.name === name,
        )?.valueString ?? ''; // as `prepare` makes them
      return { digest: of('digest'), timestamp: of('timestamp'), algorithm: of('algorithm') };
    },

    trySign: async ({ digest }) => signer && signDigest(digest, signer),

    async signed(orders, parties, requestId, timestamp, data) {
      const at = Date.parse(timestamp);
      const message = withSignature(epsMessage(orders, parties, requestId, at), requestId, timestamp, data);
      const context = contextOf(parties, requestId, at);
      const { value: v3, issues } = convertToV3(message, context);
      if (v3 === undefined) throw refused(issues.map(textOf));
      const verdicts = judge ? await judge(v3) : undefined;
      const faults =
        verdicts === undefined ? [] : verdicts.length === 0 ? ['Invalid signature format'] : faultsIn(verdicts);
      if (faults.length > 0)
        throw new FhirError(
          422,
          faults.map((fault) => ruleIssue('RX-SIGNATURE', fault, 'signature')),
        );
      return prepareSending({
        v3,
        fromPartyKey: context.fromPartyKey,
        toPartyKey: settings.toPartyKey,
        requestId: nameUuid('eps-request-id', requestId),
        hash: createHash('sha256').update(formatJson(message)).digest(),
        at,
      });
    },

    hasKeyForTrying: signer !== undefined,

    cancellation(item) {
      const { canceller, seed, at } = item;
      const message = epsCancellation(item);
      const context = contextOf(canceller, seed, at);
      const { value: v3, issues } = convertToV3(message, context);
      if (v3 === undefined) throw refused(issues.map(textOf));
      return prepareSending({
        v3,
        fromPartyKey: context.fromPartyKey,
        toPartyKey: settings.toPartyKey,
        requestId: nameUuid('eps-request-id', seed),
        hash: createHash('sha256').update(formatJson(message)).digest(),
        at,
      });
    },

    async queue(tx, { message, job }, versions) {
      // Both travel before either is awaited.
      const queued = tx.messages.queueOnce(message, versions);
      const added = tx.jobs.add([job]);
      const [isNew] = await Promise.all([queued, added.catch(() => undefined)]);
      if (!isNew)
        throw new FhirError(409, [{ ...ruleIssue('RX-STATE', 'It has been sent already'), code: 'conflict' }]);
      await added;
    },
  };
}

const refused = (texts: readonly string[]): FhirError =>
  new FhirError(
    422,
    texts.map((text) => ruleIssue('RX-EPS', text)),
  );

/** As a client of EPS sends it: a Provenance over the orders. */
function withSignature(message: Node, requestId: string, timestamp: string, data: string): Node {
  const entries = message['entry'] as readonly { readonly fullUrl: string; readonly resource: Node }[]; // made by epsMessage
  const orders = entries.filter(({ resource }) => resource['resourceType'] === 'MedicationRequest');
  const who = orders[0]?.resource['requester'];
  const id = nameUuid('eps-provenance', requestId);
  const provenance = {
    resourceType: 'Provenance',
    id,
    target: orders.map(({ fullUrl }) => ({ reference: fullUrl })),
    recorded: timestamp,
    agent: [{ who }],
    signature: [{ type: [SIGNATURE_TYPE], when: timestamp, who, data }],
  };
  return { ...message, entry: [...entries, { fullUrl: `urn:uuid:${id}`, resource: provenance }] };
}
