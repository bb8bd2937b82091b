/** Every setting of the server, as one table: read once by `main.ts`; docs/configuration.md is printed from it. */

import {
  findDispensingProblems,
  findFeedProblems,
  findMailProblems,
  findProductionProblems,
  findSignInProblems,
  findSpineProblems,
  findTlsProblems,
} from './config-checks.ts';
import { DISPENSING } from './settings/dispensing.ts';
import { DOORS } from './settings/doors.ts';
import { EPS } from './settings/eps.ts';
import { HL7V2 } from './settings/hl7v2.ts';
import { MESSAGES } from './settings/messages.ts';
import { NOTICES } from './settings/notices.ts';
import { PROCESS } from './settings/process.ts';
import type { LogLevel, Setting } from './settings/setting.ts';
import { SIGN_IN } from './settings/sign-in.ts';
import { STORE } from './settings/store.ts';
import { WORK } from './settings/work.ts';

export type { LogLevel };

/** In the order in which the documents have them. */
const SETTINGS = {
  ...DOORS,
  ...STORE,
  ...HL7V2,
  ...MESSAGES,
  ...SIGN_IN,
  ...WORK,
  ...DISPENSING,
  ...NOTICES,
  ...EPS,
  ...PROCESS,
} as const;

type Settings = typeof SETTINGS;
type Parsed<S> = S extends { parse(text: string): infer T } ? Exclude<T, undefined> : never;

/** The values of all settings; optional ones without a plain default may be undefined. */
export type Config = {
  readonly [K in keyof Settings]: Settings[K] extends { fallback: string }
    ? Parsed<Settings[K]>
    : Parsed<Settings[K]> | undefined;
};

/** One or more wrong settings; the message names each with what is allowed, ready to be shown. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`wrong configuration\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** All settings with their names in `Config`. */
export const TABLE: readonly (readonly [keyof Settings, Setting<unknown>])[] = Object.entries(SETTINGS).map(
  ([name, setting]) => [name as keyof Settings, setting],
);

/** Reads all settings from the environment; empty text counts as not set. Throws `ConfigError`. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of TABLE) {
    const given = env[setting.env];
    const text = given === undefined || given === '' ? setting.fallback : given;
    const value = text === undefined ? undefined : setting.parse(text);
    if (text !== undefined && value === undefined) problems.push(wrongValue(setting, text));
    values[name] = value;
  }
  const config = values as unknown as Config; // each value comes from its own parser, and wrong ones are thrown below
  if (problems.length === 0 && config.pageSizeDefault > config.pageSizeMax)
    problems.push(`PAGE_SIZE_DEFAULT is ${config.pageSizeDefault}; PAGE_SIZE_MAX, ${config.pageSizeMax}, is less`);
  if (problems.length === 0)
    problems.push(
      ...findTlsProblems(config),
      ...findSignInProblems(config),
      ...findMailProblems(config),
      ...findSpineProblems(config),
      ...findFeedProblems(config),
      ...findDispensingProblems(config),
      ...findProductionProblems(config, env),
    );
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function wrongValue(setting: Setting<unknown>, text: string): string {
  const shown = setting.secret === true ? 'a value (not shown)' : JSON.stringify(text.slice(0, 200));
  return `${setting.env} is ${shown}; allowed: ${setting.allowed.replaceAll('`', '')}`;
}
