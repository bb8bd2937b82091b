/**
 * What still lies between a checked request and its answer: sign-in, launch, patient, encounter, consent. Each step
 * either lets the request pass or says what the person has to do. SECURITY SL-07 to SL-10
 */
import type { AuthorizationProgress, StoredAuthorizationRequest } from '../../ports/authorization-requests.ts';
import type { Client } from '../../ports/clients.ts';
import type { Session } from '../../ports/users.ts';
import { parseGranted, type Scope } from '../../standards/smart/scope.ts';
import { isWithin, needsEncounter, needsPatient } from '../../standards/smart/scope-set.ts';
import { invalidRequest, OAuthError } from '../oauth/oauth-error.ts';
import { isStaff } from '../people/passwords.ts';
import { ACRS, launchContext } from './check-request.ts';
import type { AuthorizeOptions, EncounterSummary, PatientSummary } from './options.ts';

export type FlowParts = Pick<AuthorizeOptions, 'grants' | 'requests' | 'records' | 'cipher' | 'now'>;

/** A request on its way, as far as it has come. */
export interface Flow {
  readonly id: string;
  readonly request: StoredAuthorizationRequest;
  readonly client: Client;
  readonly session: Session;
  readonly scopes: readonly Scope[];
  progress: AuthorizationProgress;
  patient?: PatientSummary;
  encounter?: EncounterSummary;
}

/** What the person has to do next; `grant`: nothing, as they have consented to all of it before. */
export type Need =
  | { readonly kind: 'sign-in-again' }
  | { readonly kind: 'patient' }
  | { readonly kind: 'encounter'; readonly encounters: readonly EncounterSummary[] }
  | { readonly kind: 'consent' }
  | { readonly kind: 'grant' };

type Step = (parts: FlowParts, flow: Flow) => Promise<Need | undefined>;

/** The request is not this person's, or is over. */
export class LostRequest extends Error {}

const STEPS: readonly Step[] = [checkFreshness, useLaunch, settlePatient, settleEncounter, askConsent];

/** `prompt=none`: the error for each thing that would have to be asked. OpenID Connect Core section 3.1.2.6 */
const SILENT = new Map<Need['kind'], string>([
  ['sign-in-again', 'login_required'],
  ['patient', 'interaction_required'],
  ['encounter', 'interaction_required'],
  ['consent', 'consent_required'],
]);

/** Walks as far as it goes without the person. Throws `OAuthError` for the app, `LostRequest` for the person. */
export async function proceed(parts: FlowParts, flow: Flow): Promise<Need> {
  const { userId, prompts } = flow.request;
  if (userId !== undefined && userId !== flow.session.user.id) throw new LostRequest();
  for (const step of STEPS) {
    const need = await step(parts, flow);
    if (!need) continue;
    const code = prompts.includes('none') ? SILENT.get(need.kind) : undefined;
    if (code !== undefined) throw new OAuthError(400, code, 'the person has to be asked');
    return need;
  }
  return { kind: 'grant' };
}

/** Keeps what has been settled; from then on the request is this person's. */
export async function settle(parts: FlowParts, flow: Flow, more: AuthorizationProgress): Promise<void> {
  const progress = { ...flow.progress, ...more };
  if (!(await parts.requests.keep(flow.id, flow.session.user.id, progress))) throw new LostRequest();
  flow.progress = progress;
}

export const loginRequired = (): OAuthError => new OAuthError(400, 'login_required', 'nobody is signed in');

/** SECURITY SL-09 */
async function checkFreshness(_parts: FlowParts, { request, session }: Flow): Promise<Need | undefined> {
  const { prompts, maxAgeMs, acr, createdAt, hintedUserId } = request;
  if (hintedUserId !== undefined && hintedUserId !== session.user.id)
    throw new OAuthError(400, 'login_required', 'somebody else is signed in');
  const isAskedAgain = prompts.includes('login') || prompts.includes('select_account');
  const isTooOld = maxAgeMs !== undefined && createdAt - session.authTime > maxAgeMs;
  if ((isAskedAgain || isTooOld) && session.authTime < createdAt) return { kind: 'sign-in-again' };
  // Who has a second factor has used it: signing in again would not help.
  if (acr !== undefined && ACRS.indexOf(session.acr) < ACRS.indexOf(acr))
    throw new OAuthError(400, 'unmet_authentication_requirements', 'the person has no such way to sign in');
  return undefined;
}

