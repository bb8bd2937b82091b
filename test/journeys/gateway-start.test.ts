/** What keeps the gateway from starting, said so that an operator can mend it; and what a restart finds again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { readConfig } from '../../src/config.ts';
import { ListenError } from '../../src/listen-error.ts';
import { openKeyFile } from '../../src/pki/key-file.ts';
import { StartError } from '../../src/postgres/start-error.ts';
import { startServer } from '../../src/server.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { fixture } from '../support/fixtures.ts';
import { databaseUrl, operatorToken, SERVER_SETTINGS, testLog } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

describe('gateway › start', function () {
  this.timeout(180_000);
  let database: TestDatabase;
  before(async () => {
    database = await createDatabase();
  });
  after(() => database.drop());

  const config = (env: Record<string, string>) =>
    readConfig({
      ...SERVER_SETTINGS,
      DATA_DIR: mkdtempSync(join(makeTempFolder(), 'start-')),
      DATABASE_URL: databaseUrl(database),
      UNKNOWN_PARTNERS: 'accept',
      ...env,
    });
  const refusal = (env: Record<string, string>): Promise<unknown> =>
    startServer(config(env), testLog()).then(
      async (server) => {
        await server.stop();
        return undefined;
      },
      (error: unknown) => error,
    );

  it('says which setting to change when the MLLP port is taken, and leaves nothing running', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const error = await refusal({ MLLP_PORT: String(port) });
    taken.close();
    expect(error).instanceOf(ListenError).property('message').contain(String(port)).contain('MLLP_PORT');
  });

  it('listens to HTTP alone when MLLP is off', async () => {
    const other = await createDatabase();
    const server = await startServer(config({ MLLP_PORT: 'off', DATABASE_URL: databaseUrl(other) }), testLog());
    expect(server.mllpPort).equal(undefined);
    await server.stop();
    await other.drop();
  });

  it('[KS-10] refuses a key that is not the one the messages were sealed with, and reads them with the right one', async () => {
    const folder = makeTempFolder();
    const [right, wrong] = [join(folder, 'right.key'), join(folder, 'wrong.key')];
    for (const path of [right, wrong]) {
      rmSync(path, { force: true });
      openKeyFile(path);
    }
    const other = await createDatabase();
    const DATA_DIR = mkdtempSync(join(folder, 'kept-'));
    const on = (MESSAGE_KEY_FILE: string) => config({ MESSAGE_KEY_FILE, DATA_DIR, DATABASE_URL: databaseUrl(other) });
    try {
      let server = await startServer(on(right), testLog());
      let bearer = { authorization: `Bearer ${await operatorToken(server)}` };
      const message = fixture('script/newrx-basic.xml');
      await fetch(`${server.url}/ncpdp/script`, {
        method: 'POST',
        headers: { ...bearer, 'Content-Type': 'application/xml' },
        body: new Uint8Array(message),
      });
      await server.stop();
      const error = await startServer(on(wrong), testLog()).catch((e: unknown) => e);
      expect(error).instanceOf(StartError).property('message').contain(wrong).contain('MESSAGE_KEY_FILE');
      server = await startServer(on(right), testLog());
      bearer = { authorization: `Bearer ${await operatorToken(server)}` };
      const { messages } = (await (await fetch(`${server.url}/gateway/messages`, { headers: bearer })).json()) as {
        messages: { id: string }[];
      };
      const raw = await fetch(`${server.url}/gateway/messages/${messages[0]?.id}/raw`, { headers: bearer });
      expect(Buffer.from(await raw.arrayBuffer()).equals(message)).equal(true);
      await server.stop();
    } finally {
      await other.drop();
    }
  });

  it('[KS-10] refuses an audit key that is not the one the trail was written with', async () => {
    const other = await createDatabase();
    const MESSAGE_KEY_FILE = join(makeTempFolder(), 'shared.key');
    const DATABASE_URL = databaseUrl(other);
    try {
      const server = await startServer(config({ MESSAGE_KEY_FILE, DATABASE_URL }), testLog());
      await server.stop();
      const error = await refusal({ MESSAGE_KEY_FILE, DATABASE_URL });
      expect(error).instanceOf(StartError).property('message').contain('audit.key').contain('audit trail');
    } finally {
      await other.drop();
    }
  });

  it('says what is wrong with the key file', async () => {
    const path = join(makeTempFolder(), 'broken.key');
    writeFileSync(path, 'nothing', { mode: 0o600 });
    const error = await refusal({ MESSAGE_KEY_FILE: path });
    expect(error).instanceOf(StartError).property('message').contain(path);
  });
});
