import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { AuditEvent, AuditRow, AuditRows, TrailQuery } from '../../../src/ports/audit.ts';
import type { Caller, Role } from '../../../src/ports/caller.ts';
import { createAuditApi } from '../../../src/rest/audit-api.ts';
import { csvCell } from '../../../src/rest/csv.ts';
import { FhirError, issue } from '../../../src/standards/fhir/outcome.ts';

const person = (role: Role, patientIds: readonly string[] = []): Caller => ({
  kind: 'user',
  name: 'app',
  correlationId: 'c',
  scopes: [],
  otherScopes: [],
  user: {
    id: `${role}-1`,
    name: 'Name',
    roles: [role],
    practitionerRoleIds: [],
    organizationIds: [],
    patientIds,
    authTime: 0,
    amr: [],
  },
});
const CALLERS: Record<string, Caller> = {
  admin: person('ADMIN'),
  doctor: person('DOCTOR'),
  patient: person('PATIENT', ['own', 'child']),
};

const ROWS: AuditRow[] = ['read', 'search', 'delete'].map((kind, n) => ({
  id: `trail-${n}`,
  at: Date.UTC(2026, 4, 1 + n),
  kind,
  outcome: 0,
  callerKind: 'user',
  caller: 'app',
  userName: '=HYPERLINK("http://evil","x")',
  patientIds: ['p1', 'p2'],
  query: '@SUM(A1)',
}));

