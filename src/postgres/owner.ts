/** Work that needs the role that owns the tables: a connection of its own, for as long as it takes. */
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 10_000;

export async function withOwner<T>(owner: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...owner });
  client.on('error', () => {}); // a session that breaks while idle fails its next query, which tells it
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
