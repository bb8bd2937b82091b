/** Conditions that rows answer by a key in `tok`: which keys. The driver looks them up, the filters test for them. */
import type { Atom, SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { TokenValue } from '../../standards/fhir/search/request.ts';
import { toBigInt } from '../hash.ts';
import { type Keys, keyOf, lanesToBigInt, tokenForms } from '../keys.ts';
import { STORED_TYPES } from '../tables.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { atomKeys, referenceKeys, referenceMasks, tokenKeys } from './hashes.ts';

/**
 * What was asked, by its condition: conditions are not changed once they are made, the driver and the filter ask for the same,
 * and those of the policy are asked for again by everybody's next request.
 */
const known = new WeakMap<Keys, WeakMap<StoreCondition, readonly bigint[] | 'none'>>();

/** The keys of which a row holds at least one when it matches; undefined when the condition is not of that form. */
export function tokenAlternatives({ keys }: FilterContext, condition: StoreCondition): readonly bigint[] | undefined {
  const ofKeys = known.get(keys) ?? new WeakMap<StoreCondition, readonly bigint[] | 'none'>();
  known.set(keys, ofKeys);
  const before = ofKeys.get(condition);
  if (before !== undefined) return before === 'none' ? undefined : before;
  const made = alternativesOf(keys, condition);
  ofKeys.set(condition, made ?? 'none');
  return made;
}

function alternativesOf(keys: Keys, condition: StoreCondition): readonly bigint[] | undefined {
  switch (condition.kind) {
    case 'token':
      if (condition.values.some((value) => isImpliedSystem(condition.parameter, value))) return undefined;
      return condition.values.flatMap((value) => tokenKeys(keys, condition.parameter, value));
    case 'of-type':
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map((v) =>
          keyOf(keys, atomKeys(keys, condition.parameter, atom).exact, `${v.system}\u0001${v.code}\u0001${v.value}`),
        ),
      );
    case 'string':
      if (condition.modifier !== 'exact') return undefined;
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map((value) => keyOf(keys, atomKeys(keys, condition.parameter, atom).exact, value)),
      );
    case 'reference':
      return condition.values.flatMap((v) => referenceKeys(keys, condition.parameter, v, STORED_TYPES));
    case 'reference-identifier':
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map(({ system, code = '' }) => {
          const { exact } = atomKeys(keys, condition.parameter, atom);
          if (system === undefined) return keyOf(keys, exact, tokenForms.code(code));
          return keyOf(keys, exact, system === '' ? tokenForms.noSystem(code) : tokenForms.systemAndCode(system, code));
        }),
      );
    case 'uri': {
      if (condition.modifier === 'below') return undefined;
      const texts = condition.modifier === 'above' ? condition.values.flatMap(urlAncestors) : condition.values;
      return overAtoms(condition.parameter, (atom) =>
        texts.map((value) => keyOf(keys, atomKeys(keys, condition.parameter, atom).value, value)),
      );
    }
    case 'compartment':
      return [compartmentKey(keys, condition.compartment, condition.id)];
    case 'targets':
      return targetKeys(keys, condition);
    default:
      return undefined;
  }
}

export function compartmentKey(keys: Keys, compartment: string, id: string): bigint {
  keys.rids.lanes(id);
  const { hi, lo } = keys.rids;
  const mask = keys.compartment(compartment as Parameters<Keys['compartment']>[0]); // the route knows the five names
  return toBigInt(hi ^ mask.hi, lo ^ mask.lo);
}

/** Tokens by which rows refer to the targets. */
export function targetKeys(
  keys: Keys,
  condition: { parameter: SearchParameter; type: string; rids: readonly bigint[] },
): bigint[] {
  const masks = referenceMasks(keys, condition.parameter, condition.type).map(lanesToBigInt);
  return condition.rids.flatMap((rid) => masks.map((mask) => rid ^ mask));
}

const overAtoms = (parameter: SearchParameter, keysOf: (atom: Atom) => readonly bigint[]): bigint[] =>
  parameter.atoms.flatMap(keysOf);

/** `system|` of a code whose system is known from its definition: every value is of that system. */
export const isImpliedSystem = ({ impliedSystems }: SearchParameter, { system, code }: TokenValue): boolean =>
  code === undefined && system !== undefined && impliedSystems.includes(system);

/** The url itself and every shorter one that it lies below. */
function urlAncestors(url: string): string[] {
  const found = [url];
  for (let end = url.lastIndexOf('/'); end > 0; end = url.lastIndexOf('/', end - 1))
    if (url[end - 1] !== '/') found.push(url.slice(0, end), url.slice(0, end + 1));
  return found;
}
