/** Sentences of https://hl7.org/fhir/R4/http.html: what is patched and deleted. */
import { section } from './sentence.ts';

const PATIENT = { resourceType: 'Patient', gender: 'female' };
const own = (more: object = {}) => ({ ...PATIENT, identifier: [{ system: 'urn:row', value: '{n}' }], ...more });
const MINE = 'identifier=urn:row|{n}';
const post = { method: 'POST', path: 'Patient', status: 201 } as const;
const twins = [
  { ...post, body: own() },
  { ...post, body: own() },
] as const;
const PATCH = { 'content-type': 'application/json-patch+json' };
const male = [{ op: 'replace', path: '/gender', value: 'male' }];

export const HTTP_CHANGE = [
  ...section('http › patch', [
    [
      'SHALL',
      'a JSON Patch changes the resource',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        {
          method: 'PATCH',
          path: 'Patient/{new}',
          body: male,
          headers: PATCH,
          has: [/"gender":"male"/, /"versionId":"2"/],
        },
      ],
    ],
    [
      'SHALL',
      'a patch that fails leaves everything',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        {
          method: 'PATCH',
          path: 'Patient/{new}',
          body: [...male, { op: 'test', path: '/gender', value: 'other' }],
          headers: PATCH,
          status: 422,
        },
        { path: 'Patient/{new}', has: /"versionId":"1"/ },
      ],
    ],
    [
      'SHALL',
      'the result is validated as an update is',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        {
          method: 'PATCH',
          path: 'Patient/{new}',
          body: [{ op: 'replace', path: '/gender', value: 'nothing' }],
          headers: PATCH,
          status: 422,
        },
      ],
    ],
    [
      'SHALL',
      'If-Match of another version: 412',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { method: 'PATCH', path: 'Patient/{new}', body: male, headers: { ...PATCH, 'if-match': 'W/"9"' }, status: 412 },
      ],
    ],
    [
      'SHALL',
      'a patch format that is not there is 415',
      {
        method: 'PATCH',
        path: 'Patient/{p}',
        body: '<diff/>',
        headers: { 'content-type': 'application/xml-patch+xml' },
        status: 415,
      },
    ],
    [
      'SHALL',
      'a patch of what is not there is 404',
      { method: 'PATCH', path: 'Patient/never', body: male, headers: PATCH, status: 404 },
    ],
    [
      'SHALL',
      'conditional patch without a match: 404',
      { method: 'PATCH', path: `Patient?${MINE}`, body: male, headers: PATCH, status: 404 },
    ],
    [
      'SHALL',
      'conditional patch with one match patches it',
      [
        { ...post, body: own() },
        { method: 'PATCH', path: `Patient?${MINE}`, body: male, headers: PATCH, has: /"gender":"male"/ },
      ],
    ],
    [
      'SHALL',
      'conditional patch with several matches: 412',
      [...twins, { method: 'PATCH', path: `Patient?${MINE}`, body: male, headers: PATCH, status: 412 }],
    ],
    [
      'SHOULD',
      'Prefer is honoured',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        {
          method: 'PATCH',
          path: 'Patient/{new}',
          body: male,
          headers: { ...PATCH, prefer: 'return=minimal' },
          has: /^$/,
        },
      ],
    ],
  ]),
  ...section('http › delete', [
    [
      'SHALL',
      'delete is answered by 204 or 200',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { method: 'DELETE', path: 'Patient/{new}', status: 204 },
      ],
    ],
    [
      'SHALL',
      'a read afterwards is 410',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { method: 'DELETE', path: 'Patient/{new}', status: 204 },
        { path: 'Patient/{new}', status: 410 },
      ],
    ],
    [
      'SHALL',
      'a search does not find it',
      [
        { ...post, body: own(), saveId: 'new' },
        { method: 'DELETE', path: 'Patient/{new}', status: 204 },
        { path: `Patient?${MINE}`, ids: '' },
      ],
    ],
    [
      'SHALL',
      'deleting again changes nothing',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { method: 'DELETE', path: 'Patient/{new}', status: 204 },
        { method: 'DELETE', path: 'Patient/{new}', status: [200, 204] },
        { path: 'Patient/{new}/_history', total: 2 },
      ],
    ],
    ['SHALL', 'deleting what never was is no error', { method: 'DELETE', path: 'Patient/never', status: [200, 204] }],
    [
      'SHOULD',
      'its history is kept',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { method: 'DELETE', path: 'Patient/{new}', status: 204 },
        { path: 'Patient/{new}/_history/1' },
      ],
    ],
    [
      'SHALL',
      'conditional delete with one match deletes it',
      [
        { ...post, body: own(), saveId: 'one' },
        { method: 'DELETE', path: `Patient?${MINE}`, status: 204 },
        { path: 'Patient/{one}', status: 410 },
      ],
    ],
    [
      'SHALL',
      'conditional delete without a match is no error',
      { method: 'DELETE', path: `Patient?${MINE}`, status: [200, 204] },
    ],
    [
      'SHALL',
      'conditional delete without criteria is refused',
      { method: 'DELETE', path: 'Patient', status: [400, 405, 412] },
    ],
  ]),
];
