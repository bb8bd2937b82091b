/** Which system user runs Postgres. Postgres refuses to run as root and needs a user that `/etc/passwd` knows. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartError } from './start-error.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/** `wanted`, else `postgres`, else `nobody`; undefined when we are not root, and Postgres then runs as we do. */
export function findPostgresUser(wanted: number | undefined, passwd = '/etc/passwd'): ProcessUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readUsers(passwd);
  if (wanted !== undefined) {
    const user = users.find((u) => u.uid === wanted && wanted !== 0);
    if (user !== undefined) return user;
    throw new StartError('folder', `POSTGRES_UID=${wanted} names no user in ${passwd} other than root`);
  }
  const user = users.find((u) => u.name === 'postgres') ?? users.find((u) => u.name === 'nobody');
  if (user !== undefined) return user;
  throw new StartError(
    'folder',
    `Postgres does not run as root, and ${passwd} holds neither a user postgres nor nobody: set POSTGRES_UID`,
  );
}

function readUsers(passwd: string): ProcessUser[] {
  const users: ProcessUser[] = [];
  for (const line of readFileSync(passwd, 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':');
    // macOS writes nobody as -2: the same number as an unsigned word.
    if (name && uid && gid) users.push({ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 });
  }
  return users;
}

/** Whether the user may enter every folder above `path`, judged by mode bits alone. Without a user: yes. */
export function isReachable(path: string, user: ProcessUser | undefined): boolean {
  if (user === undefined) return true;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const enter = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & enter) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
