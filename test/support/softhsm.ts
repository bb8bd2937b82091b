/** A token in software: SoftHSM, when it is on this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

export interface SoftHsm {
  readonly modulePath: string;
  readonly tokenLabel: string;
  readonly pin: string;
  readonly tokens: string;
}

/** Why there is none, or the library with its tool. Throws instead where there has to be one (`HARDWARE_KEYS=required`). */
export function findSoftHsm(): { readonly modulePath: string } | string {
  const found = lookForSoftHsm();
  if (typeof found === 'string' && process.env['HARDWARE_KEYS'] === 'required') throw new Error(found);
  return found;
}

function lookForSoftHsm(): { readonly modulePath: string } | string {
  const modulePath = MODULES.find((path) => existsSync(path));
  if (!modulePath || spawnSync('softhsm2-util', ['--version']).status !== 0)
    return 'SoftHSM is not installed, so that keys in hardware are not tested here: apt-get install softhsm2';
  return { modulePath };
}

/** A new token in the folder. SoftHSM reads the environment when it is first used: one folder a process. */
export function createToken(folder: string, modulePath: string): SoftHsm {
  const tokens = join(folder, 'tokens');
  mkdirSync(tokens, { recursive: true });
  const conf = join(folder, 'softhsm2.conf');
  writeFileSync(
    conf,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
  );
  process.env['SOFTHSM2_CONF'] = conf;
  const made = spawnSync('softhsm2-util', [
    '--init-token',
    '--free',
    '--label',
    'mortar',
    '--pin',
    '123456',
    '--so-pin',
    '12345678',
  ]);
  if (made.status !== 0) throw new Error(`softhsm2-util: ${made.stderr.toString()}`);
  return { modulePath, tokenLabel: 'mortar', pin: '123456', tokens };
}

/** Puts a private key in PKCS#8 onto the token; `softhsm2-util` makes it one that cannot be taken out. */
export function importKey({ tokenLabel, pin }: SoftHsm, label: string, id: string, keyFile: string): void {
  const done = spawnSync('softhsm2-util', [
    '--import',
    keyFile,
    '--token',
    tokenLabel,
    '--label',
    label,
    '--id',
    id,
    '--pin',
    pin,
  ]);
  if (done.status !== 0) throw new Error(`softhsm2-util: ${done.stderr.toString()}`);
}
