/** SCRIPT to FHIR and back: the doors of this folder. docs/ncpdp.md */

import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { ScriptMessage } from '../../standards/script/message.ts';
import { readScript } from '../../standards/script/read.ts';
import type { TransactionBundle } from '../transaction-bundle.ts';
import { envelopeOf, type ToScriptContext } from './envelope.ts';
import { mapNewRx } from './new-rx.ts';
import { mapOrderToNewRx } from './new-rx-from-fhir.ts';
import { normaliseVersion } from './normalise-version.ts';
import { withReview } from './review.ts';
import { mapTask } from './task.ts';
import { findTransactionTask, mapTaskToScript } from './task-from-fhir.ts';
import { ROWS } from './transaction-table.ts';
import { format2023011 } from './write-2023011.ts';

export interface ToFhirContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
  /** Findings somebody looks at before anything is dispensed. */
  readonly review?: readonly Issue[];
}

export const isMapped = (kind: string): boolean => kind === 'NewRx' || ROWS.has(kind);

/** Pure and total. Other transactions than those above give an error issue. */
export function mapToFhir(
  message: ScriptMessage,
  { receivedAt, review = [] }: ToFhirContext,
): Mapped<TransactionBundle> {
  const mapped = mapKind(message, receivedAt);
  return mapped.value && review.length > 0 ? { ...mapped, value: withReview(mapped.value, review) } : mapped;
}

function mapKind(message: ScriptMessage, receivedAt: number): Mapped<TransactionBundle> {
  if (message.kind === 'NewRx') return mapNewRx(normaliseVersion(message), receivedAt);
  const row = ROWS.get(message.kind);
  if (row) return mapTask(row, normaliseVersion(message), receivedAt);
  const kind = message.kind.slice(0, 64);
  return { issues: [issue('not-supported', `${kind} has no mapping to FHIR`, `Message/Body/${kind}`)] };
}

/**
 * A Bundle as the message it stands for: that of its Task, else NewRx of its order. Pure and total; what is missing or
 * too long is an issue each, and then nothing is written.
 */
export function mapToScript(bundle: unknown, context: ToScriptContext): Mapped<string> {
  const envelope = envelopeOf(bundle, context);
  if (envelope === undefined)
    return { issues: [issue('required', 'Nothing says who sends the message to whom', 'Provenance')] };
  const found = envelope.kind === 'NewRx' ? undefined : findTransactionTask(bundle);
  const written = found
    ? mapTaskToScript(found, bundle, envelope, context)
    : mapOrderToNewRx(bundle, envelope, context);
  if (context.writeAs !== '2023011' || written.value === undefined) return written;
  // It is checked as 2017071, of which there is a model.
  const { message } = readScript(Buffer.from(written.value));
  return message ? { ...written, value: format2023011(message.root) } : written;
}
