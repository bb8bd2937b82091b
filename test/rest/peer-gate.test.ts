/** Open connections are looked at again, each for itself. What the gate does on real sockets: test/security/client-certificates.test.ts */
import { EventEmitter } from 'node:events';
import type { Server, TLSSocket } from 'node:tls';
import { expect } from 'chai';
import type { PeerRefusal } from '../../src/ports/peer-check.ts';
import { guardPeers } from '../../src/rest/peer-gate.ts';
import { silentLog } from '../support/log.ts';

const REVOKED: PeerRefusal = { code: 'revoked', message: 'it was revoked' };

/** A connection as far as the gate looks at it. */
class Connection extends EventEmitter {
  readonly remoteAddress = '192.0.2.1';
  readonly name: string;
  destroyed = false;
  constructor(name: string) {
    super();
    this.name = name;
  }
  getPeerCertificate(): object {
    return { raw: Buffer.from(this.name) };
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('rest › peer gate', () => {
  it('[PK-08] a responder that does not answer, or a fault, keeps no other connection open', async () => {
    const server = new EventEmitter();
    const admitted = new Set<string>();
    server.on('secureConnection', () => undefined);
    guardPeers(server as Server, {
      certificates: 'required',
      recheckMs: 5,
      log: silentLog,
      onAdmitted: (socket) => void admitted.add((socket as unknown as Connection).name),
      async check({ certificates: [first] }) {
        const name = String(first);
        if (!admitted.has(name)) return undefined;
        if (name.startsWith('slow')) return new Promise(() => {});
        if (name === 'broken') throw new Error('a fault');
        return REVOKED;
      },
    });
    const connections = [...Array.from({ length: 20 }, (_, n) => `slow ${n}`), 'broken', 'revoked'].map(
      (name) => new Connection(name),
    );
    const [broken, revoked] = connections.slice(-2) as [Connection, Connection];
    const closed = Promise.all([broken, revoked].map((one) => new Promise((done) => one.once('close', done))));
    for (const one of connections) server.emit('secureConnection', one as unknown as TLSSocket);
    await closed;
    expect(connections.filter(({ destroyed }) => destroyed)).eql([broken, revoked]);
    server.emit('close');
  });
});
