/** Faults on demand, so that a gateway can show what it does when the payer or the way to it fails. */

export const FAULT_MODES = {
  'time-out': 'handled, and never answered',
  'time-out-before': 'not handled, and never answered',
  cut: 'handled, but the connection ends without an answer',
  'cut-before': 'the connection ends before anything is handled',
  'cut-middle': 'handled, but the answer breaks off in the middle',
  garbage: 'handled, but answered with bytes that are no message',
  other: 'handled, but answered with the answer to another claim',
  late: 'handled and answered after `ms`',
  endless: 'handled, but the answer never ends',
} as const;
export type FaultMode = keyof typeof FAULT_MODES;

export interface Fault {
  readonly mode: FaultMode;
  /** How many transmissions it still happens to. */
  readonly count?: number;
  /** Only to this transaction code, of this BIN. */
  readonly code?: string;
  readonly bin?: string;
  /** For `late`. */
  readonly ms?: number;
}

export interface Faults {
  set(faults: readonly Fault[]): void;
  /** The fault that happens now; it is used up by one. */
  take(code: string, bin: string): Fault | undefined;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];
  return {
    set: (next) => {
      faults = [...next];
    },
    take(code, bin) {
      const found = faults.find((f) => (f.code ?? code) === code && (f.bin ?? bin) === bin);
      if (found === undefined) return undefined;
      const left = (found.count ?? 1) - 1;
      faults = faults.flatMap((one) => (one === found ? (left > 0 ? [{ ...one, count: left }] : []) : [one]));
      return found;
    },
  };
}

/** `MODE[:COUNT[:MS]]`; throws an Error that says what is wrong. */
export function readFault(text: string): Fault {
  const [mode = '', count = '1', ms = '5000', ...more] = text.split(':');
  if (!Object.hasOwn(FAULT_MODES, mode)) throw new Error(`a fault is one of ${Object.keys(FAULT_MODES).join(', ')}`);
  if (more.length > 0 || !/^\d{1,6}$/.test(count) || !/^\d{1,6}$/.test(ms))
    throw new Error('a fault is written MODE, MODE:COUNT or MODE:COUNT:MS');
  return { mode: mode as FaultMode, count: Number(count), ms: Number(ms) }; // found in the table above
}
