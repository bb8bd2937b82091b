/** Who sends a message to the Spine: the caller's rights, their headers and the settings. eps/REFERENCE sections 2.1, 5.1 */
import { randomUUID } from 'node:crypto';
import type { EpsContext } from '../../mapping/eps/context.ts';
import { scopesFor } from '../../mapping/eps/permission.ts';
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { Caller } from '../../ports/caller.ts';
import { FhirError, type Issue } from '../../standards/fhir/outcome.ts';
import type { Identities } from './identities.ts';

export interface SenderSettings {
  /** Accredited system ids and ebXML parties. */
  readonly toAsid: string;
  readonly toPartyKey: string;
  readonly fromAsid?: string | undefined;
  readonly fromPartyKey?: string | undefined;
}

export interface EpsSender {
  readonly context: EpsContext;
  /** `X-Request-ID`, where one was given. */
  readonly requestId?: string;
}

type Headers = Readonly<Record<string, string | undefined>>;

const SPINE = 'https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode';
const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;
const SDS_ID = /^\d{12}$/;
const PARTY_KEY = /^[A-Za-z0-9-]{1,40}$/;

const coded = (code: string, display: string, diagnostics: string): Issue => ({
  severity: 'error',
  code: 'value',
  diagnostics,
  details: { coding: [{ system: SPINE, code, display }] },
});
const missing = (name: string): Issue =>
  coded('MISSING_VALUE', 'Required value is missing', `Missing value in header '${name}'`);
const invalid = (name: string): Issue =>
  coded('INVALID_VALUE', 'Provided value is invalid', `Invalid value in header '${name}'`);

/** What the caller may do at the Spine: the rights of the policy, never what a header says. */
export interface Functions {
  readonly prescribing: boolean;
  readonly dispensing: boolean;
  readonly tracking: boolean;
}

export interface Asking {
  readonly caller: Caller;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly functions: Functions;
  /** Who the person is: a header can choose among these, and say no other. */
  readonly known: Identities;
}

/**
 * A person's session is that of their sign-in; a program names the person it acts for,
 * and acts for nobody where it names none. Throws `FhirError` 400 with all that is wrong, 403 for another system's id.
 */
export function readSender(
  { caller, headers, functions, known }: Asking,
  settings: SenderSettings,
  now: number,
): EpsSender {
  const issues: Issue[] = [];
  const value = (name: string, pattern: RegExp, isRequired: boolean): string | undefined => {
    const given = headers[name.toLowerCase()];
    if (given === undefined && isRequired) issues.push(missing(name));
    if (given === undefined || pattern.test(given)) return given;
    issues.push(invalid(name));
    return undefined;
  };
  const requestId = headers['x-request-id'];
  if (requestId !== undefined && !UUID.test(requestId)) issues.push(REQUEST_ID);
  const fromAsid = value('NHSD-ASID', SDS_ID, settings.fromAsid === undefined);
  const fromPartyKey = value('NHSD-Party-Key', PARTY_KEY, settings.fromPartyKey === undefined);
  const isPerson = caller.kind === 'user';
  const onlyOf = (ids: readonly string[]): string | undefined => (ids.length === 1 ? ids[0] : undefined);
  const [ownRole, ownUser] = [onlyOf(known.roleProfileIds), onlyOf(known.userIds)];
  const roleProfileId = value('NHSD-Session-URID', SDS_ID, isPerson && ownRole === undefined) ?? ownRole;
  const isNamed = roleProfileId !== undefined && ownUser === undefined;
  const userId = value('NHSD-Identity-UUID', SDS_ID, isNamed) ?? ownUser;
  if (issues.length > 0) throw new FhirError(400, issues);
  checkOwn('NHSD-ASID', fromAsid, settings.fromAsid);
  checkOwn('NHSD-Party-Key', fromPartyKey, settings.fromPartyKey);
  checkAmong('NHSD-Session-URID', roleProfileId, known.roleProfileIds, isPerson);
  checkAmong('NHSD-Identity-UUID', userId, known.userIds, isPerson);
  const party = fromPartyKey ?? settings.fromPartyKey ?? '';
  const isAttended = userId !== undefined && roleProfileId !== undefined;
  return {
    context: {
      now,
      toAsid: settings.toAsid,
      fromAsid: fromAsid ?? settings.fromAsid ?? '',
      fromPartyKey: party,
      ...(isAttended && { userId, roleProfileId }),
      scopes: scopesFor(functions, isAttended),
      applicationId: '',
      sha1ApplicationIds: new Set(),
      prescribeEnabled: true,
      dispenseEnabled: true,
      newId: requestId === undefined ? randomUUID : idsOf('eps-request', party, requestId.toLowerCase()),
    },
    ...(requestId !== undefined && UUID.test(requestId) && { requestId }),
  };
}

/** The same ids, in the same order, for the same words: a request that comes again makes the same message. */
export function idsOf(...words: readonly string[]): () => string {
  let made = 0;
  return () => nameUuid(...words, String(made++));
}

const REQUEST_ID: Issue = {
  severity: 'fatal',
  code: 'value',
  diagnostics: 'X-Request-ID header missing or malformed',
  details: {
    coding: [{ system: SPINE, code: 'MISSING_FIELD', display: 'X-Request-ID header missing or malformed' }],
  },
};

function checkOwn(name: string, given: string | undefined, own: string | undefined): void {
  if (own !== undefined && given !== undefined && given !== own)
    throw forbidden(`The system in header '${name}' is not one that sends from here`);
}

/** A person is nobody whom the record does not say they are; a program that is let act for people names them. */
function checkAmong(name: string, given: string | undefined, own: readonly string[], isPerson: boolean): void {
  if (given === undefined || own.includes(given) || (own.length === 0 && !isPerson)) return;
  const why =
    own.length === 0
      ? ': the Practitioner and PractitionerRole of their account name no SDS id, where an administrator adds it'
      : '';
  throw forbidden(`The id in header '${name}' is not the caller's${why}`);
}

const forbidden = (diagnostics: string): FhirError => {
  const issues: readonly Issue[] = [{ severity: 'error', code: 'forbidden', diagnostics }];
  return new FhirError(403, issues);
};
