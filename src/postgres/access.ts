/**
 * What one caller may reach, as conditions on rows: the policy's filters in the words of the search, so that they stand
 * in the SQL that selects rows. SECURITY AZ-03, CP-03 … CP-07
 */
import { signedBy } from '../policy/segregation.ts';
import type { Caller } from '../ports/caller.ts';
import type { Log } from '../ports/log.ts';
import type { Filter, Policy } from '../ports/policy.ts';
import { forbidden } from '../standards/fhir/outcome.ts';
import type { SearchParameters } from '../standards/fhir/search/parameter.ts';
import type { Condition } from '../standards/fhir/search/request.ts';
import type { Letter } from '../standards/smart/scope.ts';
import type { StoreCondition, Visible } from './search/condition.ts';
import { type Belt, createBelt } from './second-belt.ts';

export interface Access {
  readonly caller: Caller;
  /** Names the caller and its rights; paging positions are bound to it (CP-05). */
  readonly callerKey: string;
  /** Whether the caller may set and remove security labels (AZ-06). */
  readonly mayLabel: boolean;
  /** Whether the caller holds the right to write down what patients consent to (FA-06). */
  readonly mayRecordConsents: boolean;
  /** Whether the caller may be told how searches are answered. */
  readonly mayExplain: boolean;
  /** What a MedicationRequest meets that the caller signed (AZ-08). */
  readonly signed: readonly StoreCondition[];
  /** What leaves for the caller passes here. */
  readonly belt: Belt;
  /** What rows must meet; nothing: all may be reached. Throws `forbidden` when none may. */
  conditions(type: string, letter: Letter): readonly StoreCondition[];
  /** What rows met on the way (chains, includes) must meet; never throws. */
  readonly visible: Visible;
  /** What a resource must meet to be referred to by what this caller writes. */
  readonly referable: Visible;
  /** Whether that is met by all that `conditions(type, 's')` let through. */
  mayReferToFound(type: string): boolean;
  /** Throws `forbidden` when a chain or `_has` needs a type of which the caller may see nothing (CP-06). */
  checkChains(conditions: readonly Condition[]): void;
}

export interface AccessOptions {
  readonly policy: Policy;
  readonly parameters: SearchParameters;
  /** Parses search parameters of a type. */
  readonly conditionsOf: (type: string, query: string) => readonly Condition[];
  readonly log: Log;
}

const NEVER: StoreCondition = { kind: 'never' };

/** What somebody may reach, by letter and type. */
export type Reach = Map<string, readonly StoreCondition[]>;

/** `reach`: what is known already of callers who are alike in their rights. */
export function createAccess(given: AccessOptions): (caller: Caller, reach?: Reach) => Access {
  const options = { ...given, conditionsOf: remembered(given.conditionsOf) };
  return (caller, reach = new Map()) => new CallerAccess(options, caller, reach);
}

const CALLERS_MAX = 1000;

/** Keeps what callers reach for who asks again within the second; `key` is all that their rights hang on. */
export function createReaches(now: () => number): (key: string) => Reach {
  const known = new Map<string, Reach>();
  let second = 0;
  return (key) => {
    const at = Math.floor(now() / 1000);
    if (at !== second) known.clear();
    second = at;
    const found = known.get(key);
    if (found) return found;
    if (known.size >= CALLERS_MAX) known.clear();
    const made: Reach = new Map();
    known.set(key, made);
    return made;
  };
}

/** A class, as each request makes one: an object literal with getters makes a hidden class each time, which lives long. */
class CallerAccess implements Access {
  readonly caller: Caller;
  readonly belt: Belt;
  readonly visible: Visible;
  readonly referable: Visible;
  readonly mayReferToFound: Access['mayReferToFound'];
  readonly #options: AccessOptions;
  readonly #known: Reach;

  constructor(options: AccessOptions, caller: Caller, reach: Reach) {
    this.#options = options;
    this.#known = reach;
    this.caller = caller;
    this.belt = createBelt(caller, options.log);
    this.visible = (type) => this.#of(type, 's');
    this.mayReferToFound = (type) => options.policy.mayReferToFound(caller, type);
    this.referable = (type) => this.#remember(`ref:${type}`, type, () => options.policy.referenceFilter(caller, type));
  }

  get signed(): readonly StoreCondition[] {
    return this.#remember('signed', 'MedicationRequest', () => signedBy(this.caller));
  }

  get mayLabel(): boolean {
    return this.#options.policy.allows(this.caller, 'labels:write').allowed;
  }

  get mayExplain(): boolean {
    return this.#options.policy.allows(this.caller, 'admin:configuration').allowed;
  }

  get mayRecordConsents(): boolean {
    return this.#options.policy.allows(this.caller, 'consents:record').allowed;
  }

  get callerKey(): string {
    return formatCallerKey(this.caller);
  }

  conditions(type: string, letter: Letter): readonly StoreCondition[] {
    const found = this.#of(type, letter);
    if (found.includes(NEVER)) throw forbidden();
    return found;
  }

