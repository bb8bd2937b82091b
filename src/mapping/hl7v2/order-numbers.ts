/** Numbers of an order in ORC and OBR, and the order they name. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import type { ObservationOrder } from './order-observations.ts';
import type { MappedPatient } from './patient.ts';
import type { Translation } from './translation.ts';

export interface OrderNumbers {
  readonly placed: Json | undefined;
  readonly filled: Json | undefined;
}

/** ORC-2 and ORC-3, else OBR-2 and OBR-3. */
export function orderNumbers(orc: SegmentCursor | undefined, obr: SegmentCursor, to: Translation): OrderNumbers {
  const placer = localSystem(to.reading, 'order');
  const filler = localSystem(to.reading, `${to.message.header.value(3) || 'orders'}-filler`);
  const pick = (n: number): Cursor => (obr.at(n).isValued || orc === undefined ? obr.at(n) : orc.at(n));
  for (const n of [2, 3]) if (orc?.at(n).part.raw === obr.at(n).part.raw) orc?.ignore(n);
  return { placed: ei(pick(2), 'PLAC', placer), filled: ei(pick(3), 'FILL', filler) };
}

/** The order a result or an appointment is about; stored as unknown unless it is there. Undefined without a number. */
export function orderReference(
  { placed, filled }: OrderNumbers,
  content: Readonly<Record<string, unknown>>,
  patient: MappedPatient,
  to: Translation,
): Json | undefined {
  const numbers = present([placed ?? filled]);
  const keys = keysOf(numbers);
  if (keys.length === 0) return undefined;
  const resource = { resourceType: 'ServiceRequest', identifier: numbers, status: 'unknown', intent: 'order' };
  const stub = compact({ ...resource, ...content, subject: patient.reference }) as FhirResource; // it has its resourceType
  return to.entries.mention(stub, keys);
}

/** ORC-12, else OBR-16. */
export function requesterOf({ orc, obr }: Pick<ObservationOrder, 'orc' | 'obr'>, to: Translation): Json | undefined {
  const sent = orc?.at(12).isValued ? orc.all(12) : obr.all(16);
  if (orc?.at(12).part.raw === obr.at(16).part.raw) obr.ignore(16);
  return practitioners(sent, to)[0];
}
