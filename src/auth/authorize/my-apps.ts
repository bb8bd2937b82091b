/** `/my-apps`: what a person has granted, and its end. SECURITY SX-04 */
import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { Family } from '../../ports/grants.ts';
import type { Session } from '../../ports/users.ts';
import { LIFETIMES } from '../oauth/issue-tokens.ts';
import type { Trail } from '../oauth/trail.ts';
import { forgedPage } from '../pages/authorize-error.ts';
import { fieldOf, seeOther, sendPage, withNext } from '../pages/kit.ts';
import { type AppSummary, myAppsPage } from '../pages/my-apps.ts';
import { callerOf } from './caller-of.ts';
import { offlineWordsOf } from './offline-words.ts';
import type { AuthorizeOptions } from './options.ts';

export interface MyAppsParts
  extends Pick<AuthorizeOptions, 'clients' | 'grants' | 'records' | 'sessions' | 'oauth' | 'lifetimes'> {
  readonly trail: Trail;
  readonly addressOf: (req: IncomingMessage) => string;
}

export const MY_APPS = '/my-apps';
const FAMILIES_MAX = 200;

/** Lists the apps, or ends what one has. */
export async function myApps(parts: MyAppsParts, req: Request, res: Response): Promise<void> {
  const session = await parts.sessions.find(req);
  if (!session) return seeOther(res, withNext('/sign-in', MY_APPS));
  if (req.method === 'POST') return endApp(parts, req, res, session);
  const families = await parts.grants.listFamilies({ userId: session.user.id }, FAMILIES_MAX);
  const apps = await Promise.all(
    [...Map.groupBy(families, ({ grant }) => grant.clientId)].map(([id, of]) => summarise(parts, session, id, of)),
  );
  const offline = offlineWordsOf(parts.lifetimes ?? LIFETIMES);
  sendPage(res, myAppsPage({ action: MY_APPS, session, apps, offline, ended: req.query['done'] === 'ended' }));
}

async function summarise(
  { clients, records }: MyAppsParts,
  { user }: Session,
  id: string,
  families: readonly Family[],
): Promise<AppSummary> {
  const client = await clients.find(id);
  const grants = await Promise.all(
    families.map(async ({ grant, createdAt, lastUsedAt }) => {
      const patient = grant.patientId === undefined ? undefined : await records.findPatient(user, grant.patientId);
      return {
        scope: grant.scope,
        grantedAt: createdAt,
        usedAt: lastUsedAt,
        ...(patient && { patient: patient.name }),
      };
    }),
  );
  return {
    id,
    name: client?.name ?? id,
    ...(client?.publisher !== undefined && { publisher: client.publisher }),
    grants,
  };
}

async function endApp(parts: MyAppsParts, req: Request, res: Response, session: Session): Promise<void> {
  if (!parts.sessions.isGenuine(req, session, fieldOf(req, 'csrf'))) return sendPage(res, forgedPage, 403);
  const client = fieldOf(req, 'app');
  const { user } = session;
  const families = await parts.grants.listFamilies({ userId: user.id, clientId: client }, 1);
  if (families.length > 0) {
    const caller = callerOf(req, session, parts.addressOf(req));
    await parts.trail({ kind: 'consent', req, caller, rule: 'withdrawn', detail: { client } });
    await parts.grants.withdrawConsent(user.id, client);
    parts.oauth.forgetTokens();
  }
  seeOther(res, `${MY_APPS}?done=ended`);
}
