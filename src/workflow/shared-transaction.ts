/**
 * Several pieces of work in one transaction of the store, as messages that come at the same time are: what they look up,
 * lock and write at the same step goes in one statement. Two that decide about the same do not share: the second gives
 * way, and is worked by itself. All that is written is committed, or nothing. docs/gateway.md "Together"
 */
import type { Caller } from '../ports/caller.ts';
import type { Settled } from '../ports/message-log.ts';
import type {
  Criteria,
  NewResource,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../ports/resource-store.ts';
import type { SaidOf, SourceTime } from '../ports/source-times.ts';
import { FhirError, isConflict } from '../standards/fhir/outcome.ts';
import { identitiesOf } from './criteria-tokens.ts';
import { SharedAttempts } from './shared-attempts.ts';
import type { Member, Step, Waiting, Write } from './shared-steps.ts';

/** Work that ends with one `write` and its `last`, and waits for nothing but the transaction. */
export type SharedWork<T> = (tx: StoreTransaction) => Promise<T>;

/** What became of one of them. `alone`: nothing of it is in the transaction, it is to be worked by itself. */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'alone' };

/** Thrown into work that is to be worked by itself. */
class GiveWay extends Error {}

/**
 * Runs all in `tx`, which is committed when this resolves. Throws when nothing may be kept: then each is to be worked by
 * itself, which tells who was at fault. `callers`: whose each of them is, where it is not `tx`'s; then `tx` is one that may
 * do nothing by itself.
 */
export function shareTransaction<T>(
  tx: StoreTransaction,
  works: readonly SharedWork<T>[],
  callers: readonly (Caller | undefined)[] = [],
): Promise<readonly Outcome<T>[]> {
  const members = works.map((_, i): Member => {
    const caller = callers[i];
    return { waiting: [], hasEnded: false, gaveWay: false, hasSent: false, ...(caller && { caller }) };
  });
  return new Sharing(tx, members).run(works);
}

class Sharing {
  readonly #tx: StoreTransaction;
  readonly #members: readonly Member[];
  /** Who decides about what. */
  readonly #holders = new Map<string, Member>();
  #taken: readonly Waiting[] = [];
  #isBusy = false;
  #broken: { readonly error: unknown } | undefined;
  /** What goes with the writes. */
  readonly #settled: { readonly one: Settled; readonly resolve: (done: boolean) => void }[] = [];
  readonly #kept: (SourceTime & SaidOf)[] = [];
  readonly #attempts = new SharedAttempts();

  constructor(tx: StoreTransaction, members: readonly Member[]) {
    this.#tx = tx;
    this.#members = members;
  }

