/**
 * `npm run -s bench:prescribing -- [--seconds N] [--connections N] [--prescribers N] [--rounds N] [--json FILE]`
 * Approvals a second by as many prescribers from end to end (orders, Provenance, token, queue entry, notices), requests of patients and look-ups in a
 * catalogue of 100,000, with policy and audit on. The goals are those of two cores: 300 approvals a second, 20 ms a look-up.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { requestOperatorToken } from '../src/auth/oauth/operator-client.ts';
import { catalogueId, toMedicationKnowledge } from '../src/workflow/prescribing/catalogue/entry.ts';
import { readMedicines } from '../src/workflow/prescribing/catalogue/file.ts';
import { medicationRequestOf } from '../src/workflow/prescribing/items.ts';
import { requestTask } from '../src/workflow/prescribing/request-task.ts';
import { runLoad, type Sample } from './load.ts';
import { cpuBetween, cpuOf, cpuOfTree, startMortar, withPostgres } from './processes.ts';

interface Figure extends Sample {
  /** Processor time a request, ms. */
  readonly server: number;
  readonly postgres: number;
}

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '1' },
    prescribers: { type: 'string', default: '16' },
    catalogue: { type: 'string', default: '100000' },
    json: { type: 'string' },
  },
});
const durationMs = Number(flags.seconds) * 1000;
const connections = Number(flags.connections);
const PATIENTS = 1000;
const PRESCRIBERS = Number(flags.prescribers);
/** More than can be approved in the time. */
const REQUESTS = Math.ceil((3 + Number(flags.seconds) * Number(flags.rounds)) * 800);
const NOW = Date.now();

const csv = readFileSync(join(import.meta.dirname, '../fixtures/catalogue/medicines.csv'), 'utf8');
const medicines = readMedicines(csv, []).entries;

