/** `docs/security.md`: each security requirement with the tests that bear its id, or the reason why there is none. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Requirements {
  readonly sections: readonly {
    readonly id: string;
    readonly title: string;
    /** In a few words, by id. */
    readonly requirements: Readonly<Record<string, string>>;
  }[];
  /** Why no test bears these ids. A test that does wins. */
  readonly open: readonly { readonly ids: readonly string[]; readonly reason: string }[];
  /** What is still missing where tests bear the id. */
  readonly partly: Readonly<Record<string, string>>;
}

export interface Bearer {
  /** Below `test`. */
  readonly file: string;
  readonly title: string;
}

const ROOT = join(import.meta.dirname, '..');
const TITLE = /\b(?:it|describe)(?:\.\w+)?\(\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g;
const ID = /\b[A-Z]{2}-\d{2}\b/g;
const TITLES_MAX = 3;

export const readRequirements = (): Requirements =>
  JSON.parse(readFileSync(join(ROOT, 'docs/requirements.json'), 'utf8')) as Requirements; // ours

/** Titles of tests by the ids that they bear. */
export function readBearers(): ReadonlyMap<string, readonly Bearer[]> {
  const found = new Map<string, Bearer[]>();
  const tests = join(ROOT, 'test');
  const files = readdirSync(tests, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const path of files.toSorted())
    for (const [, plain, template = ''] of readFileSync(path, 'utf8').matchAll(TITLE)) {
      const title = plain ?? template;
      const bearer = { file: relative(tests, path).replaceAll('\\', '/'), title: readable(title) };
      for (const id of new Set(title.match(ID) ?? [])) found.set(id, [...(found.get(id) ?? []), bearer]);
    }
  return found;
}

/** Without ids, and with a mark for what a table of cases fills in. */
const readable = (title: string): string =>
  title
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
    .replaceAll(/\\(['`\\])/g, '$1')
    .replaceAll(/\[?\b[A-Z]{2}-\d{2}\b\]?/g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/^[\s›,]+|[\s›,]+$/g, '');

/** Ids that no test bears and nobody explains. */
export function findUnexplained(requirements: Requirements, bearers: ReadonlyMap<string, unknown>): string[] {
  const explained = new Set(requirements.open.flatMap(({ ids }) => ids));
  const all = requirements.sections.flatMap((section) => Object.keys(section.requirements));
  return all.filter((id) => !bearers.has(id) && !explained.has(id));
}

/** The text of `docs/security.md`. */
export function formatSecurity(): string {
  const requirements = readRequirements();
  const bearers = readBearers();
  const model = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8').replace(/^# [\s\S]*?(?=\n## )/, '');
  const all = requirements.sections.flatMap((section) => Object.keys(section.requirements));
  const tested = all.filter((id) => bearers.has(id)).length;
  return `# Security

<!-- Printed by \`npm run -s docs\` from docs/threat-model.md, docs/requirements.json and the titles of the tests; change those. -->

What Mortar defends, against whom, and with which tests: each requirement counts as met only when an automated test bears its id and fails without the control. To report a weakness, write to the
maintainers in private before you tell anybody else.

${model.trim()}

## Requirements

${tested} of ${all.length} are borne by tests that run in \`npm test\`. The others are open, each with the reason.

${requirements.sections.map((section) => formatSection(section, requirements, bearers)).join('\n')}`;
}

function formatSection(
  { id, title, requirements }: Requirements['sections'][number],
  { open, partly }: Requirements,
  bearers: ReadonlyMap<string, readonly Bearer[]>,
): string {
  const rows = Object.entries(requirements).map(([key, name]) => {
    const tests = bearers.get(key);
    const missing = partly[key] === undefined ? '' : `<br>still open: ${partly[key]}`;
    const reason = open.find(({ ids }) => ids.includes(key))?.reason ?? 'open';
    return `| ${key} | ${name} | ${tests ? formatTests(tests) + missing : `**open**: ${reason}`} |`;
  });
  return `### ${id} · ${title}\n\n| | requirement | tests |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function formatTests(tests: readonly Bearer[]): string {
  const files = Map.groupBy(tests, ({ file }) => file);
  return [...files]
    .map(([file, list]) => {
      const titles = [...new Set(list.map(({ title }) => title))].filter((title) => title !== '' && title !== '…');
      const more = titles.length > TITLES_MAX ? ` · and ${titles.length - TITLES_MAX} more` : '';
      const shown = titles.slice(0, TITLES_MAX).map(escapeCell).join(' · ');
      return `[${file.replace('.test.ts', '')}](../test/${file})${shown === '' ? '' : `: ${shown}${more}`}`;
    })
    .join('<br>');
}

const escapeCell = (text: string): string => text.replaceAll(/[\\|<>*_[\]]/g, '\\$&');