  async run<T>(works: readonly SharedWork<T>[]): Promise<readonly Outcome<T>[]> {
    // All have ended before this does: nothing is sent on a connection that is given back.
    const outcomes = await Promise.all(
      works.map(async (work, i): Promise<Outcome<T>> => {
        const member = this.#members[i] as Member; // as many as works
        try {
          return { kind: 'done', value: await work(this.#facadeOf(member)) };
        } catch (error) {
          if (member.gaveWay) return { kind: 'alone' };
          // Of what somebody else did, which may be one of the others.
          if (isConflict(error) && member.caller && !this.#broken && !member.hasSent) return { kind: 'alone' };
          const isItsOwn = error instanceof FhirError && error.status < 500 && !isConflict(error);
          if (this.#broken || !isItsOwn || member.hasSent) this.#breakOff(error);
          return { kind: 'failed', error };
        } finally {
          member.hasEnded = true;
          this.#next();
        }
      }),
    );
    if (this.#broken) throw this.#broken.error;
    return outcomes;
  }

  #breakOff(error: unknown): void {
    this.#broken ??= { error };
    const waiting = [...this.#taken, ...this.#members.flatMap((member) => member.waiting.splice(0))];
    for (const { reject } of waiting) reject(this.#broken.error);
  }

  #wait<R>(member: Member, step: Step): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (this.#broken) return reject(this.#broken.error);
      // Each kind of step is resolved with what its method gives.
      member.waiting.push({ member, step, resolve: resolve as (value: unknown) => void, reject });
      this.#next();
    });
  }

  /** When all wait, the earliest step that any of them is at is taken for all who are there. */
  #next(): void {
    if (this.#isBusy || !this.#isReady()) return;
    this.#isBusy = true;
    // After this turn of the loop: what one of them asks for in one go is here by then.
    setImmediate(() => {
      const step = this.#isReady() ? this.#takeStep() : Promise.resolve();
      step
        .catch((error: unknown) => this.#breakOff(error))
        .finally(() => {
          this.#taken = [];
          this.#isBusy = false;
          this.#next();
        });
    });
  }

  #isReady(): boolean {
    const running = this.#members.filter(({ hasEnded }) => !hasEnded);
    return !this.#broken && running.length > 0 && running.every(({ waiting }) => waiting.length > 0);
  }

  async #takeStep(): Promise<void> {
    if (this.#isAt('lock', 'find')) return this.#look(this.#take('lock'), this.#take('find'));
    if (this.#isAt('times')) return this.#lockTimes(this.#take('times'));
    return this.#write(this.#take('write'));
  }

  #isAt(...kinds: readonly Step['kind'][]): boolean {
    return this.#members.some(({ waiting }) => waiting.some(({ step }) => kinds.includes(step.kind)));
  }

  #take<K extends Step['kind']>(kind: K): readonly Waiting<Extract<Step, { readonly kind: K }>>[] {
    type Of = Waiting<Extract<Step, { readonly kind: K }>>;
    const isOf = (waiting: Waiting): waiting is Of => waiting.step.kind === kind;
    const taken = this.#members.flatMap(({ waiting }) => waiting.filter(isOf));
    for (const member of this.#members) member.waiting = member.waiting.filter((waiting) => !isOf(waiting));
    this.#taken = [...this.#taken, ...taken];
    return taken;
  }

  /** Those who may decide about what they name, by `keys`; the others give way. Undefined: about anything. */
  #admit<S extends Step>(
    steps: readonly Waiting<S>[],
    keys: (step: S) => readonly string[] | undefined,
  ): readonly Waiting<S>[] {
    for (const { member, step, reject } of steps) {
      const asked = keys(step);
      const isFree = asked?.every((key) => (this.#holders.get(key) ?? member) === member) === true;
      if (isFree) for (const key of asked) this.#holders.set(key, member);
      else {
        if (member.hasSent) throw new Error('what it sent must not be kept');
        member.gaveWay = true;
        reject(new GiveWay());
      }
    }
    return steps.filter(({ member }) => !member.gaveWay);
  }

  async #look(
    locks: readonly Waiting<Extract<Step, { kind: 'lock' }>>[],
    finds: readonly Waiting<Extract<Step, { kind: 'find' }>>[],
  ): Promise<void> {
    const locking = this.#admit(locks, ({ criteria }) => identitiesOf(criteria));
    const finding = this.#admit(finds, () => []);
    for (const { member, reject } of finds) if (member.gaveWay) reject(new GiveWay());
    const places = new Map<Criteria, number>();
    for (const { step } of finding)
      for (const criteria of step.criteria) if (!places.has(criteria)) places.set(criteria, places.size);
    const most = Math.max(0, ...finding.map(({ step }) => step.limit));
    // Both leave together; the look-up runs when the lock is had.
    const [, found] = await Promise.all([
      locking.length > 0 && this.#tx.lockIdentity(locking.flatMap(({ step }) => step.criteria)),
      places.size > 0 ? this.#tx.findCurrent([...places.keys()], most) : [],
    ]);
    for (const { resolve } of locking) resolve(undefined);
    for (const { step, resolve } of finding)
      resolve(step.criteria.map((one) => (found[places.get(one) ?? -1] ?? []).slice(0, step.limit)));
  }

  async #lockTimes(asking: readonly Waiting<Extract<Step, { kind: 'times' }>>[]): Promise<void> {
    const free = this.#admit(asking, ({ asked }) => asked.map(({ resource }) => resource));
    const times = await this.#tx.sourceTimes.lock(free.flatMap(({ step }) => step.asked));
    const own = split(free.map(({ step }) => step.asked.length));
    for (const [i, { resolve }] of free.entries()) resolve(own(times, i));
  }

  async #write(asking: readonly Waiting<Write>[]): Promise<void> {
    const free = this.#admit(asking, ({ writes }) => writes.map(placeOf));
    if (free.length === 0) return;
    const writes = free.flatMap(({ step }) => step.writes);
    const own = split(free.map(({ step }) => step.writes.length));
    let beside: readonly (readonly NewResource[])[] = [];
    const resultsOf = (all: readonly WriteResult[]): readonly (readonly WriteResult[])[] => {
      const more = split(beside.map(({ length }) => length));
      return free.map((_, i) => [...own(all, i), ...more(all.slice(writes.length), i)]);
    };
    const all = await this.#tx.write(
      writes,
      (everything) => this.#end(free, resultsOf(everything)),
      (results) => {
        beside = free.map(({ step }, i) => step.beside(own(results, i)));
        return beside.flat();
      },
    );
    const results = resultsOf(all);
    for (const [i, { resolve }] of free.entries()) resolve(results[i]);
  }

