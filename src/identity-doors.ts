/** Which part answers which path of people, apps and their administration. */
import { AUTHORIZE_PATHS, type Authorize } from './auth/authorize/create-authorize.ts';
import type { OAuth } from './auth/oauth/oauth.ts';
import { PEOPLE_SEGMENTS, type PeopleAuth } from './auth/people/create-people.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { sendOutcome } from './rest/send-outcome.ts';
import { notFound } from './standards/fhir/outcome.ts';

/** What answers paths that begin so. */
export type PrefixDoor = readonly [prefix: string, handle: RequestHandler];

/** By the first segment of their paths. */
export function identityDoors(
  oauth: OAuth,
  people: PeopleAuth,
  authorize: Authorize,
  others: readonly PrefixDoor[],
): ReadonlyMap<string, RequestHandler> {
  const byPrefix: readonly PrefixDoor[] = [
    ...AUTHORIZE_PATHS.map((path) => [path, elseNotFound(authorize.app)] as const),
    ['/oauth2', elseNotFound(oauth.app)],
    ['/api/v2/admin/users', people.app],
    ['/api/v2/admin', elseNotFound(oauth.app)],
    ...others,
  ];
  const wellKnown = elseNotFound(oauth.app);
  const dispatch: RequestHandler = (req, res) => {
    const [path = ''] = (req.url ?? '').split('?');
    const found = byPrefix.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`));
    (found?.[1] ?? (path.startsWith('/.well-known/') ? wellKnown : people.app))(req, res);
  };
  return new Map<string, RequestHandler>([
    ...others.map(([prefix]) => [prefix.split('/')[1] ?? '', dispatch] as const),
    ['oauth2', dispatch],
    ['my-apps', dispatch],
    ['.well-known', dispatch],
    ['api', dispatch],
    ['booking', people.app],
    ...PEOPLE_SEGMENTS.map((segment) => [segment, people.app] as const),
  ]);
}

/** What an app does not know is answered as everywhere else, not by its framework. */
export function elseNotFound(app: OAuth['app']): RequestHandler {
  // Express's types have a next handler only beside its own requests, which it makes of ours itself.
  const handle = app as unknown as (...of: [...Parameters<RequestHandler>, next: () => void]) => void;
  return (req, res) => handle(req, res, () => sendOutcome(res, notFound('That path')));
}
