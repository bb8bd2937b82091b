/** What people grant to apps, put together: the authorization endpoint with its pages, pushed requests, launches, logout, "My apps". */
import type { IncomingMessage } from 'node:http';
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { Interactive } from '../oauth/discovery.ts';
import { answerErrors } from '../oauth/oauth-answers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import { readForm, readParameters } from '../oauth/parameters.ts';
import { expiredPage, failedPage, untrustedPage } from '../pages/authorize-error.ts';
import { setBasePath } from '../pages/base-path.ts';
import { pageHeaders } from '../pages/headers.ts';
import { sendPage } from '../pages/kit.ts';
import { answering, problemErrors } from '../people/problem.ts';
import { ADMIN_GRANTS, listGrants, revokeGrants } from './admin-grants.ts';
import { UntrustedRequest } from './check-request.ts';
import { AUTHORIZE, authorize } from './endpoint.ts';
import { isBusy } from './faults.ts';
import { LostRequest } from './flow.ts';
import { goOn, showInteraction, takeInteraction } from './interaction.ts';
import { createLaunch } from './launches.ts';
import { LOGOUT, logout } from './logout.ts';
import { MY_APPS, myApps } from './my-apps.ts';
import type { AuthorizeOptions } from './options.ts';
import { pushRequest } from './pushed-requests.ts';

export interface Authorize {
  /** Answers the paths of `AUTHORIZE_PATHS`, and passes on what it does not know when it is mounted. */
  readonly app: Express;
  /** Deletes what is over. To be called every few minutes. */
  purge(): Promise<number>;
}

const PUSHED = '/oauth2/par';
const LAUNCHES = '/api/v2/launches';

/** Paths that `app` answers, each with what lies below it. */
export const AUTHORIZE_PATHS = [AUTHORIZE, PUSHED, LOGOUT, MY_APPS, LAUNCHES, ADMIN_GRANTS] as const;

const BODY_MAX = '64kb';
const FIELDS_MAX = 2000;
const PURGE_MAX = 1000;
const PURGE_ROUNDS = 100;
const FORM = 'application/x-www-form-urlencoded';
const MODES = ['query', 'form_post'] as const;
const CAPABILITIES = [
  'launch-ehr',
  'launch-standalone',
  'authorize-post',
  'context-banner',
  'context-style',
  'context-ehr-patient',
  'context-ehr-encounter',
  'context-standalone-patient',
  'context-standalone-encounter',
] as const;

/** What discovery says of these endpoints. SECURITY SD-04 */
export const interactiveOf = (issuer: string): Interactive => ({
  authorizationUrl: issuer + AUTHORIZE,
  managementUrl: issuer + MY_APPS,
  pushedRequestUrl: issuer + PUSHED,
  endSessionUrl: issuer + LOGOUT,
  responseModes: MODES,
  capabilities: CAPABILITIES,
});

