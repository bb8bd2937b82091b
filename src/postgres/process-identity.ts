/** Tells whether a process that was written down earlier still lives, also when its number was given to another. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in the words of this operating system; `unknown` where it does not tell. */
  readonly startedAt: string;
}

/** The identity of a living process; undefined when there is none with that number. */
export function findProcess(pid: number): ProcessIdentity | undefined {
  if (!isSignallable(pid)) return undefined;
  if (process.platform === 'linux') {
    const stat = readLinuxStat(pid);
    // A zombie still takes signals, but holds no files and writes nothing.
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
    return { pid, startedAt: `${bootId()}/${stat.startTicks}` };
  }
  if (process.platform === 'win32') return { pid, startedAt: 'unknown' };
  const ps = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 });
  return ps.status === 0 ? { pid, startedAt: ps.stdout.trim() } : { pid, startedAt: 'unknown' };
}

/** Whether the very process that was written down still runs. */
export function isRunning(known: ProcessIdentity): boolean {
  const found = findProcess(known.pid);
  if (found === undefined) return false;
  return found.startedAt === known.startedAt || found.startedAt === 'unknown' || known.startedAt === 'unknown';
}

/** Whether the process is a Postgres whose working folder is `data`; undefined where the system does not tell. */
export function isPostmasterOf(pid: number, data: string): boolean | undefined {
  if (findProcess(pid) === undefined) return false;
  if (process.platform === 'linux') {
    try {
      const program = basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
      return program === 'postgres' && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
    } catch {
      // Not ours to look at: it belongs to another user, who cannot have opened our folder (0700).
      return false;
    }
  }
  if (process.platform === 'win32') return undefined;
  const ps = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 });
  return ps.status === 0 && ps.stdout.includes('postgres') && ps.stdout.includes(data);
}

function isSignallable(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readLinuxStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces: count from the last `)` (proc_pid_stat(5), fields 3 and 22).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '?', startTicks: fields[19] ?? '?' };
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown-boot';
  }
}
