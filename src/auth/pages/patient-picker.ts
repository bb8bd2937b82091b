/** Whose record an app is to use. Everything is posted: no address ever names a patient. SECURITY SL-08 */
import type { Session } from '../../ports/users.ts';
import type { PatientPage, PatientSummary } from '../authorize/options.ts';
import { html, own } from './html.ts';
import { button, csrfField, type FieldFault, hiddenField, input, type PageOptions, radios } from './layout.ts';

export interface PatientPickerPage {
  readonly action: string;
  readonly session: Session;
  readonly appName: string;
  /** Whether the person looks after more than their own records. */
  readonly hasSearch: boolean;
  readonly search: string;
  readonly found: PatientPage;
  readonly errors?: readonly FieldFault[];
}

export function patientPickerPage(options: PatientPickerPage): PageOptions {
  const { action, session, appName, hasSearch, search, found, errors = [] } = options;
  const title = 'Choose a record';
  return {
    title,
    session,
    errors,
    body: html`<h1>${title}</h1>
<p>${appName} wants to use the record of one patient.</p>
${
  hasSearch &&
  html`<form method="post" action="${own(action)}" role="search" novalidate>
${csrfField(session)}
${input({ name: 'search', label: 'Find a patient', hint: 'Part of the name, or the NHS number', type: 'search', value: search, autocomplete: 'off', spellcheck: false })}
${button('Search', { kind: 'secondary', name: 'action', value: 'search' })}
</form>`
}
<form method="post" action="${own(action)}" novalidate>
${csrfField(session)}
${
  found.patients.length === 0
    ? html`<p>${search === '' ? 'There is no record that you may use here.' : 'No record that you may use fits.'}</p>`
    : html`${radios({
        name: 'patient',
        legend: 'Whose record?',
        errors,
        choices: found.patients.map((patient) => ({
          value: patient.id,
          label: patient.name,
          hint: patientWords(patient),
        })),
      })}
${button('Continue', { name: 'action', value: 'patient' })}`
}
${button('Cancel', { kind: 'secondary', name: 'action', value: 'deny' })}
</form>
${
  found.next !== undefined &&
  html`<form method="post" action="${own(action)}">
${csrfField(session)}${hiddenField('search', search)}${hiddenField('cursor', found.next)}
${button('More records', { kind: 'secondary', name: 'action', value: 'search' })}
</form>`
}`,
  };
}

/** What tells one patient from another of the same name. */
export const patientWords = ({ birthDate, nhsNumber }: PatientSummary): string =>
  [
    birthDate !== undefined && `Born ${dateWords(birthDate)}`,
    nhsNumber !== undefined && `NHS number ${nhsNumber.replace(/^(\d{3})(\d{3})(\d{4})$/, '$1 $2 $3')}`,
  ]
    .filter((part) => part !== false)
    .join(', ');

const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** A FHIR date, of whatever precision. */
function dateWords(date: string): string {
  const [year, month, day] = date.split('-');
  return [day && String(Number(day)), month && MONTHS[Number(month) - 1], year].filter(Boolean).join(' ');
}
