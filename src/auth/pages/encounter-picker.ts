/** Which visit an app is to know of. SECURITY SL-08 */
import type { Session } from '../../ports/users.ts';
import type { EncounterSummary, PatientSummary } from '../authorize/options.ts';
import { html, own } from './html.ts';
import { button, csrfField, type FieldFault, type PageOptions, radios } from './layout.ts';

export interface EncounterPickerPage {
  readonly action: string;
  readonly session: Session;
  readonly appName: string;
  readonly patient: PatientSummary;
  readonly encounters: readonly EncounterSummary[];
  readonly errors?: readonly FieldFault[];
}

/** The value of the choice that there is none. */
export const NO_ENCOUNTER = 'none';

export const encounterPickerPage = (options: EncounterPickerPage): PageOptions => {
  const { action, session, appName, patient, encounters, errors = [] } = options;
  return {
    title: 'Choose a visit',
    session,
    errors,
    body: html`<h1>Choose a visit</h1>
<p>${appName} wants to know which visit of ${patient.name} this is about.</p>
<form method="post" action="${own(action)}" novalidate>
${csrfField(session)}
${radios({
  name: 'encounter',
  legend: 'Which visit?',
  errors,
  choices: [
    ...encounters.map(({ id, label, period }) => ({
      value: `id ${id}`,
      label,
      ...(period !== undefined && { hint: period }),
    })),
    { value: NO_ENCOUNTER, label: 'None of these' },
  ],
})}
${button('Continue', { name: 'action', value: 'encounter' })}
${button('Cancel', { kind: 'secondary', name: 'action', value: 'deny' })}
</form>`,
  };
};
