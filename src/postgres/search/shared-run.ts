/**
 * Statements of one shape that are asked in the same tick go as one: several pieces of work in a transaction ask the same
 * of different rows. Planning and starting such a statement takes Postgres longer than any of its answers.
 */
import { textNullableArray } from '../binary.ts';
import type { Row, Unopened } from '../pools.ts';
import type { Run } from './search-tools.ts';

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

/** How statements of a shape are joined: by the parameters that have differed between them, so that forms are few. */
export type Differences = Map<string, Joined>;

interface Joined {
  readonly differing: Set<number>;
  /** Of so many that differ. */
  readonly size: number;
  readonly text: string;
}

const SHAPES_MAX = 2000;

/** The same as `run` for statements that only read. `differences` outlives the transaction. */
export function createSharedRun(run: Run, differences: Differences): Run {
  let waiting: Shape[] = [];

  function send(): void {
    const shapes = waiting;
    waiting = [];
    for (const shape of shapes) void sendShape(shape);
  }

  async function sendShape({ text, unopened, asked }: Shape): Promise<void> {
    try {
      // What several ask in the same words is asked once.
      const all: (readonly unknown[])[] = [];
      const places = asked.map(({ values }) => {
        const place = all.findIndex((one) => one.every((value, i) => isSame(value, values[i])));
        return place < 0 ? all.push(values) - 1 : place;
      });
      const [values = []] = all;
      const found = all.length === 1 ? [await run(text, values, unopened)] : await runAll(text, all, unopened);
      for (const [i, one] of asked.entries()) one.resolve(found[places[i] ?? -1] ?? []);
    } catch (error) {
      for (const one of asked) one.reject(error);
    }
  }

  async function runAll(text: string, all: readonly (readonly unknown[])[], unopened: Unopened | undefined) {
    const { differing, text: joined } = joinedOf(differences, text, all);
    const found: Row[][] = all.map(() => []);
    const rows = await run(joined, joinedValues(all, differing), unopened);
    for (const [n, ...row] of rows) found[(n as number) - 1]?.push(row);
    return found;
  }

  return (text, values, unopened) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) process.nextTick(send);
      let shape = waiting.find((one) => one.text === text && one.unopened === unopened);
      if (!shape) {
        shape = { text, unopened, asked: [] };
        waiting.push(shape);
      }
      shape.asked.push({ values, resolve, reject });
    });
}

function joinedOf(differences: Differences, text: string, all: readonly (readonly unknown[])[]): Joined {
  const known = differences.get(text);
  const differing = known?.differing ?? new Set();
  const [first = []] = all;
  for (const values of all)
    values.forEach((value, i) => {
      if (!differing.has(i) && !isSame(value, first[i])) differing.add(i);
    });
  if (known?.size === differing.size) return known;
  if (!known && differences.size >= SHAPES_MAX) differences.clear();
  const made = { differing, size: differing.size, text: joinedText(text, first.length, differing) };
  differences.set(text, made);
  return made;
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

const inOrder = (differing: ReadonlySet<number>): number[] => [...differing].toSorted((a, b) => a - b);

/**
 * Each answer with the number of who asked (the aliases are in no other statement). What differs comes in a row of its
 * own for each, what does not as a parameter.
 */
function joinedText(text: string, count: number, differing: ReadonlySet<number>): string {
  let shared = 0;
  const places = Array.from({ length: count }, (_, i) => (differing.has(i) ? `asker.p${i}` : `$${++shared}`));
  const columns = inOrder(differing);
  const lists = columns.map((_, n) => `$${shared + n + 1}::text[]`);
  const inner = text.replace(/\$(\d+)/g, (_, n: string) => places[Number(n) - 1] ?? '');
  return `select asker.n::int, answer.* from unnest(${lists.join(', ')}) with ordinality asker(${columns.map((i) => `p${i}`).join(', ')}, n)
cross join lateral (
${inner}
) answer`;
}

const joinedValues = (all: readonly (readonly unknown[])[], differing: ReadonlySet<number>): readonly unknown[] => [
  ...(all[0] ?? []).filter((_, i) => !differing.has(i)),
  ...inOrder(differing).map((i) => textNullableArray(all.map((values) => formatParameter(values[i])))),
];

/** As Postgres reads it from text. */
function formatParameter(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return `{${value.map(formatElement).join(',')}}`;
  if (value instanceof Uint8Array) throw new Error('a binary parameter cannot be asked together with others');
  return String(value);
}

const formatElement = (value: unknown): string =>
  value === null || value === undefined ? 'NULL' : `"${String(value).replace(/["\\]/g, '\\$&')}"`;
