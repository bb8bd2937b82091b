/** `$translate`. docs/terminology.md https://hl7.org/fhir/R4/conceptmap-operation-translate.html */
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { ConceptMap, MapEnds, TerminologySource } from '../../standards/fhir/terminology/resources.ts';
import { formatMatches, type Match, translate } from '../../standards/fhir/terminology/translate.ts';
import { notHere } from '../../standards/fhir/terminology/vocabulary.ts';
import { type OperationInput, parametersAnswer } from './parameters.ts';
import { type Asked, codingsOf, givenResource, operation } from './terminology-operation.ts';

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

/** The map of the path, of the body, under the url, or all between the value sets or from the systems of the codes. */
async function conceptMapsOf({ instance, input, vocabulary, services }: Asked): Promise<readonly ConceptMap[]> {
  if (instance !== undefined) return [instance as ConceptMap]; // the route is of ConceptMap
  const given = givenResource<ConceptMap>(services, input, 'conceptMap', 'ConceptMap');
  if (given !== undefined) return [given];
  const [url, version] = [input.text('url'), input.text('conceptMapVersion')];
  if (url === undefined) return findMaps(vocabulary.source, endsOf(input));
  const map = await vocabulary.source.findConceptMap(version === undefined ? url : `${url}|${version}`);
  if (map !== undefined) return [map];
  throw notHere(`The concept map ${url.slice(0, 256)} is not known here: store it as a ConceptMap`);
}

/** Of a request that names no map: its value sets, else the systems of its codes. */
function endsOf(input: OperationInput): readonly MapEnds[] {
  const [source, target] = [input.text('source'), input.text('target')];
  if (source !== undefined || target !== undefined) return [{ of: 'ValueSet', source, target }];
  const systems = [...new Set(codingsOf(input).map(({ system }) => system))];
  if (systems.includes(undefined))
    throw new FhirError(400, [
      issue('required', 'Which concept map? The operation needs url, source, target, or the system of each code'),
    ]);
  const other = input.text('targetsystem');
  return systems.map((system) =>
    input.flag('reverse') === true
      ? { of: 'CodeSystem', source: other, target: system }
      : { of: 'CodeSystem', source: system, target: other },
  );
}

async function findMaps(source: TerminologySource, ends: readonly MapEnds[]): Promise<readonly ConceptMap[]> {
  const found = new Set<ConceptMap>();
  for (const between of ends) for (const map of await source.findConceptMaps(between)) found.add(map);
  if (found.size > 0) return [...found];
  const told = ends.map(({ of, source: from, target }) => {
    const kind = of === 'ValueSet' ? 'value set' : 'code system';
    return [from && `from the ${kind} ${from.slice(0, 256)}`, target && `into ${target.slice(0, 256)}`]
      .filter((part) => part !== undefined)
      .join(' ');
  });
  throw notHere(`No concept map ${told.join(', or ')} is known here: store it as a ConceptMap`);
}
