/** The doors of EPS with a Spine behind them: no JSON, with any header or content type, makes a 500. MISSION M3 */
import { expect } from 'chai';
import fc from 'fast-check';
import { createXmlReader } from '../../src/standards/fhir/xml/read.ts';
import { testDefinitions } from '../support/definitions.ts';
import { type EpsGateway, startEpsGateway } from '../support/eps-gateway.ts';
import { fixture } from '../support/fixtures.ts';

const SIZES = new Map([
  ['quick', 60],
  ['ci', 400],
  ['long', 5_000],
]);
const RUNS = SIZES.get(process.env['TEST_SIZE'] ?? 'quick') ?? 60;

const readXml = createXmlReader(testDefinitions());
const MESSAGES = [
  'prescription-order-acute',
  'prescription-order-repeat-dispensing-signed',
  'prescription-order-update',
  'dispense-notification-amend',
  'release-patient',
  'release-nominated',
  'task-return',
  'task-withdraw',
  'claim-amend',
].map((name) => JSON.parse(fixture(`eps/${name}.json`).toString()) as unknown);
const PATHS = [
  '$process-message',
  '$prepare',
  '$convert',
  '$convert?verify',
  '$validate',
  '$verify-signature',
  '$dose-to-text',
  'Task/$release',
  'Task',
  'Claim',
  '',
];
const STRANGE: readonly unknown[] = [null, true, 0, -1e308, '', 'x', [], {}, [[]], [null], '2026-02-30', 'urn:uuid:'];
const HEADERS: readonly (readonly [string, string])[] = [
  ['NHSD-ASID', '1'],
  ['NHSD-Party-Key', 'a b'],
  ['NHSD-Session-URID', 'x'.repeat(300)],
  ['NHSD-Identity-UUID', '555254239107'],
  ['NHSD-Session-URID', '555254240100'],
  ['NHSD-Scope', '\u00e9'],
  ['X-Request-ID', 'no'],
  ['X-Correlation-ID', '"'],
  ['x-raw-response', '1'],
  ['Content-Type', 'application/json'],
  ['Content-Type', 'application/fhir+json; fhirVersion=9'],
  ['Content-Type', 'application/xml'],
  ['Content-Type', 'nonsense'],
  ['Accept', 'application/fhir+xml'],
  ['Prefer', 'return=everything'],
];

type Parent = Record<string, unknown>;

/** Every place of the message. */
function places(value: unknown): readonly (readonly [Parent, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Parent; // a list is one as well
  return Object.keys(parent).flatMap((name) => [[parent, name] as const, ...places(parent[name])]);
}

function mutated(message: unknown, steps: readonly { readonly place: number; readonly strange: number }[]): unknown {
  const copy = structuredClone(message);
  for (const { place, strange } of steps) {
    const all = places(copy);
    const [parent, name] = all[place % all.length] ?? [{}, ''];
    if (strange === STRANGE.length) delete parent[name];
    else parent[name] = structuredClone(STRANGE[strange]);
  }
  return copy;
}

const given = fc.record({
  message: fc.constantFrom(...MESSAGES),
  path: fc.constantFrom(...PATHS),
  steps: fc.array(fc.record({ place: fc.nat(), strange: fc.nat(STRANGE.length) }), { maxLength: 3 }),
  headers: fc.subarray([...HEADERS], { maxLength: 4 }),
  person: fc.constantFrom('prescriber', 'pharmacist', undefined),
});

describe('journeys › eps › hostile', function () {
  this.timeout(900_000);
  let g: EpsGateway;
  before(async () => {
    g = await startEpsGateway();
  });
  after(() => g.stop());

  it(`messages changed at random, with headers of every kind (${RUNS})`, async () => {
    await fc.assert(
      fc.asyncProperty(given, async ({ message, path, steps, headers, person }) => {
        const body = JSON.stringify(mutated(message, steps));
        const reply = await g.fhir.post(path, body, {
          // Nobody waits for the Spine here.
          Prefer: 'respond-async',
          ...(person && g.as(person)),
          ...Object.fromEntries(headers),
        });
        expect(reply.status, `${path}: ${reply.text.slice(0, 500)}`).within(200, 499);
        const isXml = reply.headers.get('content-type')?.startsWith('application/fhir+xml');
        if (reply.status >= 400)
          expect(isXml ? readXml(reply.text) : reply.json()).property('resourceType', 'OperationOutcome');
      }),
      { numRuns: RUNS },
    );
  });

  it('what is not even a message', async () => {
    const bodies = [
      '',
      ' ',
      '{',
      'null',
      '1',
      '"x"',
      '[]',
      '{}',
      '{"resourceType":"Bundle"}',
      `${'['.repeat(5000)}`,
      '\u0000',
    ];
    for (const path of PATHS)
      for (const body of bodies) {
        const reply = await g.fhir.post(path, body);
        expect(reply.status, `${path} ${body.slice(0, 20)}: ${reply.text.slice(0, 300)}`).within(200, 499);
      }
  });
});