/** SECURITY SL-07 */
async function useLaunch(parts: FlowParts, flow: Flow): Promise<undefined> {
  const { sealedLaunch, clientId } = flow.request;
  if (sealedLaunch === undefined || flow.progress.launch) return;
  const handle = parts.cipher.open(Buffer.from(sealedLaunch, 'base64'), launchContext(clientId)).toString();
  const launch = await parts.grants.useLaunch(handle, { clientId, userId: flow.session.user.id });
  if (!launch) throw invalidRequest('launch is unknown, used, too old, or somebody else has it', 'launch');
  const { patientId, encounterId, context } = launch;
  await settle(parts, flow, {
    launch: {
      ...(patientId !== undefined && { patientId }),
      ...(encounterId !== undefined && { encounterId }),
      ...(context && { context }),
    },
  });
}

/** The patient of the launch, the person's only record, or one they choose. SECURITY SL-08 */
async function settlePatient({ records, ...parts }: FlowParts, flow: Flow): Promise<Need | undefined> {
  const { user } = flow.session;
  const { launch } = flow.progress;
  if (launch?.patientId !== undefined) {
    const patient = await records.findPatient(user, launch.patientId);
    if (!patient) throw new OAuthError(400, 'access_denied', 'the record of the launch cannot be used');
    flow.patient = patient;
    return undefined;
  }
  if (!needsPatient(flow.scopes) && !needsEncounter(flow.scopes)) return undefined;
  const [own, ...more] = user.patientIds;
  const hasOthers = isStaff(user.roles) || more.length > 0 || (user.relatedPersonIds ?? []).length > 0;
  const only = hasOthers ? undefined : own;
  const id = flow.progress.patientId ?? only;
  const patient = id === undefined ? undefined : await records.findPatient(user, id);
  if (!patient) return { kind: 'patient' };
  flow.patient = patient;
  if (flow.progress.patientId === undefined) await settle({ ...parts, records }, flow, { patientId: patient.id });
  return undefined;
}

async function settleEncounter(parts: FlowParts, flow: Flow): Promise<Need | undefined> {
  const { user } = flow.session;
  const patientId = flow.patient?.id;
  const { launch } = flow.progress;
  const id = launch?.encounterId ?? flow.progress.encounterId;
  if (patientId === undefined || id === null) return undefined;
  if (id !== undefined) {
    const encounter = await parts.records.findEncounter(user, patientId, id);
    if (encounter) {
      flow.encounter = encounter;
      return undefined;
    }
    if (launch?.encounterId !== undefined)
      throw new OAuthError(400, 'access_denied', 'the encounter of the launch cannot be used');
  }
  if (!needsEncounter(flow.scopes)) return undefined;
  const encounters = await parts.records.findEncounters(user, patientId);
  if (encounters.length > 0) return { kind: 'encounter', encounters };
  await settle(parts, flow, { encounterId: null });
  return undefined;
}

/** Only for the same client, the same or fewer scopes, and the same patient. */
async function askConsent(parts: FlowParts, flow: Flow): Promise<Need | undefined> {
  const { client, request, scopes } = flow;
  if (request.prompts.includes('consent') || !isIdentified(client, request.redirectUri)) return { kind: 'consent' };
  const before = await parts.grants.findConsent(consentKey(flow));
  return before && isWithin(scopes, parseGranted(before.scope)) ? undefined : { kind: 'consent' };
}

export const consentKey = ({ session, client, patient }: Flow) => ({
  userId: session.user.id,
  clientId: client.id,
  ...(patient && { patientId: patient.id }),
});

/** Whether nobody else can be answered in the client's place: anything on a device may claim a native app's address. RFC 8252 section 8.6 */
export const isIdentified = (client: Client, redirectUri: string): boolean =>
  client.kind !== 'public' || redirectUri.startsWith('https:');