  checkChains(conditions: readonly Condition[]): void {
    for (const condition of conditions) {
      if (condition.kind === 'chain') {
        if (condition.branches.every((branch) => this.#mayNone(branch.type))) throw forbidden();
        this.checkChains(condition.branches.map((branch) => branch.condition));
      } else if (condition.kind === 'has') {
        if (this.#mayNone(condition.type)) throw forbidden();
        this.checkChains([condition.condition]);
      } else if (condition.kind === 'not') this.checkChains([condition.condition]);
      else if (condition.kind === 'any' || condition.kind === 'every') this.checkChains(condition.conditions);
    }
  }

  #of(type: string, letter: Letter): readonly StoreCondition[] {
    return this.#remember(`${letter}:${type}`, type, () => this.#options.policy.filterFor(this.caller, type, letter));
  }

  #mayNone(type: string): boolean {
    return this.#of(type, 's').includes(NEVER);
  }

  #remember(key: string, type: string, filterOf: () => Filter): readonly StoreCondition[] {
    const found = this.#known.get(key) ?? conditionsOfFilter(this.#options, type, filterOf());
    this.#known.set(key, found);
    return found;
  }
}

const QUERIES_MAX = 2000;

/** The policy asks in the same words again and again: parsing them would cost more than the read they guard. */
function remembered(conditionsOf: AccessOptions['conditionsOf']): AccessOptions['conditionsOf'] {
  const known = new Map<string, readonly Condition[]>();
  return (type, query) => {
    const key = `${type}?${query}`;
    const found = known.get(key);
    if (found) return found;
    if (known.size >= QUERIES_MAX) known.clear();
    const made = conditionsOf(type, query);
    known.set(key, made);
    return made;
  };
}

const formatCallerKey = ({ kind, name, user, patientId, scopes }: Caller): string =>
  JSON.stringify([
    kind,
    name,
    user?.id,
    patientId,
    scopes.map((s) => [s.level, s.type, s.letters.join(''), s.constraint]),
  ]);

/** A filter as conditions that must all hold. */
function conditionsOfFilter(options: AccessOptions, type: string, filter: Filter): readonly StoreCondition[] {
  switch (filter.kind) {
    case 'everything':
      return [];
    case 'nothing':
      return [NEVER];
    case 'all': {
      const all = filter.of.flatMap((part) => conditionsOfFilter(options, type, part));
      return all.includes(NEVER) ? [NEVER] : all;
    }
    case 'any': {
      const branches = filter.of
        .map((part) => conditionsOfFilter(options, type, part))
        .filter((part) => !part.includes(NEVER));
      if (branches.some((part) => part.length === 0)) return [];
      const [first] = branches;
      if (!first) return [NEVER];
      return branches.length === 1 ? first : [{ kind: 'any', conditions: branches.map(oneOf) }];
    }
    case 'search': {
      // Words that ask for nothing in particular were not meant to let everything through.
      const conditions = options.conditionsOf(type, filter.query);
      return conditions.length === 0 ? [NEVER] : conditions;
    }
    case 'attached':
    case 'context': {
      const { kind, type: other, of } = filter;
      return oneLevel(conditionsOfFilter(options, other, of), (conditions) => ({ kind, type: other, conditions }));
    }
    case 'undenied':
      return [filter];
    case 'permitted':
      return filter.asker.actors.length === 0 ? [NEVER] : [filter];
    case 'id':
      return filter.ids.length === 0 ? [NEVER] : [{ kind: 'id', ids: filter.ids }];
    case 'compartment':
      return compartmentConditions(type, filter.patientIds);
    case 'patient':
      return oneLevel(conditionsOfFilter(options, 'Patient', filter.of), (conditions) => ({
        kind: 'patient',
        conditions,
      }));
    case 'referred': {
      const parameter = options.parameters.get(filter.type)?.parameters.get(filter.parameter);
      if (!parameter) throw new Error(`${filter.type} has no parameter ${filter.parameter}`);
      const conditions = conditionsOfFilter(options, filter.type, filter.of);
      return conditions.includes(NEVER) ? [NEVER] : [{ kind: 'referred', type: filter.type, parameter, conditions }];
    }
  }
}

const oneOf = (conditions: readonly StoreCondition[]): StoreCondition => {
  const [only] = conditions;
  return conditions.length === 1 && only ? only : { kind: 'every', conditions };
};

const oneLevel = (
  conditions: readonly StoreCondition[],
  wrap: (conditions: readonly StoreCondition[]) => StoreCondition,
): readonly StoreCondition[] => (conditions.includes(NEVER) ? [NEVER] : [wrap(conditions)]);

/** A Patient is in its own compartment and in no other: `link` gives no membership (CP-23). */
function compartmentConditions(type: string, patientIds: readonly string[]): readonly StoreCondition[] {
  if (patientIds.length === 0) return [NEVER];
  if (type === 'Patient') return [{ kind: 'id', ids: patientIds }];
  return [oneAny(patientIds.map((id) => ({ kind: 'compartment', compartment: 'Patient', id })))];
}

const oneAny = (conditions: readonly StoreCondition[]): StoreCondition => {
  const [only] = conditions;
  return conditions.length === 1 && only ? only : { kind: 'any', conditions };
};
