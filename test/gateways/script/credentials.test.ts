import { expect } from 'chai';
import { createBasicPartners, hashPassword, parseBasicPartners } from '../../../src/gateways/script/credentials.ts';

const header = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const HASH = `scrypt:${'A'.repeat(22)}:${'B'.repeat(43)}`;
const ONE = { user: 'saguaro', password: HASH, senders: ['P:0300123'], organizationId: 'o1' };

describe('gateways › script › credentials', () => {
  it('the right password names the partner, without the hash', async () => {
    const password = await hashPassword('cactus:wren');
    const find = createBasicPartners([{ ...ONE, password, messages: ['RxFill'] }], () => 0);
    const expected = { senders: ['P:0300123'], organizationId: 'o1', messages: ['RxFill'] };
    expect(await find(header('saguaro:cactus:wren'))).eql(expected);
    // Known from the first time.
    expect(await find(header('saguaro:cactus:wren'))).eql(expected);
  });

  for (const text of ['saguaro:wrong', 'saguaro:', 'nobody:cactus:wren', ':cactus:wren', 'saguaro', ''])
    it(`'${text}' names nobody`, async () => {
      const find = createBasicPartners([{ ...ONE, password: await hashPassword('cactus:wren') }], () => 0);
      expect(await find(header(text))).equal(undefined);
    });

  it('what is no Basic header names nobody', async () => {
    const find = createBasicPartners([ONE], () => 0);
    for (const text of ['', 'Bearer x', 'Basic', 'Basic !!', `Basic ${'A'.repeat(100_000)}`])
      expect(await find(text)).equal(undefined);
  });

  it('two hashes of one password differ', async () => {
    expect(await hashPassword('x')).not.equal(await hashPassword('x'));
  });

  it('a file is read', () => expect(parseBasicPartners(JSON.stringify([ONE]))).eql([ONE]));
  for (const [title, json, expected] of [
    ['no JSON', 'x', 'it is no JSON'],
    ['no list', '{}', 'it must be a list'],
    ['nothing', '[null]', 'partner 1: user'],
    ['a user with a colon', JSON.stringify([{ ...ONE, user: 'a:b' }]), 'partner 1: user'],
    ['a user twice', JSON.stringify([ONE, ONE]), 'partner 2: the user is there twice'],
    ['a password in clear', JSON.stringify([{ ...ONE, password: 'secret' }]), 'partner 1: password must be a hash'],
    ['no senders', JSON.stringify([{ ...ONE, senders: [] }]), 'partner 1: senders'],
    ['no organisation', JSON.stringify([{ ...ONE, organizationId: undefined }]), 'partner 1: organizationId'],
    ['messages that are no list', JSON.stringify([{ ...ONE, messages: 'RxFill' }]), 'partner 1: messages'],
  ] as const)
    it(`${title}: ${expected}`, () => {
      let message = '';
      try {
        parseBasicPartners(json);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).include(expected).not.include('secret');
    });
});
