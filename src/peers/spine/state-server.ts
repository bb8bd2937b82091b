/** What the Spine holds, as JSON, for people and tests: plain HTTP for this machine alone. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Settings } from './book.ts';
import { FAULT_MODES, type Faults, readFaults } from './faults.ts';
import type { Handled } from './journal.ts';
import { listen, type MutualTlsServer } from './mutual-tls-server.ts';
import { currentIssue, type Issue, ITEM_STATUS, PRESCRIPTION_STATUS, type Prescription } from './prescription.ts';
import type { Spine } from './spine.ts';

export interface StateServer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface StateServerOptions {
  readonly port: number;
  readonly spine: Spine;
  readonly faults: Faults;
  readonly door: Pick<MutualTlsServer, 'counters'>;
}

const HOST = '127.0.0.1';
const BODY_BYTES_MAX = 64 * 1024;
const LIST_MAX = 1000;

/** A wrong request, in words. */
class RequestError extends Error {}

export async function createStateServer(options: StateServerOptions): Promise<StateServer> {
  const server = createServer((req, res) => {
    answer(options, req)
      .then((value) => (value === undefined ? [404, { error: 'there is nothing here' }] : [200, value]))
      .catch((error: Error) => [error instanceof RequestError ? 400 : 500, { error: error.message }])
      .then(([status, value]) => {
        res.writeHead(Number(status), { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' });
        res.end(`${JSON.stringify(value, undefined, 2)}\n`);
      })
      .catch(() => res.destroy());
  });
  await listen(server, HOST, options.port);
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function answer(options: StateServerOptions, req: IncomingMessage): Promise<unknown> {
  const { spine, faults, door } = options;
  // A page in a browser on this machine could reach it by another name.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(req.headers.host ?? '')) throw new RequestError('unknown host');
  const url = new URL(req.url ?? '/', 'http://spine.invalid');
  const [, first = '', second] = url.pathname.split('/');
  switch (`${req.method} /${first}`) {
    case 'GET /':
      return overview(spine, door);
    case 'GET /prescriptions':
      return second === undefined ? list(spine, url.searchParams) : detail(spine, decodeURIComponent(second));
    case 'GET /messages':
      return spine.messages(LIST_MAX).map(messageOf);
    case 'GET /faults':
      return { faults: faults.list(), modes: FAULT_MODES };
    case 'PUT /faults':
      faults.set(await readBody(req, (value) => (Array.isArray(value) && value.length === 0 ? [] : readFaults(value))));
      return { faults: faults.list() };
    case 'GET /settings':
      return spine.settings();
    case 'PATCH /settings':
      await spine.change(await readBody(req, readSettings));
      return spine.settings();
    default:
      return undefined;
  }
}

function overview(spine: Spine, { counters }: Pick<MutualTlsServer, 'counters'>): unknown {
  const states = new Map<string, number>();
  for (const prescription of spine.all()) {
    const name = PRESCRIPTION_STATUS[currentIssue(prescription).status];
    states.set(name, (states.get(name) ?? 0) + 1);
  }
  return { now: new Date(spine.now()).toISOString(), prescriptions: Object.fromEntries(states), ...counters };
}

const messageOf = ({ id, ebxmlId, interaction, fromParty, outcome, at }: Handled): unknown => ({
  at: new Date(at).toISOString(),
  interaction,
  outcome,
  id,
  ebxmlId,
  fromParty,
});

function list(spine: Spine, query: URLSearchParams): unknown {
  const [nhsNumber, pharmacy, status] = ['nhsNumber', 'pharmacy', 'status'].map((name) => query.get(name));
  return spine
    .all()
    .filter(
      (prescription) =>
        (nhsNumber == null || prescription.nhsNumber === nhsNumber) &&
        (pharmacy == null || prescription.nominated === pharmacy) &&
        (status == null || PRESCRIPTION_STATUS[currentIssue(prescription).status] === status),
    )
    .slice(-LIST_MAX)
    .map((prescription) => {
      const { number, status: code } = currentIssue(prescription);
      return {
        id: prescription.id,
        status: PRESCRIPTION_STATUS[code],
        issue: `${number} of ${prescription.issues.length}`,
        nominated: prescription.nominated,
        nhsNumber: prescription.nhsNumber,
      };
    });
}

function detail(spine: Spine, id: string): unknown {
  const found: Prescription | undefined = spine.find(id);
  if (found === undefined) return undefined;
  const { author: _author, issues, ...rest } = found;
  return { ...rest, issuedAt: new Date(found.issuedAt).toISOString(), issues: issues.map(issueOf) };
}

function issueOf({ release, availableFrom, expiresAt, completedAt, ...issue }: Issue): unknown {
  const instant = (at: number | undefined): string | undefined =>
    at === undefined ? undefined : new Date(at).toISOString();
  return {
    ...issue,
    status: `${issue.status} ${PRESCRIPTION_STATUS[issue.status]}`,
    items: Object.fromEntries(Object.entries(issue.items).map(([id, code]) => [id, `${code} ${ITEM_STATUS[code]}`])),
    availableFrom: instant(availableFrom),
    expiresAt: instant(expiresAt),
    completedAt: instant(completedAt),
    release: release && {
      requestId: release.requestId,
      responseId: release.responseId,
      odsCode: release.odsCode,
      name: release.name,
      at: instant(release.at),
    },
  };
}

/** JSON only: a browser does not send it to a stranger without asking, and is not answered when it asks. */
async function readBody<T>(req: IncomingMessage, read: (value: unknown) => T): Promise<T> {
  if (!/^application\/json\b/.test(req.headers['content-type'] ?? '')) throw new RequestError('send application/json');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new RequestError('the body is too long');
    chunks.push(chunk);
  }
  try {
    return read(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    throw new RequestError((error as Error).message);
  }
}

const YEARS_MS = 10 * 366 * 86_400_000;

function readSettings(value: unknown): Partial<Settings> {
  const { deceased, cancellation, release, asynchronousMs, clockAheadMs, ...others } = Object(value) as Record<
    string,
    unknown
  >;
  const [unknownName] = Object.keys(others);
  if (unknownName !== undefined)
    throw new Error('settings are deceased, cancellation, release, asynchronousMs, clockAheadMs');
  const isOnOff = (word: unknown): word is 'on' | 'off' | undefined =>
    word === undefined || word === 'on' || word === 'off';
  const isMs = (ms: unknown): ms is number => Number.isInteger(ms) && Number(ms) >= 0 && Number(ms) <= YEARS_MS;
  if (!isOnOff(cancellation) || !isOnOff(release)) throw new Error('cancellation and release are on or off');
  if (deceased !== undefined && !(Array.isArray(deceased) && deceased.every((id) => /^\d{10}$/.test(String(id)))))
    throw new Error('deceased is a list of NHS numbers');
  if (asynchronousMs !== undefined && asynchronousMs !== null && !isMs(asynchronousMs))
    throw new Error('asynchronousMs is a number of milliseconds or null');
  if (clockAheadMs !== undefined && !isMs(clockAheadMs)) throw new Error('clockAheadMs is a number of milliseconds');
  return {
    ...(deceased !== undefined && { deceased: (deceased as unknown[]).map(String) }),
    ...(cancellation !== undefined && { cancellation }),
    ...(release !== undefined && { release }),
    ...(asynchronousMs !== undefined && { asynchronousMs }),
    ...(clockAheadMs !== undefined && { clockAheadMs }),
  };
}
