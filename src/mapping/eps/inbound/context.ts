/** What the translation of an answer needs to know besides the answer. */
import type { XmlElement } from '../../../standards/xml/tree.ts';

/**
 * `national`: to the letter what the national gateway makes of it. `full`: with what that one leaves out, each place
 * marked `Deviates:`.
 */
export type AnswerForm = 'national' | 'full';

/**
 * What is wrong with the signature of a ParentPrescription, an empty list when nothing is; the element is as it came, in
 * the tree of the whole answer. It must not throw: the other prescriptions of the answer are released too.
 */
export type CheckSignature = (parentPrescription: XmlElement) => readonly string[];

export interface AnswerContext {
  /** The current time, ms UTC. */
  readonly now: number;
  /** A random UUID in lower case. */
  readonly newId: () => string;
  readonly form: AnswerForm;
  /** Where this gateway is reached: what answers name as their source, without `/$process-message`. */
  readonly baseUrl: string;
  /** The order of that prescription UUID that the Spine took of this gateway, if it did: `full` restores from it what V3 lost. */
  readonly sentOrder?: (prescriptionId: string) => unknown;
  /** Without it no released prescription passes. */
  readonly checkSignature?: CheckSignature;
}
