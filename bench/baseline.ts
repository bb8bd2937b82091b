/** The bare limit: node:http and pg, SELECT by key and INSERT of one row. argv: connection as JSON. Prints its port. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ ...(JSON.parse(process.argv[2] ?? '{}') as pg.PoolConfig), max: 16 });
const JSON_HEADERS = { 'content-type': 'application/fhir+json; charset=utf-8' };

function send(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, { ...JSON_HEADERS, 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

async function select(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const id = (req.url ?? '').slice(1);
  const result = await pool.query({ name: 's', text: 'select content from bare.t where id = $1', values: [id] });
  send(res, 200, (result.rows[0] as { content: string }).content);
}

async function insert(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks).toString();
  await pool.query({
    name: 'i',
    text: 'insert into bare.t (id, content) values ($1, $2)',
    values: [randomUUID(), content],
  });
  send(res, 201, content);
}

const server = createServer((req, res) => {
  const work = req.method === 'GET' ? select(req, res) : insert(req, res);
  work.catch((error: Error) => send(res, 500, JSON.stringify({ error: error.message })));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
process.on('SIGTERM', () => process.exit(0));
