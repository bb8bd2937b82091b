/**
 * For doors of messages: a partner who comes without a token acts as the client that the table of partners names, by
 * its certificate alone. Everywhere else a certificate only binds tokens (RFC 8705). SECURITY PK-09, PK-14
 */
import type { IncomingMessage } from 'node:http';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Client, Clients } from '../../ports/clients.ts';
import type { PartnerOf } from '../../ports/partner.ts';
import { parseGranted } from '../../standards/smart/scope.ts';
import { isNamed } from './certificate-names.ts';
import type { Certificate } from './client-authentication.ts';

export interface CertificateCallerOptions {
  /** For whoever brings a token, and for whom no certificate speaks. */
  readonly authenticate: Authenticate;
  readonly partnerOf: PartnerOf;
  readonly certificateOf: (req: IncomingMessage) => Certificate | undefined;
  readonly clients: Pick<Clients, 'find'>;
  readonly addressOf: (req: IncomingMessage) => string | undefined;
}

/** The client must be enabled, be registered for `tls_client_auth`, and by a name that this certificate bears. */
export function createCertificateCaller(options: CertificateCallerOptions): Authenticate {
  const { authenticate, partnerOf, certificateOf, clients, addressOf } = options;
  return async (req, correlationId) => {
    const partner = req.headers.authorization === undefined ? partnerOf(req.socket) : undefined;
    const certificate = partner?.clientId === undefined ? undefined : certificateOf(req);
    const client = certificate && (await clients.find(partner?.clientId ?? ''));
    if (!partner || !client || !isCertified(client, certificate)) return authenticate(req, correlationId);
    const scopes = parseGranted(client.scope);
    const address = addressOf(req);
    return {
      kind: 'client',
      name: client.id,
      correlationId,
      // Nobody stands behind it: what people grant is not the client's own.
      scopes: scopes.flatMap(({ resource }) => (resource?.level === 'system' ? [resource] : [])),
      otherScopes: scopes.flatMap(({ text, resource }) => (!resource && text.includes(':') ? [text] : [])),
      clientId: client.id,
      tokenId: `x5t:${certificate.thumbprint.slice(0, 16)}`,
      organizationId: partner.organizationId,
      ...(address !== undefined && { address }),
    };
  };
}

const isCertified = (client: Client, certificate: Certificate): boolean =>
  !client.isDisabled && client.kind === 'mtls' && isNamed(client, certificate);
