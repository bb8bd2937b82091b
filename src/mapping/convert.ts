/**
 * Any translation Mortar knows, without storing anything: `$convert` and `npm run convert` are two ways to it.
 * docs/gateway.md "Trying a translation"
 */
import { codeSystemUrl } from '../standards/fhir/canonical.ts';
import { formatJson, parseJson } from '../standards/fhir/json.ts';
import {
  FhirError,
  type Issue,
  isError,
  issue,
  type OperationOutcome,
  operationOutcome,
} from '../standards/fhir/outcome.ts';
import { isBatch, splitBatch } from '../standards/hl7v2/batch.ts';
import { formatMessage } from '../standards/hl7v2/format.ts';
import { parseMessage } from '../standards/hl7v2/parse.ts';
import { findDifference } from '../standards/hl7v2/round-trip.ts';
import type { Mapped } from '../standards/mapped.ts';
import { checkStructure } from '../standards/script/check.ts';
import { checkIntake } from '../standards/script/intake.ts';
import { consequenceOf } from '../standards/script/intake-issue.ts';
import type { PartyAddress } from '../standards/script/message.ts';
import { readScript } from '../standards/script/read.ts';
import { readStrictly, readTelecom } from '../standards/telecom/read.ts';
import { readXml } from '../standards/xml/read.ts';
import { epsContext } from './eps/context.ts';
import { convertToV3 } from './eps/convert.ts';
import { convertFromV3 } from './eps/inbound/convert-from-v3.ts';
import { lastUpdatedOf, statusOf, toEpsOutcome } from './eps/outcome.ts';
import { prepare } from './eps/prepare.ts';
import { mapToFhir as mapHl7v2ToFhir } from './hl7v2/map-to-fhir.ts';
import { mapFromFhir as mapFhirToHl7v2 } from './hl7v2/outbound/map-from-fhir.ts';
import { mapToFhir as mapScriptToFhir, mapToScript } from './script/map-message.ts';
import { normaliseVersion } from './script/normalise-version.ts';
import { readEnvelope } from './script/provenance.ts';
import { telecomFromFhir, telecomToFhir } from './telecom/map-message.ts';

export const SOURCES = ['fhir', 'hl7v2', 'script', 'eps-v3', 'd0'] as const;
export type Source = (typeof SOURCES)[number];
export const TARGETS = ['eps-v3', 'fhir', 'hl7v2', 'script', 'd0'] as const;
export type Target = (typeof TARGETS)[number];
/** What is done instead of a translation: say what a prescriber would sign, check a signature, only check the message. */
export type Mode = 'prepare' | 'verify' | 'check';

export interface ConvertRequest {
  readonly content: Buffer;
  readonly source: Source;
  /** Absent: `eps-v3` of FHIR, `fhir` of everything else. */
  readonly to?: Target;
  readonly mode?: Mode;
  /** The instant the translation takes for now, ms UTC. */
  readonly at: number;
  /** Names in any case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly timeZone: string;
  readonly epsToAsid: string;
  /** A random UUID. */
  readonly newId: () => string;
}

export interface Converted {
  /** Absent when it was refused; then `outcome` says why. */
  readonly value?: { readonly mediaType: string; readonly text: string };
  readonly issues: readonly Issue[];
  readonly outcome: OperationOutcome;
  /** HTTP status that fits. */
  readonly status: number;
}

export const MEDIA_TYPES: ReadonlyMap<string, Source | 'xml'> = new Map([
  ['application/fhir+json', 'fhir'],
  ['application/json', 'fhir'],
  ['application/xml', 'xml'],
  ['text/xml', 'xml'],
  ['x-application/hl7-v2+er7', 'hl7v2'],
  ['application/vnd.ncpdp.telecom', 'd0'],
  ['multipart/related', 'eps-v3'],
]);
/** Segment, group and field separator. */
const TELECOM_SEPARATORS = ['\u001E', '\u001D', '\u001C'];
const FHIR = 'application/fhir+json';
const XML = 'application/xml';
const HL7V2 = 'x-application/hl7-v2+er7';
const TELECOM = 'application/vnd.ncpdp.telecom';

