/**
 * What a transaction changes beside its own Task: the order it is of, the request it answers, the dispense or the new
 * order it brings (reference section 13.6). A denial never does what an approval does.
 */
import type { ScriptMessage } from '../../standards/script/message.ts';
import type { Subject } from './clinical.ts';
import { NOT_NAMED } from './codecs.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import { ownSystem } from './identifiers.ts';
import { getAt, type Json, objectsAt, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { OUTCOME_SYSTEM } from './task-rows.ts';
import { OUTCOMES, type TransactionRow } from './transaction-table.ts';

type NamedIdentifier = { readonly system: string; readonly value: string };

/** A drug that is a resource of its own. */
export interface DrugEntry {
  readonly resourceType: 'MedicationRequest' | 'MedicationDispense';
  readonly content: Json;
  readonly identifier: NamedIdentifier;
  readonly url: string;
}

export interface Effect {
  readonly row: TransactionRow;
  readonly outcome: string | undefined;
  /** The order the message is of. */
  readonly order: NamedIdentifier | undefined;
  readonly task: Json;
  readonly patient: Subject | undefined;
  readonly entries: readonly DrugEntry[];
  readonly transaction: Source;
}

/** The identifier of the order a message is of: the prescriber's number. */
export function orderOf({ header }: ScriptMessage, bundle: MessageBundle): NamedIdentifier | undefined {
  const value = header.prescriberOrderNumber;
  return value === undefined ? undefined : { system: ownSystem('PrescriberOrderNumber', bundle.owner), value };
}

/** Adds the entries; returns the references to those the message brings. */
export function changeOrder(effect: Effect, bundle: MessageBundle): readonly string[] {
  settleRequest(effect, bundle);
  const { row, order } = effect;
  const change = CHANGES.get(row.kind);
  if (change && order) change(effect, order, bundle);
  return effect.entries.map((entry) => addEntry(entry, effect, bundle));
}

/** The Task of the request is answered with this one. Nothing where the request was never seen. */
function settleRequest({ row, outcome, task }: Effect, bundle: MessageBundle): void {
  const asked = getAt(task, 'basedOn[0].identifier') as NamedIdentifier | undefined; // made by mapHeader
  const isAnswer = row.outcomeAt !== undefined && outcome !== undefined && row.outcomeAt !== 'FillStatus';
  if (!isAnswer || !asked) return;
  const changed: Json = {
    status: task['status'],
    businessStatus: { coding: [{ system: OUTCOME_SYSTEM, code: outcome }] },
    ...(task['statusReason'] !== undefined && { statusReason: task['statusReason'] }),
  };
  bundle.changeIfFound(resourceOf('Task', changed), asked);
}

type Change = (effect: Effect, order: NamedIdentifier, bundle: MessageBundle) => void;

const setOrder = (order: NamedIdentifier, bundle: MessageBundle, content: Json): void =>
  bundle.changeIfFound(resourceOf('MedicationRequest', content), order);

const isApproved = ({ outcome }: Effect): boolean =>
  outcome !== undefined && OUTCOMES.get(outcome)?.isRefusal === false && outcome !== 'Validated';

const reason = (text: string): Json => ({ text });

const CHANGES: ReadonlyMap<string, Change> = new Map<string, Change>([
  [
    'RxChangeResponse',
    (effect, order, bundle) => {
      if (isApproved(effect) && effect.entries.length > 0)
        setOrder(order, bundle, { status: 'stopped', statusReason: reason('changed') });
    },
  ],
  [
    'RxRenewalResponse',
    (effect, order, bundle) => {
      if (!isApproved(effect)) return;
      const isReplaced = effect.outcome === 'Replace';
      setOrder(
        order,
        bundle,
        isReplaced ? { status: 'stopped', statusReason: reason('replaced') } : { status: 'completed' },
      );
    },
  ],
  [
    'CancelRxResponse',
    (effect, order, bundle) => {
      if (effect.outcome === 'Approved') setOrder(order, bundle, { status: 'cancelled' });
    },
  ],
  [
    'RxFillIndicatorChange',
    ({ task }, order, bundle) => {
      const content: Json = {};
      setAt(
        content,
        'ext:script-rx-fill-indicator.valueString',
        textAt(task, 'ext:script-rx-fill-indicator.valueString'),
      );
      setOrder(order, bundle, content);
    },
  ],
  ['RxFill', fillOrder],
]);

/**
 * The order a fill is of, found or made: with the pharmacy's number and what became of it. What it says of the drug
 * stands only where the order was never seen.
 */
function fillOrder({ outcome, task, patient, entries }: Effect, order: NamedIdentifier, bundle: MessageBundle): void {
  if (patient === undefined) return;
  const number = getAt(task, 'ext:script-RxReferenceNumber.valueIdentifier');
  const type = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'FILL' }] };
  const content: Json = {
    identifier: [order, ...(number ? [{ type, ...(number as Json) }] : [])],
    status: 'unknown',
    intent: 'order',
    medicationCodeableConcept: entries[0]?.content['medicationCodeableConcept'] ?? { text: NOT_NAMED },
    subject: referenceTo(patient.url),
  };
  if (outcome !== undefined) setAt(content, 'ext:script-fill-status.valueCode', outcome);
  const url = bundle.addMention(resourceOf('MedicationRequest', content), order, [
    'status',
    'intent',
    'medicationCodeableConcept',
    'subject',
  ]);
  task['focus'] = { ...(task['focus'] as Json), ...referenceTo(url) }; // made by mapTask
}

function addEntry({ resourceType, content, identifier }: DrugEntry, effect: Effect, bundle: MessageBundle): string {
  const { task, outcome, row, order } = effect;
  if (resourceType === 'MedicationDispense') {
    const focus = textAt(task, 'focus.reference');
    if (focus !== undefined) content['authorizingPrescription'] = [referenceTo(focus)];
    if (outcome === 'PartiallyDispensed') content['type'] = { coding: [PARTIAL] };
    const pharmacy = objectsAt(task, 'input').find((one) => textAt(one, 'type.coding[0].code') === 'Pharmacy');
    if (pharmacy && row.kind === 'RxFill') content['performer'] = [{ actor: pharmacy['valueReference'] }];
  } else {
    if (order) content['priorPrescription'] = { identifier: order };
    const prescriber = objectsAt(task, 'input').find((one) => textAt(one, 'type.coding[0].code') === 'Prescriber');
    if (prescriber) content['requester'] = prescriber['valueReference'];
  }
  return bundle.addByIdentifier(resourceOf(resourceType, content), identifier);
}

/** HL7 v3 ActCode: a part of what was ordered. */
const PARTIAL = { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'FFP' };
