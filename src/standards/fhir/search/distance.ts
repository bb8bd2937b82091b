/** Distances on a sphere of the Earth's mean radius: within half a percent of the true ones. */
import type { NearValue } from './request.ts';

export const RADIUS_M = 6_371_008.8;

const RADIANS = Math.PI / 180;

/** Haversine: metres between two places in degrees of WGS84. */
export function distance(
  one: Pick<NearValue, 'latitude' | 'longitude'>,
  other: Pick<NearValue, 'latitude' | 'longitude'>,
): number {
  const half =
    Math.sin(((one.latitude - other.latitude) * RADIANS) / 2) ** 2 +
    Math.cos(one.latitude * RADIANS) *
      Math.cos(other.latitude * RADIANS) *
      Math.sin(((one.longitude - other.longitude) * RADIANS) / 2) ** 2;
  return 2 * RADIUS_M * Math.asin(Math.min(1, Math.sqrt(half)));
}

/** Ranges of degrees that hold every place so near; a range of longitudes that crosses 180° comes as two. */
export interface Surroundings {
  readonly latitudes: readonly [number, number];
  readonly longitudes: readonly (readonly [number, number])[];
}

/** A little more than need be, so that rounding leaves nothing out. */
const SLACK = 1e-6;

export function surroundings({ latitude, longitude, metres }: NearValue): Surroundings {
  const angle = metres / RADIUS_M + SLACK * RADIANS;
  const [south, north] = [latitude - angle / RADIANS, latitude + angle / RADIANS];
  const latitudes = [Math.max(-90, south), Math.min(90, north)] as const;
  // Round a pole every longitude is near.
  if (south <= -90 || north >= 90) return { latitudes, longitudes: [[-180, 180]] };
  const half = Math.asin(Math.min(1, Math.sin(angle) / Math.cos(latitude * RADIANS))) / RADIANS + SLACK;
  const [west, east] = [longitude - half, longitude + half];
  if (half >= 180) return { latitudes, longitudes: [[-180, 180]] };
  if (west < -180)
    return {
      latitudes,
      longitudes: [
        [west + 360, 180],
        [-180, east],
      ],
    };
  if (east > 180)
    return {
      latitudes,
      longitudes: [
        [west, 180],
        [-180, east - 360],
      ],
    };
  return { latitudes, longitudes: [[west, east]] };
}
