/** NCPDP SCRIPT as a dialect of the gateway: read, judged, translated, answered. docs/ncpdp.md */
import { createHash } from 'node:crypto';
import { isMapped, mapToFhir } from '../../mapping/script/map-message.ts';
import { normaliseVersion } from '../../mapping/script/normalise-version.ts';
import { type Issue, isError, issue, textOf } from '../../standards/fhir/outcome.ts';
import {
  type AnswerContent,
  DESCRIPTION_DUPLICATE,
  DESCRIPTION_MESSAGE_TYPE,
  DESCRIPTION_RECEIVER,
  DESCRIPTION_SENDER,
  DESCRIPTION_VERSION,
  ERROR_REJECTED,
  ERROR_SYSTEM,
  ERROR_UNABLE,
  formatAnswer,
  MORTAR_SOFTWARE,
  type SenderSoftware,
  STATUS_ACCEPTED,
} from '../../standards/script/answer.ts';
import { checkStructure } from '../../standards/script/check.ts';
import { checkIntake, type IntakeContext } from '../../standards/script/intake.ts';
import { consequenceOf } from '../../standards/script/intake-issue.ts';
import { formatParty, type ScriptMessage } from '../../standards/script/message.ts';
import { readScript, SCRIPT_LIMITS, type ScriptReading } from '../../standards/script/read.ts';
import { asLenient, DESCRIPTION_SYSTEM } from '../../standards/script/rule-issue.ts';
import { ANSWERS } from '../../standards/script/transactions.ts';
import { canonicalText } from '../../standards/script/write.ts';
import type { XmlLimits } from '../../standards/xml/read.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import type { Dialect, Envelope, ReadMessage, Verdict } from '../dialect.ts';

export interface ScriptDialectOptions {
  /** `lenient`: element order, unknown and empty elements and missing version attributes are warnings. */
  readonly strictness?: 'strict' | 'lenient';
  readonly software?: SenderSoftware;
  /** Addresses that are ours, `P:0300123`; empty: whatever is sent here is for us. */
  readonly receivers?: readonly string[];
  /** What the drug directory knows of a product; absent where there is none. */
  readonly findProduct?: IntakeContext['findProduct'];
  readonly limits?: XmlLimits;
}

export function createScriptDialect(options: ScriptDialectOptions = {}): Dialect<ScriptMessage> {
  const { strictness = 'strict', software = MORTAR_SOFTWARE, limits = SCRIPT_LIMITS, receivers = [] } = options;
  return {
    name: 'script',
    read(raw) {
      const reading = readScript(raw, limits);
      const { message } = reading;
      const faults = message ? checkStructure(message) : [];
      return {
        envelope: envelopeOf(reading),
        ...(message && { message }),
        issues: [...reading.issues, ...(strictness === 'lenient' ? asLenient(faults) : faults)],
        hash: hashOf(raw, message),
      };
    },
    accepts: (message) => accepts(message) ?? refuseReceiver(message, receivers),
    translate(message, { receivedAt }) {
      const { findProduct } = options;
      const found = checkIntake(normaliseVersion(message), { now: receivedAt, ...(findProduct && { findProduct }) });
      const review = found.filter((one) => consequenceOf(one) === 'hold');
      const { value, issues } = mapToFhir(message, { receivedAt, review });
      return { ...(value && { value }), issues: [...found, ...issues] };
    },
    answer(read, verdict, at, newId) {
      const reading = readingOf(read);
      // Reference section 4.1: a Status or an Error is never answered, or two systems would never stop.
      if (read.message && ANSWERS.has(read.message.kind)) return Buffer.alloc(0);
      const messageId = newId().replaceAll('-', '').slice(0, MESSAGE_ID_MAX);
      return Buffer.from(formatAnswer(reading, contentOf(verdict), { messageId, sentAt: at, software }));
    },
    describe: ({ root }) => describeElement(root),
  };
}

const MESSAGE_ID_MAX = 35;

function envelopeOf({ header, message }: ScriptReading): Envelope {
  return {
    kind: message?.kind ?? 'unknown',
    ...(header.messageId !== undefined && { controlId: header.messageId }),
    ...(header.from && { sender: formatParty(header.from) }),
    ...(header.to && { receiver: formatParty(header.to) }),
    ...(header.relatesToMessageId !== undefined && { correlation: header.relatesToMessageId }),
  };
}

/** What a sender may write anew when it sends the same message again (reference sections 8.1, 8.3). */
const OF_THE_SENDING = new Set(['Header/SentTime', 'Header/Security']);

/** Of the message without white space, prefixes and what belongs to one sending; of the bytes where they are no message. */
const hashOf = (raw: Buffer, message: ScriptMessage | undefined): Buffer =>
  createHash('sha256')
    .update(message ? canonicalText(message.root, OF_THE_SENDING) : raw)
    .digest();

