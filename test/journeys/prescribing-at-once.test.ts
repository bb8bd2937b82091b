/** Several prescribe for one patient at the same moment: each sees what the others have ordered before. MISSION M9; docs/prescribing.md */
import { expect } from 'chai';
import { AMOXICILLIN, openPractice, type Practice, patientOf, type Reply } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const AT_ONCE = 6;
/** It lasts three weeks: another before that is a duplicate, and no repeat. */
const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'once a day' };
const ITEM = { ...AMOXICILLIN, instructions: 'once a day', frequency: 'once a day' };

describe('journey › prescribing for one patient at once', function () {
  this.timeout(240_000);
  let practice: Practice;
  before(async () => {
    const env = { RATE_LIMITS: 'read=off,write=off,search=off' };
    practice = await openPractice(await startTestServer({ env }));
    for (const [id, number] of [
      ['once-1', '9990000042'],
      ['once-2', '9990000050'],
      ['once-3', '9990000069'],
    ] as const)
      await practice.fhir('PUT', `Patient/${id}`, patientOf(id, number));
  });
  after(() => practice.server.stop());

  const hasDuplicate = ({ body }: Reply): boolean =>
    body.interactionWarnings.some(({ code }: { code: string }) => code === 'RX-DUPLICATE');
  const issue = (patientId: string): Promise<Reply> =>
    practice.call('doc', 'POST', '/api/provider/prescriptions/issue', { patient_id: patientId, items: [ITEM] });

  it('issued: of each patient all but the first are told that it is there already', async () => {
    const patients = ['once-1', 'once-2', 'once-3'];
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, () => patients.map(async (id) => ({ id, reply: await issue(id) }))).flat(),
    );
    for (const { reply } of answers) expect(reply.status, JSON.stringify(reply.body)).equal(201);
    for (const id of patients) {
      const own = answers.filter((one) => one.id === id);
      expect(
        own.filter(({ reply }) => !hasDuplicate(reply)),
        id,
      ).length(1);
    }
  });

  it('approved: the same, of requests that were made before', async () => {
    const asked = [];
    for (let i = 0; i < AT_ONCE; i += 1) asked.push(await practice.ask([AMOXICILLIN]));
    const answers = await Promise.all(
      asked.map(({ id, items }) =>
        practice.call('doc', 'POST', `/api/provider/prescriptions/${id}/approve`, {
          medications: [{ item_id: items[0].id, ...MEDICATION }],
        }),
      ),
    );
    for (const { status, body } of answers) expect(status, JSON.stringify(body)).equal(200);
    expect(answers.filter((one) => !hasDuplicate(one))).length(1);
  });
});