export function createAuthorize(options: AuthorizeOptions): Authorize {
  const { issuer, fhirBaseUrl, otherFhirBaseUrls = [], oauth, requests, log } = options;
  const addressOf = options.addressOf ?? ((req: IncomingMessage): string => req.socket.remoteAddress ?? 'unknown');
  const parts = {
    ...options,
    ...oauth,
    addressOf,
    audiences: new Set([fhirBaseUrl, ...otherFhirBaseUrls].map((url) => url.replace(/\/$/, ''))),
  };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  setBasePath(app, issuer);
  const headers = pageHeaders({ isTls: issuer.startsWith('https:') });
  const text = express.text({ limit: BODY_MAX, type: FORM });
  const form = express.urlencoded({ extended: false, limit: BODY_MAX, parameterLimit: FIELDS_MAX });
  const errors = pageErrors(options);

  const page = (
    method: 'get' | 'post',
    path: string,
    body: RequestHandler[],
    handle: (req: Request<{ id: string }>, res: Response) => Promise<void> | void,
  ): void => {
    // Routes without `:id` do not look for it.
    const run = async (req: Request, res: Response) => handle(req as Request<{ id: string }>, res);
    app[method](path, headers, ...body, run, errors);
  };

  page('get', AUTHORIZE, [], (req, res) => authorize(parts, req, res));
  page('post', AUTHORIZE, [text], (req, res) => authorize(parts, req, res));
  page('get', `${AUTHORIZE}/:id`, [], (req, res) => showInteraction(parts, req, res));
  page('post', `${AUTHORIZE}/:id`, [form], (req, res) => takeInteraction(parts, req, res));
  page('get', `${AUTHORIZE}/:id/signed-in`, [], goOn);
  page('get', LOGOUT, [], (req, res) => logout(parts, req, res, readParameters(req.query)));
  page('post', LOGOUT, [form], (req, res) => logout(parts, req, res, readParameters(req.body)));
  page('get', MY_APPS, [], (req, res) => myApps(parts, req, res));
  page('post', MY_APPS, [form], (req, res) => myApps(parts, req, res));

  app.post(PUSHED, noStore, form, async (req, res) => {
    res.status(201).json(await pushRequest(parts, req, readForm(req)));
  });
  app.all(PUSHED, (_req, res) => void res.set('Allow', 'POST').status(405).end());
  app.use(PUSHED, answerErrors(oauth.trail, log));

  const json = express.json({ limit: BODY_MAX, type: 'application/json' });
  const api = (
    method: 'get' | 'post',
    path: string,
    status: number,
    handle: (req: Request) => Promise<object>,
  ): void => {
    const run = answering(log, async (req, res) => void res.status(status).json(await handle(req)));
    app[method](path, noStore, json, run, problemErrors(log));
  };
  api('post', LAUNCHES, 201, (req) => createLaunch(parts, req));
  api('get', ADMIN_GRANTS, 200, (req) => listGrants(parts, req));
  api('post', `${ADMIN_GRANTS}/revoke`, 200, (req) => revokeGrants(parts, req));

  // What fails while a fault is told.
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    // Express's router, of a path that cannot be decoded.
    if (error instanceof URIError) return sendPage(res, untrustedPage('The request cannot be read.'), 400);
    if (!isBusy(error)) log.error('an authorization page failed', { error });
    sendPage(res, failedPage(isBusy(error)), isBusy(error) ? 503 : 500);
  });

  return {
    app,
    async purge() {
      let [all, last] = [0, PURGE_MAX];
      for (let round = 0; round < PURGE_ROUNDS && last >= PURGE_MAX; round += 1) {
        last = await requests.purge(PURGE_MAX);
        all += last;
      }
      return all;
    },
  };
}

function noStore(_req: Request, res: Response, next: NextFunction): void {
  res.set({
    'Cache-Control': 'no-store',
    Pragma: 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  });
  next();
}

/** Faults of which no app can be told: pages for the person. */
function pageErrors({ oauth, log }: AuthorizeOptions) {
  return async (error: unknown, req: Request, res: Response, _next: NextFunction): Promise<void> => {
    if (res.headersSent) return void res.destroy();
    if (error instanceof LostRequest) return sendPage(res, expiredPage, 400);
    if (error instanceof UntrustedRequest) {
      await oauth.trail({ kind: 'consent', req, outcome: 4, rule: error.rule });
      return sendPage(res, untrustedPage(error.message), 400);
    }
    if (error instanceof OAuthError)
      return sendPage(res, untrustedPage(`The request cannot be read: ${error.message}.`), 400);
    const status = statusOf(error);
    if (status !== undefined) return sendPage(res, untrustedPage('The request cannot be read.'), status);
    if (!isBusy(error)) log.error('an authorization page failed', { error });
    sendPage(res, failedPage(isBusy(error)), isBusy(error) ? 503 : 500);
  };
}

/** What Express's body parsers throw says whether it may be shown. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'expose' in error && error.expose === true && 'status' in error
    ? Number(error.status)
    : undefined;