process.env['RATE_LIMITS'] = 'read=off,write=off,search=off';
await withPostgres(async ({ folder, url, owner }) => {
  const dataDir = join(folder, 'server');
  const mortar = await startMortar(url, dataDir);
  const base = `http://127.0.0.1:${mortar.port}`;
  const tokenOf = async (user?: string): Promise<string> =>
    (await requestOperatorToken({ dataDir, now: Date.now, ttlS: 3600, ...(user !== undefined && { user }) })).token;
  const operator = await tokenOf();
  const send = async (path: string, body: object, token = operator): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (answer.status > 201) throw new Error(`${path}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
    await answer.arrayBuffer();
  };
  const store = async (resources: readonly object[]): Promise<void> => {
    for (let from = 0; from < resources.length; from += 500) {
      const entry = resources.slice(from, from + 500).map((resource) => {
        const { resourceType, id } = resource as { readonly resourceType: string; readonly id: string };
        return { resource, request: { method: 'PUT', url: `${resourceType}/${id}` } };
      });
      await send('/fhir/R4', { resourceType: 'Bundle', type: 'transaction', entry });
    }
  };
  const others = Array.from({ length: Number(flags.catalogue) - medicines.length }, (_, i) => {
    const [like] = medicines.slice(i % medicines.length);
    const name = `${like?.name} ${i}`;
    return { ...(like as (typeof medicines)[number]), id: catalogueId(name), name, codes: {} };
  });
  console.log('loading the catalogue, patients and requests');
  await store([...medicines, ...others].map(toMedicationKnowledge));
  const organization = (id: string): object => ({ resourceType: 'Organization', id, name: id });
  await store([
    organization('surgery'),
    organization('pharmacy'),
    ...Array.from({ length: PRESCRIBERS }, (_, i) => ({
      resourceType: 'Practitioner',
      id: `doc${i}`,
      name: [{ family: `Doc${i}` }],
    })),
  ]);
  await store(
    Array.from({ length: PATIENTS }, (_, i) => ({
      resourceType: 'Patient',
      id: `p${i}`,
      name: [{ family: `Family${i}` }],
      birthDate: '1980-02-03',
      generalPractitioner: [{ reference: 'Organization/surgery' }],
    })),
  );
  const users = '/api/v2/admin/users';
  for (let i = 0; i < PRESCRIBERS; i++)
    await send(users, {
      name: `doc${i}`,
      email: `doc${i}@bench.example`,
      roles: ['PRESCRIBER'],
      practitioner_id: `doc${i}`,
      organization_ids: ['surgery'],
    });
  await send(users, { name: 'pat', email: 'pat@bench.example', roles: ['PATIENT'], patient_ids: ['p0'] });
  const approvable = Array.from({ length: REQUESTS }, (_, i) => {
    const id = `bench-${i}`;
    const of = {
      patientId: `p${1 + (i % (PATIENTS - 1))}`,
      reference: `REQ-${id.toUpperCase()}`,
      requester: `Patient/p${1 + (i % (PATIENTS - 1))}`,
      at: NOW,
      pharmacyId: 'pharmacy',
    };
    const entry = medicines[(i * 7) % medicines.length] as (typeof medicines)[number];
    const item = {
      entry,
      name: entry.name,
      dose: 'one',
      frequency: 'once a day',
      quantity: 1,
      repeats: 0,
      isAcute: true,
    };
    return {
      id,
      resources: [
        medicationRequestOf({ ...of, id: `${id}-1`, item, intent: 'proposal' }),
        requestTask({ ...of, id, state: 'requested', intent: 'proposal', owner: 'Organization/surgery' }),
      ],
    };
  });
  await store(approvable.flatMap(({ resources }) => resources));
  // As the database does by itself after a while.
  const client = new pg.Client(owner);
  await client.connect();
  await client.query('vacuum analyze');
  await client.end();
  const patient = await tokenOf('pat@bench.example');
  const doctors: string[] = [];
  for (let i = 0; i < PRESCRIBERS; i++) doctors.push(await tokenOf(`doc${i}@bench.example`));
  const request = (token: string, method: string, path: string, body?: object): Buffer => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${mortar.port}\r\nAuthorization: Bearer ${token}\r\n`;
    return Buffer.from(
      `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  };
  const words = ['amox', 'par', 'ome 20', 'tab', 'metf mod', 'sal inh'];
  let n = 0;
  let approved = 0;
  const postmaster = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  const run = async (next: () => Buffer, at = connections): Promise<Figure> => {
    const before = [cpuOf(mortar.pid), cpuOfTree(postmaster)] as const;
    const sample = await runLoad({ port: mortar.port, connections: at, durationMs, next });
    const ms = (seconds: number): number => (seconds * 1000) / Math.max(1, sample.count);
    const server = ms(cpuOf(mortar.pid) - before[0]);
    return { ...sample, server, postgres: ms(cpuBetween(before[1], cpuOfTree(postmaster))) };
  };
  const lookUp = (): Buffer =>
    request(patient, 'GET', `/api/v2/medications?query=${encodeURIComponent(words[n++ % words.length] ?? '')}`);
  const approve = (): Buffer => {
    const { id } = approvable[approved++ % REQUESTS] as { readonly id: string };
    const doctor = doctors[approved % PRESCRIBERS] ?? '';
    const medication = {
      item_id: `${id}-1`,
      quantity: 1,
      dosage_instructions: 'Take one tablet',
      frequency: 'once a day',
    };
    return request(doctor, 'POST', `/api/provider/prescriptions/${id}/approve`, { medications: [medication] });
  };
  const ask = (): Buffer => {
    const name = medicines[n++ % 5]?.name;
    const items = [{ medication_name: name, dose: 'one', quantity: 1, instructions: 'once a day' }];
    return request(patient, 'POST', '/api/prescriptions', { items });
  };
  await runLoad({ port: mortar.port, connections: 4, durationMs: 1500, next: lookUp }); // warms up, and reads the catalogue
  // As a server is that has run for a while: its code is compiled, and Postgres has its plans.
  for (const next of [approve, ask]) await runLoad({ port: mortar.port, connections, durationMs: 3000, next });
  const figures: Record<string, Figure> = {};
  for (let round = 1; round <= Number(flags.rounds); round++) {
    figures['look a medicine up, 1 connection'] = await run(lookUp, 1);
    figures['look a medicine up'] = await run(lookUp);
    figures['approve'] = await run(approve);
    figures['ask'] = await run(ask);
    for (const [name, { rate, p50, p99, failed, count, server, postgres }] of Object.entries(figures))
      console.log(
        `${name.padEnd(34)}${rate.toFixed(0).padStart(8)}/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms   server ${server.toFixed(2)} ms   postgres ${postgres.toFixed(2)} ms   ${failed} of ${count} failed`,
      );
  }
  console.log(`goal: approve 300/s on two cores, a look-up in 20 ms over 100,000 medicines`);
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  await mortar.stop();
});
