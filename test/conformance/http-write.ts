/** Sentences of https://hl7.org/fhir/R4/http.html: what is written. */
import { section } from './sentence.ts';

const PATIENT = { resourceType: 'Patient', gender: 'female' };
const own = (more: object = {}) => ({ ...PATIENT, identifier: [{ system: 'urn:row', value: '{n}' }], ...more });
const MINE = 'identifier=urn:row|{n}';
const post = { method: 'POST', path: 'Patient', status: 201 } as const;
const twins = [
  { ...post, body: own() },
  { ...post, body: own() },
] as const;
const put = (id: string) => ({ method: 'PUT', path: `Patient/${id}`, body: { ...PATIENT, id } }) as const;
const BAD = { resourceType: 'Patient', gender: 'nothing' };

export const HTTP_WRITE = [
  ...section('http › create', [
    ['SHALL', 'create is answered by 201', { ...post, body: PATIENT }],
    [
      'SHALL',
      'Location names id and version',
      { ...post, body: PATIENT, header: { location: /^{base}\/Patient\/[^/]+\/_history\/1$/ } },
    ],
    [
      'SHALL',
      'an id that the client gave is ignored',
      { ...post, body: { ...PATIENT, id: 'mine' }, lacks: /"id":"mine"/ },
    ],
    [
      'SHALL',
      'version and time that the client gave are ignored',
      {
        ...post,
        body: { ...PATIENT, meta: { versionId: '7', lastUpdated: '2001-01-01T00:00:00Z' } },
        has: /"versionId":"1"/,
        lacks: /2001-01-01/,
      },
    ],
    [
      'SHALL',
      'id, version and time are the server’s',
      { ...post, body: PATIENT, has: [/"id":"/, /"versionId":"1"/, /"lastUpdated":"/] },
    ],
    [
      'SHOULD',
      'create gives ETag and Last-Modified',
      { ...post, body: PATIENT, header: { etag: /W\/"1"/, 'last-modified': /./ } },
    ],
    [
      'SHALL',
      'what was created can be read',
      [
        { ...post, body: PATIENT, saveId: 'new' },
        { path: 'Patient/{new}', has: /"gender":"female"/ },
      ],
    ],
    [
      'SHALL',
      'what is no JSON is 400',
      { method: 'POST', path: 'Patient', body: '{', headers: { 'content-type': 'application/fhir+json' }, status: 400 },
    ],
    [
      'SHALL',
      'a type that is not there is 404',
      { method: 'POST', path: 'Nothing', body: { resourceType: 'Nothing' }, status: 404 },
    ],
    ['SHALL', 'what breaks the rules of FHIR is 422', { method: 'POST', path: 'Patient', body: BAD, status: 422 }],
    [
      'SHOULD',
      'a refusal has an OperationOutcome that tells the element',
      {
        method: 'POST',
        path: 'Patient',
        body: BAD,
        status: 422,
        has: [/OperationOutcome/, /"expression":\["Patient.gender"\]/],
      },
    ],
    [
      'SHALL',
      'another type than that of the URL is refused',
      { method: 'POST', path: 'Observation', body: PATIENT, status: [400, 422] },
    ],
    [
      'SHOULD',
      'Prefer: return=minimal has no body',
      { ...post, body: PATIENT, headers: { prefer: 'return=minimal' }, has: /^$/ },
    ],
    [
      'SHOULD',
      'Prefer: return=representation has the resource',
      { ...post, body: PATIENT, headers: { prefer: 'return=representation' }, has: /"resourceType":"Patient"/ },
    ],
    [
      'SHOULD',
      'Prefer: return=OperationOutcome has an outcome',
      {
        ...post,
        body: PATIENT,
        headers: { prefer: 'return=OperationOutcome' },
        has: /"resourceType":"OperationOutcome"/,
      },
    ],
    ['SHALL', 'If-None-Exist without a match creates', { ...post, body: own(), headers: { 'if-none-exist': MINE } }],
    [
      'SHALL',
      'If-None-Exist with one match: 200 and nothing new',
      [
        { ...post, body: own(), saveId: 'one' },
        { ...post, body: own(), headers: { 'if-none-exist': MINE }, status: 200, has: /"id":"{one}"/ },
        { path: `Patient?${MINE}`, ids: '{one}' },
      ],
    ],
    [
      'SHALL',
      'If-None-Exist with several matches: 412',
      [...twins, { ...post, body: own(), headers: { 'if-none-exist': MINE }, status: 412 }],
    ],
    [
      'SHALL',
      'If-None-Exist with an unknown parameter is refused',
      { ...post, body: own(), headers: { 'if-none-exist': 'nothing=1' }, status: 400 },
    ],
  ]),
  ...section('http › update', [
    [
      'SHALL',
      'PUT of a new id creates: 201',
      { ...put('u{n}'), status: 201, header: { location: /\/Patient\/u{n}\/_history\/1$/ } },
    ],
    [
      'SHALL',
      'PUT of an id that is there updates: 200',
      [
        { ...put('u{n}'), status: 201 },
        { ...put('u{n}'), body: { ...PATIENT, id: 'u{n}', active: true }, has: /"versionId":"2"/ },
      ],
    ],
    ['SHALL', 'the body’s id is that of the URL', { ...put('u{n}'), body: { ...PATIENT, id: 'other' }, status: 400 }],
    ['SHALL', 'a body without id is 400', { ...put('u{n}'), body: PATIENT, status: 400 }],
    [
      'SHALL',
      'version and time of the client are ignored',
      {
        ...put('u{n}'),
        body: { ...PATIENT, id: 'u{n}', meta: { versionId: '9', lastUpdated: '2001-01-01T00:00:00Z' } },
        status: 201,
        has: /"versionId":"1"/,
        lacks: /2001-01/,
      },
    ],
    [
      'SHALL',
      'ETag and Last-Modified are those of the new version',
      [
        { ...put('u{n}'), status: 201 },
        {
          ...put('u{n}'),
          body: { ...PATIENT, id: 'u{n}', active: true },
          header: { etag: /W\/"2"/, 'last-modified': /./ },
        },
      ],
    ],
    [
      'SHALL',
      'an update replaces the whole content',
      [
        { ...put('u{n}'), status: 201 },
        { ...put('u{n}'), body: { resourceType: 'Patient', id: 'u{n}', active: true }, lacks: /gender/ },
      ],
    ],
    [
      'SHALL',
      'If-Match of the current version updates',
      [
        { ...put('u{n}'), status: 201 },
        { ...put('u{n}'), body: { ...PATIENT, id: 'u{n}', active: true }, headers: { 'if-match': 'W/"1"' } },
      ],
    ],
    [
      'SHALL',
      'If-Match of another version: 412',
      [
        { ...put('u{n}'), status: 201 },
        { ...put('u{n}'), headers: { 'if-match': 'W/"5"' }, status: 412, has: /OperationOutcome/ },
      ],
    ],
    [
      'SHALL',
      'what is no JSON is 400',
      {
        method: 'PUT',
        path: 'Patient/u{n}',
        body: '[',
        headers: { 'content-type': 'application/fhir+json' },
        status: 400,
      },
    ],
    ['SHALL', 'what breaks the rules is 422', { ...put('u{n}'), body: { ...BAD, id: 'u{n}' }, status: 422 }],
    [
      'SHALL',
      'a deleted resource can be brought back',
      [
        { ...put('u{n}'), status: 201 },
        { method: 'DELETE', path: 'Patient/u{n}', status: 204 },
        { ...put('u{n}'), status: 201, has: /"versionId":"3"/ },
      ],
    ],
    [
      'SHOULD',
      'equal content may make no new version',
      [
        { ...put('u{n}'), status: 201 },
        { ...put('u{n}'), has: /"versionId":"1"/ },
      ],
    ],
    [
      'SHALL',
      'conditional update without a match creates',
      { method: 'PUT', path: `Patient?${MINE}`, body: own(), status: 201 },
    ],
    [
      'SHALL',
      'conditional update with one match updates it',
      [
        { ...post, body: own(), saveId: 'one' },
        {
          method: 'PUT',
          path: `Patient?${MINE}`,
          body: own({ active: true }),
          has: [/"id":"{one}"/, /"versionId":"2"/],
        },
      ],
    ],
    [
      'SHALL',
      'conditional update with another id than the match is 400',
      [
        { ...post, body: own() },
        { method: 'PUT', path: `Patient?${MINE}`, body: own({ id: 'other' }), status: 400 },
      ],
    ],
    [
      'SHALL',
      'conditional update with several matches: 412',
      [...twins, { method: 'PUT', path: `Patient?${MINE}`, body: own(), status: 412 }],
    ],
  ]),
];
