/**
 * The terminology operations, of a type and of an instance, by GET and by POST. docs/terminology.md
 * https://hl7.org/fhir/R4/terminology-service.html
 */
import type { Resource } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { badRequest, FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Concepts } from '../../standards/fhir/terminology/concepts.ts';
import { type Expansion, expand } from '../../standards/fhir/terminology/expand.ts';
import { lookup, subsumption } from '../../standards/fhir/terminology/lookup.ts';
import type {
  CodeSystem,
  Coding,
  ConceptMap,
  Terminology,
  ValueSet,
} from '../../standards/fhir/terminology/resources.ts';
import { formatMatches, type Match, translate } from '../../standards/fhir/terminology/translate.ts';
import {
  type CodeVerdict,
  validateInCodeSystem,
  validateInValueSet,
} from '../../standards/fhir/terminology/validate-code.ts';
import { createVocabulary, notHere, type Vocabulary } from '../../standards/fhir/terminology/vocabulary.ts';
import { checkValid } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Handler, Services } from '../services.ts';
import { type OperationInput, parametersAnswer, readInput } from './parameters.ts';
import { createTerminologySource, parseStored } from './terminology-source.ts';

/** An operation once it is known what it is given and about what. */
interface Asked {
  readonly services: Services;
  readonly request: FhirRequest;
  readonly input: OperationInput;
  readonly vocabulary: Vocabulary;
  /** That of the path. */
  readonly instance: Terminology | undefined;
}

/** A handler that knows its parameters; `Type/id/$name` is about that resource. */
const operation =
  (names: readonly string[], work: (asked: Asked) => Promise<FhirAnswer>): Handler =>
  async (services, request) => {
    const input = readInput(services, request, names);
    const [type, id] = request.segments as [string, string]; // the route has them
    const instance =
      request.segments.length < 3
        ? undefined
        : parseStored(services, await services.store.read(request.caller, type, id));
    const vocabulary = createVocabulary(
      createTerminologySource(services, request.caller),
      input.texts('system-version'),
    );
    return work({ services, request, input, vocabulary, instance });
  };

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
  if (url === undefined || url === '') throw new FhirError(400, [issue('required', 'The operation needs system')]);
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
  const url = instance?.url ?? given?.url ?? input.text('url');
  const inside =
    given === undefined
      ? vocabulary
      : createVocabulary({ ...vocabulary.source, findCodeSystem: async () => given, findSupplements: async () => [] });
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

/** `code` with what goes with it, `coding`, or those of `codeableConcept`: one of the three. */
function codingsOf(input: OperationInput): readonly Coding[] {
  const code = input.text('code');
  const given = [
    code === undefined ? [] : [codingBy(input, code)],
    input.values<Coding>('coding'),
    input.values<{ readonly coding?: readonly Coding[] }>('codeableConcept').flatMap(({ coding = [] }) => coding),
  ].filter((codings) => codings.length > 0);
  if (given.length !== 1)
    throw new FhirError(400, [issue('required', 'The operation needs one of code, coding and codeableConcept')]);
  return given[0] ?? [];
}

function codingBy(input: OperationInput, code: string): Coding {
  const parts = {
    system: input.text('system'),
    version: input.text('systemVersion') ?? input.text('version'),
    display: input.text('display'),
  };
  return { code, ...Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) };
}

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

function givenResource<T extends Terminology>(
  services: Services,
  input: OperationInput,
  name: string,
  type: T['resourceType'],
): T | undefined {
  const resource: Resource | undefined = input.resource(name);
  if (resource === undefined) return undefined;
  checkValid(services, resource, type, name);
  return resource as unknown as T; // validated
}

const TRANSLATE = [
  'url',
  'conceptMap',
  'conceptMapVersion',
  'code',
  'system',
  'version',
  'coding',
  'codeableConcept',
  'source',
  'target',
  'targetsystem',
  'reverse',
];
export const translateOperation = operation(TRANSLATE, async (asked) => {
  const { input, vocabulary } = asked;
  const targetSystem = input.text('targetsystem');
  const matches: Match[] = [];
  for (const map of await conceptMapsOf(asked))
    matches.push(
      ...(await translate(vocabulary.source, map, codingsOf(input), {
        isReverse: input.flag('reverse') === true,
        ...(targetSystem !== undefined && { targetSystem }),
      })),
    );
  return parametersAnswer(formatMatches(matches));
});

/** The map of the path, of the body, under the url, or all between the value sets. */
async function conceptMapsOf({ instance, input, vocabulary, services }: Asked): Promise<readonly ConceptMap[]> {
  if (instance !== undefined) return [instance as ConceptMap]; // the route is of ConceptMap
  const given = givenResource<ConceptMap>(services, input, 'conceptMap', 'ConceptMap');
  if (given !== undefined) return [given];
  const valueSet = input.text('source');
  if (valueSet !== undefined && input.text('url') === undefined) {
    const maps = await vocabulary.source.findConceptMaps(valueSet, input.text('target'));
    if (maps.length > 0) return maps;
    throw notHere(`No concept map from the value set ${valueSet.slice(0, 256)} is known here`);
  }
  const [url, version] = [input.required('url'), input.text('conceptMapVersion')];
  const map = await vocabulary.source.findConceptMap(version === undefined ? url : `${url}|${version}`);
  if (map !== undefined) return [map];
  throw new FhirError(422, [
    issue('not-found', `The concept map ${url.slice(0, 256)} is not known here: store it as a ConceptMap`),
  ]);
}
