/** What was dispensed, claimed, taken back, and what time does: every answer of the local Spine. */
import { expect } from 'chai';
import {
  claim,
  newPrescription,
  notification,
  OTHER_PHARMACY,
  patientRelease,
  withdrawTask,
} from '../../support/eps-messages.ts';
import { FULL, spineSuite } from '../../support/eps-steps.ts';

/** From "With Dispenser", both items there. */
const TOLD: readonly (readonly [status: string, items: readonly (string | null)[], answer: string, state: string])[] = [
  ['0006', ['0001', '0001'], 'AA', 'Dispensed'],
  ['0006', ['0001', '0002'], 'AA', 'Dispensed'],
  ['0007', ['0002', '0002'], 'AA', 'Not Dispensed'],
  ['0003', ['0003', '0004'], 'AA', 'With Dispenser - Active'],
  ['0003', ['0001', null], 'AA', 'With Dispenser - Active'],
  ['0006', ['0001', '0003'], 'AE 0012', 'With Dispenser'],
  ['0006', ['0001', null], 'AE 0012', 'With Dispenser'],
  ['0007', ['0001', '0002'], 'AE 0012', 'With Dispenser'],
  ['0001', ['0001', '0001'], 'AE 0012', 'With Dispenser'],
  ['0006', ['0007', '0001'], 'AE 0013', 'With Dispenser'],
];

/** From "With Dispenser - Active", one part owed and one supplied in part. */
const THEN: typeof TOLD = [
  ['0006', ['0001', '0001'], 'AA', 'Dispensed'],
  ['0006', ['0001', '0002'], 'AA', 'Dispensed'],
  ['0003', ['0003', '0003'], 'AA', 'With Dispenser - Active'],
  ['0006', ['0002', '0001'], 'AE 0013', 'With Dispenser - Active'],
  ['0002', ['0003', '0004'], 'AE 0012', 'With Dispenser - Active'],
];

