/** "Exactly one" and "at most one", with the texts of the national gateway. */
import { requiredFieldMissing, tooFewValues, tooManyValues } from './fault.ts';

/** `where`: how the list was chosen, e.g. `system == '…'`. */
export function onlyOne<T>(list: readonly T[] | undefined, path: string, where?: string): T {
  if (list === undefined) throw requiredFieldMissing(path);
  const expected = `Expected 1 element${whereText(where)}.`;
  if (list.length > 1) throw tooManyValues(`Too many values submitted. ${expected}`, path);
  const [first] = list;
  if (first === undefined) throw tooFewValues(`Too few values submitted. ${expected}`, path);
  return first;
}

export function atMostOne<T>(list: readonly T[] | undefined, path: string, where?: string): T | undefined {
  if (list === undefined || list.length < 2) return list?.[0];
  throw tooManyValues(`Too many values submitted. Expected at most 1 element${whereText(where)}.`, path);
}

const whereText = (where: string | undefined): string => (where === undefined ? '' : ` where ${where}`);
