/** Who gets a prescription, gives it back, or is told that it is cancelled: every answer of the local Spine. */
import { expect } from 'chai';
import {
  cancellation,
  newPrescription,
  nominatedRelease,
  notification,
  OTHER_PHARMACY,
  patientRelease,
  returnTask,
} from '../../support/eps-messages.ts';
import { spineSuite } from '../../support/eps-steps.ts';

describe('peers › spine › releases', () => {
  const s = spineSuite();
  const textOf = (outcome: Awaited<ReturnType<typeof s.spine.send>>): string =>
    outcome.kind === 'answered' ? outcome.body.toString() : outcome.kind;

  describe('release', () => {
    it('nominated › brings what lies ready, and no more than once', async () => {
      const pharmacy = 'Z9994P';
      expect(await s.spine.tell(nominatedRelease(s.now(), pharmacy))).equal('AE 0006');
      const made = await s.prescribed('acute', { pharmacy });
      const outcome = await s.spine.send(nominatedRelease(s.now(), pharmacy));
      expect(outcome.kind === 'answered' && outcome.reply.interaction).equal('PORX_IN070101UK31');
      expect(textOf(outcome)).include(made.id);
      expect(s.stateOf(made)).equal('With Dispenser');
      expect(await s.spine.tell(nominatedRelease(s.now(), pharmacy))).equal('AE 0006');
    });

    it('nominated › at most 25 at a time, the oldest first', async () => {
      const pharmacy = 'Z9995P';
      const made: string[] = [];
      for (let i = 0; i < 27; i++) made.push((await s.prescribed('acute', { pharmacy })).id);
      const found: string[] = [];
      const counts: number[] = [];
      for (let i = 0; i < 2; i++) {
        const ids = textOf(await s.spine.send(nominatedRelease(s.now(), pharmacy))).match(
          /[0-9A-F]{6}-Z99911-[0-9A-Z+]{6}/g,
        );
        counts.push(ids?.length ?? 0);
        found.push(...(ids ?? []));
      }
      expect(counts).eql([25, 2]);
      expect(found).eql(made);
    });

    it('by its id › also where another pharmacy is nominated', async () => {
      const made = await s.prescribed();
      expect(await s.spine.tell(patientRelease(made, s.now(), OTHER_PHARMACY))).equal('AA');
      expect(s.spine.spine.find(made.id)?.issues[0]?.release?.odsCode).equal(OTHER_PHARMACY);
    });

    it('by its id › nobody is nominated', async () => {
      const made = await s.prescribed('acute', { pharmacy: null });
      expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AA');
    });

    it('0003 › not there', async () => {
      expect(await s.spine.tell(patientRelease(newPrescription(), s.now()))).equal('AE 0003');
    });

    for (const [who, pharmacy] of [
      ['another', OTHER_PHARMACY],
      ['the same, a second time', undefined],
    ] as const)
      it(`0004 › with a dispenser, who is named, for ${who}`, async () => {
        const { made } = await s.taken();
        const outcome = await s.spine.send(patientRelease(made, s.now(), pharmacy));
        expect(outcome.kind === 'answered' && outcome.reply.interaction).equal('PORX_IN110101UK30');
        expect(outcome.kind === 'answered' && outcome.reply.codes.map(({ code }) => code)).eql(['0004']);
        expect(textOf(outcome)).match(/<performer[\s\S]*extension="Z9991P"/);
      });

    it('0001 › cancelled', async () => {
      const made = await s.prescribed();
      for (const item of [0, 1]) await s.spine.tell(cancellation(made, { at: s.now(), item }));
      expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0001');
    });

    it('0005 › dispensed, and claimed', async () => {
      expect(await s.spine.tell(patientRelease((await s.dispensed()).made, s.now()))).equal('AE 0005');
      expect(await s.spine.tell(patientRelease((await s.claimed()).made, s.now()))).equal('AE 0005');
    });

    it('0002 › expired', async () => {
      const made = await s.prescribed();
      await s.later(190, async () => {
        expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0002');
      });
    });

    it('0007 › switched off', async () => {
      const made = await s.prescribed();
      await s.spine.spine.change({ release: 'off' });
      try {
        expect(await s.spine.tell(patientRelease(made, s.now()))).equal('AE 0007');
      } finally {
        await s.spine.spine.change({ release: 'on' });
      }
    });
  });

  describe('return', () => {
    it('to be dispensed again, by anybody', async () => {
      const { made, responseId } = await s.taken();
      expect(await s.spine.tell(returnTask(made, responseId, { at: s.now() }))).equal('AA');
      expect(s.stateOf(made)).equal('To Be Dispensed');
      expect(await s.spine.tell(patientRelease(made, s.now(), OTHER_PHARMACY))).equal('AA');
    });
    it('5000 › of another release', async () => {
      const { made, requestId } = await s.taken();
      expect(await s.spine.tell(returnTask(made, requestId, { at: s.now() }))).equal('AE 5000');
    });
    it('5000 › once it was dispensed', async () => {
      const { made, responseId } = await s.dispensed();
      expect(await s.spine.tell(returnTask(made, responseId, { at: s.now() }))).equal('AE 5000');
    });
    it('0004 › by another pharmacy', async () => {
      const { made, responseId } = await s.taken();
      const told = returnTask(made, responseId, { at: s.now(), pharmacy: OTHER_PHARMACY });
      expect(await s.spine.tell(told)).equal('AE 0004');
    });
    it('0003 › not there', async () => {
      const { responseId } = await s.taken();
      expect(await s.spine.tell(returnTask(newPrescription(), responseId, { at: s.now() }))).equal('AE 0003');
    });
  });

  describe('cancellation', () => {
    it('0001 › before the release, item by item', async () => {
      const made = await s.prescribed();
      expect(await s.spine.tell(cancellation(made, { at: s.now(), item: 0 }))).equal('AA 0001');
      expect(s.stateOf(made)).equal('To Be Dispensed');
      expect(await s.spine.tell(cancellation(made, { at: s.now(), item: 0 }))).equal('AE 0006');
      expect(await s.spine.tell(cancellation(made, { at: s.now(), item: 1 }))).equal('AA 0001');
      expect(s.stateOf(made)).equal('Cancelled');
    });
    it('0002 and 0007 › with the dispenser: marked, and carried out when it comes back', async () => {
      const { made, responseId } = await s.taken();
      for (const item of [0, 1]) expect(await s.spine.tell(cancellation(made, { at: s.now(), item }))).equal('AE 0002');
      expect(await s.spine.tell(cancellation(made, { at: s.now(), by: '999000000999' }))).equal('AE 0007');
      expect(await s.spine.tell(returnTask(made, responseId, { at: s.now() }))).equal('AA');
      expect(s.stateOf(made)).equal('Cancelled');
    });
    it('0003 › partly dispensed', async () => {
      const { made, requestId } = await s.taken();
      const part = { at: s.now(), status: '0003', items: ['0001', '0004'] };
      expect(await s.spine.tell(notification(made, requestId, part))).equal('AA');
      expect(await s.spine.tell(cancellation(made, { at: s.now(), item: 1 }))).equal('AE 0003');
    });
    it('0004 › dispensed, and claimed', async () => {
      expect(await s.spine.tell(cancellation((await s.dispensed()).made, { at: s.now() }))).equal('AE 0004');
      expect(await s.spine.tell(cancellation((await s.claimed()).made, { at: s.now() }))).equal('AE 0004');
    });
    it('0010 › not dispensed', async () => {
      const { made, requestId } = await s.taken();
      const none = { at: s.now(), status: '0007', items: ['0002', '0002'] };
      expect(await s.spine.tell(notification(made, requestId, none))).equal('AA');
      expect(await s.spine.tell(cancellation(made, { at: s.now() }))).equal('AE 0010');
    });
    it('0005 › expired', async () => {
      const made = await s.prescribed();
      await s.later(190, async () => {
        expect(await s.spine.tell(cancellation(made, { at: s.now() }))).equal('AE 0005');
      });
    });
    it('0008 › not there, and no such item', async () => {
      expect(await s.spine.tell(cancellation(newPrescription(), { at: s.now() }))).equal('AE 0008');
      const other = { ...(await s.prescribed()), items: newPrescription().items };
      expect(await s.spine.tell(cancellation(other, { at: s.now() }))).equal('AE 0008');
    });
    it('0009 › switched off', async () => {
      const made = await s.prescribed();
      await s.spine.spine.change({ cancellation: 'off' });
      try {
        expect(await s.spine.tell(cancellation(made, { at: s.now() }))).equal('AE 0009');
      } finally {
        await s.spine.spine.change({ cancellation: 'on' });
      }
    });
    it('5888 › a reason that is none; 5000 › another patient', async () => {
      const made = await s.prescribed();
      expect(await s.spine.tell(cancellation(made, { at: s.now(), reason: '0099' }))).equal('AE 5888');
      expect(await s.spine.tell(cancellation(made, { at: s.now(), nhsNumber: '9990000018' }))).equal('AE 5000');
    });
    it('eRD › issues that are to come go with it', async () => {
      const made = await s.prescribed('erd');
      expect(await s.spine.tell(cancellation(made, { at: s.now() }))).equal('AA 0001');
      const states = s.spine.spine.find(made.id)?.issues.map(({ status }) => status);
      expect(states).eql(Array.from({ length: 6 }, () => '0005'));
    });
    it('the answer names who asked, who prescribed and who holds it', async () => {
      const { made } = await s.taken();
      expect(textOf(await s.spine.send(cancellation(made, { at: s.now() })))).match(
        /<CancellationResponse[\s\S]*<author [\s\S]*<responsibleParty [\s\S]*<performer [\s\S]*extension="Z9991P"/,
      );
    });
  });
});
