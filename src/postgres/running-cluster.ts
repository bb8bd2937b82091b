/** How a second program reaches the embedded Postgres of a server that runs. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import type { DatabaseRole, Passwords } from './embedded-cluster.ts';
import { DATABASE, ROLE_NAMES } from './embedded-roles.ts';
import { readPostmasterFile } from './postmaster-file.ts';
import { StartError } from './start-error.ts';

/** Throws `StartError` `unreachable` when none runs on the folder, `folder` when its passwords cannot be read. */
export function connectionOfRunning(dataDir: string, role: DatabaseRole): pg.ClientConfig {
  const folder = resolve(dataDir);
  const running = readPostmasterFile(join(folder, 'postgres', 'data'));
  if (running === undefined)
    throw new StartError('unreachable', `no server runs on ${folder}: start it with npm start, or set DATABASE_URL`);
  return {
    // The file may name the socket's folder as the server sees it from its own.
    host: running.socketFolder === '' ? '127.0.0.1' : join(folder, 'postgres', 'run'),
    port: running.port,
    user: ROLE_NAMES[role],
    password: readPasswords(folder)[role],
    database: DATABASE,
  };
}

function readPasswords(folder: string): Passwords {
  const file = join(folder, 'secrets', 'postgres.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Passwords; // written by embedded-cluster.ts
  } catch (cause) {
    throw new StartError('folder', `${file} cannot be read: use the user that runs the server`, cause);
  }
}
