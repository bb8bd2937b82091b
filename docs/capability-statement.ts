/** `capability-statement.json` at the root: the published copy of what every server says at `/metadata`. */
import { publishedCapability } from '../src/capability.ts';
import type { Definitions } from '../src/standards/fhir/definitions.ts';
import { createSearchParameters } from '../src/standards/fhir/search/parameters.ts';

const LINE_CHARS = 120;

/** The text of the file. */
export const formatCapabilityStatement = (definitions: Definitions): string =>
  `${format(publishedCapability(createSearchParameters(definitions)), '', 0)}\n`;

/** JSON in which whatever fits stands on one line, and lists of texts are filled like a paragraph: half of `JSON.stringify`'s size. */
function format(value: unknown, indent: string, before: number): string {
  const flat = JSON.stringify(value);
  const inner = `${indent}  `;
  if (typeof value !== 'object' || value === null || indent.length + before + flat.length < LINE_CHARS) return flat;
  if (!Array.isArray(value)) {
    const members = Object.entries(value).map(([name, member]) => {
      const key = `${JSON.stringify(name)}: `;
      return inner + key + format(member, inner, key.length);
    });
    return `{\n${members.join(',\n')}\n${indent}}`;
  }
  const items = value.map((item: unknown) => format(item, inner, 0));
  const lines = value.every((item) => typeof item === 'string') ? fill(items, LINE_CHARS - inner.length) : items;
  return `[\n${lines.map((line) => inner + line).join(',\n')}\n${indent}]`;
}

/** Puts as many texts on each line as fit. */
function fill(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + item.length + 3 <= width) lines[lines.length - 1] = `${last}, ${item}`;
    else lines.push(item);
  }
  return lines;
}
