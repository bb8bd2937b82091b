/** What happens to a prescription, step by step, at a local Spine. */
import { expect } from 'chai';
import { currentIssue, PRESCRIPTION_STATUS } from '../../src/peers/spine/prescription.ts';
import {
  claim,
  newPrescription,
  notification,
  type OrderOptions,
  order,
  type Prescribed,
  patientRelease,
} from './eps-messages.ts';
import { idIn, startTestSpine, type TestSpine } from './spine.ts';

/** Both items supplied in full. */
export const FULL = ['0001', '0001'];
export const START = Date.parse('2026-11-17T09:00:00Z');
export const DAY = 86_400_000;

export interface Taken {
  readonly made: Prescribed;
  /** Of the release. */
  readonly requestId: string;
  readonly responseId: string;
}

export interface Steps {
  readonly spine: TestSpine;
  readonly now: () => number;
  stateOf(prescribed: Prescribed): string;
  /** A prescription that lies ready. */
  prescribed(kind?: Prescribed['kind'], options?: Partial<OrderOptions>): Promise<Prescribed>;
  take(prescribed: Prescribed): Promise<Omit<Taken, 'made'>>;
  taken(kind?: Prescribed['kind']): Promise<Taken>;
  dispensed(): Promise<Taken & { readonly notificationId: string }>;
  claimed(): Promise<Taken & { readonly claimId: string }>;
  /** Days pass, and afterwards have not. */
  later(days: number, work: () => Promise<void>): Promise<void>;
}

/** A Spine for the suite that calls it, a minute later for each test. */
export function spineSuite(): Steps {
  const held: { spine?: TestSpine } = {};
  const spineNow = (): TestSpine => held.spine as TestSpine; // there from `before` on
  before(async () => {
    held.spine = await startTestSpine({ now: START });
  });
  beforeEach(() => {
    spineNow().clock.now += 60_000;
  });
  after(() => spineNow().stop());

  const steps: Steps = {
    get spine() {
      return spineNow();
    },
    now: () => spineNow().clock.now,
    stateOf({ id }) {
      const found = spineNow().spine.find(id);
      return found ? PRESCRIPTION_STATUS[currentIssue(found).status] : 'none';
    },
    async prescribed(kind = 'acute', options = {}) {
      const made = newPrescription(kind);
      const { signer } = spineNow();
      expect(await spineNow().tell(order(made, { at: steps.now(), signer, ...options }))).equal('AA');
      return made;
    },
    async take(made) {
      const outcome = await spineNow().send(patientRelease(made, steps.now()));
      return {
        requestId: idIn(outcome, 'priorDownloadRequestRef'),
        responseId: idIn(outcome, 'PrescriptionReleaseResponse'),
      };
    },
    async taken(kind) {
      const made = await steps.prescribed(kind);
      return { made, ...(await steps.take(made)) };
    },
    async dispensed() {
      const it = await steps.taken();
      const told = notification(it.made, it.requestId, { at: steps.now(), status: '0006', items: FULL });
      expect(await spineNow().tell(told)).equal('AA');
      return { ...it, notificationId: told.id };
    },
    async claimed() {
      const it = await steps.dispensed();
      const asked = claim(it.made, { at: steps.now(), status: '0006', items: FULL });
      expect(await spineNow().tell(asked)).equal('AA');
      return { ...it, claimId: asked.id };
    },
    async later(days, work) {
      const before = spineNow().clock.now;
      spineNow().clock.now += days * DAY;
      try {
        await work();
      } finally {
        spineNow().clock.now = before;
      }
    },
  };
  return steps;
}
