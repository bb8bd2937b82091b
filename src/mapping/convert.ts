/**
 * Any translation Mortar knows, without storing anything: `$convert` and `npm run convert` are two ways to it.
 * docs/gateway.md "Trying a translation"
 */
import { type Issue, issue } from '../standards/fhir/outcome.ts';
import { formatMessage } from '../standards/hl7v2/format.ts';
import { parseMessage } from '../standards/hl7v2/parse.ts';
import type { Mapped } from '../standards/mapped.ts';
import { checkStructure } from '../standards/script/check.ts';
import { checkIntake } from '../standards/script/intake.ts';
import { consequenceOf } from '../standards/script/intake-issue.ts';
import type { PartyAddress } from '../standards/script/message.ts';
import { readScript } from '../standards/script/read.ts';
import { readTelecom } from '../standards/telecom/read.ts';
import { checkMessage } from './check-message.ts';
import {
  type Converted,
  type ConvertRequest,
  converted,
  FHIR,
  fromJson,
  HL7V2,
  refused,
  type Target,
  TELECOM,
  XML,
} from './converted.ts';
import { epsContext } from './eps/context.ts';
import { convertToV3 } from './eps/convert.ts';
import { convertFromV3 } from './eps/inbound/convert-from-v3.ts';
import { lastUpdatedOf, statusOf, toEpsOutcome } from './eps/outcome.ts';
import { prepare } from './eps/prepare.ts';
import type { Source } from './find-source.ts';
import { mapToFhir as mapHl7v2ToFhir } from './hl7v2/map-to-fhir.ts';
import { mapFromFhir as mapFhirToHl7v2 } from './hl7v2/outbound/map-from-fhir.ts';
import { mapToFhir as mapScriptToFhir, mapToScript } from './script/map-message.ts';
import { normaliseVersion } from './script/normalise-version.ts';
import { readEnvelope } from './script/provenance.ts';
import { telecomFromFhir, telecomToFhir } from './telecom/map-message.ts';

/** Never throws; what cannot be translated is refused with every reason. */
export function convert(request: ConvertRequest): Converted {
  const { source, mode } = request;
  const to = request.to ?? (source === 'fhir' ? 'eps-v3' : 'fhir');
  if (mode === 'verify') return refused([NO_VERIFY]); // that takes time, authorities and revocation: workflow/eps/verify-message.ts
  if (mode === 'check') return checkMessage(request);
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

const noTranslation = (source: Source, to: Target): Issue =>
  issue('not-supported', `There is no translation from ${source} to ${to} yet; there is: ${translations().join(', ')}`);
const NO_VERIFY = issue('not-supported', 'Of EPS messages alone signatures are verified');
const ONLY_EPS_PREPARES = issue('not-supported', 'prepare takes a FHIR prescription-order message for EPS');
