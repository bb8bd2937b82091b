import { expect } from 'chai';
import { openWorld, type World } from './world.ts';

describe('authorize › standalone launch', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world?.stop());

  it('[SL-08] [SL-12] [SL-15] a patient with one record signs in, consents, and the app gets tokens for that record', async () => {
    const client = await world.addClient();
    const patient = await world.addPerson();
    const browser = world.browser();
    const asked = world.ask(client, { nonce: 'n-1' });
    const first = await browser.get(asked.path);
    expect(first.path).match(/^\/sign-in\?next=%2Foauth2%2Fauthorize%2F[\w-]{43}%2Fsigned-in$/);
    const consent = await browser.submit({ email: patient.email, password: 'correct-horse-battery' });
    expect(consent.h1).equal('Share information with Growth Chart?');
    expect(consent.path).match(/^\/oauth2\/authorize\/[\w-]{43}$/);
    const done = await browser.submit({}, 'Share');
    expect(done.status).equal(303);
    expect(done.out?.origin).equal('https://app.example.org');
    const answer = done.out?.searchParams;
    expect(answer?.get('state')).equal('st4te & more');
    expect(answer?.get('iss')).equal(world.url);
    const token = await world.exchange(client, asked, answer?.get('code') ?? '');
    expect(token).include({ patient: 'p1', token_type: 'Bearer', need_patient_banner: true });
    expect(token.scope.split(' ')).members(asked.form.get('scope')?.split(' ') ?? []);
    expect(token).property('refresh_token');
  });
});
