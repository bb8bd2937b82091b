/** Search values as the keys that rows hold (`tok`, `_n.h`, `_s.h`). The mirror of `row.ts`. */
import type { Atom, SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { CompositePart, ReferenceValue, TokenValue } from '../../standards/fhir/search/request.ts';
import { toBigInt } from '../hash.ts';
import { type Keys, keyOf, type Lanes, tokenForms } from '../keys.ts';
import { pairForms } from '../row-sink.ts';

export const atomKeys = (keys: Keys, parameter: SearchParameter, atom: Atom) => keys.atom(parameter.resourceType, atom);

/** The form of a token value that rows hold; a system that the parameter implies is left out. */
export function tokenText(parameter: SearchParameter, value: TokenValue): string {
  const { system, code } = value;
  const implied = system !== undefined && parameter.impliedSystems.includes(system);
  if (system === undefined || implied) return tokenForms.code(code ?? '');
  if (system === '') return tokenForms.noSystem(code ?? '');
  return code === undefined ? tokenForms.system(system) : tokenForms.systemAndCode(system, code);
}

/** All keys under which rows hold a token value: one an atom. */
export const tokenKeys = (keys: Keys, parameter: SearchParameter, value: TokenValue): bigint[] =>
  parameter.atoms.map((atom) => keyOf(keys, atomKeys(keys, parameter, atom).value, tokenText(parameter, value)));

/** Keys of a reference: for each atom and each type it may be of. */
export function referenceKeys(
  keys: Keys,
  parameter: SearchParameter,
  value: ReferenceValue,
  allTypes: readonly string[],
): bigint[] {
  const found: bigint[] = [];
  for (const atom of parameter.atoms) {
    const domain = atomKeys(keys, parameter, atom);
    if ('url' in value) {
      const text = value.version === undefined ? value.url : `${value.url}|${value.version}`;
      found.push(keyOf(keys, domain.value, text));
    } else {
      keys.rids.lanes(value.id);
      const { hi, lo } = keys.rids;
      for (const type of referenceTypes(parameter, value.type, allTypes)) {
        const mask = domain.target(type);
        found.push(toBigInt(hi ^ mask.hi, lo ^ mask.lo));
      }
    }
  }
  return found;
}

/** Types a reference value may mean: the given one, else every target of the parameter. */
export function referenceTypes(
  parameter: SearchParameter,
  type: string | undefined,
  allTypes: readonly string[],
): readonly string[] {
  const allowed = parameter.onlyTargets.length > 0 ? parameter.onlyTargets : parameter.targets;
  if (type !== undefined)
    return parameter.onlyTargets.length > 0 && !parameter.onlyTargets.includes(type) ? [] : [type];
  return allowed.length > 0 ? allowed : allTypes;
}

/** Masks by which a target's rid becomes a reference token of this parameter. */
export const referenceMasks = (keys: Keys, parameter: SearchParameter, targetType: string): Lanes[] =>
  parameter.atoms.map((atom) => atomKeys(keys, parameter, atom).target(targetType));

/** Text of a component of a token pair, as `pairForms` writes it; several when a form is not stored as such. */
function partText(part: CompositePart): string {
  if (part.type === 'reference') return 'url' in part.value ? part.value.url : part.value.id;
  if (part.type !== 'token') throw new Error(`a ${part.type} is no part of a pair`);
  const { system, code } = part.value;
  if (system === undefined) return tokenForms.code(code ?? '');
  return system === '' ? tokenForms.noSystem(code ?? '') : tokenForms.systemAndCode(system, code ?? '');
}

/** Key of a composite whose parts are all tokens or references. */
export const pairKey = (keys: Keys, domain: Lanes, parts: readonly CompositePart[]): bigint =>
  keyOf(keys, domain, parts.map(partText).join('$'));

export { pairForms };
