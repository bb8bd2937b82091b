/**
 * The terminology operations, of a type and of an instance, by GET and by POST. docs/terminology.md
 * https://hl7.org/fhir/R4/terminology-service.html
 */
import { formatJson } from '../../standards/fhir/json.ts';
import { badRequest, FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Concepts } from '../../standards/fhir/terminology/concepts.ts';
import { type Expansion, expand } from '../../standards/fhir/terminology/expand.ts';
import { lookup, subsumption } from '../../standards/fhir/terminology/lookup.ts';
import type { CodeSystem, Coding, ValueSet } from '../../standards/fhir/terminology/resources.ts';
import {
  type CodeVerdict,
  validateInCodeSystem,
  validateInValueSet,
} from '../../standards/fhir/terminology/validate-code.ts';
import { createVocabulary } from '../../standards/fhir/terminology/vocabulary.ts';
import type { FhirAnswer } from '../exchange.ts';
import type { Services } from '../services.ts';
import { type OperationInput, parametersAnswer } from './parameters.ts';
import { type Asked, codingsOf, givenResource, operation, withCodeSystem } from './terminology-operation.ts';

const LOOKUP = ['code', 'system', 'version', 'coding', 'displayLanguage', 'property'];
export const lookupOperation = operation(LOOKUP, async (asked) => {
  const { input } = asked;
  const coding = input.values<Coding>('coding')[0] ?? { code: input.required('code') };
  const concepts = await conceptsOf(
    asked,
    coding.system ?? input.text('system'),
    coding.version ?? input.text('version'),
  );
  return parametersAnswer(lookup(concepts, coding.code ?? '', input.texts('property'), input.text('displayLanguage')));
});

const SUBSUMES = ['codeA', 'codeB', 'system', 'version', 'codingA', 'codingB'];
export const subsumesOperation = operation(SUBSUMES, async (asked) => {
  const { input } = asked;
  const [a, b] = ['A', 'B'].map(
    (side) => input.values<Coding>(`coding${side}`)[0] ?? { code: input.required(`code${side}`) },
  ) as [Coding, Coding];
  if (a.system !== undefined && b.system !== undefined && a.system !== b.system)
    throw badRequest('codingA and codingB must be of one code system', 'codingB');
  const concepts = await conceptsOf(
    asked,
    a.system ?? b.system ?? input.text('system'),
    a.version ?? input.text('version'),
  );
  return parametersAnswer([{ name: 'outcome', valueCode: subsumption(concepts, a.code ?? '', b.code ?? '') }]);
});

/** The code system that the path, the body or the parameters name. */
async function conceptsOf(
  { instance, vocabulary }: Asked,
  system: string | undefined,
  version: string | undefined,
): Promise<Concepts> {
  const url = instance === undefined ? system : (instance.url ?? '');
  if (url === undefined || (instance === undefined && url === ''))
    throw new FhirError(400, [issue('required', 'The operation needs system')]);
  if (instance !== undefined && system !== undefined && system !== url)
    throw badRequest('system is not the code system of the path', 'system');
  return vocabulary.concepts(url, instance?.version ?? version);
}

const CODE_SYSTEM_CODE = [
  'url',
  'codeSystem',
  'code',
  'version',
  'display',
  'coding',
  'codeableConcept',
  'abstract',
  'displayLanguage',
];
export const validateInCodeSystemOperation = operation(CODE_SYSTEM_CODE, async (asked) => {
  const { input, instance, vocabulary, services } = asked;
  const given = givenResource<CodeSystem>(services, input, 'codeSystem', 'CodeSystem');
  const about = instance ?? given;
  const url = about === undefined ? input.text('url') : (about.url ?? '');
  const inside = given === undefined ? vocabulary : createVocabulary(withCodeSystem(vocabulary.source, given));
  let verdict: CodeVerdict = { result: false, message: 'There is no code to check' };
  for (const coding of codingsOf(input)) {
    const system = url ?? coding.system;
    if (system === undefined) throw new FhirError(400, [issue('required', 'The operation needs url')]);
    verdict =
      coding.system !== undefined && coding.system !== system
        ? { result: false, message: `The code is of another code system than ${system}` }
        : await validateInCodeSystem(inside, system, coding, optionsOf(input));
    if (verdict.result) break;
  }
  return verdictAnswer(verdict);
});

