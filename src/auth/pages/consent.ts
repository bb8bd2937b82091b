/** The consent page: what an app asks for, each thing with a box of its own. SECURITY SL-10, SC-11 */
import type { Client } from '../../ports/clients.ts';
import type { Session } from '../../ports/users.ts';
import type { Category, Offer } from '../authorize/consent-choice.ts';
import type { EncounterSummary, PatientSummary } from '../authorize/options.ts';
import { type OfflineWords, wordsOf } from '../authorize/scope-words.ts';
import { type Html, html, own } from './html.ts';
import { button, csrfField, type FieldFault, type PageOptions } from './layout.ts';
import { patientWords } from './patient-picker.ts';

export interface ConsentPage {
  /** Where the form is sent. */
  readonly action: string;
  readonly session: Session;
  readonly client: Client;
  /** Host of the redirect URI. */
  readonly returnsTo: string;
  readonly patient?: PatientSummary;
  readonly encounter?: EncounterSummary;
  readonly offers: readonly Offer[];
  readonly offline: OfflineWords;
  readonly errors?: readonly FieldFault[];
}

export function consentPage(options: ConsentPage): PageOptions {
  const { action, session, client, returnsTo, patient, encounter, offers, offline, errors = [] } = options;
  const title = `Share information with ${client.name}?`;
  const fault = errors[0]?.text;
  return {
    title,
    session,
    errors,
    body: html`<h1>${title}</h1>
${publisherNotice(client, returnsTo)}
${
  patient &&
  html`<dl class="facts">
<div><dt>Whose record</dt><dd>${patient.name}${patientWords(patient) !== '' && html`<br>${patientWords(patient)}`}</dd></div>
${encounter && html`<div><dt>Visit</dt><dd>${encounter.label}${encounter.period !== undefined && html`, ${encounter.period}`}</dd></div>`}
</dl>`
}
<form method="post" action="${own(action)}">
${csrfField(session)}
<fieldset class="field${fault !== undefined && ' wrong'}" aria-describedby="scope-hint${fault !== undefined && ' scope-fault'}">
<legend>What ${client.name} may do</legend>
<span class="hint" id="scope-hint">Untick whatever you do not want to share. The app may work less well without it.</span>
${fault !== undefined && html`<span class="fault" id="scope-fault">Error: ${fault}</span>`}
${offers.map((offer, index) => offerBox(offer, index, offline))}
</fieldset>
<p>You can end this at any time in <a href="${own('/my-apps')}">My apps</a>.</p>
${button('Share', { name: 'action', value: 'allow' })}
${button('Do not share', { kind: 'secondary', name: 'action', value: 'deny' })}
</form>`,
  };
}

function publisherNotice({ name, publisher, isVerified }: Client, returnsTo: string): Html {
  const by = publisher === undefined ? 'Nobody has said who makes it' : `Its publisher says that it is ${publisher}`;
  return html`<div class="notice${isVerified && ' good'}">
<p>${
    isVerified
      ? html`<strong>Verified app.</strong> ${name} has been checked by this organisation. ${publisher !== undefined && `It is made by ${publisher}.`}`
      : html`<strong>Not verified.</strong> Nobody here has checked ${name}. ${by}. Share only if you trust it.`
  }</p>
<p>Afterwards you return to ${returnsTo}.</p>
</div>`;
}

function offerBox({ scope, categories }: Offer, index: number, offline: OfflineWords): Html {
  const { label, hint } = wordsOf(scope, offline);
  // The first box bears the bare name, so that the error summary leads to it.
  const id = index === 0 ? 'scope' : `scope-${index + 1}`;
  return html`<div class="choice"><input id="${id}" type="checkbox" name="scope" value="${index}" checked${
    hint !== undefined && html` aria-describedby="${id}-item-hint"`
  }>
<div><label for="${id}">${label}</label>${hint !== undefined && html`<span class="hint" id="${id}-item-hint">${hint}</span>`}
${categories.length > 0 && categoryBoxes(categories, index, label)}</div></div>`;
}

/** Folded away: who ticks none shares all kinds. */
const categoryBoxes = (categories: readonly Category[], index: number, label: string): Html => html`<details>
<summary>Share only some kinds</summary>
<fieldset class="field"><legend>Only these kinds of: ${label}</legend>
${categories.map(
  ({ code, label: words }) =>
    html`<div class="choice"><input id="only-${index}-${code}" type="checkbox" name="only" value="${index}.${code}">
<div><label for="only-${index}-${code}">${words}</label></div></div>`,
)}
</fieldset>
</details>`;
