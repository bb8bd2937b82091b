/** The parts of `docs/ncpdp.md` and all of `docs/ncpdp-model.md`, printed from the tables the gateway goes by. */
import { OUTCOMES, TRANSACTIONS } from '../src/mapping/script/transaction-table.ts';
import { INTAKE_RULES } from '../src/standards/script/intake-issue.ts';
import { SCRIPT_2017071, TRANSACTIONS_2017071 } from '../src/standards/script/model-2017071.ts';
import type { TypeNotation } from '../src/standards/script/notation.ts';

const part = (name: string): readonly [start: string, end: string] => [
  `<!-- printed: ${name} -->`,
  `<!-- end: ${name} -->`,
];

/** The page with its tables made anew. */
export function formatNcpdp(page: string): string {
  return [
    ['transactions', transactions()],
    ['outcomes', outcomes()],
    ['rules', rules()],
  ].reduce((text, [name = '', table = '']) => {
    const [start, end] = part(name);
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/ncpdp.md has no ${start} … ${end}`);
    return `${text.slice(0, from + start.length)}\n\n${table}\n\n${text.slice(to)}`;
  }, page);
}

const transactions = (): string =>
  [
    '| transaction | what it is | Task at first | drugs in it |',
    '|---|---|---|---|',
    '| `NewRx` | a prescriber orders | none: a `MedicationRequest` | `MedicationPrescribed`: the order |',
    ...TRANSACTIONS.map(({ kind, about, status, drugs, outcomeAt }) => {
      const told = drugs.map(({ element, meant }) => `\`${element}\`: ${MEANT[meant]}`).join(', ');
      return `| \`${kind}\` | ${about} | ${outcomeAt === undefined ? status : 'by its outcome'} | ${told} |`;
    }),
  ].join('\n');

const MEANT = {
  echo: 'told',
  proposal: 'proposed',
  order: 'a new order, where it is approved',
  supplied: 'a dispense',
} as const;

const outcomes = (): string =>
  [
    '| outcome | Task | |',
    '|---|---|---|',
    ...[...OUTCOMES].map(
      ([name, { status, isRefusal }]) => `| \`${name}\` | ${status} | ${isRefusal ? 'nothing new is filled' : ''} |`,
    ),
  ].join('\n');

const rules = (): string =>
  [
    '| rule | what must hold |',
    '|---|---|',
    ...Object.entries(INTAKE_RULES).map(([id, what]) => `| ${id} | ${what} |`),
  ].join('\n');

/** The element model, as reader, checker and writer have it. */
export function formatModel(): string {
  const types = Object.entries(SCRIPT_2017071).toSorted(([a], [b]) => a.localeCompare(b));
  const block = (names: (name: string) => boolean): string =>
    types
      .filter(([name]) => names(name))
      .map(([name, notation]) => `${name}${attributesOf(notation)}\n    ${wrap(contentOf(notation))}`)
      .join('\n');
  const isTransaction = (name: string): boolean => TRANSACTIONS_2017071.includes(name);
  return `# The element model of SCRIPT 2017071

Printed from \`src/standards/script/model-2017071.ts\` and \`medication-matrix.ts\`, by which messages are read, checked and written
([NCPDP](ncpdp.md)). It was made from public sources; NCPDP's own schemas are copyrighted and not used.

A type is the list of its children in their order: \`?\` at most one, \`*\` any number, \`*n\` up to n, \`+\` one or more, \`{n}\` or
\`{m,n}\` so many, else exactly one; after the colon its type, where that has another name. \`|\` separates alternatives. \`an35\` is
text of up to 35 characters, \`n1-3\` a number of one to three digits, \`code.List\` a code of a list, \`any\` is kept and not checked;
\`...\` lets anything follow. \`@\` are attributes, with \`!\` required ones.

## Transactions

\`\`\`text
${block(isTransaction)}
\`\`\`

## Types

\`\`\`text
${block((name) => !isTransaction(name))}
\`\`\`
`;
}

const attributesOf = (notation: TypeNotation): string =>
  typeof notation === 'string' ? '' : ` ${notation.attributes.map((name) => `@${name}`).join(' ')}`;
const contentOf = (notation: TypeNotation): string => (typeof notation === 'string' ? notation : notation.content);

const WIDTH = 130;
function wrap(text: string): string {
  const lines: string[] = [''];
  for (const word of text.trim().split(/\s+/)) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n    ');
}
