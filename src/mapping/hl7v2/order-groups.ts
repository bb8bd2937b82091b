/**
 * Orders of a pharmacy message: each ORC with the segments that belong to it. HL7 v2.5.1 sections 4.13.3 and 4.13.6.
 * A TQ1, RXR, RXC or NTE belongs to the nearest RXO, RXE, RXD, RXG or RXA before it, as real messages leave out what structures demand.
 */
import type { Reading, SegmentCursor } from './cursor.ts';
import type { ObservationGroup } from './observation.ts';
import { cursorsOf, placeOf } from './sections.ts';
import type { Translation } from './translation.ts';

/** An RXO, RXE, RXD, RXG or RXA, or the ORC itself, with what follows it. */
export interface OrderPart {
  readonly segment: SegmentCursor;
  readonly timings: SegmentCursor[];
  readonly routes: SegmentCursor[];
  readonly components: SegmentCursor[];
  readonly notes: SegmentCursor[];
  readonly observations: ObservationGroup[];
}

export interface Order {
  readonly orc: OrderPart;
  rxo?: OrderPart;
  rxe?: OrderPart;
  /** What was dispensed, is to be given, was given: RXD, RXG, RXA. */
  readonly supplies: OrderPart[];
}

const LISTS = new Map<string, 'timings' | 'routes' | 'components'>([
  ['TQ1', 'timings'],
  ['RXR', 'routes'],
  ['RXC', 'components'],
]);

const openPart = (segment: SegmentCursor): OrderPart => ({
  segment,
  timings: [],
  routes: [],
  components: [],
  notes: [],
  observations: [],
});

const SUPPLIES = new Set(['RXD', 'RXG', 'RXA']);

export function groupOrders(to: Translation): readonly Order[] {
  const orders: Order[] = [];
  let part: OrderPart | undefined;
  let notes: SegmentCursor[] | undefined;
  for (const cursor of cursorsOf(to)) {
    const { id } = cursor.segment;
    const order = orders.at(-1);
    if (id === 'ORC') {
      part = openPart(cursor);
      orders.push({ orc: part, supplies: [] });
    } else if ((id === 'RXO' || id === 'RXE') && order !== undefined) {
      const name = id === 'RXO' ? 'rxo' : 'rxe';
      part = openPart(cursor);
      if (order[name] === undefined) order[name] = part;
      else refuseSecond(cursor, to.reading);
    } else if (SUPPLIES.has(id) && order !== undefined) {
      part = openPart(cursor);
      order.supplies.push(part);
    } else if (id === 'OBX') {
      // What follows an OBX is about the observation.
      const group: ObservationGroup = { obx: cursor, notes: [] };
      part?.observations.push(group);
      notes = group.notes;
      continue;
    } else if (id === 'NTE') {
      notes?.push(cursor);
      continue;
    } else {
      const list = LISTS.get(id);
      if (list !== undefined) part?.[list].push(cursor);
      continue;
    }
    notes = part?.notes;
  }
  return orders;
}

/** Two drugs under one order number cannot be told apart afterwards. */
function refuseSecond(cursor: SegmentCursor, { issues }: Reading): void {
  const diagnostics = `A second ${cursor.segment.id} in one order: send it under an ORC of its own`;
  issues.push({ severity: 'error', code: 'structure', diagnostics, expression: [placeOf(cursor)] });
}
