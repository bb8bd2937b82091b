/** Distances, and the ranges that hold them. */
import { expect } from 'chai';
import fc from 'fast-check';
import { distance, RADIUS_M, surroundings } from '../../../../src/standards/fhir/search/distance.ts';

const place = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

describe('search › distance', () => {
  it('is that of the sphere', () => {
    const at = (latitude: number, longitude: number) => ({ latitude, longitude });
    expect(distance(at(0, 0), at(0, 180))).closeTo(Math.PI * RADIUS_M, 1);
    expect(distance(at(90, 0), at(-90, 50))).closeTo(Math.PI * RADIUS_M, 1);
    expect(distance(at(0, 179), at(0, -179))).closeTo((2 / 180) * Math.PI * RADIUS_M, 1);
    expect(distance(at(53.7997, -1.5492), at(51.5072, -0.1276))).closeTo(272_000, 2000);
  });

  it('the ranges of degrees hold every place that is so near', () => {
    fc.assert(
      fc.property(place, place, fc.double({ min: 0, max: 21_000_000, noNaN: true }), (here, there, metres) => {
        fc.pre(distance(here, there) <= metres);
        const { latitudes, longitudes } = surroundings({ ...here, metres });
        expect(there.latitude).within(latitudes[0], latitudes[1]);
        expect(longitudes.some(([west, east]) => there.longitude >= west && there.longitude <= east)).equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('and are no wider than need be', () => {
    expect(surroundings({ latitude: 0, longitude: 0, metres: 1000 }).latitudes[1]).closeTo(0.009, 0.0001);
    const [range] = surroundings({ latitude: 60, longitude: 0, metres: 1000 }).longitudes;
    expect(range?.[1]).closeTo(0.018, 0.0001);
    expect(surroundings({ latitude: 0, longitude: 179.999, metres: 1000 }).longitudes).to.have.length(2);
  });
});
