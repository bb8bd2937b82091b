/** Sort orders, index walks and keyset positions. https://hl7.org/fhir/R4/search.html#sort */

import { notSupported } from '../../standards/fhir/outcome.ts';
import type { SortKey } from '../../standards/fhir/search/request.ts';
import { lanesToBigInt } from '../keys.ts';
import { tableOf } from '../tables.ts';
import type { FilterContext } from './condition.ts';
import { atomKeys } from './hashes.ts';
import type { Params } from './sql.ts';

/** One key of an order: an SQL expression over alias `m`. Missing values come last, whichever the direction. */
export interface OrderKey {
  readonly expression: string;
  readonly type: 'bigint' | 'float8' | 'text';
  readonly descending: boolean;
  readonly nullable: boolean;
}

/** Where the next page goes on: the values of the last row's keys, then its rid. */
export interface Position {
  readonly keys: readonly (string | null)[];
  readonly rid: string;
}

/** The keys of a `_sort`, slow ones included. */
export function orderKeys(context: FilterContext, type: string, sort: readonly SortKey[]): OrderKey[] {
  return sort.map((key) => ({ ...orderExpression(context, type, key), descending: key.descending }));
}

function orderExpression(context: FilterContext, type: string, key: SortKey): Omit<OrderKey, 'descending'> {
  if (key.by === '_lastUpdated') return { expression: 'm.lu', type: 'bigint', nullable: false };
  if (key.by === '_id') return { expression: 'm.id', type: 'text', nullable: false };
  const parameter = key.by;
  const { numbers, strings } = tableOf(type);
  const atom = parameter.atoms[0];
  if (atom && context.parameters.get(type)?.mainDate === atom)
    return { expression: 'm.sd', type: 'bigint', nullable: true };
  const keys = parameter.atoms
    .map((a) => `'${lanesToBigInt(atomKeys(context.keys, parameter, a).plain)}'::bigint`)
    .join(', ');
  const best = key.descending ? 'max' : 'min';
  switch (parameter.type) {
    case 'string':
      return {
        expression: `(select ${best}(s.v) from ${strings} s where s.rid = m.rid and s.h in (${keys}))`,
        type: 'text',
        nullable: true,
      };
    case 'date':
    case 'number':
    case 'quantity':
      return {
        expression: `(select ${best}(n.v) from ${numbers} n where n.rid = m.rid and n.h in (${keys}))`,
        type: 'float8',
        nullable: true,
      };
    case 'token':
    case 'uri':
    case 'reference': {
      const paths = parameter.atoms.flatMap((a) => a.leaves.map((leaf) => textPath(leaf.path, leaf.type)));
      const parts = paths.map(
        (path) =>
          `select ${best}(t #>> '{}') v from jsonb_path_query(m.content::jsonb, ${context.params.add(path, 'text')}::jsonpath) t`,
      );
      return {
        expression: `(select ${best}(x.v collate "C") from (${parts.join(' union all ')}) x)`,
        type: 'text',
        nullable: true,
      };
    }
    default:
      throw notSupported(`_sort by '${parameter.code}' is not supported: it has no single value to order by`);
  }
}

function textPath(path: string, type: string): string {
  if (type === 'CodeableConcept') return `${path}.coding.code`;
  if (type === 'Coding') return `${path}.code`;
  if (type === 'Identifier' || type === 'ContactPoint') return `${path}.value`;
  if (type === 'Reference') return `${path}.reference`;
  return path;
}

export const orderBy = (keys: readonly OrderKey[], ridDescending: boolean): string =>
  [
    ...keys.map(
      (k, i) =>
        `k${i + 1}${k.type === 'text' ? ' collate "C"' : ''} ${k.descending ? 'desc' : 'asc'}${k.nullable ? ' nulls last' : ''}`,
    ),
    `rid ${ridDescending ? 'desc' : 'asc'}`,
  ].join(', ');

/** Rows after a position in the order, over columns k1…kn and rid of alias `x`. */
export function afterPosition(
  keys: readonly OrderKey[],
  ridDescending: boolean,
  position: Position,
  params: Params,
): string {
  const alternatives: string[] = [];
  const equal: string[] = [];
  keys.forEach((key, i) => {
    const column = `x.k${i + 1}`;
    const value = position.keys[i] ?? null;
    if (value === null) {
      equal.push(`${column} is null`);
      return;
    }
    const placeholder = `${params.add(value, key.type)}${key.type === 'text' ? ' collate "C"' : ''}`;
    const beyond = `${column} ${key.descending ? '<' : '>'} ${placeholder}`;
    alternatives.push([...equal, key.nullable ? `(${beyond} or ${column} is null)` : beyond].join(' and '));
    equal.push(`${column} = ${placeholder}`);
  });
  alternatives.push(
    [...equal, `x.rid ${ridDescending ? '<' : '>'} ${params.add(position.rid, 'bigint')}`].join(' and '),
  );
  return `(${alternatives.map((a) => `(${a})`).join(' or ')})`;
}