function accepts({ kind, version, root }: ScriptMessage): Verdict | undefined {
  if (version.found === 'unknown') return refusal('version', 'The SCRIPT version is not supported: send 2017071');
  if (!isMapped(kind)) return refusal('kind', `${kind} is not supported`, `Message/Body/${kind}`);
  const domain = root.attributes.find(({ name }) => name === 'TransactionDomain')?.value;
  if (domain === 'SPECIALIZED') return refusal('kind', 'TransactionDomain SPECIALIZED is not supported');
  return undefined;
}

/** Somebody else's message: nothing of it is stored. */
function refuseReceiver({ header: { to } }: ScriptMessage, receivers: readonly string[]): Verdict | undefined {
  if (receivers.length === 0 || (to && receivers.includes(formatParty(to)))) return undefined;
  const details = { coding: [{ system: DESCRIPTION_SYSTEM, code: DESCRIPTION_RECEIVER }] };
  const found = issue('not-found', 'The receiver that To names is not on file', 'Message/Header/To');
  return { kind: 'rejected', issues: [{ ...found, details }] };
}

const refusal = (reason: 'version' | 'kind', diagnostics: string, expression?: string): Verdict => ({
  kind: 'refused',
  reason,
  issues: [issue('not-supported', diagnostics, expression)],
});

/** The header as the envelope has it, and the message where there is one: all an answer needs. */
function readingOf({ envelope, message, issues }: ReadMessage<ScriptMessage>): ScriptReading {
  if (message) return { message, header: message.header, issues };
  const from = partyOf(envelope.sender);
  const to = partyOf(envelope.receiver);
  return {
    header: {
      test: false,
      ...(from && { from }),
      ...(to && { to }),
      ...(envelope.controlId !== undefined && { messageId: envelope.controlId }),
    },
    issues,
  };
}

const QUALIFIED = /^(P|D|C|M|CF|PY|REMS|DIRECT|ZZZ):(.+)$/s;
function partyOf(text: string | undefined) {
  if (text === undefined) return undefined;
  const [, qualifier, address] = QUALIFIED.exec(text) ?? [];
  return qualifier !== undefined && address !== undefined ? { qualifier, address } : { address: text };
}

/** Why a message is not taken, and the Error that says so (reference section 7.1). */
const REFUSALS: Record<Extract<Verdict, { kind: 'refused' }>['reason'], readonly [code: string, description?: string]> =
  {
    partner: [ERROR_REJECTED, DESCRIPTION_SENDER],
    kind: [ERROR_REJECTED, DESCRIPTION_MESSAGE_TYPE],
    version: [ERROR_REJECTED, DESCRIPTION_VERSION],
    processing: [ERROR_REJECTED],
    size: [ERROR_UNABLE],
  };

/** Verdict to Status or Error: the one table. */
function contentOf(verdict: Verdict): AnswerContent {
  const first = verdict.issues.find(isError);
  const description = first === undefined ? {} : { description: describeIssue(first) };
  switch (verdict.kind) {
    case 'applied':
      return { kind: 'Status', code: STATUS_ACCEPTED };
    case 'unavailable':
      return { kind: 'Error', code: ERROR_SYSTEM, description: 'Not processed now: send the same message again later' };
    case 'conflict':
      return {
        kind: 'Error',
        code: ERROR_REJECTED,
        descriptionCodes: [DESCRIPTION_DUPLICATE],
        description: 'MessageID was used before with other content',
      };
    case 'refused': {
      const [code, descriptionCode] = REFUSALS[verdict.reason];
      return {
        kind: 'Error',
        code,
        descriptionCodes: descriptionCode === undefined ? [] : [descriptionCode],
        ...description,
      };
    }
    case 'rejected':
      return {
        kind: 'Error',
        code: ERROR_REJECTED,
        descriptionCodes: descriptionCodesOf(verdict.issues),
        ...description,
      };
  }
}

const descriptionCodesOf = (issues: readonly Issue[]): readonly string[] => [
  ...new Set(
    issues
      .filter(isError)
      .flatMap(({ details }) => details?.coding.find(({ system }) => system === DESCRIPTION_SYSTEM)?.code ?? []),
  ),
];

/** At most 70 characters that name the element: without line and rule, which the OperationOutcome has. */
const describeIssue = (one: Issue): string =>
  textOf(one)
    .replace(/^Line \d+: /, '')
    .replace(/ \([A-Za-z0-9-]+\)$/, '');

/** Elements as JSON for people: text for leaves, a list where a name repeats. Credentials and numbers of people aside. */
function describeElement(element: XmlElement): unknown {
  const children = element.children.filter((node) => typeof node !== 'string');
  if (children.length === 0) return element.children.join('').trim();
  const described = new Map<string, unknown[]>();
  for (const child of children) {
    if (HIDDEN.has(child.name)) continue;
    const list = described.get(child.name) ?? [];
    described.set(child.name, list);
    list.push(describeElement(child));
  }
  return Object.fromEntries([...described].map(([name, list]) => [name, list.length === 1 ? list[0] : list]));
}

/** Reference sections 2.2 and 3.1: never shown. */
const HIDDEN = new Set(['Security', 'SocialSecurity']);
