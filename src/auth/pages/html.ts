/** HTML in which every value is escaped unless it is HTML of ours already. SECURITY WB-04 */

/** A piece of markup. Only `html` makes one, so that text from outside cannot pass for markup. */
export class Html {
  readonly #markup: string;

  constructor(key: typeof OWN, markup: string) {
    if (key !== OWN) throw new Error('markup is made by html`…`');
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

/** What may stand between the pieces of a template. `false` and `undefined` leave nothing. */
export type Value = Html | string | number | false | undefined | readonly Value[];

const OWN = Symbol('own');

/** Stands before a path of ours. No text holds it: `format` takes control characters out. */
const HERE = '\u0001';

/** A path of ours in an attribute: `renderAt` puts before it what the public URL has before every path. */
export const own = (path: string): Html => new Html(OWN, `${HERE}${format(path)}`);

/** The text of a page of the server whose public URL ends in `basePath`: `/mortar`, or nothing. */
export const renderAt = (page: Html, basePath: string): string => page.toString().replaceAll(HERE, format(basePath));

/** Markup from a template; values that are not markup become text, safe in content and in quoted attributes. */
export function html(pieces: TemplateStringsArray, ...values: readonly Value[]): Html {
  let markup = pieces[0] ?? '';
  values.forEach((value, i) => {
    markup += format(value) + (pieces[i + 1] ?? '');
  });
  return new Html(OWN, markup);
}

const ENTITIES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['`', '&#96;'],
]);

function format(value: Value): string {
  if (value instanceof Html) return value.toString();
  if (value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(format).join('');
  // Control characters have no place in a page; a browser would read some of them as others.
  return String(value)
    .replaceAll(/[&<>"'`]/g, (character) => ENTITIES.get(character) ?? '')
    .replaceAll(/[^\P{Cc}\t\n\r]/gu, '\ufffd');
}
