/** Orders of drugs and what becomes of them: OMP, RDE, RDS, RGV, RAS, and RXO in ORM. docs/hl7v2.md */
import type { Segment } from '../../standards/hl7v2/segment.ts';
import { mapAdministration } from './administration.ts';
import { type MappedAdmission, mapAdmission } from './admission.ts';
import type { Json } from './compact.ts';
import { mapDispense } from './dispense.ts';
import { mapGive } from './give.ts';
import { mapOrder, mentionOrder, type OrderContext } from './medication-request.ts';
import { groupOrders, type Order, type OrderPart } from './order-groups.ts';
import type { Translation } from './translation.ts';

export function mapPharmacy(to: Translation): void {
  const admission = mapAdmission(to);
  if (admission === undefined) return;
  const { patient, encounter } = admission;
  const context: OrderContext = { patient, encounter };
  for (const order of groupOrders(to)) {
    const hasDrug = order.rxo !== undefined || order.rxe !== undefined;
    const request =
      hasDrug || order.supplies.length === 0 ? mapOrder(order, context, to) : mentionOrder(order, context, to);
    for (const supply of order.supplies) mapSupply(supply, { order, request, ...context }, to);
  }
}

/** What a dispense, an administration or a task is about. */
export interface SupplyContext extends OrderContext {
  readonly order: Order;
  readonly request: Json | undefined;
}

const SUPPLIES = new Map<string, (supply: OrderPart, context: SupplyContext, to: Translation) => void>([
  ['RXD', mapDispense],
  ['RXG', mapGive],
  ['RXA', mapAdministration],
]);

const mapSupply = (supply: OrderPart, context: SupplyContext, to: Translation): void =>
  SUPPLIES.get(supply.segment.segment.id)?.(supply, context, to);

/** The ORC of those orders of a general message that order a drug. */
export function mapMedicationOrders({ patient, encounter }: MappedAdmission, to: Translation): readonly Segment[] {
  const orders = groupOrders(to).filter(({ rxo, rxe }) => rxo !== undefined || rxe !== undefined);
  for (const order of orders) mapOrder(order, { patient, encounter }, to);
  return orders.map(({ orc }) => orc.segment.segment);
}
