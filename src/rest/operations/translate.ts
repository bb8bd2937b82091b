/** `$translate`. docs/terminology.md https://hl7.org/fhir/R4/conceptmap-operation-translate.html */
import type { ConceptMap } from '../../standards/fhir/terminology/resources.ts';
import { formatMatches, type Match, translate } from '../../standards/fhir/terminology/translate.ts';
import { notHere } from '../../standards/fhir/terminology/vocabulary.ts';
import { parametersAnswer } from './parameters.ts';
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
  throw notHere(`The concept map ${url.slice(0, 256)} is not known here: store it as a ConceptMap`);
}
