/** `/oauth2/authorize/<id>`: the pages between a request and its answer. SECURITY SL-07 to SL-11 */
import type { Request, Response } from 'express';
import type { StoredAuthorizationRequest } from '../../ports/authorization-requests.ts';
import type { Session } from '../../ports/users.ts';
import { parseGranted, type Scope } from '../../standards/smart/scope.ts';
import { LIFETIMES } from '../oauth/issue-tokens.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import { forgedPage, onwardPage } from '../pages/authorize-error.ts';
import { consentPage } from '../pages/consent.ts';
import { encounterPickerPage, NO_ENCOUNTER } from '../pages/encounter-picker.ts';
import { allowFormTargets } from '../pages/headers.ts';
import { fieldOf, seeOther, sendPage, withNext } from '../pages/kit.ts';
import type { FieldFault } from '../pages/layout.ts';
import { patientPickerPage } from '../pages/patient-picker.ts';
import { isStaff } from '../people/passwords.ts';
import { answerApp, answerError } from './answer-app.ts';
import { callerOf } from './caller-of.ts';
import { makeOffers, readTicks } from './consent-choice.ts';
import { AUTHORIZE } from './endpoint.ts';
import { type Flow, LostRequest, loginRequired, type Need, proceed, settle } from './flow.ts';
import { type GrantCodeParts, grantCode } from './grant-code.ts';
import { offlineWordsOf } from './offline-words.ts';
import type { AuthorizeOptions } from './options.ts';
import { formTarget } from './redirect-uri.ts';

export interface InteractionParts
  extends GrantCodeParts,
    Pick<AuthorizeOptions, 'clients' | 'sessions' | 'issuer' | 'lifetimes'> {}

type IdRequest = Request<{ id: string }>;
/** What the person has sent, once it is known to be theirs. */
type Action = (parts: InteractionParts, req: Request, res: Response, flow: Flow, need: Need) => Promise<void>;

const ACTIONS = new Map<string, Action>([
  ['search', search],
  ['patient', choosePatient],
  ['encounter', chooseEncounter],
  ['allow', allow],
  ['deny', deny],
]);

/** What the store names requests by. */
const ID = /^[A-Za-z0-9_-]{43}$/;
const SEARCH_CHARS_MAX = 100;

/** Shows what has to be done next, or answers the app. Throws `LostRequest`. */
export async function showInteraction(parts: InteractionParts, req: IdRequest, res: Response): Promise<void> {
  await withFlow(parts, req, res, async (flow) => {
    await respond(parts, req, res, flow, await proceed(parts, flow));
  });
}

/** Takes a form of these pages. */
export async function takeInteraction(parts: InteractionParts, req: IdRequest, res: Response): Promise<void> {
  await withFlow(parts, req, res, async (flow) => {
    if (!parts.sessions.isGenuine(req, flow.session, fieldOf(req, 'csrf'))) return sendPage(res, forgedPage, 403);
    const need = await proceed(parts, flow);
    const action = ACTIONS.get(fieldOf(req, 'action'));
    if (need.kind === 'sign-in-again' || !action) return seeOther(res, pathOf(flow.id));
    await action(parts, req, res, flow, need);
  });
}

/** Where sign-in leads back to: a page that leads on by itself, so that no form's redirects reach the app (CSP form-action). */
export function goOn(req: IdRequest, res: Response): void {
  if (!ID.test(req.params.id)) throw new LostRequest();
  sendPage(res, onwardPage(pathOf(req.params.id)), 200);
}

const pathOf = (id: string): string => `${AUTHORIZE}/${id}`;

/** Finds request, client and session; faults of the request go to the app. */
async function withFlow(
  parts: InteractionParts,
  req: IdRequest,
  res: Response,
  handle: (flow: Flow) => Promise<void>,
): Promise<void> {
  const { id } = req.params;
  const request = await parts.requests.find(id);
  const client = request && (await parts.clients.find(request.clientId));
  if (!request || !client || client.isDisabled) throw new LostRequest();
  allowFormTargets(req, res, [formTarget(request.redirectUri)]);
  try {
    const session = await parts.sessions.find(req);
    if (!session) return await askToSignIn(res, id, request);
    await handle(startFlow(id, request, client, session));
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    await parts.requests.take(id);
    answerError(req, res, request, error, parts.issuer);
  }
}

async function askToSignIn(res: Response, id: string, { prompts }: StoredAuthorizationRequest): Promise<void> {
  if (prompts.includes('none')) throw loginRequired();
  seeOther(res, withNext('/sign-in', `${pathOf(id)}/signed-in`));
}

function startFlow(id: string, request: StoredAuthorizationRequest, client: Flow['client'], session: Session): Flow {
  const { scope, progress } = request;
  return { id, request, client, session, scopes: parseGranted(scope), progress };
}

async function respond(parts: InteractionParts, req: Request, res: Response, flow: Flow, need: Need): Promise<void> {
  switch (need.kind) {
    case 'sign-in-again':
      return seeOther(res, withNext('/sign-in/again', `${pathOf(flow.id)}/signed-in`));
    case 'patient':
      return sendPatientPicker(parts, res, flow, {});
    case 'encounter':
      return sendEncounterPicker(res, flow, need.encounters);
    case 'consent':
      return sendConsent(parts, res, flow);
    case 'grant':
      return sendCode(parts, req, res, flow, flow.scopes, false);
  }
}

