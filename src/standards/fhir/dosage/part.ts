/** Reads the parts of a Dosage: whatever is not understood is refused by name, so that no text leaves it out. */
import { isNumber } from '../json.ts';
import { type Issue, type IssueCode, issue } from '../outcome.ts';

/** An element and where it is. */
export interface Part {
  readonly members: Readonly<Record<string, unknown>>;
  readonly path: string;
}

/** Why there is no text; never leaves this folder. */
export class DosageRefusal extends Error {
  readonly issue: Issue;

  constructor(reason: Issue) {
    super(reason.code);
    this.issue = reason;
  }
}

export const refuse = (code: IssueCode, path: string, diagnostics: string): never => {
  throw new DosageRefusal(issue(code, diagnostics, path));
};

/** What every element may have, and what says nothing of the dose. */
const ANYWHERE: ReadonlySet<string> = new Set(['id', 'extension']);

/** `known`: every member that is understood; another one is refused. */
export function partOf(value: unknown, path: string, known: readonly string[]): Part {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isNumber(value))
    return refuse('structure', path, `${path} is no object`);
  // An object that is no list has members by name.
  const members = value as Part['members'];
  for (const name of Object.keys(members)) {
    // Extensions of a primitive value stand beside it.
    if (known.includes(name) || ANYWHERE.has(name) || name.startsWith('_')) continue;
    refuse(
      'not-supported',
      `${path}.${name}`,
      `${name.slice(0, 60)} is not understood: a text without it might be wrong`,
    );
  }
  return { members, path };
}

const memberOf = ({ members }: Part, name: string): unknown =>
  Object.hasOwn(members, name) ? (members[name] ?? undefined) : undefined;

export const has = (part: Part | undefined, name: string): part is Part =>
  part !== undefined && memberOf(part, name) !== undefined;

export function findPart(part: Part | undefined, name: string, known: readonly string[]): Part | undefined {
  return has(part, name) ? partOf(memberOf(part, name), `${part.path}.${name}`, known) : undefined;
}

export const requiredPart = (part: Part, name: string, known: readonly string[]): Part =>
  findPart(part, name, known) ?? missing(part, name);

export function listOf(part: Part | undefined, name: string): readonly unknown[] {
  if (!has(part, name)) return [];
  const list = memberOf(part, name);
  return Array.isArray(list) ? list : refuse('structure', `${part.path}.${name}`, `${name} is no list`);
}

export function partsOf(part: Part | undefined, name: string, known: readonly string[]): readonly Part[] {
  return listOf(part, name).map((item, n) => partOf(item, `${part?.path}.${name}[${n}]`, known));
}

export function findText(part: Part | undefined, name: string): string | undefined {
  if (!has(part, name)) return undefined;
  return checkedText(memberOf(part, name), `${part.path}.${name}`);
}

export const requiredText = (part: Part, name: string): string => findText(part, name) ?? missing(part, name);

export const textsOf = (part: Part | undefined, name: string): readonly string[] =>
  listOf(part, name).map((item, n) => checkedText(item, `${part?.path}.${name}[${n}]`));

function checkedText(value: unknown, path: string): string {
  return typeof value === 'string' && value.trim() !== '' ? value : refuse('value', path, 'The text is none');
}

/** The number's digits as they came. Doses and times are not negative. */
export function findNumber(part: Part | undefined, name: string): string | undefined {
  if (!has(part, name)) return undefined;
  const value = memberOf(part, name);
  if (!isNumber(value)) return refuse('value', `${part.path}.${name}`, `${name} is no number`);
  const text = typeof value === 'number' ? String(value) : value.text;
  return /^\d+(?:\.\d+)?$/.test(text)
    ? text
    : refuse('value', `${part.path}.${name}`, `${name} is negative, or written with an exponent`);
}

export const requiredNumber = (part: Part, name: string): string => findNumber(part, name) ?? missing(part, name);

export function missing(part: Part, name: string): never {
  return refuse('required', `${part.path}.${name}`, `${name} is missing`);
}

/** `2`, `2.0`. */
export const equals = (text: string | undefined, value: number): boolean =>
  text !== undefined && Number(text) === value;

/** `a, b and c` */
export function listText(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}
