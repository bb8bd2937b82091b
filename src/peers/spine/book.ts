/** What the Spine knows, in memory: prescriptions, and by which names they are found. */
import type { Prescription } from './prescription.ts';
import { letTimePass } from './time-passes.ts';

export interface Settings {
  /** NHS numbers of patients who are recorded as dead. */
  readonly deceased: readonly string[];
  readonly cancellation: 'on' | 'off';
  readonly release: 'on' | 'off';
  /** How long after its coming an order or update is answered by polling; null: at once, on the connection. */
  readonly asynchronousMs: number | null;
  /** How far the Spine's clock goes ahead of the machine's, so that expiry can be tried. */
  readonly clockAheadMs: number;
}

export const FIRST_SETTINGS: Settings = {
  deceased: [],
  cancellation: 'on',
  release: 'on',
  asynchronousMs: null,
  clockAheadMs: 0,
};

export interface Book {
  /** A copy as it is at this time, to be changed and put back. */
  find(id: string, now: number): Prescription | undefined;
  /** Copies of all that are nominated to this pharmacy, the oldest first. */
  nominatedTo(odsCode: string, now: number): Prescription[];
  /** Copies of all of a patient. */
  ofPatient(nhsNumber: string, now: number): Prescription[];
  all(now: number): Prescription[];
  hasUuid(uuid: string): boolean;
  hasItem(itemId: string): boolean;
  put(prescription: Prescription): void;
  readonly size: number;
}

export function createBook(): Book {
  const byId = new Map<string, Prescription>();
  const uuids = new Set<string>();
  const items = new Set<string>();
  const copy = (prescription: Prescription, now: number): Prescription =>
    letTimePass(structuredClone(prescription), now);
  const select = (now: number, test: (prescription: Prescription) => boolean): Prescription[] =>
    [...byId.values()]
      .filter(test)
      .sort((a, b) => a.receivedAt - b.receivedAt)
      .map((prescription) => copy(prescription, now));
  return {
    find(id, now) {
      const found = byId.get(id.toUpperCase());
      return found && copy(found, now);
    },
    nominatedTo: (odsCode, now) => select(now, ({ nominated }) => nominated === odsCode),
    ofPatient: (nhsNumber, now) => select(now, (prescription) => prescription.nhsNumber === nhsNumber),
    all: (now) => select(now, () => true),
    hasUuid: (uuid) => uuids.has(uuid),
    hasItem: (itemId) => items.has(itemId),
    put(prescription) {
      byId.set(prescription.id.toUpperCase(), prescription);
      uuids.add(prescription.uuid);
      for (const { id } of prescription.items) items.add(id);
    },
    get size() {
      return byId.size;
    },
  };
}
