/** Faults on demand, so that a gateway can show what it does when the Spine or the way to it fails. */

export const FAULT_MODES = {
  slow: 'handled and answered after `ms`',
  busy: '503, and nothing is handled',
  error: '500, and nothing is handled',
  'error-after': 'handled, but answered with 500',
  dropped: 'the connection ends before anything is handled',
  'dropped-after': 'handled, but the connection ends without an answer',
  duplicated: 'handled twice, as if the network had brought it twice',
  malformed: 'handled, but the answer breaks off in the middle of its XML',
  empty: 'handled, but answered with 200 and nothing, without a place to poll',
} as const;
export type FaultMode = keyof typeof FAULT_MODES;

export interface Fault {
  readonly mode: FaultMode;
  /** How many messages it still happens to. */
  readonly count: number;
  /** Only to messages of this interaction. */
  readonly interaction?: string;
  /** For `slow`. */
  readonly ms?: number;
}

export interface Faults {
  set(faults: readonly Fault[]): void;
  list(): readonly Fault[];
  /** The fault that happens to a message of this interaction now; it is used up by one. */
  take(interaction: string): Fault | undefined;
}

const COUNT_MAX = 1_000_000;
const MS_MAX = 600_000;
const FAULTS_MAX = 100;

export function createFaults(): Faults {
  let faults: readonly Fault[] = [];
  return {
    set: (next) => {
      faults = next;
    },
    list: () => faults,
    take(interaction) {
      const found = faults.find((fault) => fault.interaction === undefined || fault.interaction === interaction);
      if (found === undefined) return undefined;
      faults = faults
        .map((fault) => (fault === found ? { ...fault, count: fault.count - 1 } : fault))
        .filter(({ count }) => count > 0);
      return found;
    },
  };
}

/** Faults as somebody has written them; throws an Error that says what is wrong. */
export function readFaults(value: unknown): readonly Fault[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length > FAULTS_MAX) throw new Error(`at most ${FAULTS_MAX} faults`);
  return list.map((item: unknown) => {
    const { mode, count = 1, interaction, ms } = Object(item) as Record<string, unknown>;
    if (typeof mode !== 'string' || !Object.hasOwn(FAULT_MODES, mode))
      throw new Error(`mode is one of ${Object.keys(FAULT_MODES).join(', ')}`);
    if (!Number.isInteger(count) || Number(count) < 1 || Number(count) > COUNT_MAX)
      throw new Error(`count is a whole number from 1 to ${COUNT_MAX}`);
    if (interaction !== undefined && typeof interaction !== 'string') throw new Error('interaction is a text');
    if (ms !== undefined && (!Number.isInteger(ms) || Number(ms) < 0 || Number(ms) > MS_MAX))
      throw new Error(`ms is a whole number from 0 to ${MS_MAX}`);
    return {
      mode: mode as FaultMode, // found in the table above
      count: Number(count),
      ...(interaction !== undefined && { interaction }),
      ...(ms !== undefined && { ms: Number(ms) }),
    };
  });
}
