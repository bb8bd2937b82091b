/** Pages of what one was told: each notice is met once, however many were sent in one moment. docs/notifications.md */
import { expect } from 'chai';
import { openPractice, type Practice } from '../../support/prescribing.ts';
import { startTestServer } from '../../support/server.ts';

const IDS = ['n-1', 'n-2', 'n-3', 'n-4', 'n-5'];

describe('rest › workflow › notifications › pages', function () {
  this.timeout(120_000);
  let practice: Practice;
  before(async () => {
    practice = await openPractice(await startTestServer());
    const system = 'https://mortar-fhir.org/CodeSystem/communication-category';
    for (const id of IDS) {
      const { status } = await practice.fhir('PUT', `Communication/${id}`, {
        resourceType: 'Communication',
        id,
        status: 'completed',
        category: [{ coding: [{ system, code: 'prescription-approved' }] }],
        subject: { reference: 'Patient/pat' },
        recipient: [{ reference: 'Patient/pat' }],
        sent: id === 'n-5' ? '2026-03-02T10:00:00.000Z' : '2026-03-02T10:15:00.000Z',
      });
      expect(status).equal(201);
    }
  });
  after(() => practice.server.stop());

  const page = async (limit: number, cursor = '', who = 'pat') =>
    practice.call(who, 'GET', `/api/notifications?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);

  for (const limit of [1, 2, 4, 5])
    it(`by ${limit}: all of them, the newest first, none twice`, async () => {
      const met: string[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const { status, body } = await page(limit, cursor);
        expect(status, JSON.stringify(body)).equal(200);
        expect(body.notifications.length).most(limit);
        met.push(...body.notifications.map(({ id }: { id: string }) => id));
        cursor = body.next;
      }
      expect(met.toSorted()).eql(IDS);
      expect(met.at(-1)).equal('n-5');
    });

  it('[CP-05] the place in a list is for who was told it', async () => {
    const { body } = await page(2);
    const { status, body: refused } = await page(2, body.next, 'other');
    expect(status, JSON.stringify(refused)).equal(400);
  });
  it('what is no place is refused', async () => expect((await page(2, 'nonsense')).status).equal(400));
});
