/** SECURITY RL-09: after any mixture of writes the search rows are those of the content, and the versions are whole. */
import { expect } from 'chai';
import { STORED_TYPES } from '../../src/postgres/tables.ts';
import { createValidator } from '../../src/standards/fhir/validation/validator.ts';
import { withClient } from '../support/database.ts';
import { testDefinitions } from '../support/definitions.ts';
import { createFhirClient, type FhirClient, type Json, type Reply } from '../support/fhir-client.ts';
import { type GenerateOptions, generateValid } from '../support/generate-resource.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { faultsOfType, storeFaults } from '../support/store-state.ts';

const validate = createValidator(testDefinitions());
const SEED = Number(process.env['TEST_SEED'] ?? 1);
const WORKERS = 12;
const STEPS = 25;
/** Few ids, so that writers meet. */
const IDS = ['a', 'b', 'c'];
const CONTESTED = [
  'Patient',
  'Observation',
  'Encounter',
  'MedicationRequest',
  'Condition',
  'Organization',
  'Task',
  'Bundle',
];

describe('the store is whole [RL-09]', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  const valid = (type: string, options: GenerateOptions): Json =>
    generateValid(testDefinitions(), type, validate, options);
  const made = (type: string, seed: number, id?: string): Json => {
    const { id: _id, ...resource } = valid(type, { seed });
    return id === undefined ? resource : { ...resource, id };
  };

  it('after create, update, delete and return of every type, one by one and in a transaction', async () => {
    await Promise.all(
      STORED_TYPES.map(async (type, n) => {
        const wanted = async (status: number, reply: Promise<Reply>): Promise<void> => {
          const { status: found, text } = await reply;
          expect(found, `${type}: ${text.slice(0, 300)}`).equal(status);
        };
        const minimal = valid(type, { fill: 'minimal' });
        await wanted(201, fhir.put(`${type}/x`, made(type, n, 'x')));
        await wanted(200, fhir.put(`${type}/x`, { ...minimal, id: 'x' }));
        await wanted(204, fhir.delete(`${type}/x`));
        await wanted(201, fhir.put(`${type}/x`, made(type, n + 1, 'x')));
      }),
    );
    const entry = STORED_TYPES.flatMap((type) => [
      { resource: made(type, 20), request: { method: 'POST', url: type } },
      { resource: made(type, 21, 'x'), request: { method: 'PUT', url: `${type}/x` } },
      { resource: made(type, 22, 't'), request: { method: 'PUT', url: `${type}/t` } },
    ]);
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry });
    expect(reply.status, reply.text.slice(0, 500)).equal(200);
    expect(await storeFaults(server)).eql([]);
  });

  it(`after a random mixture by ${WORKERS} writers (TEST_SEED=${SEED})`, async () => {
    const random = createRandom(SEED);
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const statuses = new Map<number, number>();
    const step = async (): Promise<Reply> => {
      const type = pick(CONTESTED);
      const id = pick(IDS);
      const ifMatch: Record<string, string> = random(4) === 0 ? { 'if-match': `W/"${1 + random(6)}"` } : {};
      const resource = made(type, random(200), id);
      switch (random(7)) {
        case 0:
          return fhir.post(type, resource);
        case 1:
          return fhir.delete(`${type}/${id}`, ifMatch);
        case 2:
          return fhir.patch(`${type}/${id}`, [{ op: 'add', path: '/language', value: `x-${random(9)}` }], ifMatch);
        case 3: {
          const entry = Array.from({ length: 1 + random(5) }, (): Json => {
            const other = pick(CONTESTED);
            const method = pick(['POST', 'PUT', 'DELETE']);
            const at = `${other}/${pick(IDS)}`;
            if (method === 'DELETE') return { request: { method, url: at } };
            const body = made(other, random(200), at.split('/')[1]);
            // Now and then one that is not valid: nothing of the bundle may stay.
            const resource_ = random(12) === 0 ? { ...body, meta: 'nonsense' } : body;
            return { resource: resource_, request: { method, url: method === 'POST' ? other : at } };
          });
          return fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry });
        }
        case 4:
          return fhir.put(`${type}?_id=${id}`, resource);
        default:
          return fhir.put(`${type}/${id}`, resource, ifMatch);
      }
    };
    await Promise.all(
      Array.from({ length: WORKERS }, async () => {
        for (let i = 0; i < STEPS; i++) {
          const reply = await step();
          statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
          expect(reply.status, reply.text.slice(0, 500)).oneOf([200, 201, 204, 400, 404, 409, 410, 412, 422]);
        }
      }),
    );
    expect([...statuses.keys()]).include.members([200, 201, 204, 412]);
    expect(statuses.get(200)).greaterThan(20);
    expect(await storeFaults(server)).eql([]);
  });

  for (const [title, damage] of [
    ['a token is missing', 'update fhir.patient set tok = tok[2:] where id = $1'],
    ['a string is missing', 'delete from fhir.patient_s where rid = (select rid from fhir.patient where id = $1)'],
    ['a number is one too many', 'insert into fhir.patient_n select 1, 2, null, rid from fhir.patient where id = $1'],
    ['a date differs', 'update fhir.patient set sd = 1 where id = $1'],
    ['a version is missing', 'delete from fhir.patient_h where rid = (select rid from fhir.patient where id = $1)'],
    ['a change is missing', 'delete from mortar.change where rid = (select rid from fhir.patient where id = $1)'],
  ] as const)
    it(`is said not to be when ${title}`, async () => {
      for (const active of [true, false])
        await fhir.put('Patient/damaged', {
          resourceType: 'Patient',
          id: 'damaged',
          active,
          name: [{ family: 'Oak' }],
          birthDate: '2001-02-03',
        });
      await withClient(server.database.connection('owner'), async (client) => {
        await client.query('begin');
        await client.query(damage, ['damaged']);
        const faults = await faultsOfType(client, 'Patient', server.fhirBaseUrl);
        await client.query('rollback');
        expect(faults.length, faults.join()).equal(1);
        expect(faults[0]).contains('Patient/damaged');
      });
    });
});

/** A linear congruential generator (Numerical Recipes); returns whole numbers below a bound. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
