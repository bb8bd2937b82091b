/** What the tokens of a request are bound to. RFC 9449 section 5, RFC 8705 section 3. SECURITY ST-10 */
import type { Request } from 'express';
import type { Client } from '../../ports/clients.ts';
import type { Grant } from '../../ports/grants.ts';
import type { Certificate } from './client-authentication.ts';
import { type Dpop, DpopError, hasProof } from './dpop.ts';
import { OAuthError } from './oauth-error.ts';

export type Binding = NonNullable<Grant['cnf']>;

export interface BindingParts {
  readonly dpop: Dpop;
  readonly certificateOf?: (req: Request) => Certificate | undefined;
}

/**
 * The key of the DPoP proof, where there is one, and the certificate of a client that proves itself by one. The answer
 * offers a nonce for the next proof. Throws `invalid_dpop_proof` and `use_dpop_nonce`.
 */
export async function bindingOf(parts: BindingParts, req: Request, client: Client): Promise<Binding | undefined> {
  const jkt = hasProof(req) ? await prove(parts.dpop, req) : undefined;
  const certificate = client.kind === 'mtls' ? parts.certificateOf?.(req) : undefined;
  if (jkt === undefined && certificate === undefined) return undefined;
  return {
    ...(jkt !== undefined && { jkt }),
    ...(certificate && { 'x5t#S256': certificate.thumbprint }),
  };
}

export const tokenTypeOf = ({ cnf }: Pick<Grant, 'cnf'>): 'DPoP' | 'Bearer' =>
  cnf?.['jkt'] === undefined ? 'Bearer' : 'DPoP';

async function prove(dpop: Dpop, req: Request): Promise<string> {
  const headers = { 'DPoP-Nonce': await dpop.nonce() };
  try {
    const jkt = await dpop.prove(req);
    req.res?.set(headers);
    return jkt;
  } catch (error) {
    if (!(error instanceof DpopError)) throw error;
    const { fault } = error;
    if (fault === 'nonce') throw new OAuthError(400, 'use_dpop_nonce', 'use the nonce of DPoP-Nonce', { headers });
    throw new OAuthError(400, 'invalid_dpop_proof', 'the DPoP proof is not valid', { headers, rule: `dpop-${fault}` });
  }
}
