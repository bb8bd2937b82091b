/** PL as Location: named in many fields, stored once. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { odsOrganization } from './actors.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem } from './cursor.ts';
import { withDisplay } from './entries.ts';
import type { Translation } from './translation.ts';

/** Levels of a PL, the widest first: component, location-physical-type. */
const LEVELS: readonly (readonly [component: number, type: string])[] = [
  [4, 'si'],
  [7, 'bu'],
  [8, 'lvl'],
  [1, 'wa'],
  [2, 'ro'],
  [3, 'bd'],
];
const PHYSICAL_TYPE = 'http://terminology.hl7.org/CodeSystem/location-physical-type';

/** The narrowest place of a PL, which is part of the wider ones. */
interface Place {
  /** Known by its name within those around it (`RXX01/W12/BAY2/BED04`), as two wards may each have a BED04. */
  readonly identifier: Identifier;
  readonly name: string;
  readonly names: readonly string[];
  readonly type: string;
  readonly facility: Cursor;
  readonly partOf: Json | undefined;
}

/** Undefined where nothing is named, or nobody says who sends; the wider places are mentioned in the message. */
export function placeIdentifier(cursor: Cursor, to: Translation): Place | undefined {
  const sent = LEVELS.filter(([component]) => cursor.at(component).value !== undefined);
  const names: string[] = [];
  let place: Place | undefined;
  const system = localSystem(to.reading, 'location');
  if (system === undefined) return undefined;
  for (const [component, type] of sent) {
    const name = cursor.at(component).text;
    names.push(name);
    const partOf = place && mentionPlace(place, {}, to);
    const identifier = { system, value: names.join('/') };
    place = { identifier, name, names: [...names], type, facility: cursor.at(4), partOf };
  }
  return place;
}

/** PL as a reference to the narrowest place. */
export function location(cursor: Cursor, to: Translation): Json | undefined {
  const description = cursor.at(9).value;
  const kind = cursor.at(6).text;
  const place = placeIdentifier(cursor, to);
  if (place !== undefined) return mentionPlace(place, { description, type: kind === '' ? [] : [{ text: kind }] }, to);
  const names = LEVELS.map(([component]) => cursor.at(component).text).filter((name) => name !== '');
  const display = names.join(' ') || description;
  return display === undefined ? undefined : { display };
}

function mentionPlace(place: Place, details: Readonly<Record<string, unknown>>, to: Translation): Json {
  const { identifier, name, names, type, facility, partOf } = place;
  const { description, type: kinds } = details;
  const resource = compact({
    resourceType: 'Location',
    identifier: [identifier],
    name,
    description,
    mode: 'instance',
    type: kinds,
    physicalType: { coding: [{ system: PHYSICAL_TYPE, code: type }] },
    managingOrganization: type === 'si' ? odsOrganization(facility, to) : undefined,
    partOf,
  }) as FhirResource; // it has its resourceType
  return withDisplay(to.entries.mention(resource, [identifier]), names.join(' '));
}
