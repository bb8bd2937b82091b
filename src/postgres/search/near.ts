/** Distances on a sphere of the Earth's mean radius: within half a percent of the true ones. */
import type { NearValue } from '../../standards/fhir/search/request.ts';
import type { Params } from './sql.ts';

const RADIUS_M = 6_371_008.8;

/** Haversine, from the position in the text of a Location. */
export function nearFilter(params: Params, m: string, { latitude, longitude, metres }: NearValue): string {
  const position = (name: string): string =>
    `(case when jsonb_typeof(p #> '{position,${name}}') = 'number' then (p #>> '{position,${name}}')::float8 end)`;
  const [lat, lon] = [params.add(latitude, 'float8'), params.add(longitude, 'float8')];
  const haversine = `(sind((${position('latitude')} - ${lat}) / 2) ^ 2 + cosd(${lat}) * cosd(${position('latitude')}) * sind((${position('longitude')} - ${lon}) / 2) ^ 2)`;
  return `exists (select from (select nullif(${m}.content, '')::jsonb as p offset 0) near where ${haversine} is not null and 2 * ${RADIUS_M} * asin(least(1, sqrt(${haversine}))) <= ${params.add(metres, 'float8')} offset 0)`;
}
