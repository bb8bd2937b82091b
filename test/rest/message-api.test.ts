/** The message log: who has looked at a message, and why, is kept. */
import { expect } from 'chai';
import type { Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

describe('rest › message API', () => {
  let server: TestServer;
  let id: string;
  const person = new Map<string, string>();
  before(async () => {
    server = await startTestServer();
    const headers = { ...server.bearer, 'Content-Type': 'application/xml' };
    await fetch(`${server.url}/ncpdp/script`, { method: 'POST', headers, body: '<Message>Smith</Message>' });
    const reply = await fetch(`${server.url}/gateway/messages`, { headers: server.bearer });
    id = ((await reply.json()) as { messages: { id: string }[] }).messages[0]!.id;
    for (const role of ['OPS_AGENT', 'OPS_MANAGER']) {
      const email = `${role.toLowerCase()}@example.org`;
      const added = await fetch(`${server.url}/api/v2/admin/users`, {
        method: 'POST',
        headers: { ...server.bearer, 'Content-Type': 'application/json' },
        body: JSON.stringify({ name: role, email, roles: [role] }),
      });
      expect(added.status).equal(201);
      person.set(role, await operatorToken(server, { user: email }));
    }
  });
  after(() => server.stop());

  const send = (role: string, method: string, path: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/gateway/messages/${id}${path}`, {
      method,
      headers: { authorization: `Bearer ${person.get(role)}`, ...headers },
    });
  const told = async (correlationId: string): Promise<Json[]> => {
    const reply = await fetch(`${server.url}/api/v2/audit/events?kind=operation`, { headers: server.bearer });
    const { events } = (await reply.json()) as { events: Json[] };
    return events.filter((event) => event['correlationId'] === correlationId);
  };

  for (const [name, method, path] of [
    ['read', 'GET', ''],
    ['raw', 'GET', '/raw'],
    ['answer', 'GET', '/answer'],
    ['replay', 'POST', '/replay'],
  ] as const)
    it(`[AU-01] ${name}: who looked, at what, and the reason they gave are in the trail`, async () => {
      const headers = { 'X-Request-ID': `look-${name}`, 'X-Access-Reason': 'The sender asked about it' };
      const reply = await send('OPS_MANAGER', method, path, headers);
      expect(reply.status, await reply.text()).equal(200);
      const [entry, ...more] = await told(`look-${name}`);
      expect(more).deep.equal([]);
      expect(entry).include({ outcome: 0, operation: `message-${name}`, userName: 'OPS_MANAGER' });
      expect(entry?.['query']).contain(id);
      if (method === 'GET') expect(entry?.['query']).contain('The sender asked about it');
    });

  it('[AZ-01] who may replay and not see content is told how it went, and not what was answered', async () => {
    const reply = await send('OPS_AGENT', 'POST', '/replay');
    expect(reply.status).equal(200);
    expect(Object.keys((await reply.json()) as object)).have.members(['id', 'verdict']);
    const manager = await send('OPS_MANAGER', 'POST', '/replay');
    expect(Object.keys((await manager.json()) as object)).have.members(['id', 'verdict', 'answer']);
  });
});