async function search(parts: InteractionParts, req: Request, res: Response, flow: Flow): Promise<void> {
  const cursor = fieldOf(req, 'cursor');
  await sendPatientPicker(parts, res, flow, {
    text: fieldOf(req, 'search').trim().slice(0, SEARCH_CHARS_MAX),
    ...(cursor !== '' && { cursor }),
  });
}

async function choosePatient(parts: InteractionParts, req: Request, res: Response, flow: Flow, need: Need) {
  if (need.kind !== 'patient') return seeOther(res, pathOf(flow.id));
  const id = fieldOf(req, 'patient');
  const patient = id === '' ? undefined : await parts.records.findPatient(flow.session.user, id);
  if (!patient)
    return sendPatientPicker(parts, res, flow, { errors: [{ field: 'patient', text: 'Choose whose record it is' }] });
  await settle(parts, flow, { patientId: patient.id });
  seeOther(res, pathOf(flow.id));
}

async function chooseEncounter(parts: InteractionParts, req: Request, res: Response, flow: Flow, need: Need) {
  if (need.kind !== 'encounter') return seeOther(res, pathOf(flow.id));
  const choice = fieldOf(req, 'encounter');
  const chosen = need.encounters.find(({ id }) => choice === `id ${id}`);
  if (!chosen && choice !== NO_ENCOUNTER)
    return sendEncounterPicker(res, flow, need.encounters, [{ field: 'encounter', text: 'Choose a visit, or none' }]);
  await settle(parts, flow, { encounterId: chosen?.id ?? null });
  seeOther(res, pathOf(flow.id));
}

async function allow(parts: InteractionParts, req: Request, res: Response, flow: Flow, need: Need): Promise<void> {
  if (need.kind !== 'consent') return seeOther(res, pathOf(flow.id));
  const chosen = readTicks(makeOffers(flow.scopes), { scope: fieldsOf(req, 'scope'), only: fieldsOf(req, 'only') });
  if ('fault' in chosen) return sendConsent(parts, res, flow, [{ field: 'scope', text: chosen.fault }]);
  await sendCode(parts, req, res, flow, chosen.scopes, true);
}

async function deny(parts: InteractionParts, req: Request, _res: Response, flow: Flow): Promise<void> {
  const { client, session } = flow;
  const caller = callerOf(req, session, parts.addressOf(req));
  await parts.trail({ kind: 'consent', req, caller, rule: 'denied', detail: { client: client.id } });
  throw new OAuthError(400, 'access_denied', 'the person refused');
}

async function sendCode(
  parts: InteractionParts,
  req: Request,
  res: Response,
  flow: Flow,
  scopes: readonly Scope[],
  isAsked: boolean,
): Promise<void> {
  const code = await grantCode(parts, req, flow, scopes, isAsked);
  answerApp(req, res, flow.request, { code }, parts.issuer);
}

async function sendPatientPicker(
  parts: InteractionParts,
  res: Response,
  { id, session, client }: Flow,
  asked: { readonly text?: string; readonly cursor?: string; readonly errors?: readonly FieldFault[] },
): Promise<void> {
  const { text = '', cursor, errors = [] } = asked;
  const found = await parts.records.searchPatients(session.user, text, cursor);
  sendPage(
    res,
    patientPickerPage({
      action: pathOf(id),
      session,
      appName: client.name,
      hasSearch: isStaff(session.user.roles),
      search: text,
      found,
      errors,
    }),
  );
}

function sendEncounterPicker(
  res: Response,
  { id, session, client, patient }: Flow,
  encounters: (Need & { readonly kind: 'encounter' })['encounters'],
  errors: readonly FieldFault[] = [],
): void {
  if (!patient) throw new Error('encounters without a patient'); // the step before has settled it
  const action = pathOf(id);
  sendPage(res, encounterPickerPage({ action, session, appName: client.name, patient, encounters, errors }));
}

function sendConsent(parts: InteractionParts, res: Response, flow: Flow, errors: readonly FieldFault[] = []): void {
  const { id, session, client, request, patient, encounter, scopes } = flow;
  sendPage(
    res,
    consentPage({
      action: pathOf(id),
      session,
      client,
      returnsTo: new URL(request.redirectUri).host || new URL(request.redirectUri).protocol,
      ...(patient && { patient }),
      ...(encounter && { encounter }),
      offers: makeOffers(scopes),
      offline: offlineWordsOf(parts.lifetimes ?? LIFETIMES),
      errors,
    }),
  );
}

/** Every value of a field that may be sent several times. */
function fieldsOf(req: Request, name: string): readonly string[] {
  const body = req.body as Record<string, unknown> | undefined; // of express.urlencoded: texts and lists of them
  const value = body !== undefined && Object.hasOwn(body, name) ? body[name] : undefined;
  if (Array.isArray(value)) return value.filter((one) => typeof one === 'string');
  return typeof value === 'string' ? [value] : [];
}
