/**
 * ViewDefinitions, compiled once to a function from a resource to rows.
 * https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ViewDefinition.html
 */
import { type CompiledPath, compilePath } from '../fhirpath/compile.ts';
import { PathSyntaxError } from '../fhirpath/lexer.ts';
import type { Model } from '../fhirpath/model.ts';
import { Scope } from '../fhirpath/scope.ts';
import { type Item, item, PathError } from '../fhirpath/values.ts';
import { FhirError, type Issue, issue, unprocessable } from '../outcome.ts';
import { readConstants, withConstants } from './constants.ts';
import { type Fault, type Json, objectsOf } from './objects.ts';

/** Values by the names of columns; null where there is none. */
export type ViewRow = Readonly<Record<string, unknown>>;

export interface CompiledView {
  /** Type whose resources it is about. */
  readonly type: string;
  readonly columns: readonly string[];
  /** Rows of a resource; none where its `where` does not hold. Throws 422 for more values than a column takes. */
  rows(resource: Json): readonly ViewRow[];
}

const COLUMNS_MAX = 500;
const DEPTH_MAX = 16;
const ROWS_MAX = 10_000;
const STEPS_MAX = 1_000_000;
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,254}$/;
const SELECT_KEYS = new Set(['column', 'select', 'forEach', 'forEachOrNull', 'unionAll', 'id', 'extension']);

/** Rows of one element. */
interface Node {
  readonly columns: readonly string[];
  readonly rows: (focus: Item, scope: Scope) => readonly ViewRow[];
}

/** Throws 422 with every fault that keeps it from being a view. */
export function compileView(view: Json, model: Model): CompiledView {
  const issues: Issue[] = [];
  const fault: Fault = (text, place) =>
    void issues.push(issue('invalid', text, `ViewDefinition.${place.replace(/^\./, '')}`));
  const type = view['resource'];
  if (typeof type !== 'string' || !/^[A-Z][A-Za-z]{1,63}$/.test(type)) fault('resource names a type', 'resource');
  const constants = readConstants(view['constant'], fault);

  function path(text: unknown, place: string): CompiledPath | undefined {
    if (typeof text !== 'string' || text === '') return void fault('a path is a FHIRPath expression', place);
    try {
      return compilePath(withConstants(text, constants), model);
    } catch (error) {
      if (!(error instanceof PathError) && !(error instanceof PathSyntaxError) && !(error instanceof FhirError))
        throw error;
      return void fault(`the path cannot be used: ${error.message}`, place);
    }
  }

  function column(one: Json, place: string): Node {
    const name = one['name'];
    const isCollection = one['collection'] === true;
    const compiled = path(one['path'], `${place}.path`);
    if (typeof name !== 'string' || !NAME.test(name))
      fault('a column has a name of letters, digits and _, beginning with a letter', `${place}.name`);
    const label = String(name);
    return {
      columns: [label],
      rows(focus, scope) {
        const values = (compiled?.evaluate(focus, scope) ?? []).map(({ value }) => value);
        if (!isCollection && values.length > 1)
          throw unprocessable([issue('value', `The column ${label} has several values: say collection, or first()`)]);
        return [{ [label]: isCollection ? values : (values[0] ?? null) }];
      },
    };
  }

  function select(one: Json, place: string, depth: number): Node {
    if (depth > DEPTH_MAX) {
      fault(`selects are at most ${DEPTH_MAX} deep`, place);
      return { columns: [], rows: () => [] };
    }
    for (const key of Object.keys(one)) if (!SELECT_KEYS.has(key)) fault(`${key.slice(0, 64)} is not supported`, place);
    const list = (name: string): readonly Json[] => objectsOf(one[name], `${place}.${name}`, fault);
    const parts = [
      ...list('column').map((part, i) => column(part, `${place}.column[${i}]`)),
      ...list('select').map((part, i) => select(part, `${place}.select[${i}]`, depth + 1)),
    ];
    const union = list('unionAll').map((part, i) => select(part, `${place}.unionAll[${i}]`, depth + 1));
    if (union.length > 0) parts.push(unite(union, `${place}.unionAll`));
    if (parts.length === 0) fault('a select has column, select or unionAll', place);
    if (one['forEach'] !== undefined && one['forEachOrNull'] !== undefined)
      fault('forEach and forEachOrNull exclude one another', place);
    const each = one['forEach'] ?? one['forEachOrNull'];
    const foci = each === undefined ? undefined : path(each, `${place}.forEach`);
    const columns = parts.flatMap((part) => part.columns);
    const nothing: ViewRow = Object.fromEntries(columns.map((name) => [name, null]));
    return {
      columns,
      rows(focus, scope) {
        const found = foci ? foci.evaluate(focus, scope) : [focus];
        if (found.length === 0 && one['forEachOrNull'] !== undefined) return [nothing];
        return bounded(found.flatMap((each) => joined(parts.map((part) => part.rows(each, scope)))));
      },
    };
  }

  function unite(parts: readonly Node[], place: string): Node {
    const [first] = parts;
    for (const part of parts)
      if (part.columns.join() !== first?.columns.join())
        fault('all of unionAll have the same columns in the same order', place);
    return { columns: first?.columns ?? [], rows: (focus, scope) => parts.flatMap((part) => part.rows(focus, scope)) };
  }

  const root = select({ select: view['select'] }, '', 0);
  const where = objectsOf(view['where'], 'where', fault).map((one, i) => path(one['path'], `where[${i}].path`));
  const repeated = root.columns.find((name, i) => root.columns.indexOf(name) !== i);
  if (repeated !== undefined) fault(`two columns are called ${repeated}`, 'select');
  if (root.columns.length > COLUMNS_MAX) fault(`a view has at most ${COLUMNS_MAX} columns`, 'select');
  if (issues.length > 0) throw unprocessable(issues);
  return {
    type: type as string, // else there is an issue
    columns: root.columns,
    rows(resource) {
      const scope = new Scope(STEPS_MAX);
      const focus = item(String(resource['resourceType']), resource);
      scope.resource = focus;
      try {
        const holds = where.every((one) => one?.test(focus, scope) === true);
        return holds ? root.rows(focus, scope) : [];
      } catch (error) {
        if (error instanceof PathError) throw unprocessable([issue('processing', error.message)]);
        throw error;
      }
    },
  };
}

/** Each row of one part with each of the next. */
const joined = (parts: readonly (readonly ViewRow[])[]): readonly ViewRow[] =>
  parts.reduce<readonly ViewRow[]>(
    (rows, part) => bounded(rows.flatMap((row) => part.map((more) => ({ ...row, ...more })))),
    [{}],
  );

function bounded(rows: readonly ViewRow[]): readonly ViewRow[] {
  if (rows.length > ROWS_MAX)
    throw unprocessable([
      issue('too-costly', `One resource gives more than ${ROWS_MAX} rows`, 'ViewDefinition.select'),
    ]);
  return rows;
}
