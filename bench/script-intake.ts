/**
 * SCRIPT over HTTPS at a steady pace: NewRx in, parsed, checked, archived, stored as FHIR, Status out. Messages leave by
 * the clock, whether or not earlier ones were answered, so that waiting counts; beside it one bare INSERT over HTTP on the
 * same Postgres at the same pace. Part of `npm run -s bench:ncpdp`.
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import pg from 'pg';
import { cpuOf, startBaseline, startMortar, withPostgres } from './processes.ts';

export interface Latency {
  readonly name: string;
  readonly p50: number;
  readonly p95: number;
  /** Answers that were not what they should be. */
  readonly failed: number;
  readonly perSecond: number;
  /** CPU time of the server for each message, ms: what others on the machine change least. */
  readonly cpuMs: number;
}

interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
}

/** Patients that messages are about: most are met again. */
const PATIENTS = 2000;
const WARM_S = 3;
const CONNECTIONS = 32;

export const measureIntake = (pace: Pace): Promise<readonly Latency[]> =>
  withPostgres(async ({ folder, url, owner }) => {
    process.env['UNKNOWN_PARTNERS'] = 'accept';
    process.env['HTTPS_PORT'] = '0';
    const dataDir = join(folder, 'server');
    const mortar = await startMortar(url, dataDir);
    const { https: port } = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as { https: number };
    const mine = await measure('HTTPS intake to Status', pace, mortar.pid, scriptSender(port, mortar.token));
    await mortar.stop();
    const pool = new pg.Client(owner);
    await pool.connect();
    await pool.query('create schema bare; create table bare.t (id uuid primary key, content text)');
    await pool.end();
    const baseline = await startBaseline(owner);
    const bare = await measure('bare: HTTP and one INSERT', pace, baseline.pid, bareSender(baseline.port));
    await baseline.stop();
    return [mine, bare];
  });

/** Whether the answer is the right one. */
type Send = (n: number) => Promise<boolean>;

const NEW_RX = readFileSync(join(import.meta.dirname, '../fixtures/script/newrx-basic.xml'), 'utf8');
const messageOf = (n: number): string =>
  NEW_RX.replace('OWN0001A7F3C9D1', `S${n}`)
    .replace('RX-2026-000101', `O${n}`)
    .replace('MRN-100234', `M${n % PATIENTS}`);

function scriptSender(port: number, token: string): Send {
  const agent = new HttpsAgent({ keepAlive: true, maxSockets: CONNECTIONS, rejectUnauthorized: false }); // our own, on this machine
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/xml' };
  const options = { port, host: '127.0.0.1', path: '/ncpdp/script', method: 'POST', headers, agent };
  return async (n) => (await exchange(httpsRequest, options, messageOf(n))).includes('<Code>010</Code>');
}

function bareSender(port: number): Send {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: CONNECTIONS });
  const options = { port, host: '127.0.0.1', path: '/', method: 'POST', agent };
  return async (n) => (await exchange(httpRequest, options, messageOf(n))).includes('NewRx');
}

function exchange(request: typeof httpRequest, options: RequestOptions, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve(text));
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function measure(name: string, { perSecond, seconds }: Pace, pid: number, send: Send): Promise<Latency> {
  const everyMs = 1000 / perSecond;
  const latencies: number[] = [];
  let failed = 0;
  const sending: Promise<void>[] = [];
  const total = (WARM_S + seconds) * perSecond;
  const cpuBefore = cpuOf(pid);
  const started = performance.now();
  for (let n = 0; n < total; n += 1) {
    const due = started + n * everyMs;
    const waitMs = due - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sending.push(
      send(n).then((isRight) => {
        if (!isRight) failed += 1;
        if (n >= WARM_S * perSecond) latencies.push(performance.now() - due);
      }),
    );
  }
  await Promise.all(sending);
  const rate = (total * 1000) / (performance.now() - started);
  const cpuMs = ((cpuOf(pid) - cpuBefore) * 1000) / total;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return { name, p50: at(0.5), p95: at(0.95), failed, perSecond: rate, cpuMs };
}
