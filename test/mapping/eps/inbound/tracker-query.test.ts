/** Searches of the tracker. */
import { expect } from 'chai';
import { translateTrackerAnswer } from '../../../../src/mapping/eps/inbound/tracker.ts';
import {
  filterTasks,
  type TrackerRequest,
  trackerRequest,
  validateTrackerQuery,
} from '../../../../src/mapping/eps/inbound/tracker-query.ts';
import { parseJson } from '../../../../src/standards/fhir/json.ts';
import { answerContext, readAnswer } from './answer.ts';

type Query = Readonly<Record<string, readonly string[]>>;
const parametersOf = (query: Query): ReadonlyMap<string, readonly string[]> => new Map(Object.entries(query));

const ORDER_NUMBER = 'https://fhir.nhs.uk/Id/prescription-order-number';
const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const STATUS = 'https://fhir.nhs.uk/CodeSystem/EPS-task-business-status';
const ID = '5B7E20-Z99911-8C41D9';
const PATIENT = ['9990000034'];

const FINDINGS: readonly (readonly [title: string, query: Query, expected: readonly string[]])[] = [
  ['a prescription', { 'focus:identifier': [ID] }, []],
  ['a prescription with its system', { identifier: [`${ORDER_NUMBER}|${ID}`] }, []],
  [
    'a patient and dates',
    { 'patient:identifier': [`${NHS_NUMBER}|9990000034`], 'authored-on': ['ge2026-11-01', 'le2026-11-30'] },
    [],
  ],
  ['what is not known', { identifier: [ID], colour: ['a', 'b'] }, []],
  [
    'nothing',
    { 'business-status': [`${STATUS}|0006`] },
    [
      'invalid At least one of the following query parameters must be provided: focus:identifier, identifier, patient:identifier.',
    ],
  ],
  ['one of them twice', { identifier: [ID, ID] }, ['invalid Invalid combination of query parameters.']],
  [
    'another system',
    { identifier: [`${NHS_NUMBER}|${ID}`] },
    [`value Query parameter identifier must have system ${ORDER_NUMBER} if specified.`],
  ],
  [
    'another system of the status',
    { 'patient:identifier': PATIENT, 'business-status': ['x|0006'] },
    [`value Query parameter business-status must have system ${STATUS} if specified.`],
  ],
  [
    'a date with a system',
    { 'patient:identifier': PATIENT, 'authored-on': ['x|eq2026-11-16'] },
    ['value Query parameter authored-on must not have a system specified.'],
  ],
  ...['2026-11-16', 'gt2026-11-16', 'eq2026-02-30', 'eq2026', ''].map((date): [string, Query, string[]] => [
    `the date '${date}'`,
    { 'patient:identifier': PATIENT, 'authored-on': [date] },
    ['invalid Value for date param authored-on should match pattern /(eq|le|ge)\\d{4}-\\d{2}-\\d{2}/.'],
  ]),
];

const REQUESTS: readonly (readonly [query: Query, expected: TrackerRequest])[] = [
  [
    { 'focus:identifier': [`${ORDER_NUMBER}|${ID}`] },
    { service: 'nhs111itemdetails', query: { prescriptionId: ID, issueNumber: '1' } },
  ],
  [
    { identifier: [ID], 'patient:identifier': PATIENT },
    { service: 'nhs111itemdetails', query: { prescriptionId: ID, issueNumber: '1' } },
  ],
  // What a query string makes of a number that ends in +.
  [
    { identifier: [`${ORDER_NUMBER}|5B7E20-Z99911-8C41D `] },
    { service: 'nhs111itemdetails', query: { prescriptionId: '5B7E20-Z99911-8C41D+', issueNumber: '1' } },
  ],
  [{ 'patient:identifier': PATIENT }, { service: 'nhs111itemsummary', query: { nhsNumber: '9990000034' } }],
  [
    { 'patient:identifier': PATIENT, 'business-status': [`${STATUS}|0006`], 'authored-on': ['eq2026-11-16'] },
    {
      service: 'nhs111itemsummary',
      query: { nhsNumber: '9990000034', prescriptionStatus: '0006', earliestDate: '20261116', latestDate: '20261116' },
    },
  ],
  [
    { 'patient:identifier': PATIENT, 'authored-on': ['ge2026-11-01', 'le2026-11-30'] },
    {
      service: 'nhs111itemsummary',
      query: { nhsNumber: '9990000034', earliestDate: '20261101', latestDate: '20261130' },
    },
  ],
];

const FITS: readonly (readonly [query: Query, total: number])[] = [
  [{ 'patient:identifier': PATIENT }, 2],
  [{ 'patient:identifier': ['9990000042'] }, 0],
  [{ identifier: [`${ORDER_NUMBER}|${ID}`] }, 1],
  [{ 'focus:identifier': ['other'] }, 0],
  [{ 'business-status': ['0008'] }, 1],
  [{ 'business-status': [`${STATUS}|0006`] }, 0],
  [{ 'authored-on': ['eq2026-11-10'] }, 2],
  [{ 'authored-on': ['ge2026-11-11'] }, 0],
  [{ 'authored-on': ['le2026-11-10', 'ge2026-11-01'] }, 2],
  [{ colour: ['blue'] }, 2],
];

describe('mapping › eps › inbound › searches of the tracker', () => {
  for (const [title, query, expected] of FINDINGS)
    it(`${title} › ${expected.length === 0 ? 'is valid' : expected.join()}`, () => {
      const issues = validateTrackerQuery(parametersOf(query));
      expect(issues.map(({ code, diagnostics }) => `${code} ${diagnostics}`)).deep.equal(expected);
    });

  for (const [query, expected] of REQUESTS)
    it(`${JSON.stringify(query)} asks ${expected.service}`, () => {
      expect(trackerRequest(parametersOf(query))).deep.equal(expected);
    });

  const { body } = translateTrackerAnswer(parseJson(readAnswer('tracker-summary.json')), answerContext());
  for (const [query, total] of FITS)
    it(`${JSON.stringify(query)} leaves ${total}, and what is told beside them`, () => {
      const filtered = filterTasks(body, parametersOf(query));
      expect(filtered['total']).equal(total);
      expect(filtered['entry']).length(total + 1);
    });

  it('leaves an OperationOutcome as it is', () => {
    const { body: failed } = translateTrackerAnswer(parseJson(readAnswer('tracker-failed.json')), answerContext());
    expect(filterTasks(failed, parametersOf({ identifier: [ID] }))).equal(failed);
  });
});
