/**
 * The frame of every page and the parts that forms are made of. Pages work without JavaScript and by keyboard alone;
 * WCAG 2.2 AA. SECURITY WB-01, WB-04
 */
import type { Session } from '../../ports/users.ts';
import { assetPath } from './assets.ts';
import { type Html, html, own, renderAt, type Value } from './html.ts';

/** What is wrong with a form: the name of the field that the summary leads to, and what to do. */
export interface FieldFault {
  readonly field: string;
  readonly text: string;
}

export interface PageOptions {
  /** Says what the page is for; the same words as its heading. */
  readonly title: string;
  /** Everything below the header, the `h1` included. */
  readonly body: Html;
  /** Who is signed in: adds the links to the account and the sign-out button. */
  readonly session?: Pick<Session, 'user' | 'csrf'>;
  /** Puts the summary above the body, and `Error:` before the title. */
  readonly errors?: readonly FieldFault[];
  /** The page runs the script for security keys. */
  readonly withScript?: true;
  /** A path of ours where the browser goes at once, also without JavaScript. */
  readonly refresh?: string;
}

/** A whole page, `<!doctype html>` included. `basePath`: what the public URL has before every path of ours. */
export function page(options: PageOptions, basePath = ''): string {
  const { title, body, session, errors = [], withScript, refresh } = options;
  const words = `${errors.length > 0 ? 'Error: ' : ''}${title} – Mortar`;
  const whole = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>${words}</title>
<link rel="stylesheet" href="${own(assetPath('mortar.css'))}">
<link rel="icon" href="${own(assetPath('mortar.svg'))}" type="image/svg+xml">
${refresh !== undefined && html`<meta http-equiv="refresh" content="0; url=${own(refresh)}">`}
${withScript && html`<script src="${own(assetPath('security-key.js'))}" defer></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to main content</a>
<header class="header"><div class="width">
<a class="name" href="${own('/account')}">Mortar</a>
${session && navigation(session)}
</div></header>
<div class="width">
<main id="main" tabindex="-1"><div class="column">
${errors.length > 0 && errorSummary(errors)}
${body}
</div></main>
</div>
<footer class="footer"><div class="width"><p>Mortar: health records and prescriptions</p></div></footer>
</body>
</html>
`;
  return renderAt(whole, basePath);
}

const navigation = (session: Pick<Session, 'user' | 'csrf'>): Html => html`<nav aria-label="Account">
<a href="${own('/account')}">${session.user.name}</a>
<form method="post" action="${own('/sign-out')}">${csrfField(session)}<button class="link">Sign out</button></form>
</nav>`;

/** The hidden field that makes a form genuine. Every form of a signed-in person carries it. */
export const csrfField = ({ csrf }: { readonly csrf: string }): Html =>
  html`<input type="hidden" name="csrf" value="${csrf}">`;

/** A value that the next page needs. */
export const hiddenField = (name: string, value: string): Html =>
  html`<input type="hidden" name="${name}" value="${value}">`;

const errorSummary = (errors: readonly FieldFault[]): Html =>
  html`<div class="summary" role="alert" aria-labelledby="summary-title" tabindex="-1">
<h2 id="summary-title">There is a problem</h2>
<ul>${errors.map(({ field, text }) => html`<li><a href="#${field}">${text}</a></li>`)}</ul>
</div>`;

interface FieldOptions {
  /** Of the control, and its id: what the error summary leads to. */
  readonly name: string;
  readonly hint?: Value;
  readonly errors?: readonly FieldFault[];
}

export interface InputOptions extends FieldOptions {
  readonly label: string;
  readonly type?: 'text' | 'email' | 'password' | 'search';
  readonly value?: string;
  /** What a password manager or a browser may fill in: `username`, `current-password`, `one-time-code`. */
  readonly autocomplete?: string;
  readonly inputmode?: 'numeric' | 'email' | 'text';
  readonly short?: true;
  readonly spellcheck?: false;
}

/** A labelled text field. */
export function input(options: InputOptions): Html {
  const { name, label, hint, errors = [], type = 'text', value, autocomplete, inputmode, short, spellcheck } = options;
  const fault = faultOf(name, errors);
  return html`<div class="field${short && ' short'}${fault && ' wrong'}">
<label for="${name}">${label}</label>
${hintOf(name, hint)}${faultText(name, fault)}
<input id="${name}" name="${name}" type="${type}" value="${value ?? ''}"${describedBy(name, hint, fault)}${
    fault && html` aria-invalid="true"`
  }${autocomplete && html` autocomplete="${autocomplete}"`}${inputmode && html` inputmode="${inputmode}"`}${
    spellcheck === false && html` spellcheck="false"`
  }>
</div>`;
}

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly hint?: Value;
  readonly checked?: boolean;
}

export interface ChoicesOptions extends FieldOptions {
  /** The question that all answer. */
  readonly legend: string;
  readonly choices: readonly Choice[];
}

/** One of several. */
export const radios = (options: ChoicesOptions): Html => choices('radio', options);

/** Any of several; each sends `name` with its own value. */
export const checkboxes = (options: ChoicesOptions): Html => choices('checkbox', options);

function choices(type: 'radio' | 'checkbox', { name, legend, hint, errors = [], choices }: ChoicesOptions): Html {
  const fault = faultOf(name, errors);
  // The first control bears the bare name, so that the error summary leads to it.
  const idOf = (index: number): string => (index === 0 ? name : `${name}-${index + 1}`);
  return html`<fieldset class="field${fault && ' wrong'}"${describedBy(name, hint, fault)}>
<legend>${legend}</legend>
${hintOf(name, hint)}${faultText(name, fault)}
${choices.map((choice, i) => {
  const id = idOf(i);
  return html`<div class="choice"><input id="${id}" type="${type}" name="${name}" value="${choice.value}"${
    choice.checked && html` checked`
  }${choice.hint && html` aria-describedby="${id}-item-hint"`}>
<div><label for="${id}">${choice.label}</label>${
    choice.hint && html`<span class="hint" id="${id}-item-hint">${choice.hint}</span>`
  }</div></div>`;
})}
</fieldset>`;
}

export interface ButtonOptions {
  readonly kind?: 'secondary' | 'warning' | 'link';
  readonly name?: string;
  readonly value?: string;
}

/** A button that sends its form. */
export const button = (label: Value, { kind, name, value }: ButtonOptions = {}): Html =>
  html`<button type="submit"${kind && html` class="${kind}"`}${name && html` name="${name}"`}${
    value !== undefined && html` value="${value}"`
  }>${label}</button>`;

const faultOf = (name: string, errors: readonly FieldFault[]): FieldFault | undefined =>
  errors.find(({ field }) => field === name);

const hintOf = (name: string, hint: Value): Html | undefined =>
  hint ? html`<span class="hint" id="${name}-hint">${hint}</span>` : undefined;

const faultText = (name: string, fault: FieldFault | undefined): Html | undefined =>
  fault && html`<span class="fault" id="${name}-fault">Error: ${fault.text}</span>`;

function describedBy(name: string, hint: Value, fault: FieldFault | undefined): Html | undefined {
  const ids = [hint && `${name}-hint`, fault && `${name}-fault`].filter(Boolean).join(' ');
  return ids === '' ? undefined : html` aria-describedby="${ids}"`;
}
