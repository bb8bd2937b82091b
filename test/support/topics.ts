/** SubscriptionTopics in the form that R4 has for them, from the elements of R5. */
import type { Json } from './fhir-client.ts';

const ELEMENT = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.';
const BEFORE = 'http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic.';

export type TopicParts = Readonly<Record<string, unknown>>;

/** Values by the type that R5 has for them. */
const TYPES = new Map([
  ['url', 'valueUri'],
  ['resource', 'valueUri'],
  ['status', 'valueCode'],
  ['supportedInteraction', 'valueCode'],
  ['resultForCreate', 'valueCode'],
  ['resultForDelete', 'valueCode'],
  ['comparator', 'valueCode'],
  ['modifier', 'valueCode'],
  ['requireBoth', 'valueBoolean'],
]);

function extensionsOf(parts: TopicParts, urlOf: (name: string, isNode: boolean) => string): Json[] {
  return Object.entries(parts).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as unknown[]) : [value])
      .filter((one) => one !== undefined)
      .map((one) =>
        typeof one === 'object' && one !== null
          ? { url: urlOf(name, true), extension: extensionsOf(one as TopicParts, (inner) => inner) }
          : { url: urlOf(name, false), [TYPES.get(name) ?? 'valueString']: one },
      ),
  );
}

/** Of R5's elements; active and with a url unless these are given. Triggers go under the name of R4B, as the guide has it. */
export function basicTopic(parts: TopicParts): Json {
  const { status, ...rest } = { status: 'active', url: 'http://example.org/topic', ...parts } as TopicParts;
  const extension = extensionsOf(rest, (name, isNode) => (isNode ? BEFORE : ELEMENT) + name);
  return {
    resourceType: 'Basic',
    code: { coding: [{ system: 'http://hl7.org/fhir/fhir-types', code: 'SubscriptionTopic' }] },
    ...(extension.length > 0 && { extension }),
    ...(status !== undefined && { modifierExtension: extensionsOf({ status }, (name) => ELEMENT + name) }),
  };
}
