/**
 * Lists that every server can tell without anybody keeping them: what is current of a patient, by its own elements.
 * https://hl7.org/fhir/R4/lifecycle.html#current, https://hl7.org/fhir/R4/search.html#list
 */
type Query = readonly (readonly [name: string, value: string])[];

const CONDITION = 'http://terminology.hl7.org/CodeSystem/condition-clinical';
const ALLERGY = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical';
/** Neither found to be wrong nor entered by mistake. */
const STANDS: Query[number] = ['verification-status:not', 'refuted,entered-in-error'];

const ALLERGIES: Query = [['clinical-status', `${ALLERGY}|active`], STANDS];
const PROBLEMS: Query = [
  ['clinical-status', ['active', 'recurrence', 'relapse'].map((code) => `${CONDITION}|${code}`).join(',')],
  STANDS,
  // What one visit was about is no problem of the patient's until somebody says so.
  ['_filter', 'category eq problem-list-item or category eq health-concern or category pr false'],
];
const ORDERED = 'order,original-order,reflex-order,filler-order,instance-order';

/** List → type → the search that it stands for. */
const CURRENT_LISTS: ReadonlyMap<string, ReadonlyMap<string, Query>> = new Map([
  ['$current-problems', new Map([['Condition', PROBLEMS]])],
  [
    '$current-medications',
    new Map([
      [
        'MedicationRequest',
        [
          ['status', 'active'],
          ['intent', ORDERED],
        ] as Query,
      ],
      ['MedicationStatement', [['status', 'active']] as Query],
    ]),
  ],
  ['$current-allergies', new Map([['AllergyIntolerance', ALLERGIES]])],
  ['$current-drug-allergies', new Map([['AllergyIntolerance', [...ALLERGIES, ['category', 'medication']] as Query]])],
]);

/** The search that a list stands for, among resources of a type; or what is wrong. */
export function currentList(name: string, type: string): Query | string {
  const byType = CURRENT_LISTS.get(name);
  if (!byType) return `there is no such list: name the id of a List, or one of ${[...CURRENT_LISTS.keys()].join(', ')}`;
  return byType.get(type) ?? `${name} is a list of ${[...byType.keys()].join(' and ')}, not of ${type}`;
}
