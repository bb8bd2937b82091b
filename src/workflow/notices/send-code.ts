/**
 * Sends a patient a code by text message, at once: it passes through no queue and no job, so that it lies nowhere. It is what
 * they need to be handed their own medicine: preferences and quiet hours do not hold it back. SECURITY DP-07, DP-10, IN-44
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { NoticeBook, SendText } from '../../ports/notices.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { ProcessingStop } from '../../ports/subject-rights.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { isDeceased, languageOfPatient, mobileOf } from './contacts.ts';
import { collectionCodeText, languageOf } from './wording.ts';

type Node = Readonly<Record<string, unknown>>;

export interface SendCodeOptions {
  readonly store: Pick<ResourceStore, 'read'>;
  readonly book: Pick<NoticeBook, 'waysOf'>;
  readonly stop: ProcessingStop;
  /** Absent: there is no such way. */
  readonly text: SendText | undefined;
  readonly now: () => number;
}

/** Why no code can be sent. */
export type NoCodeWay = 'no-mobile' | 'no-channel' | 'deceased' | 'restricted';

export interface CodeWay {
  /** `refused`: by the provider, for good. Rejects where it is not known whether it was sent; the error names neither number nor code. */
  send(id: string, code: string): Promise<'sent' | 'refused'>;
}

export type FindCodeWay = (patientId: string) => Promise<CodeWay | NoCodeWay>;

const SERVICE = serviceCaller('notices');

export function createCodeWays({ store, book, stop, text, now }: SendCodeOptions): FindCodeWay {
  async function read(patientId: string): Promise<Node | undefined> {
    try {
      return parseJson((await store.read(SERVICE, 'Patient', patientId)).content) as Node; // stored: it is valid
    } catch (error) {
      if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  return async (patientId) => {
    if (!text) return 'no-channel';
    const recipient = `Patient/${patientId}`;
    const [patient, ways, restricted] = await Promise.all([
      read(patientId),
      book.waysOf([recipient]),
      stop.restrictedAmong([patientId]),
    ]);
    if (restricted.has(patientId)) return 'restricted';
    if (patient && isDeceased(patient)) return 'deceased';
    const to = patient && mobileOf(patient, now());
    if (!patient || to === undefined) return 'no-mobile';
    const language = languageOf(ways.get(recipient)?.preferences?.language ?? languageOfPatient(patient));
    return { send: (id, code) => text({ id, to, text: collectionCodeText(language, code) }) };
  };
}
