/**
 * Words of rows and queries in the forms of Postgres: `txt` holds those of the narrative under weight A and, where all
 * texts are searched, the others under weight D. What a word is is decided in standards/fhir/search/words.ts: no
 * dictionary of the database has a say. https://www.postgresql.org/docs/current/datatype-textsearch.html
 */
import type { Condition, TextQuery } from '../../standards/fhir/search/request.ts';
import { eachWord } from '../../standards/fhir/search/words.ts';
import type { Params } from './sql.ts';

/** Postgres keeps no more places of one word. */
const PLACES_MAX = 255;

/** The value of `txt` as text; undefined where there is no word. */
export function textVector(resource: Readonly<Record<string, unknown>>, all: boolean): string | undefined {
  const words = new Map<string, string[]>();
  eachWord(resource, all, (word, position, isNarrative) => {
    const places = words.get(word);
    const place = isNarrative ? `${position}A` : String(position);
    if (!places) words.set(word, [place]);
    else if (places.length < PLACES_MAX) places.push(place);
  });
  if (words.size === 0) return undefined;
  let vector = '';
  for (const [word, places] of words) vector += `'${word}':${places.join(',')} `; // words are letters and digits
  return vector;
}

type TextCondition = Extract<Condition, { readonly kind: 'text' }>;

/** The condition on `txt`; without an alias in the form that its index serves. */
export function textFilter(params: Params, { scope, values }: TextCondition, m?: string): string {
  const weight = scope === 'narrative' ? 'A' : '';
  const query = values.map((value) => `(${formatQuery(value, weight)})`).join(' | ');
  const column = m === undefined ? 'txt' : `${m}.txt`;
  const found = `${column} @@ ${params.add(query, 'text')}::tsquery`;
  // `coalesce` keeps the index out: a filter, not a driver; and a row without words is found by none.
  return m === undefined ? found : `coalesce(${found}, false)`;
}

function formatQuery(query: TextQuery, weight: string): string {
  switch (query.kind) {
    case 'words': {
      const last = query.words.length - 1;
      const words = query.words.map((word, i) => {
        const flags = `${query.isBeginning && i === last ? '*' : ''}${weight}`;
        return `'${word}'${flags === '' ? '' : `:${flags}`}`;
      });
      return words.length === 1 ? (words[0] as string) : `(${words.join(' <-> ')})`;
    }
    case 'not':
      return `!(${formatQuery(query.of, weight)})`;
    case 'and':
    case 'or':
      return `(${query.of.map((one) => formatQuery(one, weight)).join(query.kind === 'and' ? ' & ' : ' | ')})`;
  }
}

/** Words of which a row must hold one at least, the others being no rarer; undefined: not known. */
export function rarestWords(query: TextQuery, rowsOf: (word: string) => number): { readonly rows: number } | undefined {
  switch (query.kind) {
    case 'words':
      return { rows: Math.min(...query.words.map((word, i) => (isBeginning(query, i) ? 20 : 1) * rowsOf(word))) };
    case 'not':
      return undefined;
    case 'and': {
      const known = query.of.flatMap((one) => rarestWords(one, rowsOf) ?? []);
      return known.length === 0 ? undefined : { rows: Math.min(...known.map(({ rows }) => rows)) };
    }
    case 'or': {
      const known = query.of.flatMap((one) => rarestWords(one, rowsOf) ?? []);
      if (known.length < query.of.length) return undefined;
      return { rows: known.reduce((sum, { rows }) => sum + rows, 0) };
    }
  }
}

const isBeginning = (query: Extract<TextQuery, { kind: 'words' }>, i: number): boolean =>
  query.isBeginning && i === query.words.length - 1;
