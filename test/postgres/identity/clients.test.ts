import { expect } from 'chai';
import { type IdentityStore, newClient, openIdentityStore } from '../../support/identity-store.ts';

describe('identity › clients', () => {
  let store: IdentityStore;
  before(async () => {
    store = await openIdentityStore();
  });
  after(() => store.stop());

  const full = newClient({
    name: 'Growth chart',
    publisher: 'Example',
    kind: 'asymmetric',
    redirectUris: ['https://app.example.org/cb', 'http://127.0.0.1/cb'],
    postLogoutUris: ['https://app.example.org/bye'],
    launchUrl: 'https://app.example.org/launch',
    jwks: { keys: [{ kty: 'EC', kid: '1' }] },
    certificateSubject: 'CN=app',
    profile: 'nhs',
    mayIntrospect: true,
    isLegacyAudience: true,
    isVerified: false,
    needsPushedRequests: true,
  });

  it('gives back what was registered, under an id of ours', async () => {
    const client = await store.clients.add(full);
    expect(client).deep.include(full);
    expect(client.id).match(/^[0-9a-f-]{36}$/);
    expect(await store.clients.find(client.id)).deep.equal(client);
    expect(client.createdAt).equal(store.clock.now());
    expect(await store.clients.find('nobody')).equal(undefined);
  });

  it('changes replace everything; a built-in client keeps its id', async () => {
    const { id } = await store.clients.add(full);
    const changed = await store.clients.change(id, newClient({ name: 'B', kind: 'public' }));
    expect(changed).deep.include(newClient({ name: 'B', kind: 'public' }));
    expect(changed).not.have.property('jwks');
    expect(await store.clients.change('nobody', full)).equal(undefined);
    expect((await store.clients.put('built-in', full)).id).equal('built-in');
    expect((await store.clients.put('built-in', newClient({ name: 'C' }))).name).equal('C');
  });

  it('lists by name, a page at a time', async () => {
    for (const name of ['z2', 'z1', 'z3']) await store.clients.add(newClient({ name }));
    const all: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await store.clients.list({ ...(after !== undefined && { after }), limit: 2 });
      if (page.length === 0) break;
      all.push(...page.map(({ name }) => name));
      after = page.at(-1)?.id;
    }
    expect(all.slice(-3)).deep.equal(['z1', 'z2', 'z3']);
    expect(new Set(all).size).equal(all.length - (all.filter((n) => n === 'Growth chart').length - 1));
  });

  it('[SA-02] of secrets the two newest are valid, each until its time', async () => {
    const { id } = await store.clients.add(newClient({ kind: 'symmetric' }));
    const first = await store.clients.addSecret(id);
    store.clock.pass(1);
    const second = await store.clients.addSecret(id, store.clock.now() + 1000);
    expect([await store.clients.isSecret(id, first), await store.clients.isSecret(id, second)]).deep.equal([
      true,
      true,
    ]);
    store.clock.pass(1);
    const third = await store.clients.addSecret(id);
    expect(await store.clients.isSecret(id, first), 'the oldest').equal(false);
    expect(await store.clients.isSecret(id, second)).equal(true);
    store.clock.pass(1000);
    expect(await store.clients.isSecret(id, second), 'expired').equal(false);
    expect(await store.clients.isSecret(id, third)).equal(true);
    expect(await store.clients.isSecret('nobody', third)).equal(false);
    expect(Buffer.from(third, 'base64url').length).equal(32);
  });

  it('[SR-03] a registration token is valid until the next is made, or the client is disabled', async () => {
    const { id } = await store.clients.add(newClient());
    const first = await store.clients.addRegistrationToken(id);
    expect(await store.clients.isRegistrationToken(id, first)).equal(true);
    const second = await store.clients.addRegistrationToken(id);
    expect(await store.clients.isRegistrationToken(id, first)).equal(false);
    expect(await store.clients.isRegistrationToken(id, second)).equal(true);
    await store.clients.setDisabled(id, true);
    expect(await store.clients.isRegistrationToken(id, second)).equal(false);
  });

  it('[ST-13] secrets and registration tokens are hashes in the tables', async () => {
    const { id } = await store.clients.add(newClient());
    const words = [await store.clients.addSecret(id), await store.clients.addRegistrationToken(id)];
    const dump = await store.dump();
    for (const word of words) {
      expect(dump).not.include(word);
      expect(dump).not.include(Buffer.from(word).toString('hex'));
    }
  });

  it('[SD-06] origins are those of active clients', async () => {
    const { id } = await store.clients.add(newClient({ redirectUris: ['https://Only.example.org:8443/x?y'] }));
    await store.clients.add(newClient({ redirectUris: ['app.example:/cb'] }));
    expect(await store.clients.origins()).include('https://only.example.org:8443');
    expect(await store.clients.origins()).not.include('null');
    expect(await store.clients.setDisabled(id, true)).equal(true);
    expect(await store.clients.origins()).not.include('https://only.example.org:8443');
    expect(await store.clients.setDisabled('nobody', true)).equal(false);
  });
});
