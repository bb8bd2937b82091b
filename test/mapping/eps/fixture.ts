/** Our own EPS messages, and the context their golden files were made in. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EpsContext, epsContext } from '../../../src/mapping/eps/context.ts';
import { parseJson } from '../../../src/standards/fhir/json.ts';

const FOLDER = join(import.meta.dirname, '../../../fixtures/eps');

export const readFixture = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

/** The names of the messages, without `.json`. */
export const fixtureNames: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json') && !name.endsWith('.prepare.json'))
  .map((name) => name.slice(0, -'.json'.length));

/** Those that can be prepared. */
export const orderNames: readonly string[] = fixtureNames.filter(
  (name) => name.startsWith('prescription-order-') && name !== 'prescription-order-update',
);

export const fixtureMessage = (name: string): unknown => parseJson(readFixture(`${name}.json`));

/** Ids count up from 1. */
export function contextAt(instant: string, changes: Partial<EpsContext> = {}): EpsContext {
  let ids = 0;
  const newId = (): string => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`;
  return { ...epsContext({}, { now: Date.parse(instant), newId }), ...changes };
}

/** The context of the golden files. */
export const fixtureContext = (changes: Partial<EpsContext> = {}): EpsContext =>
  contextAt('2026-11-16T09:41:30Z', changes);