/** The Spine answers in them. */
const MIME_PARTS = /^--\S/;

/** What the bytes are, by how they begin; for XML by the root element. */
export function findSource(content: Buffer): Source | undefined {
  const head = content
    .subarray(0, 4096)
    .toString('latin1')
    .replace(/^\u00EF\u00BB\u00BF/, '')
    .trimStart();
  if (/^[{[]/.test(head)) return 'fhir';
  if (/^(?:MSH|FHS|BHS)/.test(head)) return 'hl7v2';
  if (head.startsWith('<')) return findXmlSource(content);
  if (MIME_PARTS.test(head)) return 'eps-v3';
  return TELECOM_SEPARATORS.some((separator) => head.includes(separator)) ? 'd0' : undefined;
}

export const findXmlSource = (content: Buffer): Source => {
  if (MIME_PARTS.test(content.subarray(0, 64).toString('latin1'))) return 'eps-v3';
  const { value } = readXml(content);
  return value === undefined || value.name === 'Message' ? 'script' : 'eps-v3';
};

/** Never throws; what cannot be translated is refused with every reason. */
export function convert(request: ConvertRequest): Converted {
  const { source, mode } = request;
  const to = request.to ?? (source === 'fhir' ? 'eps-v3' : 'fhir');
  if (mode === 'verify') return refused([NO_VERIFY]); // that takes time, authorities and revocation: workflow/eps/verify-message.ts
  if (mode === 'check') return check(request);
  if (mode === 'prepare' && !(source === 'fhir' && to === 'eps-v3')) return refused([ONLY_EPS_PREPARES]);
  const translate = TRANSLATIONS.get(`${source} ${to}`);
  return translate ? translate(request) : refused([noTranslation(source, to)]);
}

type Translate = (request: ConvertRequest) => Converted;

const TRANSLATIONS: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  ['fhir eps-v3', toEps],
  ['eps-v3 fhir', fromEps],
  ['fhir hl7v2', toHl7v2],
  ['fhir script', toScript],
  ['script fhir', fromScript],
  ['fhir d0', toTelecom],
  ['d0 fhir', fromTelecom],
  [
    'hl7v2 fhir',
    (request) =>
      converted(
        andThen(parseMessage(request.content), (m) => mapHl7v2ToFhir(m, contextOf(request))),
        FHIR,
      ),
  ],
]);

/** Pairs such as `hl7v2 → fhir`, for help texts. */
export const translations = (): readonly string[] => [...TRANSLATIONS.keys()].map((pair) => pair.replace(' ', ' → '));

function toEps(request: ConvertRequest): Converted {
  return fromJson(request, (payload) => {
    const { at, newId, headers, epsToAsid } = request;
    const context = epsContext(headers, { now: at, newId, toAsid: epsToAsid });
    const { value, issues } = request.mode === 'prepare' ? prepare(payload, context) : convertToV3(payload, context);
    if (value === undefined)
      return { issues, outcome: toEpsOutcome(issues, lastUpdatedOf(payload, at)), status: statusOf(issues) };
    return converted({ value, issues }, typeof value === 'string' ? XML : FHIR);
  });
}

/** `eps-form: national` asks for exactly what the national gateway makes of it. Without a checker no signature is valid. */
function fromEps({ content, at, newId, headers }: ConvertRequest): Converted {
  const form = headers['eps-form'] === 'national' ? 'national' : 'full';
  return converted(convertFromV3(content, { now: at, newId, form, baseUrl: EPS_BASE }), FHIR);
}

/** Nothing is sent or received here: where this gateway is reached does not matter. */
const EPS_BASE = 'urn:mortar:convert';

/** EPS asks for this text (its reference, section 3). */
function fromJson(request: ConvertRequest, next: (value: unknown) => Converted): Converted {
  let value: unknown;
  try {
    value = parseJson(request.content);
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    const reason = error.issues[0]?.diagnostics ?? '';
    return refused([issue('invalid', `Failed to parse JSON encoded FHIR content: ${reason}`)], 400);
  }
  return next(value);
}

