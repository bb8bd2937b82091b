/** A program with a key of its own and no person: SMART backend services. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { TestServer } from './server.ts';

export interface BackendClient {
  readonly clientId: string;
  /** A token of the scope that it is registered for. */
  readonly bearer: { readonly authorization: string };
}

/** Registers it and asks for a token. */
export async function registerBackend(
  server: Pick<TestServer, 'url' | 'fhirBaseUrl' | 'bearer'>,
  scope: string,
  name = 'A program',
): Promise<BackendClient> {
  const { privateKey, publicKey } = await generateKeyPair('ES384');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES384', use: 'sig' };
  const made = await fetch(`${server.url}/api/v2/admin/clients`, {
    method: 'POST',
    headers: { ...server.bearer, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, scope, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }),
  });
  if (made.status !== 201) throw new Error(await made.text());
  const { client_id: clientId } = (await made.json()) as { client_id: string };
  const discovery = await fetch(`${server.fhirBaseUrl}/.well-known/smart-configuration`);
  const { token_endpoint: url } = (await discovery.json()) as { token_endpoint: string };
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES384', kid: 'k1', typ: 'JWT' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(url)
    .setJti(crypto.randomUUID())
    .setExpirationTime('4 minutes')
    .sign(privateKey);
  // Its audience is the address that is published; it is reached where the test reaches the server.
  const reply = await fetch(server.url + new URL(url).pathname, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
  const { access_token: token } = (await reply.json()) as { access_token: string };
  return { clientId, bearer: { authorization: `Bearer ${token}` } };
}
