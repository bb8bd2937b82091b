/** What clients may have done at the Spine, and what they get. The doors stand in `src/rest/operations/eps.ts`. docs/eps.md */
import type { EpsRequestKind } from '../../mapping/eps/recognise.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import type { Policy } from '../../ports/policy.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import { INTERACTIONS } from '../../standards/hl7v3/interaction.ts';
import { answerIn, answerOf, type EpsAnswer } from './answer.ts';
import type { IdentitiesOf } from './identities.ts';
import { nhsNumbersIn } from './message-record.ts';
import type { CheckPatients } from './relation.ts';
import { aboutEach, askerOf, type EpsSend } from './send.ts';
import { type EpsSender, readSender, type SenderSettings } from './sender.ts';
import type { SentOrders } from './sent-order.ts';
import type { EpsTrack, TrackerParameters } from './track.ts';

export interface EpsAsked {
  readonly caller: Caller;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** `raw`: the Spine's own words, where it has answered. */
export type EpsReply = EpsAnswer & { readonly raw?: Buffer };

export interface EpsDesk {
  /** Throws `FhirError`: 400 and 403 for headers, 409, 412 and 422 for what cannot be stored. */
  send(asked: EpsAsked, payload: unknown, isWaitedFor: boolean): Promise<EpsReply>;
  /** The answer to a message that the same caller has sent. Throws not-found. */
  status(caller: Caller, id: string): Promise<EpsReply>;
  track(asked: EpsAsked, parameters: TrackerParameters): Promise<EpsAnswer>;
}

/** The right that each kind needs. */
export const RIGHT_FOR: Readonly<Record<EpsRequestKind, string>> = {
  order: 'eps:prescribe',
  cancellation: 'eps:prescribe',
  notification: 'eps:dispense',
  release: 'eps:dispense',
  return: 'eps:dispense',
  withdrawal: 'eps:dispense',
  claim: 'eps:dispense',
};

export interface EpsDeskServices {
  readonly send: EpsSend;
  readonly track: EpsTrack;
  /** Resolves when it is settled, or after the time. */
  readonly wait: (caller: Caller, id: string, waitMs: number) => Promise<StoredMessage>;
  readonly messages: Pick<MessageLog, 'read'>;
  readonly policy: Pick<Policy, 'allows'>;
  readonly identitiesOf: IdentitiesOf;
  readonly audit: Pick<AuditLog, 'record'>;
  /** Whom a message and its answer are about. */
  readonly patientsOf: (message: StoredMessage) => Promise<readonly string[]>;
  /** Ids of the Patients who have these NHS numbers here. */
  readonly patientsNamed: (nhsNumbers: readonly string[]) => Promise<readonly string[]>;
  readonly checkPatients: CheckPatients;
  /** Orders of what was released, as they were sent from here. */
  readonly sentOrders: (message: StoredMessage) => Promise<SentOrders>;
  readonly settings: SenderSettings;
  readonly baseUrl: string;
  /** How long a client waits for the Spine. The national gateway gives up after 30 s. */
  readonly waitMs: number;
  readonly now: () => number;
}

export function createEpsDesk(services: EpsDeskServices): EpsDesk {
  const { policy, settings, messages, baseUrl, now } = services;

  async function senderOf({ caller, headers }: EpsAsked): Promise<EpsSender> {
    const may = (right: string): boolean => policy.allows(caller, right).allowed;
    const functions = {
      prescribing: may('eps:prescribe'),
      dispensing: may('eps:dispense'),
      tracking: may('eps:track'),
    };
    return readSender({ caller, headers, functions, known: await services.identitiesOf(caller) }, settings, now());
  }

  /** Answers that tell of patients are in the trail before they are given. */
  async function replyTo(caller: Caller, message: StoredMessage): Promise<EpsReply> {
    const isAnswered = message.state === 'acknowledged' || message.state === 'rejected';
    const orders = isAnswered ? await services.sentOrders(message) : undefined;
    const raw = isAnswered ? answerIn(message) : undefined;
    const answer = answerOf(message, baseUrl, orders);
    if (isAnswered && TELLING.has(message.kind)) {
      // Also those whose prescriptions failed, and are not stored.
      const told = await services.patientsNamed(nhsNumbersIn(answer.body));
      for (const about of aboutEach([...new Set([...(await services.patientsOf(message)), ...told])]))
        await services.audit.record({ kind: 'operation', operation: 'eps-answer', caller, outcome: 0, ...about });
    }
    return { ...answer, ...(raw && { raw }) };
  }

  return {
    async send(asked, payload, isWaitedFor) {
      const sent = await services.send(asked.caller, payload, await senderOf(asked));
      if ('refused' in sent) return sent.refused;
      return replyTo(asked.caller, await services.wait(GATEWAY, sent.message.id, isWaitedFor ? services.waitMs : 0));
    },
    async status(caller, id) {
      const message = await messages.read(caller, id);
      if (message.dialect !== 'eps' || message.askedBy !== askerOf(caller)) throw notFound(`Message ${message.id}`);
      return replyTo(caller, message);
    },
    async track(asked, parameters) {
      const { caller } = asked;
      const answer = await services.track(await senderOf(asked), parameters);
      const numbers = [...new Set([...askedFor(parameters), ...nhsNumbersIn(answer.body)])];
      // A prescription is a pharmacy's by its number; whoever prescribes has to do with the patient, here as with orders.
      if (caller.user !== undefined && !policy.allows(caller, 'eps:dispense').allowed)
        await services.checkPatients(caller, numbers);
      const detail = { parameters: [...parameters.keys()].join(' ').slice(0, 200) };
      const outcome = answer.status < 400 ? 0 : answer.status < 500 ? 4 : 8;
      const told = { kind: 'operation', operation: 'eps-track', caller, outcome, detail } as const;
      for (const about of aboutEach(await services.patientsNamed(numbers)))
        await services.audit.record({ ...told, ...about });
      return answer;
    },
  };
}

/** NHS numbers that a search names. */
const askedFor = (parameters: TrackerParameters): readonly string[] =>
  (parameters.get('patient:identifier') ?? []).flatMap((value) => /(?:^|\|)(\d{10})$/.exec(value)?.[1] ?? []);

const GATEWAY = serviceCaller('gateway');

/** Interactions whose answers hold more than codes. */
const TELLING: ReadonlySet<string> = new Set([
  INTERACTIONS.CancellationRequest,
  INTERACTIONS.NominatedPrescriptionReleaseRequest,
  INTERACTIONS.PatientPrescriptionReleaseRequest,
]);
