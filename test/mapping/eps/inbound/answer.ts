/** Answers of the Spine in the context of the golden files, and how two answers are compared. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { AnswerContext } from '../../../../src/mapping/eps/inbound/context.ts';
import { formatJson } from '../../../../src/standards/fhir/json.ts';
import { canonicalise } from '../../../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../../../src/standards/xml/read.ts';
import { isElement, type XmlElement, type XmlNode } from '../../../../src/standards/xml/tree.ts';

export const ANSWERS = join(import.meta.dirname, '../../../../fixtures/eps/inbound');
export const readAnswer = (name: string): string => readFileSync(join(ANSWERS, name), 'utf8');

/** Ids count up from 1. */
export function answerContext(changes: Partial<AnswerContext> = {}): AnswerContext {
  let ids = 0;
  return {
    now: Date.parse('2026-11-16T12:00:00Z'),
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    form: 'full',
    baseUrl: 'https://gateway.example/fhir/R4',
    checkSignature: () => [],
    ...changes,
  };
}

/** As it is sent. */
export const sent = (value: unknown): unknown => JSON.parse(formatJson(value));

const MADE_ID = /00000000-0000-4000-8000-\d{12}/;

/** Equal, ids made by the translation aside: each of one side stands for one of the other, wherever it occurs. */
export function expectSame(actual: unknown, expected: unknown): void {
  const ours = new Map<string, string>();
  const theirs = new Map<string, string>();
  const rename = (text: string, value: unknown): unknown => {
    const made = MADE_ID.exec(text)?.[0];
    const other = typeof value === 'string' ? MADE_ID.exec(value)?.[0] : undefined;
    if (made === undefined || other === undefined) return text;
    if (!theirs.has(made) && !ours.has(other)) {
      theirs.set(made, other);
      ours.set(other, made);
    }
    return text.replace(made, theirs.get(made) ?? made);
  };
  const renamed = (value: unknown, beside: unknown): unknown => {
    if (typeof value === 'string') return rename(value, beside);
    if (typeof value !== 'object' || value === null) return value;
    const at = (name: string | number): unknown => (beside as Record<string | number, unknown> | undefined)?.[name];
    if (Array.isArray(value)) return value.map((item, n) => renamed(item, at(n)));
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, renamed(member, at(name))]));
  };
  expect(actual).deep.equal(renamed(expected, actual));
}

/** Canonical, without white space between elements. */
export const comparable = (element: XmlElement | undefined): string =>
  element === undefined ? '' : canonicalise(strippedTree(element));

export const strippedTree = (element: XmlElement): XmlElement => ({
  ...element,
  children: element.children.flatMap((child): XmlNode[] =>
    isElement(child) ? [strippedTree(child)] : child.trim() === '' ? [] : [child],
  ),
});

export function findElement(root: XmlElement | undefined, name: string): XmlElement | undefined {
  if (root === undefined || root.name === name) return root;
  for (const child of root.children) {
    const found = isElement(child) ? findElement(child, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

export const parsed = (xml: string): XmlElement => {
  const { value, issues } = readXml(xml);
  expect(issues).deep.equal([]);
  return value as XmlElement; // There were no issues.
};
