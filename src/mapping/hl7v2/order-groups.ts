/**
 * Orders of a pharmacy message: each ORC with the segments that belong to it. HL7 v2.5.1 sections 4.13.3 and 4.13.6.
 * A TQ1, RXR, RXC or NTE belongs to the nearest RXO or RXE before it, as real messages leave out what structures demand.
 */
import { type Reading, SegmentCursor } from './cursor.ts';
import type { Translation } from './translation.ts';

/** An RXO or RXE, or the ORC itself, with what follows it. */
export interface OrderPart {
  readonly segment: SegmentCursor;
  readonly timings: SegmentCursor[];
  readonly routes: SegmentCursor[];
  readonly components: SegmentCursor[];
  readonly notes: SegmentCursor[];
}

export interface Order {
  readonly orc: OrderPart;
  rxo?: OrderPart;
  rxe?: OrderPart;
}

const LISTS = new Map<string, 'timings' | 'routes' | 'components' | 'notes'>([
  ['TQ1', 'timings'],
  ['RXR', 'routes'],
  ['RXC', 'components'],
  ['NTE', 'notes'],
]);

const openPart = (segment: SegmentCursor): OrderPart => ({
  segment,
  timings: [],
  routes: [],
  components: [],
  notes: [],
});

export function groupOrders({ message, reading }: Translation): readonly Order[] {
  const orders: Order[] = [];
  let part: OrderPart | undefined;
  for (const segment of message.segments) {
    const cursor = new SegmentCursor(segment, reading);
    const order = orders.at(-1);
    if (segment.id === 'ORC') {
      part = openPart(cursor);
      orders.push({ orc: part });
    } else if ((segment.id === 'RXO' || segment.id === 'RXE') && order !== undefined) {
      const name = segment.id === 'RXO' ? 'rxo' : 'rxe';
      part = openPart(cursor);
      if (order[name] === undefined) order[name] = part;
      else refuseSecond(cursor, reading);
    } else {
      const list = LISTS.get(segment.id);
      // What follows an OBX of the order is about the observation.
      if (segment.id === 'OBX') part = undefined;
      else if (list !== undefined) part?.[list].push(cursor);
    }
  }
  return orders;
}

/** Two drugs under one order number cannot be told apart afterwards. */
function refuseSecond({ segment }: SegmentCursor, { issues }: Reading): void {
  const place = segment.occurrence > 1 ? `${segment.id}[${segment.occurrence}]` : segment.id;
  const diagnostics = `A second ${segment.id} in one order: send it under an ORC of its own`;
  issues.push({ severity: 'error', code: 'structure', diagnostics, expression: [place] });
}
