/** Tokens that a search asks for by what terminology says of them. https://hl7.org/fhir/R4/search.html#token */
import { badValue, tooCostly } from '../outcome.ts';
import type { Condition, TokenValue } from '../search/request.ts';
import { expand } from './expand.ts';
import type { ValueSet } from './resources.ts';
import type { Vocabulary } from './vocabulary.ts';

type TokenSet = Extract<Condition, { readonly kind: 'token-set' }>;

/** Codes in one condition: each is a key that the database looks up. */
const CODES_MAX = 1000;

/** The condition with every `token-set` in it made into tokens. Throws 400 `too-costly`, 422 for what is not here. */
export async function resolveTokenSet(
  vocabulary: Vocabulary,
  findValueSet: (reference: string) => Promise<ValueSet>,
  condition: Condition,
): Promise<Condition> {
  switch (condition.kind) {
    case 'token-set':
      return tokensOf(vocabulary, findValueSet, condition);
    case 'chain': {
      const branches = [];
      for (const branch of condition.branches)
        branches.push({ ...branch, condition: await resolveTokenSet(vocabulary, findValueSet, branch.condition) });
      return { ...condition, branches };
    }
    case 'any':
    case 'every': {
      const conditions = [];
      for (const one of condition.conditions) conditions.push(await resolveTokenSet(vocabulary, findValueSet, one));
      return { ...condition, conditions };
    }
    case 'not':
    case 'has':
      return { ...condition, condition: await resolveTokenSet(vocabulary, findValueSet, condition.condition) };
    default:
      return condition;
  }
}

async function tokensOf(
  vocabulary: Vocabulary,
  findValueSet: (reference: string) => Promise<ValueSet>,
  { parameter, modifier, values }: TokenSet,
): Promise<Condition> {
  const found: TokenValue[] = [];
  for (const value of values)
    if (modifier === 'in' || modifier === 'not-in') {
      const { contains, total } = await expand(vocabulary, await findValueSet(value), { count: CODES_MAX });
      if (total > CODES_MAX) throw tooMany(parameter.code, modifier);
      for (const { system, code = '' } of contains) found.push(system === undefined ? { code } : { system, code });
    } else found.push(...(await relatives(vocabulary, parameter, modifier, value)));
  if (found.length > CODES_MAX) throw tooMany(parameter.code, modifier);
  return { kind: 'token', parameter, ...(modifier === 'not-in' && { modifier: 'not' }), values: found };
}

const tooMany = (code: string, modifier: string): Error =>
  tooCostly(`'${code}:${modifier}' stands for more than ${CODES_MAX} codes: ask for fewer`);

/** The code itself and all above it or below it. A code that the system does not have stands for itself. */
async function relatives(
  vocabulary: Vocabulary,
  { code: name, impliedSystems }: TokenSet['parameter'],
  modifier: 'above' | 'below',
  value: string,
): Promise<readonly TokenValue[]> {
  const bar = value.indexOf('|');
  const implied = impliedSystems.length === 1 ? impliedSystems[0] : undefined;
  const [system, code] = bar < 0 ? [implied, value] : [value.slice(0, bar), value.slice(bar + 1)];
  if (system === undefined || system === '' || code === '')
    throw badValue(`'${name}:${modifier}' needs a code with its system: system|code`, name);
  const concepts = await vocabulary.concepts(system);
  const known = concepts.find(code)?.code ?? code;
  const codes = modifier === 'below' ? concepts.descendants(known) : concepts.ancestors(known);
  return [...codes].map((one) => ({ system, code: one }));
}
