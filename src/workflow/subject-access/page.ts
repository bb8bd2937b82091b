/**
 * A copy of a record as people read it: one page of HTML with its style in it, no scripts, and nothing fetched; it prints.
 * Pieces of it are made one after another. SECURITY DP-03, DP-09, WB-04
 */
import { isNumber } from '../../standards/fhir/json.ts';

const ENTITIES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);

/** Text that stays text in a page. */
const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES.get(character) ?? '').replaceAll(/[^\P{Cc}\t\n\r]/gu, '\ufffd');

const STYLE = `
:root { color-scheme: light; }
body { margin: 0; background: #f0f4f5; color: #212b32; font: 1rem/1.5 Frutiger, Arial, sans-serif; }
header { background: #005eb8; color: #fff; padding: 1rem; }
header p { margin: 0 auto; max-width: 60rem; font-weight: 600; }
main { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 2rem; line-height: 1.2; }
h2 { font-size: 1.5rem; margin: 2.5rem 0 1rem; border-bottom: 2px solid #005eb8; }
h3 { font-size: 1.125rem; margin: 0 0 .5rem; }
article { background: #fff; border: 1px solid #d8dde0; padding: 1rem 1.25rem; margin: 0 0 1rem; }
dl { margin: 0; }
dl dl { border-left: 4px solid #d8dde0; padding-left: .75rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; overflow-wrap: anywhere; white-space: pre-wrap; }
a:focus { outline: 4px solid #ffeb3b; }
@media print {
  body { background: #fff; }
  header { background: #fff; color: #005eb8; }
  article { break-inside: avoid; border-width: 0 0 1px; padding: .5rem 0; }
}
`;

/** The beginning of the page. `madeAt`: ms UTC. */
export const pageHead = (madeAt: number): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>A copy of your record</title>
<style>${STYLE}</style>
</head>
<body>
<header><p>Your health record</p></header>
<main>
<h1>A copy of your record</h1>
<p>Made on ${escapeHtml(dateOf(madeAt))}. It holds what this service keeps about you: your record, messages about you from
other systems, your appointments, and who has looked at your record.</p>
<p>Where something is about another person as well, only your part of it is here. The names of the professionals who looked
after you are kept. A copy for computers, in FHIR JSON, holds the same.</p>
`;

export const pageFoot = `
<p>This is the end of the copy. If something in it is wrong, you may ask for it to be put right.</p>
</main>
</body>
</html>
`;

export const pageHeading = (text: string): string => `<h2>${escapeHtml(text)}</h2>\n`;
export const pageNote = (text: string): string => `<p>${escapeHtml(text)}</p>\n`;

/** One record with all it says. */
export const pageArticle = (title: string, value: Readonly<Record<string, unknown>>): string =>
  `<article><h3>${escapeHtml(title)}</h3>${list(value)}</article>\n`;

/** Technical, or said in another way. */
const LEFT_OUT = new Set(['resourceType', 'id', 'meta', 'text', 'implicitRules', 'fullUrl']);

function list(value: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(value)
    .filter(([name]) => !LEFT_OUT.has(name) && !name.startsWith('_'))
    .map(([name, one]) => `<dt>${escapeHtml(label(name))}</dt><dd>${item(name, one)}</dd>`);
  return rows.length === 0 ? '<p>Nothing more is recorded.</p>' : `<dl>${rows.join('')}</dl>`;
}

function item(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => item(name, one)).join('<br>');
  if (typeof value === 'string') return name === 'data' ? 'A file: it is in the copy for computers' : escapeHtml(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (isNumber(value)) return escapeHtml(String(value));
  if (typeof value !== 'object' || value === null) return '';
  const shape = value as Readonly<Record<string, unknown>>;
  const short = inShort(shape);
  return short === undefined
    ? list({ ...shape, ...(shape['text'] !== undefined && { words: shape['text'] }) })
    : escapeHtml(short);
}

/** Values that people write on one line. */
function inShort(value: Readonly<Record<string, unknown>>): string | undefined {
  // Backbone elements can have the same names for whole concepts.
  const isPlain = Object.entries(value).every(
    ([name, one]) => name === 'coding' || typeof one !== 'object' || isNumber(one),
  );
  const has = (...names: readonly string[]): boolean =>
    isPlain && Object.keys(value).every((name) => names.includes(name));
  const text = (name: string): string => (value[name] === undefined ? '' : String(value[name]));
  if (has('reference', 'display', 'type')) return text('display') || text('reference') || text('type');
  if (has('system', 'version', 'code', 'display', 'userSelected') && value['code'] !== undefined)
    return value['display'] === undefined ? text('code') : `${text('display')} (${text('code')})`;
  if (has('coding', 'text')) {
    const codings = ((value['coding'] ?? []) as object[]).map((one) => inShort(one as Record<string, unknown>) ?? '');
    return [text('text'), ...codings].filter((part) => part !== '').join(', ');
  }
  if (has('start', 'end')) return `${text('start') || '…'} to ${text('end') || 'now'}`;
  if (has('value', 'unit', 'system', 'code', 'comparator') && isNumber(value['value']))
    return `${text('comparator')}${text('value')} ${text('unit') || text('code')}`.trim();
  return undefined;
}

/** `birthDate` as people say it. */
function label(name: string): string {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A type of resources as a heading: `Allergy intolerance`. */
export const headingOf = (type: string): string => label(type);

/** `15 June 2026 at 12:00 UTC` */
export function dateOf(at: number): string {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${format.format(at)} UTC`;
}
