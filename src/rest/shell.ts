/** Everything but the FHIR API: health, metrics, the landing page. Express 5. */
import type { IncomingMessage } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Log } from '../ports/log.ts';
import { FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { labelRoute, type Metrics } from './metrics.ts';
import { sendOutcome } from './send-outcome.ts';

/** What the server can say about itself at this moment. */
export interface ServerStatus {
  readonly phase: 'starting' | 'ready' | 'stopping';
  readonly databaseAnswers: boolean;
  /** Newest migration in the database. */
  readonly schema: string | undefined;
}

export interface ShellOptions {
  readonly status: () => ServerStatus;
  readonly metrics: Metrics;
  readonly fhirBaseUrl: string;
  /** Who may see metrics and what readiness is made of. */
  readonly isOperator: (req: IncomingMessage) => boolean;
  readonly log: Log;
}

/** Creates the Express app. */
export function createShell({ status, metrics, fhirBaseUrl, isOperator, log }: ShellOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use((req: Request, res: Response, next: NextFunction) => {
    res.set('Cache-Control', 'no-store');
    if (req.method === 'GET' || req.method === 'HEAD') return next();
    sendOutcome(res, methodNotAllowed(req.method));
  });

  // Says only that the process answers: a database that is down must not get it restarted.
  app.get('/livez', (_req, res) => {
    labelRoute(res, '/livez');
    res.json({ status: 'alive' });
  });

  app.get('/readyz', (req, res) => {
    labelRoute(res, '/readyz');
    const { phase, databaseAnswers, schema } = status();
    const ready = phase === 'ready' && databaseAnswers;
    if (!ready) res.set('Retry-After', '2');
    res.status(ready ? 200 : 503).json({
      status: ready ? 'ready' : phase === 'ready' ? 'not ready' : phase,
      ...(isOperator(req) && {
        checks: {
          database: phase === 'starting' ? 'starting' : databaseAnswers ? 'up' : 'down',
          migrations: schema ?? (phase === 'starting' ? 'starting' : 'none'),
        },
      }),
    });
  });

  app.get('/metrics', async (req, res) => {
    labelRoute(res, '/metrics');
    if (!isOperator(req)) {
      sendOutcome(res, notForYou());
      return;
    }
    const text = await metrics.registry.metrics();
    res.set('Content-Type', metrics.registry.contentType).send(text);
  });

  app.get('/', (_req, res) => {
    labelRoute(res, '/');
    res.json({
      name: 'Mortar',
      fhir: fhirBaseUrl,
      links: { metadata: `${fhirBaseUrl}/metadata`, live: '/livez', ready: '/readyz', metrics: '/metrics' },
    });
  });

  app.use((_req: Request, res: Response) => sendOutcome(res, notFound('That path')));
  // Express tells an error handler by its four parameters.
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    if (isClientFault(error)) return sendOutcome(res, new FhirError(400, [issue('invalid', 'the path is not valid')]));
    log.error('a request failed', { error });
    sendOutcome(res, error);
  });
  return app;
}

/** Express gives a path that cannot be decoded the status 400. */
const isClientFault = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'status' in error && error.status === 400;

const notForYou = (): FhirError =>
  new FhirError(401, [issue('login', 'Metrics need the bearer token of METRICS_TOKEN, or a request of this machine')], {
    headers: { 'WWW-Authenticate': 'Bearer realm="metrics"' },
  });

const methodNotAllowed = (method: string): FhirError =>
  new FhirError(405, [issue('not-supported', `${method} is not supported here`)], { headers: { Allow: 'GET, HEAD' } });
