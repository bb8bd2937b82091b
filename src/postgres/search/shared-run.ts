/**
 * Statements of one shape that are asked in the same tick go as one: several pieces of work in a transaction ask the same
 * of different rows. Planning and starting such a statement takes Postgres longer than any of its answers.
 */
import { textNullableArray } from '../binary.ts';
import type { Row, Unopened } from '../pools.ts';
import type { Run } from './page.ts';

interface Asked {
  readonly values: readonly unknown[];
  readonly resolve: (rows: readonly Row[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Shape {
  readonly text: string;
  readonly unopened: Unopened | undefined;
  readonly asked: Asked[];
}

/** Parameters that have differed between statements of a shape, so that its joined forms are few. */
export type Differences = Map<string, Set<number>>;

const SHAPES_MAX = 2000;

/** The same as `run` for statements that only read. `differences` outlives the transaction. */
export function createSharedRun(run: Run, differences: Differences): Run {
  let waiting = new Map<string, Shape>();

  function send(): void {
    const shapes = waiting;
    waiting = new Map();
    for (const shape of shapes.values()) void sendShape(shape);
  }

  async function sendShape({ text, unopened, asked }: Shape): Promise<void> {
    try {
      // What several ask in the same words is asked once.
      const alike = [...Map.groupBy(asked, ({ values }) => JSON.stringify(values)).values()];
      const all = alike.flatMap(([one]) => (one ? [one.values] : []));
      const [values = []] = all;
      const found = all.length === 1 ? [await run(text, values, unopened)] : await runAll(text, all, unopened);
      for (const [i, group] of alike.entries()) for (const one of group) one.resolve(found[i] ?? []);
    } catch (error) {
      for (const one of asked) one.reject(error);
    }
  }

  async function runAll(text: string, all: readonly (readonly unknown[])[], unopened: Unopened | undefined) {
    const joined = join(text, all, differingIn(differences, text, all));
    const found: Row[][] = all.map(() => []);
    for (const [n, ...row] of await run(joined.text, joined.values, unopened)) found[(n as number) - 1]?.push(row);
    return found;
  }

  return (text, values, unopened) =>
    new Promise((resolve, reject) => {
      if (waiting.size === 0) process.nextTick(send);
      const key = `${unopened ?? ''} ${text}`;
      const shape = waiting.get(key) ?? { text, unopened, asked: [] };
      waiting.set(key, shape);
      shape.asked.push({ values, resolve, reject });
    });
}

function differingIn(differences: Differences, text: string, all: readonly (readonly unknown[])[]): Set<number> {
  const known = differences.get(text) ?? new Set();
  if (!differences.has(text)) {
    if (differences.size >= SHAPES_MAX) differences.clear();
    differences.set(text, known);
  }
  const [first = []] = all;
  for (const values of all)
    values.forEach((value, i) => {
      if (!known.has(i) && !isSame(value, first[i])) known.add(i);
    });
  return known;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** Each answer with the number of who asked (the aliases are in no other statement); what differs comes as text in a row of its own for each. */
function join(
  text: string,
  all: readonly (readonly unknown[])[],
  differing: ReadonlySet<number>,
): { readonly text: string; readonly values: readonly unknown[] } {
  const [first = []] = all;
  const values: unknown[] = [];
  const places = first.map((value, i) => {
    if (differing.has(i)) return `asker.p${i}`;
    values.push(value);
    return `$${values.length}`;
  });
  const columns = [...differing].toSorted((a, b) => a - b);
  const lists = columns.map((i) => {
    values.push(textNullableArray(all.map((each) => formatParameter(each[i]))));
    return `$${values.length}::text[]`;
  });
  const inner = text.replace(/\$(\d+)/g, (_, n: string) => places[Number(n) - 1] ?? '');
  const names = columns.map((i) => `p${i}`).join(', ');
  return {
    text: `select asker.n::int, answer.* from unnest(${lists.join(', ')}) with ordinality asker(${names}, n) cross join lateral (\n${inner}\n) answer`,
    values,
  };
}

/** As Postgres reads it from text. */
function formatParameter(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return `{${value.map(formatElement).join(',')}}`;
  if (value instanceof Uint8Array) throw new Error('a binary parameter cannot be asked together with others');
  return String(value);
}

const formatElement = (value: unknown): string =>
  value === null || value === undefined ? 'NULL' : `"${String(value).replace(/["\\]/g, '\\$&')}"`;
