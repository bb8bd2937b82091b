/** Passwords as argon2id hashes, made and compared by a bounded pool. SECURITY LG-01, LG-02 */
import { availableParallelism } from 'node:os';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { newSecret } from './secrets.ts';

export interface HashingCost {
  readonly memoryKiB: number;
  readonly passes: number;
}

/** 47,104 KiB once over, or 19,456 KiB twice: the weakest that OWASP lets stand. */
const FLOORS: readonly HashingCost[] = [
  { memoryKiB: 47_104, passes: 1 },
  { memoryKiB: 19_456, passes: 2 },
];
const COST_DEFAULT: HashingCost = { memoryKiB: 47_104, passes: 1 };
/** Value of `Algorithm.Argon2id`, which is declared for compilers only. */
const ARGON2ID = 2;
const QUEUE_MAX = 100;

export interface Hashing {
  hash(password: string): Promise<string>;
  /** Whether it is the password; without a stored hash it takes as long and says no. */
  verify(stored: string | undefined, password: string): Promise<boolean>;
  /** Whether the stored hash was made with less than is asked for today. */
  isOutdated(stored: string): boolean;
}

export interface HashingOptions {
  readonly cost?: HashingCost;
  /** At once; at most 2 a core. */
  readonly concurrency?: number;
}

/** Makes the pool. Throws when the cost is below the floor. */
export async function createHashing({ cost = COST_DEFAULT, concurrency }: HashingOptions = {}): Promise<Hashing> {
  if (!FLOORS.some((floor) => cost.memoryKiB >= floor.memoryKiB && cost.passes >= floor.passes))
    throw new Error('the cost of password hashes is below the floor: 19456 KiB and 2 passes, or 47104 KiB and 1');
  // One of the four threads that Node keeps for such work stays free for files and names.
  const slots = Math.min(concurrency ?? availableParallelism(), 2 * availableParallelism(), 3);
  const run = createPool(slots, QUEUE_MAX);
  const options = {
    algorithm: ARGON2ID,
    memoryCost: cost.memoryKiB,
    timeCost: cost.passes,
    parallelism: 1,
    outputLen: 32,
  };
  const dummy = await hash(newSecret(), options);
  return {
    hash: (password) => run(() => hash(bytesOf(password), options)),
    async verify(stored, password) {
      const matches = await run(() => verify(stored ?? dummy, bytesOf(password)));
      return matches && stored !== undefined;
    },
    isOutdated(stored) {
      const made = parseOptions(stored);
      return made.memoryCost !== cost.memoryKiB || made.timeCost !== cost.passes || made.algorithm !== ARGON2ID;
    },
  };
}

/** The same password however a keyboard composes its accents. */
const bytesOf = (password: string): Buffer => Buffer.from(password.normalize('NFC'));

/** Runs at most `slots` at once and lets at most `queueMax` wait; more get 503. */
export function createPool(slots: number, queueMax: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= slots) {
      if (waiting.length >= queueMax) throw busy();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise; // who wakes us hands its slot over
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

const busy = (): FhirError =>
  new FhirError(503, [issue('transient', 'Too many people are signing in at this moment: try again in some seconds')], {
    headers: { 'Retry-After': '5' },
  });