  /** What follows from the writes of all, in one statement of each kind. Sends before it returns. */
  #end(writing: readonly Waiting<Write>[], results: readonly (readonly WriteResult[])[]): Promise<void> {
    const ends = writing.map(({ step }, i) => step.last(results[i] ?? []));
    // Of a transaction that failed the first error is the one that says why.
    for (const end of ends) end.catch(() => undefined);
    const settled = this.#settled.map(({ one }) => one);
    const settling = settled.length > 0 ? this.#tx.messages.settleAll(settled) : Promise.resolve(true);
    this.#attempts.send(this.#tx.dispensing);
    const keeping = this.#tx.sourceTimes.keep(this.#kept);
    keeping.catch(() => undefined);
    return settling
      .then((done) => {
        for (const { resolve } of this.#settled) resolve(done);
        return Promise.all([keeping, ...ends]);
      })
      .then(() => undefined);
  }

  #facadeOf(member: Member): StoreTransaction {
    const tx = this.#tx;
    /** Goes its own way; the others wait until it is through. */
    const passed =
      <A extends readonly unknown[], R>(ask: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> => {
        member.hasSent = true;
        return this.#broken ? Promise.reject(this.#broken.error) : ask(...args);
      };
    /** A part of the transaction whose members are functions that answer later. */
    const allPassed = <Part extends object>(part: Part): Part =>
      Object.fromEntries(Object.entries(part).map(([name, ask]) => [name, passed(ask)])) as Part;
    const { caller } = member;
    /** Judged as asked by who it is. */
    const own = <A extends object>(asked: readonly A[]): readonly A[] =>
      caller ? asked.map((one) => ({ ...one, caller })) : asked;
    return {
      lockIdentity: (criteria) => this.#wait(member, { kind: 'lock', criteria }),
      findCurrent: (criteria, limit) => this.#wait(member, { kind: 'find', criteria: own(criteria), limit }),
      write: (writes, last, beside = () => []) =>
        last
          ? this.#wait(member, { kind: 'write', writes: own(writes), last, beside: (made) => own(beside(made)) })
          : Promise.reject(new Error('only work that ends with its write shares a transaction')),
      sourceTimes: {
        ...allPassed(tx.sourceTimes),
        lock: (asked) => (asked.length === 0 ? Promise.resolve([]) : this.#wait(member, { kind: 'times', asked })),
        keep: async (times) => void this.#kept.push(...times),
      },
      messages: {
        ...allPassed(tx.messages),
        settle: (id, settlement) =>
          new Promise((resolve) => void this.#settled.push({ one: { id, settlement }, resolve })),
      },
      find: passed(tx.find),
      read: passed(tx.read),
      vread: passed(tx.vread),
      search: passed(tx.search),
      searchSystem: passed(tx.searchSystem),
      history: passed(tx.history),
      jobs: allPassed(tx.jobs),
      consumers: allPassed(tx.consumers),
      subscriptions: allPassed(tx.subscriptions),
      notices: allPassed(tx.notices),
      requestAnswers: allPassed(tx.requestAnswers),
      dispensing: {
        ...allPassed(tx.dispensing),
        attempts: (attempts) => this.#attempts.add(attempts),
      },
    };
  }
}

/** The part of a list that belongs to one of several, of so many items each. */
function split(lengths: readonly number[]): <V>(list: readonly V[], i: number) => readonly V[] {
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  return (list, i) => list.slice(starts[i], (starts[i] ?? 0) + (lengths[i] ?? 0));
}

const placeOf = (write: TransactionWrite): string =>
  write.kind === 'create' ? `${write.resource.resourceType}/${write.id}` : `${write.type}/${write.id}`;