/** Reads the message by the rules of its standard and says what it found; nothing is translated. */
function check(request: ConvertRequest): Converted {
  const { source, content, at } = request;
  const read = CHECKS.get(source);
  if (!read) return refused([issue('not-supported', `A message of kind ${source} cannot be checked yet`)]);
  const issues = read(content, at);
  return foundAll(issues.length > 0 ? issues : [SOUND], issues);
}

/** What a check has found is its result; it is refused where there are errors. */
export const foundAll = (all: readonly Issue[], issues: readonly Issue[] = all): Converted =>
  converted({ value: operationOutcome(all), issues }, FHIR);

const CHECKS: ReadonlyMap<Source, (content: Buffer, at: number) => readonly Issue[]> = new Map<
  Source,
  (content: Buffer, at: number) => readonly Issue[]
>([
  ['hl7v2', checkHl7v2],
  ['script', checkScript],
  ['d0', (content, at) => readStrictly(content, at).issues],
]);

/** Also that the message, or each of a batch, is written again byte for byte. */
function checkHl7v2(content: Buffer): readonly Issue[] {
  if (isBatch(content)) {
    const { value, issues } = splitBatch(content);
    return [...issues, ...(value?.messages ?? []).flatMap((message) => checkHl7v2(Buffer.from(message)))];
  }
  const { value, issues } = parseMessage(content);
  if (value === undefined) return issues;
  const at = findDifference(value, content);
  if (at === undefined) return [...issues, WRITTEN_AGAIN];
  return [...issues, issue('invalid', `It is not written again as it came: byte ${at} differs`)];
}

const WRITTEN_AGAIN: Issue = {
  severity: 'information',
  code: 'informational',
  diagnostics: 'Parsed and written again it is the same, byte for byte',
};

/** Who sends to whom, as a request says it in `ncpdp-from` and `ncpdp-to`: `D:6301875277001`. */
const SCRIPT_PARTIES = { 'ncpdp-from': 'D:0000000000000', 'ncpdp-to': 'P:0000000' } as const;

function toScript(request: ConvertRequest): Converted {
  const party = (name: keyof typeof SCRIPT_PARTIES): PartyAddress => {
    const text = request.headers[name] ?? SCRIPT_PARTIES[name];
    const colon = text.indexOf(':');
    return { address: text.slice(colon + 1), ...(colon > 0 && { qualifier: text.slice(0, colon) }) };
  };
  return fromJson(request, (payload) => {
    // What the Bundle's own Provenance says of the message it was made of stands, unless the request says otherwise.
    const known = readEnvelope(payload);
    const isNew = known.messageId === undefined || request.headers['ncpdp-from'] !== undefined;
    const context = {
      ...((known.from === undefined || isNew) && { from: party('ncpdp-from') }),
      ...((known.to === undefined || request.headers['ncpdp-to'] !== undefined) && { to: party('ncpdp-to') }),
      ...(isNew && { messageId: request.newId().replaceAll('-', ''), sentAt: request.at }),
      forwardSignature: !isNew,
      ...(request.headers['ncpdp-version'] === '2023011' && { writeAs: '2023011' as const }),
    };
    return converted(mapToScript(payload, context), XML);
  });
}

/**
 * Who sends to whom, which event and which version, as a request says it in `hl7v2-from`, `hl7v2-to` (`PAS/RXX`),
 * `hl7v2-event` (`ADT^A08`; by what the Bundle holds when absent) and `hl7v2-version`.
 */
function toHl7v2(request: ConvertRequest): Converted {
  const party = (name: string): { application: string; facility: string } => {
    const [application = '', facility = ''] = (request.headers[name] ?? 'MORTAR/MORTAR').split('/', 2);
    return { application, facility };
  };
  const [kind, version] = [request.headers['hl7v2-event'], request.headers['hl7v2-version']];
  return fromJson(request, (payload) => {
    const { value, issues } = mapFhirToHl7v2(payload, {
      from: party('hl7v2-from'),
      to: party('hl7v2-to'),
      at: request.at,
      controlId: request.newId().replaceAll('-', '').slice(0, 20),
      ...(kind !== undefined && { kind }),
      ...(version !== undefined && { version }),
    });
    return converted({ issues, ...(value !== undefined && { value: formatMessage(value).toString('utf8') }) }, HL7V2);
  });
}

