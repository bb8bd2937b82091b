/** Scopes in words that people understand. SECURITY SL-10 */
import type { Letter, ResourceScope, Scope } from '../../standards/smart/scope.ts';

export interface ScopeWords {
  readonly label: string;
  readonly hint?: string;
}

/** How long an app may go on by itself. */
export interface OfflineWords {
  readonly slidingDays: number;
  readonly absoluteDays: number;
}

/** Types whose names say little to people. */
const TYPES = new Map<string, string>([
  ['AllergyIntolerance', 'allergies and intolerances'],
  ['Appointment', 'appointments'],
  ['CarePlan', 'care plans'],
  ['CareTeam', 'care teams'],
  ['Claim', 'claims'],
  ['Condition', 'conditions and diagnoses'],
  ['Consent', 'consents'],
  ['Coverage', 'insurance cover'],
  ['Device', 'devices'],
  ['DiagnosticReport', 'test reports'],
  ['DocumentReference', 'documents'],
  ['Encounter', 'visits and admissions'],
  ['FamilyMemberHistory', 'family history'],
  ['Goal', 'goals'],
  ['Immunization', 'vaccinations'],
  ['Location', 'places'],
  ['Medication', 'medicines'],
  ['MedicationAdministration', 'medicines given'],
  ['MedicationDispense', 'medicines handed out'],
  ['MedicationRequest', 'prescriptions'],
  ['MedicationStatement', 'medicines taken'],
  ['Observation', 'observations, such as test results and vital signs'],
  ['Organization', 'organisations'],
  ['Patient', 'personal details, such as name, birth date and address'],
  ['Practitioner', 'health professionals'],
  ['PractitionerRole', 'roles of health professionals'],
  ['Procedure', 'procedures and operations'],
  ['Provenance', 'who recorded what, and when'],
  ['QuestionnaireResponse', 'answers to questionnaires'],
  ['RelatedPerson', 'relatives and carers'],
  ['ServiceRequest', 'referrals and test requests'],
  ['Specimen', 'samples'],
  ['Task', 'tasks'],
]);

const OTHERS = new Map<string, ScopeWords>([
  ['openid', { label: 'Know that it is you', hint: 'A number that stands for you, no name' }],
  ['fhirUser', { label: 'Know which record or staff entry is yours' }],
  ['profile', { label: 'Know your name' }],
  ['launch', { label: 'Know which patient or visit you have open' }],
  ['launch/patient', { label: 'Know which patient you choose' }],
  ['launch/encounter', { label: 'Know which visit you choose' }],
  ['online_access', { label: 'Stay connected while you are signed in here', hint: 'At most 12 hours' }],
  ['prescription:read', { label: 'See your prescriptions and medicines' }],
  ['prescription:write', { label: 'Ask for prescriptions and cancel requests' }],
  ['pharmacy:read', { label: 'See pharmacies and the one you have nominated' }],
  ['pharmacy:nominate', { label: 'Nominate a pharmacy' }],
]);

const VERBS: readonly (readonly [letters: readonly Letter[], verb: string])[] = [
  [['r', 's'], 'see'],
  [['c'], 'add'],
  [['u'], 'change'],
  [['d'], 'delete'],
];

/** One scope. */
export function wordsOf({ text, resource }: Scope, offline: OfflineWords): ScopeWords {
  if (resource) return resourceWords(resource);
  if (text === 'offline_access') return offlineWords(offline);
  return OTHERS.get(text) ?? { label: text };
}

const offlineWords = ({ slidingDays, absoluteDays }: OfflineWords): ScopeWords => ({
  label: 'Keep its access when you are not there',
  hint: `“Offline” access: it goes on after you sign out or close the app. It ends when the app is not used for ${slidingDays} days, after ${absoluteDays} days in any case, and as soon as you end it in “My apps”.`,
});

function resourceWords({ level, type, letters, constraint }: ResourceScope): ScopeWords {
  const verbs = VERBS.filter(([of]) => of.some((letter) => letters.includes(letter))).map(([, verb]) => verb);
  const whose = level === 'patient' ? 'in this patient’s record' : 'in every record that you may use';
  const label = `${capital(list(verbs))} ${type === '*' ? 'everything' : typeWords(type)} ${whose}`;
  if (type === '*') return { label, hint: 'Everything there is now, and anything added later' };
  return constraint === undefined ? { label } : { label, hint: `Only those with ${constraintWords(constraint)}` };
}

/** The name of a type in small letters, for those that have no words of their own. */
const typeWords = (type: string): string =>
  TYPES.get(type) ?? `${type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()} entries`;

/** `category=http://…|laboratory` as `category laboratory`. */
function constraintWords(constraint: string): string {
  const parts = constraint.split('&').map((part) => {
    const mark = part.indexOf('=');
    const name = part.slice(0, mark).replace(':not', ' other than').replace(':missing', ' missing');
    const values = part
      .slice(mark + 1)
      .split(',')
      .map((value) => decode(value.slice(value.lastIndexOf('|') + 1)));
    return `${name} ${values.join(' or ')}`;
  });
  return list(parts);
}

/** Constraints were parsed: each percent sign has its digits. */
const decode = (text: string): string => decodeURIComponent(text);

const list = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
