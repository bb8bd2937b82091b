/** OBR of a message with what belongs to it: its ORC, notes, results and specimens. HL7 v2.5.1 sections 4.4.1 and 7.3.1. */
import type { SegmentCursor } from './cursor.ts';
import type { ObservationGroup } from './observation.ts';
import { cursorsOf } from './sections.ts';
import type { Translation } from './translation.ts';

export interface SpecimenGroup {
  readonly spm: SegmentCursor;
  readonly observations: ObservationGroup[];
}

export interface ObservationOrder {
  /** Sent before the OBR; a later OBR without one has that of the OBR before it. */
  readonly orc: SegmentCursor | undefined;
  readonly obr: SegmentCursor;
  readonly notes: SegmentCursor[];
  readonly observations: ObservationGroup[];
  readonly specimens: SpecimenGroup[];
  readonly diagnoses: SegmentCursor[];
}

export interface ObservationOrders {
  readonly orders: readonly ObservationOrder[];
  /** NTE and OBX that stand before any OBR: about the patient. */
  readonly patientNotes: readonly SegmentCursor[];
}

export function groupObservationOrders(to: Translation): ObservationOrders {
  const orders: ObservationOrder[] = [];
  const patientNotes: SegmentCursor[] = [];
  let orc: SegmentCursor | undefined;
  let notes: SegmentCursor[] = patientNotes;
  for (const cursor of cursorsOf(to)) {
    const order = orders.at(-1);
    switch (cursor.segment.id) {
      case 'ORC':
        orc = cursor;
        notes = [];
        break;
      case 'OBR': {
        const opened = { orc, obr: cursor, notes: [], observations: [], specimens: [], diagnoses: [] };
        notes = opened.notes;
        orders.push(opened);
        break;
      }
      case 'OBX': {
        const group: ObservationGroup = { obx: cursor, notes: [] };
        notes = group.notes;
        (order?.specimens.at(-1)?.observations ?? order?.observations)?.push(group);
        break;
      }
      case 'SPM':
        order?.specimens.push({ spm: cursor, observations: [] });
        notes = [];
        break;
      case 'DG1':
        order?.diagnoses.push(cursor);
        break;
      case 'NTE':
        notes.push(cursor);
        break;
    }
  }
  return { orders, patientNotes };
}
