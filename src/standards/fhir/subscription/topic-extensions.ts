/**
 * A SubscriptionTopic as R4 carries it: a Basic whose extensions are the elements of R5 (or R4B).
 * https://hl7.org/fhir/R5/versions.html#extensions, https://hl7.org/fhir/R5/subscriptiontopic.html
 */
import { suggestNames } from '../search/suggest.ts';

type Json = Readonly<Record<string, unknown>>;

/** An element with its children by name. */
export interface TopicNode {
  /** FHIRPath of the extension. */
  readonly place: string;
  readonly leaves: ReadonlyMap<string, readonly TopicLeaf[]>;
  readonly nodes: ReadonlyMap<string, readonly TopicNode[]>;
}
export interface TopicLeaf {
  readonly place: string;
  readonly value: unknown;
}
export type TopicFault = (diagnostics: string, place: string) => void;

export const TOPIC_SYSTEM = 'http://hl7.org/fhir/fhir-types';
export const TOPIC_CODE = 'SubscriptionTopic';
/** Where the elements of R5 and of R4B are found in R4; the published guide writes both. */
const ELEMENT = /^http:\/\/hl7\.org\/fhir\/(?:5\.0|4\.3)\/StructureDefinition\/extension-SubscriptionTopic\.(.+)$/;

interface Shape {
  readonly leaves: ReadonlySet<string>;
  readonly nodes: ReadonlyMap<string, Shape>;
}
const shape = (leaves: string, nodes: Readonly<Record<string, Shape>> = {}): Shape => ({
  leaves: new Set(leaves.split(' ')),
  nodes: new Map(Object.entries(nodes)),
});

const TOPIC = shape('url version title status', {
  resourceTrigger: shape('description resource supportedInteraction fhirPathCriteria', {
    queryCriteria: shape('previous resultForCreate current resultForDelete requireBoth'),
  }),
  eventTrigger: shape('description event resource'),
  canFilterBy: shape('description resource filterParameter filterDefinition comparator modifier'),
  notificationShape: shape('resource include revInclude'),
});
/** Said of a topic, and without effect on what is told. */
const PASSED_OVER = new Set(
  (
    'identifier versionAlgorithm versionAlgorithmString versionAlgorithmCoding name derivedFrom experimental date ' +
    'publisher contact description useContext jurisdiction purpose copyright copyrightLabel approvalDate ' +
    'lastReviewDate effectivePeriod'
  ).split(' '),
);

const objectsIn = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

/** Whether a resource is a topic, well made or not. */
export const isTopicResource = (resource: Json): boolean =>
  resource['resourceType'] === 'Basic' &&
  objectsIn((resource['code'] as Json | undefined)?.['coding']).some(
    ({ system, code }) => system === TOPIC_SYSTEM && code === TOPIC_CODE,
  );

/** The elements of a Basic that is a topic and valid R4; what is none of a topic's is told as a fault. */
export function readTopicElements(resource: Json, fault: TopicFault): TopicNode {
  const given = [
    ...objectsIn(resource['extension']).map((one, i) => [one, `Basic.extension[${i}]`] as const),
    ...objectsIn(resource['modifierExtension']).map((one, i) => [one, `Basic.modifierExtension[${i}]`] as const),
  ];
  return readNode(TOPIC, '', 'Basic', given, fault);
}

function readNode(
  { leaves, nodes }: Shape,
  path: string,
  place: string,
  given: readonly (readonly [extension: Json, place: string])[],
  fault: TopicFault,
): TopicNode {
  const foundLeaves = new Map<string, TopicLeaf[]>();
  const foundNodes = new Map<string, TopicNode[]>();
  for (const [extension, at] of given) {
    const name = nameOf(extension['url'], path);
    if (name === undefined || (path === '' && PASSED_OVER.has(name))) continue;
    const inner = nodes.get(name);
    if (inner) {
      const children = objectsIn(extension['extension']).map((one, i) => [one, `${at}.extension[${i}]`] as const);
      push(foundNodes, name, readNode(inner, path === '' ? name : `${path}.${name}`, at, children, fault));
    } else if (leaves.has(name)) {
      const value = Object.entries(extension).find(([key]) => key.startsWith('value'))?.[1];
      push(foundLeaves, name, { place: at, value });
    } else {
      const near = suggestNames(name, [...leaves, ...nodes.keys()]);
      const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
      fault(`'${name.slice(0, 64)}' is no element of ${path === '' ? 'a SubscriptionTopic' : path}${hint}`, at);
    }
  }
  return { place, leaves: foundLeaves, nodes: foundNodes };
}

/** The element that an extension stands for; undefined: something else, which is passed over. */
function nameOf(url: unknown, path: string): string | undefined {
  const whole = ELEMENT.exec(String(url))?.[1];
  if (path === '') return whole;
  if (whole !== undefined) return whole.startsWith(`${path}.`) ? whole.slice(path.length + 1) : whole;
  // Within an extension names are relative; an absolute one is of somebody else.
  return String(url).includes(':') ? undefined : String(url);
}

function push<T>(to: Map<string, T[]>, name: string, one: T): void {
  const list = to.get(name) ?? [];
  list.push(one);
  to.set(name, list);
}
