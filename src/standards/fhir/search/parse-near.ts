/** `near` of Locations: `latitude|longitude|distance|unit`. https://hl7.org/fhir/R4/location.html#positional */
import { canonicalUnit } from '../../ucum/canonical.ts';
import { splitEscaped } from './escape.ts';
import type { Parsed } from './parse-condition.ts';
import { problem } from './parse-context.ts';
import type { NearValue } from './request.ts';

/** "If the distance is omitted, then the server can use its own discretion as to what distances should be considered near" */
export const NEAR_DEFAULT_M = 5_000;
/** Half the way round: farther is everywhere. */
const DISTANCE_MAX_M = 20_037_508;
const VALUES_MAX = 20;
const NUMBER = /^[+-]?\d{1,9}(?:\.\d{1,20})?$/;

export function parseNear(value: string): Parsed {
  const refuse = (why: string): Parsed => ({ problems: [problem('value', `Parameter 'near': ${why}`)] });
  const pieces = splitEscaped(value, ',');
  if (pieces.length > VALUES_MAX) return refuse(`more than ${VALUES_MAX} places`);
  const values: NearValue[] = [];
  for (const piece of pieces) {
    const [latitude = '', longitude = '', distance = '', unit = '', ...more] = splitEscaped(piece, '|');
    if (more.length > 0 || !isWithin(latitude, 90) || !isWithin(longitude, 180))
      return refuse("write 'latitude|longitude|distance|unit', degrees of WGS84, as in 53.8|-1.55|10|km");
    const found = distance === '' ? NEAR_DEFAULT_M : metres(distance, unit === '' ? 'km' : unit);
    if (found === undefined)
      return refuse('the distance must be a number from 0, its unit a length of UCUM such as km, m or [mi_i]');
    values.push({ latitude: Number(latitude), longitude: Number(longitude), metres: Math.min(found, DISTANCE_MAX_M) });
  }
  return { condition: { kind: 'near', values } };
}

const isWithin = (text: string, limit: number): boolean => NUMBER.test(text) && Math.abs(Number(text)) <= limit;

function metres(distance: string, unit: string): number | undefined {
  const length = canonicalUnit(unit);
  if (!NUMBER.test(distance) || length?.dimension !== 'm1') return undefined;
  const found = length.of(Number(distance));
  return found < 0 ? undefined : found;
}
