/** Which pages of other origins may call us: those of registered apps. https://fetch.spec.whatwg.org/#http-cors-protocol SECURITY SD-06 */
import type { NextFunction, Request, Response } from 'express';
import type { Clients } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

export interface RegisteredOrigins {
  /** From memory, at most some seconds old. */
  isRegistered(origin: string): boolean;
  /** Reads them anew. */
  load(): Promise<void>;
}

const REREAD_AFTER_MS = 5_000;

export function createOrigins(clients: Pick<Clients, 'origins'>, now: Clock, log: Log): RegisteredOrigins {
  let known: ReadonlySet<string> = new Set();
  let readAt = Number.NEGATIVE_INFINITY;

  async function load(): Promise<void> {
    readAt = now();
    known = new Set(await clients.origins());
  }

  return {
    load,
    isRegistered(origin) {
      if (now() - readAt >= REREAD_AFTER_MS)
        load().catch((error: Error) => log.warn('origins of clients could not be read', { cause: error.message }));
      return origin !== 'null' && known.has(origin);
    },
  };
}

/** For documents that anybody may read. */
export function allowAnyOrigin(_req: Request, res: Response, next: NextFunction): void {
  res.set('Access-Control-Allow-Origin', '*');
  next();
}

/** For the other endpoints: the exact origin of a registered app, and no cookies. */
export const allowRegisteredOrigins =
  (origins: RegisteredOrigins) =>
  (req: Request, res: Response, next: NextFunction): void => {
    const { origin } = req.headers;
    res.vary('Origin');
    const isAllowed = origin !== undefined && origins.isRegistered(origin);
    if (isAllowed)
      res.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Expose-Headers': 'DPoP-Nonce, WWW-Authenticate',
      });
    if (req.method !== 'OPTIONS' || origin === undefined) {
      next();
      return;
    }
    if (!isAllowed) {
      res.status(403).end();
      return;
    }
    res.set({
      'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, DPoP',
      'Access-Control-Max-Age': '600',
    });
    res.status(204).end();
  };
