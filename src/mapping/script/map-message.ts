/** SCRIPT to FHIR and back: the doors of this folder. docs/script.md */

import { issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { ScriptMessage } from '../../standards/script/message.ts';
import type { TransactionBundle } from '../transaction-bundle.ts';
import { mapNewRx } from './new-rx.ts';
import { mapOrderToNewRx, type ToScriptContext } from './new-rx-from-fhir.ts';
import { normaliseVersion } from './normalise-version.ts';

export interface ToFhirContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
}

type MapTransaction = (message: ScriptMessage, receivedAt: number) => Mapped<TransactionBundle>;

/** Transactions that have a mapping. */
const MAPPINGS: ReadonlyMap<string, MapTransaction> = new Map([['NewRx', mapNewRx]]);

export const isMapped = (kind: string): boolean => MAPPINGS.has(kind);

/** Pure and total. Other transactions than those above give an error issue. */
export function mapToFhir(message: ScriptMessage, { receivedAt }: ToFhirContext): Mapped<TransactionBundle> {
  const map = MAPPINGS.get(message.kind);
  if (map === undefined)
    return {
      issues: [issue('not-supported', `${message.kind} has no mapping to FHIR yet`, `Message/Body/${message.kind}`)],
    };
  return map(normaliseVersion(message), receivedAt);
}

/** An order Bundle as NewRx. Pure and total; when the minimum is missing there are issues and no text. */
export const mapToScript = (bundle: unknown, context: ToScriptContext): Mapped<string> =>
  mapOrderToNewRx(bundle, context);
