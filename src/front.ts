/** What faces the network before anything else is ready: ports, certificates, limits, health; and then the API behind them. */
import { type Certificates, openCertificates } from './certificates.ts';
import type { Config } from './config.ts';
import { hostInUrl, listenAddresses } from './config-checks.ts';
import type { FhirApi } from './fhir-api.ts';
import { explainListening } from './listen-error.ts';
import type { ContextLog } from './log.ts';
import type { Clock } from './ports/clock.ts';
import { type AddressOf, createAddressOf } from './rest/address.ts';
import { createDoorLimiter } from './rest/door-limits.ts';
import { createGuard } from './rest/guard.ts';
import { type HttpServer, listen, type RequestHandler } from './rest/http-server.ts';
import { createMetrics, type Metrics } from './rest/metrics.ts';
import { createOperatorAccess } from './rest/operator-access.ts';
import { createRateLimits, type RateLimits } from './rest/rate-limit.ts';
import { sendOutcome } from './rest/send-outcome.ts';
import { createShell, type ServerStatus } from './rest/shell.ts';
import { unavailable } from './standards/fhir/outcome.ts';

export interface FrontParts {
  readonly config: Config;
  readonly dataDir: string;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Front {
  readonly http: HttpServer;
  readonly trust: Certificates;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly metrics: Metrics;
  readonly addressOf: AddressOf;
  readonly limits: RateLimits;
  /** What health tells. */
  status: ServerStatus;
  /** From now on requests reach the API; until then they are told that the server is starting. */
  open(api: FhirApi): void;
  /** Ends requests under way within the time, and the listener; a second call waits for the first. Returns how many were broken off. */
  close(timeoutMs: number): Promise<number>;
}

const FHIR_PATH = '/fhir/R4';

/** Listens. What it opens is closed by the stack. Rejects with `ListenError` and `TlsFileError`. */
export async function openFront(parts: FrontParts, stack: AsyncDisposableStack): Promise<Front> {
  const { config, log } = parts;
  let api: FhirApi | undefined;
  const metrics = createMetrics();
  stack.defer(metrics.stop);
  const trust = await openCertificates({ ...parts, audit: () => api?.audit });
  stack.defer(trust.stop);
  const http = await bindPort(config, log, metrics, trust);
  let closed: Promise<number> | undefined;
  const close = (timeoutMs: number): Promise<number> => (closed ??= http.close(timeoutMs));
  stack.defer(async () => void (await close(0)));

  const url = config.publicUrl ?? publicUrlOf(config, http);
  const fhirBaseUrl = url + FHIR_PATH;
  const guard = createGuard({
    port: http.port,
    httpsPort: http.httpsPort,
    publicUrl: url,
    isRegisteredOrigin: (origin) => api?.identity?.isRegisteredOrigin(origin) === true,
  });
  const addressOf = createAddressOf(config.trustedProxies);
  const limits = await openLimits(parts, url, stack);
  const isOperator = createOperatorAccess(config.metricsToken);
  const shell = createShell({ status: () => front.status, metrics, fhirBaseUrl, isOperator, log });
  http.setHandlers({ guard, shell, fhir: (_req, res) => sendOutcome(res, unavailable('The server is starting')) });
  const limit = createDoorLimiter({ limits, addressOf });

  const front: Front = {
    http,
    trust,
    url,
    fhirBaseUrl,
    metrics,
    addressOf,
    limits,
    status: { phase: 'starting', databaseAnswers: false, schema: undefined },
    open(opened) {
      api = opened;
      const { handle, upgrade, identity } = opened;
      if (identity?.cardApp) trust.cards?.listener.setHandler(identity.cardApp);
      http.setHandlers({
        guard,
        limit,
        shell,
        fhir: handle,
        ...(identity && { wellKnown: identity.wellKnown }),
        ...(upgrade && { upgrade: (req, socket, head) => upgrade(guard, req, socket, head) }),
        doors: doorsOf(opened),
      });
    },
    close,
  };
  return front;
}

/** By the first segment of their paths. */
const doorsOf = ({ gateway, identity }: FhirApi): ReadonlyMap<string, RequestHandler> =>
  new Map<string, RequestHandler>([
    ...(gateway
      ? ([
          ['ncpdp', gateway.script],
          ['hl7v2', gateway.hl7v2],
          ['gateway', gateway.messages],
        ] as const)
      : []),
    ...(identity?.doors ?? []),
  ]);

/** Servers of one public URL count together where there is a Redis, which is loaded only then. */
async function openLimits(
  { config, now, log }: FrontParts,
  name: string,
  stack: AsyncDisposableStack,
): Promise<RateLimits> {
  const { rateLimits, redisUrl } = config;
  const rates = rateLimits && { rates: rateLimits };
  if (redisUrl === undefined) return createRateLimits({ now, ...rates });
  const { createRedisRates } = await import('./rest/redis-rates.ts');
  const store = createRedisRates({ redisUrl, name, log });
  stack.defer(() => store.stop());
  return createRateLimits({ now, ...rates, store });
}

/** How clients reach a server that was not told how. */
function publicUrlOf(config: Config, { port, httpsPort }: HttpServer): string {
  const { plainHost, isPublicOverTls } = listenAddresses(config);
  return isPublicOverTls ? `https://${hostInUrl(config.host)}:${httpsPort}` : `http://${hostInUrl(plainHost)}:${port}`;
}

async function bindPort(
  config: Config,
  log: ContextLog,
  metrics: Metrics,
  { source, gate }: Certificates,
): Promise<HttpServer> {
  const { plainHost: host, https } = listenAddresses(config);
  const tls = https && source && { ...https, source, ...(gate && { peers: gate }) };
  try {
    return await listen({ host, port: config.port, tls, metrics, log });
  } catch (cause) {
    const { port = config.port } = cause as { port?: number };
    const isTls = port === https?.port;
    throw explainListening(cause, {
      port,
      host: isTls ? config.host : host,
      setting: isTls ? 'HTTPS_PORT' : 'PORT',
    });
  }
}
