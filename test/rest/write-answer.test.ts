/** Answers that are made while they are sent, and break off. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { FhirAnswer } from '../../src/rest/exchange.ts';
import { writeAnswer } from '../../src/rest/write-answer.ts';
import { createMemoryLog } from '../support/log.ts';

describe('rest › answers that are made while they are sent', () => {
  const log = createMemoryLog();
  let server: Server;
  let url = '';
  let stream: () => AsyncGenerator<Buffer>;
  let ended: Promise<unknown>;
  before(async () => {
    server = createServer((req, res) => {
      ended = once(res, 'close');
      const answer: FhirAnswer = { status: 200, headers: {}, contentType: 'text/csv', stream: stream() };
      writeAnswer(req, res, { correlationId: 'c-1' }, answer, log);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('one that fails on the way is broken off, and logged', async () => {
    const fault = new Error('the result went while it was read');
    stream = async function* () {
      yield Buffer.from('first\r\n');
      throw fault;
    };
    const outcome = await fetch(url)
      .then((response) => response.text())
      .catch(() => 'broken off');
    expect(outcome).equal('broken off');
    await ended;
    expect(log.lines.map(({ level, fields }) => [level, fields?.['correlationId'], fields?.['error']])).eql([
      ['error', 'c-1', fault],
    ]);
  });

  it('a client that leaves is not logged; what was being made is ended', async () => {
    const before = log.lines.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    stream = async function* () {
      try {
        for (;;) yield Buffer.alloc(64 * 1024);
      } finally {
        resolve();
      }
    };
    const leaving = new AbortController();
    const response = await fetch(url, { signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    await Promise.all([ended, promise]);
    await new Promise((next) => setImmediate(next));
    expect(log.lines.length).equal(before);
  });

  it('HEAD asks for nothing of it', async () => {
    let isBegun = false;
    stream = async function* () {
      isBegun = true;
      yield Buffer.from('x');
    };
    const response = await fetch(url, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type'), isBegun]).eql([200, 'text/csv', false]);
  });
});
