/** SECURITY PK-09: as whom a partner acts by its certificate alone, and when it does not. */
import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { createCertificateCaller } from '../../../src/auth/oauth/certificate-caller.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Client } from '../../../src/ports/clients.ts';
import type { Partner } from '../../../src/ports/partner.ts';

const CLIENT: Client = {
  id: 'surgery',
  name: 'Surgery',
  kind: 'mtls',
  certificateName: 'uri:urn:mortar:org:A83008',
  scope: 'system/Bundle.c patient/*.rs user/*.rs prescription:read openid',
  redirectUris: [],
  postLogoutUris: [],
  mayIntrospect: false,
  isLegacyAudience: false,
  isVerified: true,
  needsPushedRequests: false,
  isDisabled: false,
  createdAt: 0,
};
const PARTNER: Partner = { organizationId: 'org-1', clientId: 'surgery', senders: [] };
const CERTIFICATE = {
  subject: 'CN=x',
  names: [{ kind: 'uri', value: 'urn:mortar:org:A83008' }],
  thumbprint: 'abcdefghijklmnopqrstuvwxyz',
} as const;
const byToken: Caller = { kind: 'anonymous', name: 'token', correlationId: '', scopes: [], otherScopes: [] };

interface World {
  readonly partner?: Partner | undefined;
  readonly client?: Client | undefined;
  readonly certificate?: typeof CERTIFICATE | undefined;
  readonly headers?: IncomingMessage['headers'];
}
const ask = (world: World = {}): Promise<Caller> => {
  const { partner, client, certificate, headers } = {
    partner: PARTNER,
    client: CLIENT,
    certificate: CERTIFICATE,
    headers: {},
    ...world,
  };
  const authenticate = createCertificateCaller({
    authenticate: async () => byToken,
    partnerOf: () => partner,
    certificateOf: () => certificate,
    clients: { find: async (id) => (id === client?.id ? client : undefined) },
    addressOf: () => '192.0.2.1',
  });
  return authenticate({ headers, socket: {} } as IncomingMessage, 'c'); // all that is looked at
};

describe('oauth › callers by certificate', () => {
  it('[PK-09] acts as its client, with the scopes of systems and no others, for its organization', async () => {
    const caller = await ask();
    expect(caller).deep.include({
      kind: 'client',
      name: 'surgery',
      clientId: 'surgery',
      organizationId: 'org-1',
      correlationId: 'c',
      address: '192.0.2.1',
      otherScopes: ['prescription:read'],
    });
    expect(caller.scopes.map(({ level, type, letters }) => `${level}/${type}.${letters}`)).deep.equal([
      'system/Bundle.c',
    ]);
    expect(JSON.stringify(caller)).not.include(CERTIFICATE.thumbprint);
  });

  for (const [what, world] of [
    ['a token is there', { headers: { authorization: 'Bearer x' } }],
    ['nobody says whose the certificate is', { partner: undefined }],
    ['the partner has no client', { partner: { organizationId: 'org-1', senders: [] } }],
    ['there is no certificate', { certificate: undefined }],
    ['the client is not there', { client: undefined }],
    ['the client is disabled', { client: { ...CLIENT, isDisabled: true } }],
    ['the client proves itself in another way', { client: { ...CLIENT, kind: 'symmetric' } }],
    ['the client is registered with another name', { client: { ...CLIENT, certificateName: 'uri:urn:mortar:org:B' } }],
  ] as const)
    it(`[PK-09] asks for a token when ${what}`, async () => {
      expect(await ask(world)).equal(byToken);
    });
});
