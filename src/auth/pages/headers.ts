/** Security headers of the pages, by helmet. SECURITY WB-02, WB-03 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';

const YEAR_SECONDS = 31_536_000;

/** Every header of a page but the policy for its content; `isTls` says whether clients reach us by https. */
export function pageHeaders({ isTls }: { readonly isTls: boolean }): RequestHandler {
  const set = helmet({
    contentSecurityPolicy: false,
    crossOriginEmbedderPolicy: false,
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: isTls && { maxAge: YEAR_SECONDS, includeSubDomains: true },
  });
  return (req: Request, res: Response, next: NextFunction) => {
    res.set('Cache-Control', 'no-store');
    res.set('Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
    set(req, res, (error?: unknown) => {
      if (error !== undefined) return next(error);
      allowFormTargets(req, res, []);
      next();
    });
  };
}

/**
 * Sets the policy for the page's content. `origins`: where a form of this page may end up besides ourselves; browsers
 * hold redirects to it too, so a consent page names the origin of the app's redirect address.
 */
export function allowFormTargets(req: Request, res: Response, origins: readonly string[]): void {
  helmet.contentSecurityPolicy({
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      formAction: ["'self'", ...origins],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      objectSrc: ["'none'"],
      requireTrustedTypesFor: ["'script'"],
    },
  })(req, res, (error?: unknown) => {
    if (error !== undefined) throw error;
  });
}
