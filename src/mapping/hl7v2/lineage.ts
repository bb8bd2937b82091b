/**
 * Which element each field of a message becomes: every component is written otherwise, one at a time, and what is then
 * otherwise in the bundle came of it. No map has to say what it does, and none can say it wrongly.
 */
import { formatJson } from '../../standards/fhir/json.ts';
import { withValue } from '../../standards/hl7v2/format.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import { formatPlace, type Place } from '../../standards/hl7v2/place.ts';
import type { TransactionBundle } from '../transaction-bundle.ts';
import { mapToFhir } from './map-to-fhir.ts';
import type { MappingContext } from './translation.ts';

export interface Lineage {
  /** `PID-5.1`, `NK1[2]-3` */
  readonly field: string;
  /** `Patient.name[0].family`; `Practitioner[2]` is the second of the bundle. None: it is kept in the message alone. */
  readonly elements: readonly string[];
  /** Otherwise the message could not be mapped. */
  readonly isRequired?: true;
}

/** A message has hardly more; the rest is not told. */
const PROBES_MAX = 500;
/** No code, number or date is one with this behind it. */
const OTHER = 'Q7';

/** Undefined for a message that is not mapped. */
export function lineageOf(message: Message, context: MappingContext): readonly Lineage[] | undefined {
  const whole = mapToFhir(message, context).value;
  if (whole === undefined) return undefined;
  const elements = flatten(whole);
  const lineage: Lineage[] = [];
  for (const place of placesOf(message)) {
    if (lineage.length >= PROBES_MAX) break;
    const leaf = message.at(formatPlace(place));
    const other = leaf && withValue(message, place, `${leaf.value}${OTHER}`);
    if (other === undefined) continue;
    const bundle = mapToFhir(other, context).value;
    const field = formatPlace(place);
    if (bundle === undefined) lineage.push({ field, elements: [], isRequired: true });
    else lineage.push({ field, elements: differences(elements, flatten(bundle)) });
  }
  return lineage;
}

/** Every component that was sent; the header has its meaning for the way and not for the record. */
function* placesOf({ segments }: Message): Generator<Place> {
  for (const segment of segments.slice(1))
    for (let field = 1; field <= segment.fieldCount; field++)
      for (const [r, repetition] of segment.field(field).repetitions.entries())
        for (const [c, component] of repetition.parts.entries())
          if (component.raw !== '' && !component.isNull)
            yield {
              segment: segment.id,
              occurrence: segment.occurrence,
              field,
              ...(r > 0 && { repetition: r + 1 }),
              ...(repetition.parts.length > 1 && { component: c + 1 }),
            };
}

/** Elements with their values, entries by type and number: their urls are made from what they hold. */
function flatten({ entry }: TransactionBundle): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  const names = new Map<string, string>();
  for (const { fullUrl, resource } of entry) {
    const count = (counts.get(resource.resourceType) ?? 0) + 1;
    counts.set(resource.resourceType, count);
    names.set(fullUrl, count === 1 ? resource.resourceType : `${resource.resourceType}[${count}]`);
  }
  const found = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, `${path}[${index}]`);
    else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      for (const [name, item] of Object.entries(value)) walk(item, `${path}.${name}`);
    else found.set(path, typeof value === 'string' ? (names.get(value) ?? value) : formatJson(value));
  };
  for (const { fullUrl, resource } of entry) walk(resource, names.get(fullUrl) ?? resource.resourceType);
  return found;
}

const differences = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] =>
  [...before].filter(([path, value]) => after.get(path) !== value).map(([path]) => path);