describe('peers › spine › dispensing', () => {
  const s = spineSuite();

  describe('dispense notification', () => {
    for (const [status, items, answer, state] of TOLD)
      it(`${status} with items ${items.join(', ')} › ${answer}, ${state}`, async () => {
        const { made, requestId } = await s.taken();
        expect(await s.spine.tell(notification(made, requestId, { at: s.now(), status, items }))).equal(answer);
        expect(s.stateOf(made)).equal(state);
      });
    for (const [status, items, answer, state] of THEN)
      it(`partly dispensed, then ${status} with items ${items.join(', ')} › ${answer}, ${state}`, async () => {
        const { made, requestId } = await s.taken();
        const part = { at: s.now(), status: '0003', items: ['0003', '0004'] };
        expect(await s.spine.tell(notification(made, requestId, part))).equal('AA');
        expect(await s.spine.tell(notification(made, requestId, { at: s.now(), status, items }))).equal(answer);
        expect(s.stateOf(made)).equal(state);
      });

    it('0005 › not there, and the ids of two', async () => {
      const { made, requestId } = await s.taken();
      const supply = { at: s.now(), status: '0006', items: FULL };
      expect(await s.spine.tell(notification(newPrescription(), requestId, supply))).equal('AE 0005');
      const mixed = { ...made, uuid: newPrescription().uuid };
      expect(await s.spine.tell(notification(mixed, requestId, supply))).equal('AE 0005');
    });
    it('0014 › an item of another', async () => {
      const { made, requestId } = await s.taken();
      const mixed = { ...made, items: newPrescription().items };
      const told = notification(mixed, requestId, { at: s.now(), status: '0006', items: FULL });
      expect(await s.spine.tell(told)).equal('AE 0014');
    });
    it('0004 › from a pharmacy that does not hold it', async () => {
      const { made, requestId } = await s.taken();
      const supply = { at: s.now(), status: '0006', items: FULL, pharmacy: OTHER_PHARMACY };
      expect(await s.spine.tell(notification(made, requestId, supply))).equal('AE 0004');
    });
    it('0012 › not released, and after the end', async () => {
      const supply = { at: s.now(), status: '0006', items: FULL };
      const ready = await s.prescribed();
      expect(await s.spine.tell(notification(ready, newPrescription().uuid, supply))).equal('AE 0012');
      const { made, requestId } = await s.dispensed();
      expect(await s.spine.tell(notification(made, requestId, supply))).equal('AE 0012');
    });
    it('5000 › of another release', async () => {
      const { made } = await s.taken();
      const supply = { at: s.now(), status: '0006', items: FULL };
      expect(await s.spine.tell(notification(made, newPrescription().uuid, supply))).equal('AE 5000');
    });
    it('0018 › another number of issues', async () => {
      const { made, requestId } = await s.taken('erd');
      const { v3 } = notification(made, requestId, { at: s.now(), status: '0006', items: ['0001'], issue: 1 });
      expect(await s.spine.tell(v3.replaceAll('<high value="6"/>', '<high value="5"/>'))).equal('AE 0018');
    });

    it('amended › what stood before it is worked on anew; 0021 › of another', async () => {
      const { made, requestId, notificationId } = await s.dispensed();
      const wrong = { at: s.now(), status: '0003', items: ['0001', '0004'], replaces: newPrescription().uuid };
      expect(await s.spine.tell(notification(made, requestId, wrong))).equal('AE 0021');
      const right = notification(made, requestId, { ...wrong, replaces: notificationId });
      expect(await s.spine.tell(right)).equal('AA');
      expect(s.stateOf(made)).equal('With Dispenser - Active');
      expect(s.spine.spine.find(made.id)?.issues[0]?.notifications.map(({ id }) => id)).eql([right.id]);
    });
  });

  describe('claim', () => {
    it('once, and amended; 0012 › twice, 0021 › of another', async () => {
      const { made, claimId } = await s.claimed();
      expect(s.stateOf(made)).equal('Claimed');
      const again = { at: s.now(), status: '0006', items: FULL };
      expect(await s.spine.tell(claim(made, again))).equal('AE 0012');
      expect(await s.spine.tell(claim(made, { ...again, replaces: newPrescription().uuid }))).equal('AE 0021');
      expect(await s.spine.tell(claim(made, { ...again, replaces: claimId }))).equal('AA');
    });
    it('of what was not dispensed', async () => {
      const { made, requestId } = await s.taken();
      const none = { at: s.now(), status: '0007', items: ['0002', '0002'] };
      expect(await s.spine.tell(notification(made, requestId, none))).equal('AA');
      expect(await s.spine.tell(claim(made, none))).equal('AA');
    });
    it('0015 › before the end', async () => {
      const { made } = await s.taken();
      expect(await s.spine.tell(claim(made, { at: s.now(), status: '0006', items: FULL }))).equal('AE 0015');
    });
    it('0013 › an item in another state than was told', async () => {
      const { made } = await s.dispensed();
      const told = claim(made, { at: s.now(), status: '0006', items: ['0001', '0002'] });
      expect(await s.spine.tell(told)).equal('AE 0013');
    });
    it('0004 › by another pharmacy', async () => {
      const { made } = await s.dispensed();
      const supply = { at: s.now(), status: '0006', items: FULL, pharmacy: OTHER_PHARMACY };
      expect(await s.spine.tell(claim(made, supply))).equal('AE 0004');
    });
    it('0100 › amended after its time', async () => {
      const { made, claimId } = await s.claimed();
      await s.later(181, async () => {
        const late = claim(made, { at: s.now(), status: '0006', items: FULL, replaces: claimId });
        expect(await s.spine.tell(late)).equal('AE 0100');
      });
    });
  });

  describe('withdraw', () => {
    it('the last notification is taken back; 0021 › another', async () => {
      const { made, notificationId } = await s.dispensed();
      expect(await s.spine.tell(withdrawTask(made, newPrescription().uuid, { at: s.now() }))).equal('AE 0021');
      expect(await s.spine.tell(withdrawTask(made, notificationId, { at: s.now() }))).equal('AA');
      expect(s.stateOf(made)).equal('With Dispenser');
    });
    it('0012 › after the claim', async () => {
      const { made } = await s.claimed();
      const notificationId = s.spine.spine.find(made.id)?.issues[0]?.notifications[0]?.id ?? '';
      expect(await s.spine.tell(withdrawTask(made, notificationId, { at: s.now() }))).equal('AE 0012');
    });
    it('0004 › by another pharmacy; 5000 › of another patient', async () => {
      const { made, notificationId } = await s.dispensed();
      const stranger = withdrawTask(made, notificationId, { at: s.now(), pharmacy: OTHER_PHARMACY });
      expect(await s.spine.tell(stranger)).equal('AE 0004');
      const other = withdrawTask(made, notificationId, { at: s.now(), nhsNumber: '9990000018' });
      expect(await s.spine.tell(other)).equal('AE 5000');
    });
  });

  describe('time', () => {
    it('expired after six months, whether released or not; partly dispensed ends as dispensed', async () => {
      const ready = await s.prescribed();
      const { made: out } = await s.taken();
      const partly = await s.taken();
      const part = { at: s.now(), status: '0003', items: ['0003', '0004'] };
      expect(await s.spine.tell(notification(partly.made, partly.requestId, part))).equal('AA');
      await s.later(190, async () => {
        expect([ready, out, partly.made].map(s.stateOf)).eql(['Expired', 'Expired', 'Dispensed']);
      });
    });
    it('No-Claimed › when nobody claims in 180 days', async () => {
      const { made } = await s.dispensed();
      await s.later(181, async () => {
        expect(s.stateOf(made)).equal('No-Claimed');
        expect(await s.spine.tell(claim(made, { at: s.now(), status: '0006', items: FULL }))).equal('AE 0012');
      });
    });
    it('eRD › the next issue is ready a week before the last is used up, and not before', async () => {
      const { made, requestId } = await s.taken('erd');
      const supply = { at: s.now(), status: '0006', items: ['0001'], issue: 1 };
      expect(await s.spine.tell(notification(made, requestId, supply))).equal('AA');
      expect(s.stateOf(made)).equal('Dispensed');
      await s.later(20, async () => {
        expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0005');
      });
      await s.later(22, async () => {
        expect(s.stateOf(made)).equal('To Be Dispensed');
        expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AA');
      });
    });
  });
});
