/** What was dispensed of each item: the reverse of ../dispensed-item.ts, in which several supplies become one line item. */
import { CODE_SYSTEM } from '../systems.ts';
import { codingOf, quantityOf } from './dispense-request.ts';
import type { Json } from './fhir-parts.ts';
import {
  childrenOf,
  findPath,
  requiredAttribute,
  requiredChild,
  requiredChildren,
  requiredText,
  type V3Node,
} from './v3-node.ts';

export interface DispensedItem {
  readonly lineItem: V3Node;
  /** The dispense item number. */
  readonly itemId: string;
  /** The item of the order, in lower case. */
  readonly orderItemId: string;
  readonly requested: Json;
  readonly ordered: Json;
  readonly supplied: Json;
  readonly quantity: Json;
  readonly instructions: string;
}

/** A supply, and the line item it stands in. */
interface Supply {
  readonly lineItem: V3Node;
  readonly component: V3Node;
}

/**
 * One a supply, in the order in which the message lists their ids. The first supply of a line item has the id of that;
 * the others are only in the list, and are taken in its order.
 */
export function dispensedItems(message: V3Node, header: V3Node): readonly DispensedItem[] {
  const first = new Map<string, Supply>();
  const others: Supply[] = [];
  for (const relationship of requiredChildren(header, 'pertinentInformation1')) {
    const lineItem = requiredChild(relationship, 'pertinentSuppliedLineItem');
    const [supply, ...more] = requiredChildren(lineItem, 'component').map((component) => ({ lineItem, component }));
    if (supply !== undefined) first.set(idOf(lineItem), supply);
    others.push(...more);
  }
  const items: DispensedItem[] = [];
  for (const itemId of listedIds(message)) {
    const supply = first.get(itemId) ?? others.shift();
    if (supply !== undefined) items.push(dispensed(supply, itemId));
    first.delete(itemId);
  }
  // What the list leaves out has the id of its line item.
  for (const supply of [...first.values(), ...others]) items.push(dispensed(supply, idOf(supply.lineItem)));
  return items;
}

const idOf = (node: V3Node): string => requiredAttribute(requiredChild(node, 'id'), 'root');

function listedIds(message: V3Node): readonly string[] {
  const category = findPath(message, 'pertinentInformation2', 'pertinentCareRecordElementCategory');
  const components = category === undefined ? [] : childrenOf(category, 'component');
  return [...new Set(components.map((component) => idOf(requiredChild(component, 'actRef'))))];
}

function dispensed({ lineItem, component }: Supply, itemId: string): DispensedItem {
  const supply = requiredChild(component, 'suppliedLineItemQuantity');
  const order = requiredChild(lineItem, 'inFulfillmentOf', 'priorOriginalItemRef');
  return {
    lineItem,
    itemId,
    orderItemId: idOf(order).toLowerCase(),
    requested: snomedCode(
      requiredChild(lineItem, 'consumable', 'requestedManufacturedProduct', 'manufacturedRequestedMaterial'),
    ),
    ordered: quantityOf(requiredChild(lineItem, 'component1', 'supplyRequest')),
    supplied: snomedCode(
      requiredChild(supply, 'product', 'suppliedManufacturedProduct', 'manufacturedSuppliedMaterial'),
    ),
    quantity: quantityOf(supply),
    instructions: requiredText(requiredChild(supply, 'pertinentInformation1', 'pertinentSupplyInstructions', 'value')),
  };
}

const snomedCode = (material: V3Node): Json => codingOf(requiredChild(material, 'code'), CODE_SYSTEM.snomedCt);
