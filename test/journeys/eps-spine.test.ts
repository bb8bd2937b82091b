/** Prescriptions from the prescriber to the claim, over mutual TLS, at a local Spine. MISSION M3 */
import { expect } from 'chai';
import {
  cancellation,
  claim,
  newPrescription,
  nominatedRelease,
  notification,
  OTHER_PHARMACY,
  order,
  PHARMACY,
  type Prescribed,
  patientRelease,
  returnTask,
  withdrawTask,
} from '../support/eps-messages.ts';
import { DAY, FULL, spineSuite } from '../support/eps-steps.ts';
import { idIn } from '../support/spine.ts';

describe('journeys › eps › spine', () => {
  const s = spineSuite();
  const WHO = { fromAsid: '200000001285', userId: '555254239107', roleProfileId: '555254240100' };

  /** Where the tracker says it is. */
  async function tracked({ id }: Prescribed, issue = 1): Promise<string> {
    const answer = await s.spine.exchange.tracker.details(WHO, id, issue);
    return answer?.kind === 'found' ? (answer.prescriptions[0]?.status ?? 'none') : 'none';
  }
  /** The pharmacy asks for what is nominated to it, and must get this. */
  async function takeNominated(made: Prescribed, pharmacy: string): Promise<{ requestId: string; responseId: string }> {
    const outcome = await s.spine.send(nominatedRelease(s.now(), pharmacy));
    expect(outcome.kind === 'answered' && outcome.body.toString()).include(made.id);
    return {
      requestId: idIn(outcome, 'priorDownloadRequestRef'),
      responseId: idIn(outcome, 'PrescriptionReleaseResponse'),
    };
  }

  for (const kind of ['acute', 'repeat'] as const)
    it(`${kind} › prescribed, released, dispensed in two parts, claimed, claim amended`, async () => {
      const made = newPrescription(kind);
      expect(await s.spine.tell(order(made, { at: s.now(), signer: s.spine.signer }))).equal('AA');
      expect(await tracked(made)).equal('To Be Dispensed');
      const { requestId } = await takeNominated(made, PHARMACY);
      expect(await tracked(made)).equal('With Dispenser');
      const part = notification(made, requestId, { at: s.now(), status: '0003', items: ['0003', '0004'] });
      expect(await s.spine.tell(part)).equal('AA');
      expect(await tracked(made)).equal('With Dispenser - Active');
      s.spine.clock.now += 2 * DAY;
      const rest = notification(made, requestId, { at: s.now(), status: '0006', items: FULL });
      expect(await s.spine.tell(rest)).equal('AA');
      expect(await tracked(made)).equal('Dispensed');
      const asked = claim(made, { at: s.now(), status: '0006', items: FULL });
      expect(await s.spine.tell(asked)).equal('AA');
      expect(await tracked(made)).equal('Claimed');
      const amended = claim(made, { at: s.now(), status: '0006', items: FULL, replaces: asked.id });
      expect(await s.spine.tell(amended)).equal('AA');
      expect(s.spine.spine.find(made.id)?.issues[0]?.claims.map(({ id }) => id)).eql([asked.id, amended.id]);
    });

  it('eRD with six issues › each released in its time, dispensed and claimed; the signature holds for all', async () => {
    const pharmacy = 'Z9996P';
    const made = newPrescription('erd');
    expect(await s.spine.tell(order(made, { at: s.now(), signer: s.spine.signer, pharmacy }))).equal('AA');
    const begin = s.now();
    for (let issue = 1; issue <= 6; issue++) {
      s.spine.clock.now = begin + (issue - 1) * 28 * DAY;
      expect(await tracked(made, issue)).equal('To Be Dispensed');
      const outcome = await s.spine.send(nominatedRelease(s.now(), pharmacy));
      const text = outcome.kind === 'answered' ? outcome.body.toString() : '';
      expect(text).include(`<repeatNumber><low value="${issue}"></low><high value="6"></high></repeatNumber>`);
      expect(text.includes('priorPreviousIssueDate')).equal(issue > 1);
      const requestId = idIn(outcome, 'priorDownloadRequestRef');
      const supply = { at: s.now(), status: '0006', items: ['0001'], issue, pharmacy };
      expect(await s.spine.tell(notification(made, requestId, supply)), `issue ${issue}`).equal('AA');
      expect(await s.spine.tell(claim(made, supply))).equal('AA');
      expect(await tracked(made, issue)).equal('Claimed');
      if (issue < 6) expect(await s.spine.tell(nominatedRelease(s.now(), pharmacy))).equal('AE 0006');
    }
    expect(await s.spine.tell(patientRelease(made, s.now(), pharmacy))).equal('AE 0005');
    s.spine.clock.now = begin;
  });

  it('amended and withdrawn › the last word counts', async () => {
    const { made, requestId, notificationId } = await s.dispensed();
    const less = { at: s.now(), status: '0006', items: ['0001', '0002'], replaces: notificationId };
    const amended = notification(made, requestId, less);
    expect(await s.spine.tell(amended)).equal('AA');
    expect(await s.spine.tell(withdrawTask(made, notificationId, { at: s.now() }))).equal('AE 0021');
    expect(await s.spine.tell(withdrawTask(made, amended.id, { at: s.now() }))).equal('AA');
    expect(await tracked(made)).equal('With Dispenser');
    expect(await s.spine.tell(claim(made, { at: s.now(), status: '0006', items: FULL }))).equal('AE 0015');
  });

  it('returned › for another pharmacy', async () => {
    const made = await s.prescribed('acute', { pharmacy: 'Z9997P' });
    const { responseId } = await takeNominated(made, 'Z9997P');
    expect(await s.spine.tell(patientRelease(made, s.now(), OTHER_PHARMACY))).equal('AE 0004');
    expect(await s.spine.tell(returnTask(made, responseId, { at: s.now(), pharmacy: 'Z9997P' }))).equal('AA');
    expect(await s.spine.tell(patientRelease(made, s.now(), OTHER_PHARMACY))).equal('AA');
  });

  it('cancelled before the release › nobody gets it', async () => {
    const made = await s.prescribed('acute', { pharmacy: 'Z9998P' });
    for (const item of [0, 1]) expect(await s.spine.tell(cancellation(made, { at: s.now(), item }))).equal('AA 0001');
    expect(await tracked(made)).equal('Cancelled');
    expect(await s.spine.tell(nominatedRelease(s.now(), 'Z9998P'))).equal('AE 0006');
    expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0001');
  });

  it('cancelled after the release › the dispenser goes on, or gives it back', async () => {
    const kept = await s.taken();
    expect(await s.spine.tell(cancellation(kept.made, { at: s.now() }))).equal('AE 0002');
    const supply = { at: s.now(), status: '0006', items: FULL };
    expect(await s.spine.tell(notification(kept.made, kept.requestId, supply))).equal('AA');
    const given = await s.taken();
    for (const item of [0, 1])
      expect(await s.spine.tell(cancellation(given.made, { at: s.now(), item }))).equal('AE 0002');
    expect(await s.spine.tell(returnTask(given.made, given.responseId, { at: s.now() }))).equal('AA');
    expect(await tracked(given.made)).equal('Cancelled');
  });

  it('the wrong pharmacy › gets nothing done', async () => {
    const { made, requestId, responseId } = await s.taken();
    const pharmacy = OTHER_PHARMACY;
    const supply = { at: s.now(), status: '0006', items: FULL, pharmacy };
    expect(await s.spine.tell(patientRelease(made, s.now(), pharmacy))).equal('AE 0004');
    expect(await s.spine.tell(notification(made, requestId, supply))).equal('AE 0004');
    expect(await s.spine.tell(returnTask(made, responseId, { at: s.now(), pharmacy }))).equal('AE 0004');
    expect(await s.spine.tell(claim(made, supply))).equal('AE 0004');
    expect(await tracked(made)).equal('With Dispenser');
  });

  it('nobody comes › expired, and tracked as such', async () => {
    const made = await s.prescribed();
    await s.later(184, async () => {
      expect(await tracked(made)).equal('Expired');
      expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0002');
    });
  });

  it('the tracker tells of all of a patient, by state and day', async () => {
    const made = await s.prescribed();
    const nhsNumber = '9990000034';
    const summary = await s.spine.exchange.tracker.summary(WHO, { nhsNumber, prescriptionStatus: 'To Be Dispensed' });
    const found = summary?.kind === 'found' ? summary.prescriptions : [];
    expect(found.map(({ prescriptionId }) => prescriptionId)).include(made.id);
    expect(new Set(found.map(({ status }) => status))).eql(new Set(['To Be Dispensed']));
    const none = await s.spine.exchange.tracker.summary(WHO, { nhsNumber, latestDate: '20200101' });
    expect(none?.kind === 'found' && none.prescriptions).eql([]);
    const unknown = await s.spine.exchange.tracker.details(WHO, newPrescription().id, 1);
    expect(unknown).include({ kind: 'refused', statusCode: '8', reason: 'Prescription not found' });
    expect(await s.spine.exchange.tracker.details(WHO, made.id, 2)).property('kind', 'refused');
  });
});
