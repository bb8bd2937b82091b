/** The consent is kept and becomes a code. SECURITY SL-10, SL-12, ST-03 */
import type { Request } from 'express';
import type { LaunchContext, UserGrant } from '../../ports/grants.ts';
import { formatScopes, type Scope } from '../../standards/smart/scope.ts';
import { hasScope, needsEncounter, needsPatient } from '../../standards/smart/scope-set.ts';
import { PATHS } from '../oauth/discovery.ts';
import type { Trail } from '../oauth/trail.ts';
import { callerOf } from './caller-of.ts';
import { consentKey, type Flow, type FlowParts, isIdentified, LostRequest } from './flow.ts';

export interface GrantCodeParts extends FlowParts {
  readonly trail: Trail;
  readonly addressOf: (req: Request) => string;
  readonly tenant?: string;
  /** Public base URL of the server, without a trailing slash. */
  readonly issuer: string;
}

const REMEMBERED_MS = 180 * 24 * 60 * 60_000;

/** A code for these scopes; throws `LostRequest` when another answer was quicker. */
export async function grantCode(
  parts: GrantCodeParts,
  req: Request,
  flow: Flow,
  scopes: readonly Scope[],
  isAsked: boolean,
): Promise<string> {
  const { request, client } = flow;
  const grant = makeGrant(flow, scopes, parts);
  if (!(await parts.requests.take(flow.id))) throw new LostRequest();
  await parts.trail({
    kind: 'consent',
    req,
    caller: callerOf(req, flow.session, parts.addressOf(req)),
    rule: isAsked ? 'granted' : 'granted-as-before',
    ...(grant.patientId !== undefined && { patientId: grant.patientId }),
    detail: { client: client.id, scope: grant.scope },
  });
  if (isAsked && isIdentified(client, request.redirectUri))
    await parts.grants.rememberConsent({ ...consentKey(flow), scope: formatScopes(scopes) }, REMEMBERED_MS);
  const { redirectUri, challenge, nonce } = request;
  return parts.grants.createCode(grant, { redirectUri, challenge, ...(nonce !== undefined && { nonce }) });
}

function makeGrant(
  flow: Flow,
  scopes: readonly Scope[],
  { tenant, issuer }: Pick<GrantCodeParts, 'tenant' | 'issuer'>,
): UserGrant {
  const { request, client, session, patient, encounter, progress } = flow;
  // There is no such context: the scope would promise what the answer does not hold.
  const granted = scopes.filter(({ text }) => text !== 'launch/encounter' || encounter !== undefined);
  const isLaunch = hasScope(granted, 'launch');
  const hasPatient = patient !== undefined && (isLaunch || needsPatient(granted) || needsEncounter(granted));
  const hasEncounter = hasPatient && encounter !== undefined && (isLaunch || needsEncounter(granted));
  const context: LaunchContext = {
    ...(hasPatient && { need_patient_banner: true }),
    // How we look, unless who launched says otherwise.
    ...(isLaunch && { smart_style_url: issuer + PATHS.style, ...progress.launch?.context }),
    ...(tenant !== undefined && { tenant }),
  };
  return {
    clientId: client.id,
    scope: formatScopes(granted),
    audience: request.audience,
    ...(hasPatient && { patientId: patient.id }),
    ...(hasEncounter && { encounterId: encounter.id }),
    context,
    ...(request.dpopJkt !== undefined && { cnf: { jkt: request.dpopJkt } }),
    user: {
      id: session.user.id,
      securityVersion: session.user.securityVersion,
      sessionId: session.id,
      authTime: session.authTime,
      amr: session.amr,
      acr: session.acr,
    },
  };
}
