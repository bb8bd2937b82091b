/** Sentences of https://hl7.org/fhir/R4/http.html#2.21.0.13.1, on a server where a conditional delete may be of several. */
import { type Step, section } from './sentence.ts';

const made = (name: string): Step => ({
  method: 'POST',
  path: 'Patient',
  body: { resourceType: 'Patient', identifier: [{ system: 'urn:several', value: '{n}' }] },
  status: 201,
  saveId: name,
});
const MINE = 'Patient?identifier=urn:several|{n}';
const deleted: Step = { method: 'DELETE', path: MINE };

export const DELETE_SEVERAL = [
  ...section('http › conditional delete of several', [
    [
      'SHALL',
      'all that match are deleted',
      [
        made('one'),
        made('two'),
        { ...deleted, status: [200, 204] },
        { path: 'Patient/{one}', status: 410 },
        { path: 'Patient/{two}', status: 410 },
        { path: MINE, total: 0 },
      ],
    ],
    ['SHALL', 'one match is deleted', [made('one'), { ...deleted, status: [200, 204] }, { path: MINE, total: 0 }]],
    ['SHALL', 'no match is a success', { ...deleted, status: [200, 204] }],
    [
      'SHOULD',
      'the server may set a limit: then none is deleted, 412',
      [
        made('one'),
        made('two'),
        made('three'),
        made('four'),
        { ...deleted, status: 412, has: /"OperationOutcome"/ },
        { path: `${MINE}&_summary=count`, total: 4 },
      ],
    ],
    ['SHALL', 'without criteria nothing is deleted', { method: 'DELETE', path: 'Patient', status: [400, 405, 412] }],
    [
      'SHALL',
      'an unknown parameter deletes nothing',
      [made('one'), { method: 'DELETE', path: `${MINE}&nonsense=1`, status: 400 }, { path: 'Patient/{one}' }],
    ],
    [
      'SHALL',
      'the capability statement says multiple',
      { path: 'metadata', has: /"conditionalDelete":"multiple"/, lacks: /"conditionalDelete":"single"/ },
    ],
  ]),
];
