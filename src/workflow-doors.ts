/** The workflow APIs put together: every part's routes in one table behind one door; a piece of the composition root. */
import type { IncomingMessage } from 'node:http';
import packageJson from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import type { ContextLog } from './log.ts';
import type { Pharmacy } from './pharmacy.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Clock } from './ports/clock.ts';
import type { Policy } from './ports/policy.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { OpenStore } from './postgres/store.ts';
import type { RequestHandler } from './rest/http-server.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import { createWorkflowApi } from './rest/workflow/api.ts';
import { createCatalogueRoutes } from './rest/workflow/catalogue-routes.ts';
import { withDescription } from './rest/workflow/description-routes.ts';
import { createHooksRoutes } from './rest/workflow/hooks-routes.ts';
import { createProtocolRoutes } from './rest/workflow/protocol-routes.ts';
import { createProviderRoutes } from './rest/workflow/provider-routes.ts';
import { createRequestRoutes } from './rest/workflow/request-routes.ts';
import type { WorkflowRoute } from './rest/workflow/route.ts';
import { createV2Routes } from './rest/workflow/v2-routes.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { createCatalogue } from './workflow/prescribing/catalogue/catalogue.ts';
import type { Prescribing } from './workflow/prescribing/desk.ts';
import type { EpsOrders } from './workflow/prescribing/eps-orders.ts';

export interface WorkflowParts {
  readonly config: Pick<Config, 'pharmacyCodeSystem' | 'healthNumberSystem' | 'highValueFrom'>;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  /** Audited. */
  readonly store: ResourceStore;
  /** Not audited: for what Mortar itself keeps, and the catalogue, which is about nobody. */
  readonly plain: Pick<OpenStore, 'search' | 'changes'>;
  readonly answers: OpenStore['answers'];
  /** Known once the way to the Spine is open. */
  readonly eps: () => EpsOrders | undefined;
  readonly pharmacy: Pick<Pharmacy, 'tokens' | 'register' | 'routes'>;
  /** Of parts that stand beside prescribing and dispensing. */
  readonly moreRoutes: readonly WorkflowRoute[];
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly policy: Policy;
  readonly audit: AuditLog;
  readonly limits: RateLimits;
  readonly addressOf: (req: IncomingMessage) => string;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface WorkflowDoors {
  /** By the beginnings of their paths. */
  readonly doors: (authenticate: Authenticate) => readonly (readonly [prefix: string, handle: RequestHandler])[];
}

export function createWorkflowDoors(parts: WorkflowParts): WorkflowDoors {
  const { url, searchOf, answers, policy, audit, limits, addressOf, now, log } = parts;
  const openCatalogue = createCatalogue({
    store: parts.plain,
    changes: parts.plain.changes,
    searchOf,
    caller: serviceCaller('catalogue'),
    now,
  });
  const { pharmacyCodeSystem: pharmacyCode, healthNumberSystem: healthNumber } = parts.config;
  const desk: Prescribing = {
    systems: { pharmacyCode, healthNumber },
    highValueFrom: parts.config.highValueFrom,
    store: parts.store,
    searchOf,
    openCatalogue,
    tokens: parts.pharmacy.tokens,
    get eps() {
      return parts.eps();
    },
    now,
  };
  const routes = withDescription(
    [
      ...createCatalogueRoutes(openCatalogue),
      ...createRequestRoutes(desk),
      ...createProviderRoutes(desk),
      ...createProtocolRoutes(desk),
      ...createV2Routes(desk),
      ...createHooksRoutes(desk),
      ...parts.pharmacy.routes,
      ...parts.moreRoutes,
    ],
    {
      title: 'Mortar workflow API',
      version: packageJson.version,
      description: 'Requests for prescriptions, their approval, and pharmacies. The record itself is at /fhir/R4.',
      url,
      authorizationUrl: `${url}/oauth2/authorize`,
      tokenUrl: `${url}/oauth2/token`,
      scopes: {
        'prescription:read': 'See own prescriptions and medicines',
        'prescription:write': 'Ask for prescriptions and cancel requests',
        'pharmacy:read': 'See pharmacies and the one that is nominated',
        'pharmacy:nominate': 'Nominate a pharmacy',
      },
    },
  );
  return {
    doors(authenticate) {
      const onError = (error: unknown): void => log.error('a request failed', { error });
      const api = createWorkflowApi({ routes, authenticate, policy, audit, answers, limits, addressOf, now, onError });
      return prefixesOf(routes).map((prefix) => [prefix, api] as const);
    },
  };
}

/** `/api/prescriptions` of `/api/prescriptions/:id/cancel`: two segments, three below `/api/v2`, one elsewhere. */
function prefixesOf(routes: readonly WorkflowRoute[]): readonly string[] {
  const prefixes = routes.map(({ path }) => {
    const parts = path.split('/').slice(1);
    const length = parts[0] === 'api' ? (parts[1] === 'v2' ? 3 : 2) : parts[0] === '.well-known' ? 2 : 1;
    return `/${parts.slice(0, length).join('/')}`;
  });
  return [...new Set(prefixes)];
}