function fromScript(request: ConvertRequest): Converted {
  const { message, issues } = readScript(request.content);
  if (!message) return refused(issues);
  const found = checkIntake(normaliseVersion(message), { now: request.at });
  const review = found.filter((one) => consequenceOf(one) === 'hold');
  const translated = mapScriptToFhir(message, { ...contextOf(request), review });
  return converted(
    { ...translated, issues: [...issues, ...checkStructure(message), ...found, ...translated.issues] },
    FHIR,
  );
}

/** `telecom-software` names who sends, as certified by the payers (110-AK). */
function toTelecom(request: ConvertRequest): Converted {
  return fromJson(request, (payload) => {
    const softwareId = request.headers['telecom-software'];
    const { value, issues } = telecomFromFhir(payload, softwareId === undefined ? {} : { softwareId });
    return converted({ issues, ...(value && { value: value.toString('latin1') }) }, TELECOM);
  });
}

function fromTelecom({ content, at }: ConvertRequest): Converted {
  const { message, issues } = readTelecom(content, at);
  if (!message) return refused(issues);
  const translated = telecomToFhir(message, { receivedAt: at });
  return converted({ ...translated, issues: [...issues, ...translated.issues] }, FHIR);
}

/** Every finding with its rule, and last what the message is and the verdict. */
function checkScript(content: Buffer, at: number): readonly Issue[] {
  const { message, issues } = readScript(content);
  const faults = message ? [...issues, ...checkStructure(message)] : issues;
  const isInvalid = faults.some(isError);
  const found = message && !isInvalid ? checkIntake(normaliseVersion(message), { now: at }) : [];
  const consequence = (['reject', 'hold', 'warn'] as const).find((one) => found.some((i) => consequenceOf(i) === one));
  const verdict = isInvalid ? 'invalid' : (consequence ?? 'accept');
  const what = message ? `${message.kind} of ${message.version.readAs}` : 'no SCRIPT message';
  const said: Issue = {
    severity: 'information',
    code: 'informational',
    diagnostics: `${what}: ${verdict}`,
    details: { coding: [{ system: codeSystemUrl('script-verdict'), code: verdict }] },
  };
  return [...faults, ...found, said];
}

const contextOf = ({ at, timeZone }: ConvertRequest): { receivedAt: number; timeZone: string } => ({
  receivedAt: at,
  timeZone,
});

/** The second step on the value of the first, with the issues of both. */
function andThen<A, B>(first: Mapped<A>, next: (value: A) => Mapped<B>): Mapped<B> {
  if (first.value === undefined) return { issues: first.issues };
  const second = next(first.value);
  return { ...second, issues: [...first.issues, ...second.issues] };
}

function converted({ value, issues }: Mapped<unknown>, mediaType: string): Converted {
  if (value === undefined || issues.some(isError)) return refused(issues);
  const text = typeof value === 'string' ? value : formatJson(value, true);
  return { value: { mediaType, text }, issues, outcome: operationOutcome(issues), status: 200 };
}

/** A FHIR resource, or why there is none. */
export const mapped = (result: Mapped<unknown>): Converted => converted(result, FHIR);

const refused = (issues: readonly Issue[], status = 422): Converted => ({
  issues,
  outcome: operationOutcome(issues),
  status,
});

const noTranslation = (source: Source, to: Target): Issue =>
  issue('not-supported', `There is no translation from ${source} to ${to} yet; there is: ${translations().join(', ')}`);
const NO_VERIFY = issue('not-supported', 'Of EPS messages alone signatures are verified');
const ONLY_EPS_PREPARES = issue('not-supported', 'prepare takes a FHIR prescription-order message for EPS');
const SOUND: Issue = { severity: 'information', code: 'informational', diagnostics: 'No fault was found' };
