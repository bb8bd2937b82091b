/**
 * Source generation, in this file alone (SECURITY IN-03). Code is put together from templates written in our own
 * modules; what goes into their gaps is a checked name, a JSON literal, a number or other code, never a bare string.
 * Callers generate from the official definitions only, never from anything that a client or a partner sent.
 */

const NAME = /^[A-Za-z][A-Za-z0-9]*$/;
const made = new WeakSet<object>();

/** Code that came from `code`, `name` or `literal`; nothing else is let in. */
export interface Code {
  readonly text: string;
}

const create = (text: string): Code => {
  const code = Object.freeze({ text });
  made.add(code);
  return code;
};

const textOf = (part: Code | number): string => {
  if (typeof part === 'number') return Number.isFinite(part) ? String(part) : fail('a finite number');
  return made.has(part) ? part.text : fail('code made by generate.ts');
};

const fail = (wanted: string): never => {
  throw new Error(`code may be generated only from ${wanted}`);
};

/** A piece of code; `${…}` takes code and numbers. */
export function code(strings: TemplateStringsArray, ...parts: readonly (Code | number)[]): Code {
  // A tag called as a plain function could be given any string; a real template object is frozen and has `raw`.
  if (!Array.isArray(strings.raw) || !Object.isFrozen(strings)) fail('a template');
  let text = strings[0] ?? '';
  parts.forEach((part, i) => {
    text += textOf(part) + (strings[i + 1] ?? '');
  });
  return create(text);
}

/** A property or variable name of the definitions. */
export const name = (text: string): Code => (NAME.test(text) ? create(text) : fail(`names that match ${NAME.source}`));

/** A string as a literal. */
export const literal = (text: string): Code => create(JSON.stringify(text));

/** Codes one after another. */
export const join = (parts: readonly Code[]): Code => create(parts.map(textOf).join('\n'));

/** Makes a function of the named parameters. `F` must describe them: nothing checks that the body keeps to it. */
export function compileFunction<F>(parameters: readonly string[], body: Code): F {
  const names = parameters.map((parameter) => name(parameter).text);
  return new Function(...names, `'use strict';${textOf(body)}`) as F;
}
