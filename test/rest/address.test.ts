/** SECURITY WB-07: only proxies that are named are believed. */
import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { addressGroup, createAddressOf, isLocalRequest } from '../../src/rest/address.ts';

/** A request as far as addresses go. */
const request = (peer: string, headers: Record<string, string> = {}): IncomingMessage =>
  ({ socket: { remoteAddress: peer }, headers }) as unknown as IncomingMessage;

describe('rest › address', () => {
  const addressOf = createAddressOf(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
  for (const [what, peer, forwarded, expected] of [
    ['the peer itself', '203.0.113.9', undefined, '203.0.113.9'],
    ['what a stranger forwards is not believed', '203.0.113.9', '127.0.0.1', '203.0.113.9'],
    ['what a trusted proxy forwards is', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['an IPv4 peer in IPv6 form', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['the last that no trusted proxy is', '10.1.2.3', '127.0.0.1, 203.0.113.9, 192.0.2.7', '203.0.113.9'],
    ['IPv6', 'fd00::1', '2001:db8::5', '2001:db8::5'],
    ['nothing after what is no address', '10.1.2.3', '203.0.113.9, unknown, 10.4.4.4', '10.4.4.4'],
    ['the proxy when it says nothing of use', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['the farthest when all are trusted', '10.1.2.3', '10.9.9.9, 10.8.8.8', '10.9.9.9'],
  ] as const)
    it(`[WB-07] ${what}`, () => {
      const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
      expect(addressOf(request(peer, headers))).equal(expected);
    });

  it('[WB-07] believes nobody unless told', () => {
    expect(createAddressOf()(request('10.1.2.3', { 'x-forwarded-for': '203.0.113.9' }))).equal('10.1.2.3');
  });

  it('counts an IPv6 network of 64 bits as one client', () => {
    for (const address of ['2001:db8:0:5::1', '2001:DB8:0000:5:ffff:1:2:3', '2001:db8:0:5:0:0:0:9%eth0'])
      expect(addressGroup(address)).equal('2001:db8:0:5::/64');
    expect(addressGroup('2001:db8::1')).equal('2001:db8:0:0::/64');
    expect(addressGroup('::1')).equal('0:0:0:0::/64');
    expect(addressGroup('203.0.113.9')).equal('203.0.113.9');
  });

  it('[WB-08] a request of this machine is one that nobody has handed on', () => {
    for (const peer of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
      expect(isLocalRequest(request(peer)), peer).equal(true);
    for (const peer of ['10.0.0.1', '::', '::ffff:10.0.0.1', '', '2001:db8::1'])
      expect(isLocalRequest(request(peer)), peer).equal(false);
    for (const name of ['x-forwarded-for', 'forwarded', 'via'])
      expect(isLocalRequest(request('127.0.0.1', { [name]: '127.0.0.1' })), name).equal(false);
  });
});
