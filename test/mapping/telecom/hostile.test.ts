import { expect } from 'chai';
import { telecomFromFhir, telecomToFhir } from '../../../src/mapping/telecom/map-message.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { checkTelecom } from '../../../src/standards/telecom/check.ts';
import { parseTelecom } from '../../../src/standards/telecom/parse.ts';
import { MUTATIONS, telecomFixtures } from '../../standards/telecom/samples.ts';

/** What stands where something else is expected. */
const ODD: readonly unknown[] = [
  null,
  '',
  0,
  -1.5,
  1e300,
  true,
  [],
  {},
  [[]],
  [null],
  'x'.repeat(300),
  '\u001C\u001D\u001E',
  'H/A1',
  '05/5C[999]/HC[999]/DV',
  '05/5C[9999999999]/DV',
  '07/__proto__',
  '__proto__/D2',
  'constructor/toString',
  '07/+1/ZZ',
  '07/!/D2',
  '07[3]/D2',
  '%1c%zz%',
  '#',
  'Claim/documented',
];

/** A copy with `count` of its nodes replaced or taken out; the same for the same seed. */
function disturbed(value: unknown, seed: number, count: number): unknown {
  const copy = parseJson(formatJson(value));
  let state = (Math.imul(seed, 2_654_435_761) + 1) >>> 0;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  const places: { readonly holder: Record<string, unknown>; readonly name: string }[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null || Object.isFrozen(node)) return; // a Decimal is one value
    for (const [name, child] of Object.entries(node)) {
      places.push({ holder: node as Record<string, unknown>, name });
      walk(child);
    }
  };
  walk(copy);
  for (let i = 0; i < count; i++) {
    const place = places[next(places.length)];
    if (!place) continue;
    if (next(5) === 0) delete place.holder[place.name];
    else place.holder[place.name] = ODD[next(ODD.length)];
  }
  return copy;
}

const RUNS = MUTATIONS / 50;

describe('telecom › any FHIR', () => {
  it(`${RUNS} disturbed resources: no crash, and what is written holds to every rule`, function () {
    this.timeout(600_000);
    const bundles = telecomFixtures.flatMap(({ raw }) => {
      const { message } = parseTelecom(raw);
      return message ? [telecomToFhir(message, { receivedAt: 0 }).value] : [];
    });
    let written = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const { value, issues } = telecomFromFhir(disturbed(bundles[seed % bundles.length], seed, 1 + (seed % 3)));
      if (value === undefined) expect(issues.some(isError), String(seed)).equal(true);
      else {
        const { message, issues: faults } = parseTelecom(value);
        expect(faults, String(seed)).deep.equal([]);
        expect(message && checkTelecom(message).filter(isError), String(seed)).deep.equal([]);
        written += 1;
      }
    }
    expect(written).greaterThan(0);
  });

  it('what is no resource at all', () => {
    for (const odd of ODD) expect(telecomFromFhir(odd).value).equal(undefined);
    for (const resourceType of ['Bundle', 'Claim', 'ClaimResponse', 'CoverageEligibilityRequest'])
      for (const odd of ODD)
        telecomFromFhir({ resourceType, entry: odd, insurance: odd, item: odd, supportingInfo: odd, extension: odd });
  });
});