const VALUE_SET_CODE = [
  'url',
  'valueSet',
  'valueSetVersion',
  'code',
  'system',
  'systemVersion',
  'display',
  'coding',
  'codeableConcept',
  'abstract',
  'displayLanguage',
  'system-version',
];
export const validateInValueSetOperation = operation(VALUE_SET_CODE, async (asked) => {
  const valueSet = await valueSetOf(asked);
  return verdictAnswer(
    await validateInValueSet(asked.vocabulary, valueSet, codingsOf(asked.input), optionsOf(asked.input)),
  );
});

const optionsOf = (input: OperationInput) => {
  const displayLanguage = input.text('displayLanguage');
  return {
    isAbstractAllowed: input.flag('abstract') === true,
    ...(displayLanguage !== undefined && { displayLanguage }),
  };
};

const verdictAnswer = ({ result, message, display }: CodeVerdict): FhirAnswer =>
  parametersAnswer([
    { name: 'result', valueBoolean: result },
    ...(message === undefined ? [] : [{ name: 'message', valueString: message }]),
    ...(display === undefined ? [] : [{ name: 'display', valueString: display }]),
  ]);

const EXPAND = [
  'url',
  'valueSet',
  'valueSetVersion',
  'filter',
  'offset',
  'count',
  'includeDesignations',
  'activeOnly',
  'excludeNested',
  'excludeNotForUI',
  'displayLanguage',
  'exclude-system',
  'system-version',
];
export const expandOperation = operation(EXPAND, async (asked) => {
  const { input, vocabulary, services } = asked;
  const valueSet = await valueSetOf(asked);
  if (input.flag('excludeNested') === false)
    throw new FhirError(400, [issue('not-supported', 'Expansions are flat: leave excludeNested out')]);
  const [filter, offset, count, displayLanguage] = [
    input.text('filter'),
    input.count('offset'),
    input.count('count'),
    input.text('displayLanguage'),
  ];
  const expansion = await expand(vocabulary, valueSet, {
    ...(filter !== undefined && { filter }),
    ...(offset !== undefined && { offset }),
    ...(count !== undefined && { count }),
    ...(displayLanguage !== undefined && { displayLanguage }),
    activeOnly: input.flag('activeOnly') === true,
    includeDesignations: input.flag('includeDesignations') === true,
    excludeNotForUi: input.flag('excludeNotForUI') === true,
    excludeSystems: input.texts('exclude-system'),
  });
  return {
    status: 200,
    headers: {},
    body: formatJson(expanded(services, valueSet, expansion, { filter, offset, count })),
  };
});

/** The value set with its expansion in place of its definition. */
function expanded(
  { now, store }: Services,
  valueSet: ValueSet,
  { total, contains, used, warnings }: Expansion,
  asked: {
    readonly filter: string | undefined;
    readonly offset: number | undefined;
    readonly count: number | undefined;
  },
): unknown {
  const { compose: _compose, expansion: _expansion, ...rest } = valueSet;
  const parameter = [
    ...(asked.filter === undefined ? [] : [{ name: 'filter', valueString: asked.filter }]),
    ...(asked.offset === undefined ? [] : [{ name: 'offset', valueInteger: asked.offset }]),
    ...(asked.count === undefined ? [] : [{ name: 'count', valueInteger: asked.count }]),
    ...used.map((valueUri) => ({ name: 'used-codesystem', valueUri })),
    ...warnings.map((valueString) => ({ name: 'warning', valueString })),
  ];
  return {
    ...rest,
    expansion: {
      identifier: `urn:uuid:${store.newId()}`,
      timestamp: new Date(now()).toISOString(),
      total,
      ...(asked.offset !== undefined && { offset: asked.offset }),
      ...(parameter.length > 0 && { parameter }),
      ...(contains.length > 0 && { contains }),
    },
  };
}

/** The value set of the path, of the body, or under the url. */
async function valueSetOf({ instance, input, vocabulary, services }: Asked): Promise<ValueSet> {
  if (instance !== undefined) return instance as ValueSet; // the route is of ValueSet
  const given = givenResource<ValueSet>(services, input, 'valueSet', 'ValueSet');
  if (given !== undefined) return given;
  const version = input.text('valueSetVersion');
  return vocabulary.valueSet(version === undefined ? input.required('url') : `${input.required('url')}|${version}`);
}
