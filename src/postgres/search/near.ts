/** `near` on Locations: exactly, from the position in their text, and roughly, by the index on it. */
import { RADIUS_M, surroundings } from '../../standards/fhir/search/distance.ts';
import type { NearValue } from '../../standards/fhir/search/request.ts';
import { or, type Params } from './sql.ts';

/** Haversine, from the position in the text of a Location. */
export function nearFilter(params: Params, m: string, { latitude, longitude, metres }: NearValue): string {
  const position = (name: string): string =>
    `(case when jsonb_typeof(p #> '{position,${name}}') = 'number' then (p #>> '{position,${name}}')::float8 end)`;
  const [lat, lon] = [params.add(latitude, 'float8'), params.add(longitude, 'float8')];
  const haversine = `(sind((${position('latitude')} - ${lat}) / 2) ^ 2 + cosd(${lat}) * cosd(${position('latitude')}) * sind((${position('longitude')} - ${lon}) / 2) ^ 2)`;
  return `exists (select from (select nullif(${m}.content, '')::jsonb as p offset 0) near where ${haversine} is not null and 2 * ${RADIUS_M} * asin(least(1, sqrt(${haversine}))) <= ${params.add(metres, 'float8')} offset 0)`;
}

/** Rows that may be so near, in the form that the index on `mortar.place` serves. */
export function nearBoxes(params: Params, values: readonly NearValue[]): string {
  return or(
    values.flatMap((value) => {
      const { latitudes, longitudes } = surroundings(value);
      return longitudes.map(([west, east]) => {
        const corner = (longitude: number, latitude: number): string =>
          `point(${params.add(longitude, 'float8')}, ${params.add(latitude, 'float8')})`;
        return `mortar.place(content) <@ box(${corner(west, latitudes[0])}, ${corner(east, latitudes[1])})`;
      });
    }),
  );
}

/** Half the surface of the Earth is land that nobody lives on: Locations crowd by about this much. */
const CROWDED = 100;

/** Estimated share of all Locations that are so near. */
export function nearShare(values: readonly NearValue[]): number {
  const share = values.reduce((sum, value) => {
    const { latitudes, longitudes } = surroundings(value);
    const width = longitudes.reduce((degrees, [west, east]) => degrees + east - west, 0);
    return sum + (CROWDED * width * (latitudes[1] - latitudes[0])) / (360 * 180);
  }, 0);
  return Math.min(1, share);
}
