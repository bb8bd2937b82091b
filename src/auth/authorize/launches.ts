/**
 * `POST /api/v2/launches`: the EHR opens an app with what the person has on the screen.
 * https://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch SECURITY SL-07, ST-03
 */
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { Caller } from '../../ports/caller.ts';
import type { LaunchContext } from '../../ports/grants.ts';
import type { Session, User } from '../../ports/users.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { covers } from '../../standards/smart/scope.ts';
import { Problem, readFields, text } from '../people/problem.ts';
import { callerOf } from './caller-of.ts';
import { checkFhirContext } from './fhir-context.ts';
import type { AuthorizeOptions } from './options.ts';
import { withParameters } from './redirect-uri.ts';

export interface LaunchParts
  extends Pick<AuthorizeOptions, 'clients' | 'grants' | 'records' | 'sessions' | 'users' | 'fhirBaseUrl' | 'oauth'> {
  readonly addressOf: (req: IncomingMessage) => string;
}

export interface LaunchAnswer {
  /** Where to open the app; it holds the handle. */
  readonly launch_url: string;
  readonly iss: string;
  readonly launch: string;
  /** Seconds. */
  readonly expires_in: number;
}

interface Launcher {
  readonly user: User;
  readonly caller: Caller;
  /** Whether the token, where there is one, reaches this patient's record. */
  readonly reaches: (patientId: string) => boolean;
}

const LIFETIME_S = 300;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

const maybe = <T>(about: string, parse: (value: unknown) => T | undefined) => ({
  about,
  parse,
  isOptional: true as const,
});
const id = maybe('an id of a resource', (value) => (typeof value === 'string' && ID.test(value) ? value : undefined));

const FIELDS = {
  app: text('the client_id of the app', 100),
  patient: id,
  encounter: id,
  intent: { ...text('what the app should do', 100), isOptional: true as const },
  need_patient_banner: maybe('true or false', (value) => (typeof value === 'boolean' ? value : undefined)),
  smart_style_url: maybe('an https address', (value) =>
    typeof value === 'string' && value.length <= 2000 && value.startsWith('https://') && URL.canParse(value)
      ? value
      : undefined,
  ),
  fhirContext: maybe(
    'a list of references, canonicals or identifiers as SMART App Launch 2.2 has them',
    checkFhirContext,
  ),
};

/** Makes a launch for who asks; throws `Problem` and what authentication throws. */
export async function createLaunch(parts: LaunchParts, req: Request): Promise<LaunchAnswer> {
  const launcher = await findLauncher(parts, req);
  const asked = readFields(req, FIELDS);
  const client = await parts.clients.find(asked.app);
  if (!client || client.isDisabled || client.launchUrl === undefined)
    throw new Problem(404, 'unknown_app', 'There is no such app, or it has registered no launch URL');
  await checkRecord(parts, launcher, asked);
  const { patient, encounter, intent, need_patient_banner: banner, smart_style_url: style, fhirContext } = asked;
  const context: LaunchContext = {
    ...(patient !== undefined && { need_patient_banner: banner ?? true }),
    ...(intent !== undefined && { intent }),
    ...(style !== undefined && { smart_style_url: style }),
    ...(fhirContext && { fhirContext }),
  };
  const { user, caller } = launcher;
  await parts.oauth.trail({
    kind: 'consent',
    req,
    caller,
    rule: 'launched',
    ...(patient !== undefined && { patientId: patient }),
    detail: { client: client.id },
  });
  const launch = await parts.grants.createLaunch(
    {
      clientId: client.id,
      userId: user.id,
      ...(patient !== undefined && { patientId: patient }),
      ...(encounter !== undefined && { encounterId: encounter }),
      context,
    },
    LIFETIME_S * 1000,
  );
  const iss = parts.fhirBaseUrl;
  return { launch_url: withParameters(client.launchUrl, { iss, launch }), iss, launch, expires_in: LIFETIME_S };
}

/** A person with a token, or in a session whose page sends its `csrf` value in the header `X-CSRF-Token`. */
async function findLauncher(parts: LaunchParts, req: Request): Promise<Launcher> {
  if (req.headers.authorization !== undefined) return withToken(parts, req);
  const session = await parts.sessions.find(req);
  if (!session)
    throw new Problem(401, 'unauthorized', 'Sign in, or send an access token', { 'WWW-Authenticate': 'Bearer' });
  const csrf = req.headers['x-csrf-token'];
  if (!parts.sessions.isGenuine(req, session, typeof csrf === 'string' ? csrf : undefined))
    throw new Problem(403, 'forged', 'The request does not come from a page of ours: send its value in X-CSRF-Token');
  return inSession(parts, req, session);
}

const inSession = ({ addressOf }: LaunchParts, req: Request, session: Session): Launcher => ({
  user: session.user,
  caller: callerOf(req, session, addressOf(req)),
  reaches: () => true,
});

async function withToken(parts: LaunchParts, req: Request): Promise<Launcher> {
  const caller = await parts.oauth.authenticate(req, correlationIdOf(req));
  const user = caller.user && (await parts.users.find(caller.user.id, caller.user.sessionId));
  if (!user) throw new Problem(403, 'forbidden', 'A launch is for a person: send the token of one');
  const { scopes, patientId } = caller;
  return {
    user,
    caller,
    reaches: (patient) =>
      scopes.some(
        (scope) =>
          covers(scope, 'Patient', 'r') &&
          (scope.level === 'user' || (scope.level === 'patient' && patientId === patient)),
      ),
  };
}

/** A record that may not be seen answers like one that is not there. */
async function checkRecord(
  { records }: LaunchParts,
  { user, reaches }: Launcher,
  { patient, encounter }: { readonly patient?: string | undefined; readonly encounter?: string | undefined },
): Promise<void> {
  if (patient === undefined) {
    if (encounter === undefined) return;
    throw new Problem(400, 'invalid_request', 'encounter needs the patient that it belongs to');
  }
  if (!reaches(patient) || !(await records.findPatient(user, patient)))
    throw new Problem(404, 'unknown_patient', 'There is no such patient');
  if (encounter !== undefined && !(await records.findEncounter(user, patient, encounter)))
    throw new Problem(404, 'unknown_encounter', 'The patient has no such encounter');
}
