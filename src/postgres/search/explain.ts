/**
 * How a search was answered: its statements, with parameters in place of values, and the plans that Postgres makes for
 * them. Of a plan only names and estimates are told: its conditions have the values in them.
 * https://www.postgresql.org/docs/current/sql-explain.html
 */
import type { Explained } from '../../ports/resource-store.ts';
import type { Run } from './search-tools.ts';

/** A search over many types has as many statements. */
const STATEMENTS_MAX = 20;

export interface Recorder {
  readonly run: Run;
  /** The statements that were run, each of a text once, with its plan. `plainly` runs without preparing. */
  explain(plainly: Run): Promise<readonly Explained[]>;
}

/** Runs statements and keeps them. */
export function createRecorder(run: Run): Recorder {
  const statements = new Map<string, readonly unknown[]>();
  return {
    run(text, values, unopened) {
      if (statements.size < STATEMENTS_MAX && !statements.has(text)) statements.set(text, values);
      return run(text, values, unopened);
    },
    async explain(plainly) {
      const found: Explained[] = [];
      for (const [sql, values] of statements) {
        const [row] = await plainly(`explain (format json) ${sql}`, values);
        const [{ Plan: plan }] = jsonOf(row?.[0]) as [{ Plan: PlanNode }]; // one statement, one plan
        found.push({ sql, plan: linesOf(plan, 0), indexes: [...new Set(indexesOf(plan))] });
      }
      return found;
    },
  };
}

const jsonOf = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Plans?: readonly PlanNode[];
}

function linesOf(node: PlanNode, depth: number): string[] {
  const on = node['Relation Name'] === undefined ? '' : ` on ${node['Relation Name']}`;
  const by = node['Index Name'] === undefined ? '' : ` by ${node['Index Name']}`;
  const line = `${'  '.repeat(depth)}${node['Node Type']}${on}${by} (${node['Plan Rows']} rows, cost ${node['Total Cost']})`;
  return [line, ...(node.Plans ?? []).flatMap((one) => linesOf(one, depth + 1))];
}

const indexesOf = (node: PlanNode): string[] => [
  ...(node['Index Name'] === undefined ? [] : [node['Index Name']]),
  ...(node.Plans ?? []).flatMap(indexesOf),
];
