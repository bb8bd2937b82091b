/** Emergency access that nobody is told of does not stay open. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import { createBreakGlassApi } from '../../src/rest/break-glass-api.ts';
import { unavailable } from '../../src/standards/fhir/outcome.ts';

const NOW = Date.UTC(2026, 5, 1, 9);
const DOCTOR: Caller = {
  kind: 'user',
  name: 'app',
  correlationId: 'c',
  scopes: [],
  otherScopes: [],
  user: {
    id: 'u',
    name: 'D',
    roles: ['DOCTOR'],
    practitionerRoleIds: [],
    organizationIds: [],
    patientIds: [],
    authTime: NOW,
    amr: [],
  },
};

describe('rest › break-glass › told', () => {
  const open = new Set<string>();
  const told: string[] = [];
  let fails: 'audit' | 'alert' | 'nothing' = 'nothing';
  let server: Server;

  before((done) => {
    const refuse = async (part: typeof fails): Promise<void> => {
      if (fails === part) throw unavailable(`no ${part}`);
    };
    const handle = createBreakGlassApi({
      book: {
        open: async ({ id }) => Boolean(open.add(id)),
        withdraw: async (id) => void open.delete(id),
        patientsOf: async () => [],
        unreviewed: async () => [],
        review: async () => false,
      },
      authenticate: async () => DOCTOR,
      policy: { allows: () => ({ allowed: true }) } as unknown as Parameters<typeof createBreakGlassApi>[0]['policy'], // no other is asked
      audit: {
        async record({ outcome, rule }) {
          await refuse('audit');
          told.push(`${outcome} ${rule ?? ''}`.trim());
        },
      },
      patientExists: async () => true,
      alert: () => refuse('alert'),
      forget: () => undefined,
      now: () => NOW,
      onError: () => undefined,
    });
    server = createServer(handle).listen(0, '127.0.0.1', done);
  });
  after((done) => void server.close(done));

  for (const [part, status, stay, trail] of [
    ['audit', 503, 0, []],
    ['alert', 503, 0, ['0', '8 withdrawn']],
    ['nothing', 201, 1, ['0']],
  ] as const)
    it(`[FA-04] [AU-06] ${part} fails: ${status}, and ${stay} stays open; the trail says ${trail.join(', ') || 'nothing'}`, async () => {
      fails = part;
      told.length = 0;
      const { port } = server.address() as AddressInfo;
      const reply = await fetch(`http://127.0.0.1:${port}/api/v2/break-glass`, {
        method: 'POST',
        body: JSON.stringify({ patient: 'far', reason: 'emergency', text: 'Brought in unconscious' }),
      });
      expect(reply.status).equal(status);
      expect(open.size).equal(stay);
      expect(told).eql(trail);
    });
});
