/** What each message does to the prescriptions, and what is answered: the Electronic Prescription Service's own rules. */
import type { Book, Settings } from './book.ts';
import type { Issue, Prescription, Release } from './prescription.ts';
import type { Content } from './read-message.ts';
import { ruleCancellation } from './rule-cancellation.ts';
import { ruleClaim } from './rule-claim.ts';
import { ruleNotification, ruleWithdraw } from './rule-dispensing.ts';
import { ruleOrder } from './rule-order.ts';
import { ruleNominatedRelease, rulePatientRelease, ruleReturn } from './rule-release.ts';
import type { SignatureOptions } from './signature.ts';

export interface World {
  readonly book: Book;
  readonly settings: Settings;
  readonly signatures: SignatureOptions;
  /** ms UTC */
  readonly now: number;
  /** A UUID in upper case. */
  readonly newId: () => string;
}

export interface Released {
  readonly prescription: Prescription;
  readonly issue: Issue;
}

export type ReplyContent =
  | { readonly kind: 'accepted' }
  | {
      readonly kind: 'released';
      readonly interaction: 'PORX_IN070101UK31' | 'PORX_IN070103UK31';
      readonly responseId: string;
      readonly requestId: string;
      readonly released: readonly Released[];
    }
  | {
      readonly kind: 'cancellation';
      readonly code: string;
      readonly request: Extract<Content, { readonly kind: 'cancellation' }>;
      /** The original prescriber's AgentPerson. */
      readonly prescriber: string | undefined;
      readonly dispenser: Release | undefined;
    };

export interface Ruling {
  readonly changed: readonly Prescription[];
  /** The ParentPrescription of a new one, canonical. */
  readonly document?: string;
  readonly reply: ReplyContent;
}

/** Throws `Refusal`; then nothing has changed. What is `changed` is to be put into the book. */
export function rule(content: Content, world: World): Ruling {
  switch (content.kind) {
    case 'order':
      return ruleOrder(content.order, world);
    case 'nominated-release':
      return ruleNominatedRelease(content, world);
    case 'patient-release':
      return rulePatientRelease(content, world);
    case 'notification':
      return ruleNotification(content, world);
    case 'claim':
      return ruleClaim(content, world);
    case 'return':
      return ruleReturn(content, world);
    case 'withdraw':
      return ruleWithdraw(content, world);
    case 'cancellation':
      return ruleCancellation(content, world);
  }
}
