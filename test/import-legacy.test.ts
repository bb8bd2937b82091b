/** Prescriptions of the system before, imported into a running server and compared. docs/prescribing.md */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readLegacyFile } from '../src/workflow/prescribing/legacy/read.ts';
import { differencesOf, resourcesOf } from '../src/workflow/prescribing/legacy/resources.ts';
import { createFhirClient, type FhirClient, type Json } from './support/fhir-client.ts';
import { startTestServer, type TestServer } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const PROGRAM = join(import.meta.dirname, '../src/import-legacy.ts');
const NAMES = 'https://mortar-fhir.org/NamingSystem/';

const WHOLE = {
  id: 'RX-1',
  status: 'active',
  issuedAt: '2024-01-01T10:00:00Z',
  expiresAt: '2024-03-01',
  notes: 'Follow up in 2 weeks',
  patient: { id: 'P-1', first_name: 'Amelia', last_name: 'Testpatient', dob: '1984-05-17' },
  doctor: { id: 'D-1', first_name: 'Emily', last_name: 'Testdoctor', license_number: 'L-77' },
  items: [
    {
      medication: { name: 'Amoxicillin 500mg capsules', rxnorm_code: '308191' },
      dose: '500mg',
      route: 'oral',
      frequency: 'TID',
      duration: '10 days',
      quantity: '30 capsules',
      instructions: 'Take with meals',
    },
    { medication_name: 'Saline spray', quantity: 'one bottle' },
  ],
};
const SPARE = {
  id: 'RX-2',
  status: 'cancelled',
  issued_at: '2023-05-05T09:30:00+01:00',
  patient_id: 'P-1',
  doctorId: 'D-2',
  items: [{ name: 'Paracetamol 500mg tablets', dose: '1g', frequency: 'QDS', quantity: 32 }],
};

describe('npm run import:legacy', function () {
  this.timeout(120_000);
  const folder = makeTempFolder();
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer();
    client = createFhirClient(server);
  });
  after(() => server.stop());

  const run = (...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, DATA_DIR: server.dataDir, INIT_CWD: folder };
      execFile(process.execPath, [PROGRAM, ...args], { env, cwd: server.dataDir }, (error, out, err) =>
        resolve({ code: Number(error?.code ?? 0), out, err }),
      );
    });
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return name;
  };
  async function found(query: string): Promise<readonly Json[]> {
    const { entry = [] } = (await client.get(query)).json<{ entry?: readonly { resource: Json }[] }>();
    return entry.map(({ resource }) => resource);
  }

  it('imports each once, compares what is stored, and does nothing the second time', async () => {
    const name = file('old.ndjson', [WHOLE, SPARE].map((one) => JSON.stringify(one)).join('\n'));
    const first = await run(name, '--report', 'report.json');
    expect(first.err).equal('');
    expect(first.out).equal('2 prescriptions: 2 imported, 0 differ from the file, 0 refused\n');
    expect(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))).eql({
      read: 2,
      imported: 2,
      refused: [],
      different: [],
    });
    const again = await run(name);
    expect(again).eql({ code: 0, out: first.out, err: '' });
    const orders = await found(`MedicationRequest?identifier=${NAMES}legacy-prescription|RX-1/1,RX-1/2,RX-2/1`);
    expect(orders.map(({ meta }) => (meta as Json)['versionId'])).eql(['1', '1', '1']);
    expect((await found('Patient')).length).equal(1);
    expect((await found('Practitioner?family=Testdoctor')).length).equal(1);
  });

  it('keeps every text, and what could be read of it', async () => {
    const [order = {}] = await found(`MedicationRequest?identifier=${NAMES}legacy-prescription|RX-1/1`);
    expect(order).deep.include({ status: 'active', intent: 'order', authoredOn: '2024-01-01T10:00:00.000Z' });
    const [dosage = {}] = order['dosageInstruction'] as Json[];
    expect(dosage).deep.include({
      text: '500mg, oral, TID, for 10 days, Take with meals',
      patientInstruction: 'Take with meals',
      route: { text: 'oral' },
    });
    expect((dosage['timing'] as Json)['code']).eql({ text: 'TID' });
    expect((order['dispenseRequest'] as Json)['quantity']).eql({ value: 30, unit: 'capsules' });
    const [spray] = await found(`MedicationRequest?identifier=${NAMES}legacy-prescription|RX-1/2`);
    expect(JSON.stringify(spray?.['note'])).contain('one bottle');
    const [cancelled] = await found(`Task?identifier=${NAMES}legacy-prescription|RX-2`);
    expect(cancelled?.['status']).equal('cancelled');
  });

  it('refuses one with its faults, and takes the others', async () => {
    const bad = { ...SPARE, id: 'RX-3', status: 'paused', items: [{ dose: '1g' }] };
    const name = file('mixed.json', JSON.stringify([bad, { ...SPARE, id: 'RX-4' }, { ...SPARE, id: 'RX-4' }]));
    const { code, out } = await run(name);
    expect(code).equal(1);
    expect(out.split('\n').slice(0, 3)).eql([
      '3 prescriptions: 1 imported, 0 differ from the file, 2 refused',
      '  1 (RX-3): status: active, completed or cancelled; items[0].medication: it is missing',
      '  3 (RX-4): id: another prescription has it',
    ]);
  });

  it('says what is wrong without importing', async () => {
    const { code, out } = await run(file('check.json', JSON.stringify([{ ...SPARE, id: 'RX-9' }])), '--check');
    expect({ code, out }).eql({ code: 0, out: '1 prescriptions: nothing imported, 0 refused\n' });
    expect(await found(`Task?identifier=${NAMES}legacy-prescription|RX-9`)).eql([]);
  });

  for (const [what, args] of [
    ['no file', []],
    ['a file that is not there', ['nowhere.json']],
    ['an unknown option', ['a.json', '--force']],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { code, out, err } = await run(...args);
      expect(code).equal(1);
      expect(out).equal('');
      expect(err).match(/^import:legacy: /);
    });

  it('notices what an imported record says otherwise', () => {
    const [{ value } = { value: undefined }] = readLegacyFile(JSON.stringify([WHOLE]));
    if (value === undefined) throw new Error('it was read');
    const stored = resourcesOf(value, { patientId: 'p', doctorId: 'd' });
    expect(differencesOf(value, stored)).eql([]);
    expect(differencesOf(value, stored.slice(0, 2))).eql(['items[1]']);
    expect(differencesOf({ ...value, status: 'completed', notes: 'x' }, stored)).include.members([
      'notes',
      'items[0].status',
    ]);
    const [item] = value.items;
    for (const name of ['dose', 'route', 'frequency', 'duration', 'instructions', 'medication', 'quantity'] as const) {
      const other = { ...value, items: [{ ...item, medication: 'x', [name]: '7 other' }, ...value.items.slice(1)] };
      expect(differencesOf(other, stored), name).include(`items[0].${name}`);
    }
  });
});