describe('audit API', () => {
  let server: Server;
  let base: string;
  let recorded: AuditEvent[];
  let asked: { readonly query: TrailQuery; readonly count: number; readonly cursor: string | undefined }[];
  let auditFails = false;
  const trail: AuditRows = {
    async list(query, count, cursor) {
      asked.push({ query, count, cursor });
      const from = cursor === undefined ? 0 : Number(cursor);
      const next = from + count < ROWS.length ? String(from + count) : undefined;
      return { rows: ROWS.slice(from, from + count), ...(next !== undefined && { next }) };
    },
    async entriesOfPatient(patientId, count, cursor) {
      asked.push({ query: { patientId }, count, cursor });
      return {
        visits: [
          { at: 0, action: 'R', name: 'Dr. Ada Elm', roles: ['DOCTOR'], organizationIds: ['o'], purpose: 'TREAT' },
        ],
      };
    },
  };
  before(async () => {
    const handle = createAuditApi({
      trail,
      audit: {
        async record(event) {
          if (auditFails) throw new FhirError(503, [issue('transient', 'no audit')]);
          recorded.push(event);
        },
      },
      policy: {
        decide: () => ({ allowed: false, rule: 'x' }),
        filterFor: () => ({ kind: 'nothing' }),
        referenceFilter: () => ({ kind: 'nothing' }),
        mayReferToFound: () => false,
        elementsFor: () => undefined,
        allows: (caller, right) =>
          caller.user?.roles.includes(right === 'audit:read' ? 'ADMIN' : 'PATIENT')
            ? { allowed: true }
            : { allowed: false, rule: `right ${right}` },
      },
      authenticate: async (req) => {
        const caller = CALLERS[String(req.headers.authorization)];
        if (!caller) throw new FhirError(401, [issue('login', 'who?')]);
        return caller;
      },
      onError: (error) => {
        throw error;
      },
    });
    server = createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/audit`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => {
    [recorded, asked, auditFails] = [[], [], false];
  });

  const get = (path: string, who = 'admin', method = 'GET'): Promise<Response> =>
    fetch(`${base}${path}`, { method, headers: { authorization: who } });

  it('[AU-13] an administrator lists and filters, page by page, and that is recorded', async () => {
    const query =
      'from=2026-05-01&until=2026-06-01T00:00:00Z&kind=read,search&outcome=0&type=Patient&id=x&user=u&client=c&_count=2';
    const reply = await get(`/events?${query}`);
    expect(reply.status).equal(200);
    expect(reply.headers.get('cache-control')).equal('no-store');
    const body = (await reply.json()) as { events: { id: string; at: string }[]; next: string };
    expect(body.events.map(({ id, at }) => [id, at])).deep.equal([
      ['trail-0', '2026-05-01T00:00:00.000Z'],
      ['trail-1', '2026-05-02T00:00:00.000Z'],
    ]);
    expect(asked[0]).deep.equal({
      query: {
        from: Date.UTC(2026, 4, 1),
        until: Date.UTC(2026, 5, 1),
        kinds: ['read', 'search'],
        outcome: 0,
        type: 'Patient',
        id: 'x',
        userId: 'u',
        clientId: 'c',
      },
      count: 2,
      cursor: undefined,
    });
    const rest = await get(body.next.replace('/api/v2/audit', ''));
    expect(((await rest.json()) as { events: unknown[] }).events).length(1);
    expect(recorded.map(({ kind, outcome, query: raw }) => [kind, outcome, raw?.slice(0, 24)])).deep.equal([
      ['audit-read', 0, '/api/v2/audit/events?fro'],
      ['audit-read', 0, '/api/v2/audit/events?fro'],
    ]);
  });

  for (const [who, path] of [
    ['doctor', '/events'],
    ['patient', '/events'],
    ['patient', '/events.csv'],
    ['doctor', '/my-record'],
    ['admin', '/my-record'],
  ] as const)
    it(`[AU-13] ${who} may not read ${path}, and the attempt is recorded`, async () => {
      expect((await get(path, who)).status).equal(403);
      expect(asked).length(0);
      expect(recorded).length(1);
      expect(recorded[0]).deep.include({ kind: 'audit-read', outcome: 4 });
      expect(recorded[0]?.rule).match(/^right audit:/);
    });

  it('[AU-13] a patient asks who looked at their own record, and at no other', async () => {
    const own = await get('/my-record', 'patient');
    expect(await own.json()).deep.equal({
      patient: 'Patient/own',
      visits: [
        {
          at: '1970-01-01T00:00:00.000Z',
          action: 'R',
          name: 'Dr. Ada Elm',
          roles: ['DOCTOR'],
          organizationIds: ['o'],
          purpose: 'TREAT',
        },
      ],
    });
    expect((await get('/my-record?patient=child', 'patient')).status).equal(200);
    expect((await get('/my-record?patient=other', 'patient')).status).equal(403);
    expect(asked.map(({ query }) => query.patientId)).deep.equal(['own', 'child']);
    expect(recorded.map(({ outcome }) => outcome)).deep.equal([0, 0, 4]);
  });

  it('[WB-05] the CSV holds all rows, and no cell that a spreadsheet would run', async () => {
    const reply = await get('/events.csv');
    expect(reply.headers.get('content-type')).match(/^text\/csv/);
    const lines = (await reply.text()).trim().split('\r\n');
    expect(lines).length(1 + ROWS.length);
    expect(lines[0]).match(/^id,at,kind,outcome/);
    expect(lines[1]).include(`"'=HYPERLINK(""http://evil"",""x"")"`).include(",'@SUM(A1),");
  });
  for (const [given, wanted] of [
    ['=1', "'=1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@a', "'@a"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a\nb', '"a\nb"'],
    ['plain', 'plain'],
    [-5, '-5'],
    [undefined, ''],
  ] as const)
    it(`[WB-05] ${JSON.stringify(given)} in a cell`, () => expect(csvCell(given)).equal(wanted));

  for (const query of [
    'froom=2026',
    'from=yesterday',
    'from=2026-05-01T10:00:00',
    'outcome=5',
    '_count=0',
    'id=x',
    `user=${'x'.repeat(300)}`,
    'user=%00',
    'user=%zz',
  ])
    it(`[IN-02] ${query.slice(0, 30)} is refused with 400`, async () => {
      const reply = await get(`/events?${query}`);
      expect(reply.status).equal(400);
      expect(((await reply.json()) as { resourceType: string }).resourceType).equal('OperationOutcome');
      expect(asked).length(0);
    });

  it('[AU-06] without the trail nothing is answered', async () => {
    auditFails = true;
    expect((await get('/events')).status).equal(503);
  });

  it('only reads, only known paths, only known callers', async () => {
    expect((await get('/events', 'admin', 'DELETE')).status).equal(405);
    expect((await get('/other')).status).equal(404);
    expect((await get('/events', 'nobody')).status).equal(401);
    expect((await get('/events', 'admin', 'HEAD')).status).equal(200);
  });
});
