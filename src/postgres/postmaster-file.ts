/** `postmaster.pid`, by which Postgres tells who runs a data folder and how to reach it. Written by miscinit.c. */
import { chownSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PostmasterFile {
  readonly pid: number;
  readonly port: number;
  /** Folder of the first Unix socket; empty when there is none. */
  readonly socketFolder: string;
  readonly status: 'starting' | 'stopping' | 'ready' | 'standby' | 'unknown';
}

/** The file of a data folder; undefined when there is none or it is not written to its end yet. */
export function readPostmasterFile(data: string): PostmasterFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const [pid, , , port, socketFolder, , , status] = lines;
  const number = Number(pid);
  if (!Number.isSafeInteger(number) || number <= 0) return undefined;
  return { pid: number, port: Number(port ?? 0), socketFolder: socketFolder ?? '', status: parseStatus(status) };
}

const STATUS = ['starting', 'stopping', 'ready', 'standby'] as const;

function parseStatus(text: string | undefined): PostmasterFile['status'] {
  const word = text?.trim();
  return STATUS.find((s) => s === word) ?? 'unknown';
}

/**
 * Marks the file as left behind when its number now belongs to a process that is no Postgres: Postgres would refuse to
 * start. It takes its parent's number (ours) for stale, and still checks the shared memory that the file names, which
 * it could not if we removed it.
 */
export function markPostmasterFileStale(data: string): void {
  const file = join(data, 'postmaster.pid');
  const { uid, gid } = statSync(file);
  const rest = readFileSync(file, 'utf8').split('\n').slice(1);
  writeFileSync(`${file}.tmp`, [String(process.pid), ...rest].join('\n'), { mode: 0o600 });
  if (process.getuid?.() === 0) chownSync(`${file}.tmp`, uid, gid);
  renameSync(`${file}.tmp`, file);
}
