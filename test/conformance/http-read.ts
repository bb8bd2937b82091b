/** Sentences of https://hl7.org/fhir/R4/http.html: what is asked. */
import { expect } from 'chai';
import { section } from './sentence.ts';

const XML = 'application/fhir+xml';
const JSON_TYPE = /^application\/fhir\+json/;
const XML_TYPE = /^application\/fhir\+xml/;

export const HTTP_READ = [
  ...section('http › URLs and versions', [
    ['SHOULD', 'URLs are case-sensitive', { path: 'patient/{p}', status: 404 }],
    ['SHALL', 'a resource lies at [base]/[type]/[id]', { path: 'Patient/{p}', has: /"id":"{p}"/ }],
    ['SHALL', 'the identity that is asked for is that of the resource', { path: 'Observation/{p}', status: 404 }],
    ['SHOULD', 'the version id is in ETag, weak', { path: 'Patient/{q}', header: { etag: /^W\/"2"$/ } }],
    ['SHOULD', 'meta.versionId is the version id of the ETag', { path: 'Patient/{q}', has: /"versionId":"2"/ }],
    [
      'SHOULD',
      'the time of the change is in Last-Modified',
      { path: 'Patient/{p}', header: { 'last-modified': /GMT$/ } },
    ],
    ['SHOULD', 'ids have 1 to 64 of A-Z a-z 0-9 - and .', { path: `Patient/${'a'.repeat(65)}`, status: 400 }],
    ['SHALL', 'an unknown type is 404', { path: 'Nothing/1', status: 404, has: /OperationOutcome/ }],
  ]),
  ...section('http › formats', [
    [
      'SHALL',
      'JSON has the media type application/fhir+json',
      { path: 'Patient/{p}', header: { 'content-type': JSON_TYPE } },
    ],
    [
      'SHALL',
      'XML has the media type application/fhir+xml',
      { path: 'Patient/{p}', headers: { accept: XML }, header: { 'content-type': XML_TYPE } },
    ],
    [
      'SHALL',
      'the encoding is UTF-8',
      { path: 'Patient/p1', has: /Müller/, header: { 'content-type': /charset=utf-8/i } },
    ],
    [
      'SHALL',
      'the server negotiates the format by Accept',
      {
        path: 'Patient/{p}',
        headers: { accept: `${XML};q=0.9, application/fhir+json;q=0.1` },
        header: { 'content-type': XML_TYPE },
      },
    ],
    [
      'SHALL',
      'a format that is not there is 406',
      { path: 'Patient/{p}', headers: { accept: 'text/turtle' }, status: 406 },
    ],
    [
      'SHALL',
      '_format goes before Accept',
      { path: 'Patient/{p}?_format=json', headers: { accept: XML }, header: { 'content-type': JSON_TYPE } },
    ],
    ...['xml', 'text/xml', 'application/xml', 'application/fhir%2Bxml'].map(
      (format) =>
        [
          'SHALL',
          `_format=${format} means XML`,
          { path: `Patient/{p}?_format=${format}`, header: { 'content-type': XML_TYPE } },
        ] as const,
    ),
    ...['json', 'application/json', 'application/fhir%2Bjson'].map(
      (format) =>
        [
          'SHALL',
          `_format=${format} means JSON`,
          { path: `Patient/{p}?_format=${format}`, headers: { accept: XML }, header: { 'content-type': JSON_TYPE } },
        ] as const,
    ),
    [
      'SHOULD',
      'application/json and application/xml are taken in Accept',
      [
        { path: 'Patient/{p}', headers: { accept: 'application/json' } },
        { path: 'Patient/{p}', headers: { accept: 'application/xml' } },
      ],
    ],
    [
      'SHALL',
      'a body in an unknown format is 415',
      { method: 'POST', path: 'Patient', body: 'x', headers: { 'content-type': 'text/plain' }, status: 415 },
    ],
    [
      'SHALL',
      'XML and JSON of one resource are the same content',
      { path: 'Patient/p1?_format=xml', has: /<family value="Müller"\/>/ },
    ],
    [
      'SHOULD',
      'fhirVersion=4.0 of a media type is understood',
      { path: 'Patient/{p}', headers: { accept: 'application/fhir+json; fhirVersion=4.0' } },
    ],
    [
      'SHALL',
      'another fhirVersion is refused',
      { path: 'Patient/{p}', headers: { accept: 'application/fhir+json; fhirVersion=3.0' }, status: 406 },
    ],
    ['MAY', '_pretty=true asks for an indented answer', { path: 'Patient/{p}?_pretty=true', has: /\n {2}"id"/ }],
  ]),
  ...section('http › headers', [
    ['SHOULD', 'HEAD is answered wherever GET is', { method: 'HEAD', path: 'Patient/{p}', header: { etag: /W/ } }],
    ['SHALL', 'HEAD has no body', { method: 'HEAD', path: 'Patient/{p}', has: /^$/ }],
    ['SHALL', 'HEAD of what is not there is that of GET', { method: 'HEAD', path: 'Patient/none', status: 404 }],
    [
      'SHOULD',
      'X-Request-Id comes back',
      { path: 'Patient/{p}', headers: { 'x-request-id': 'abc-1' }, header: { 'x-request-id': /^abc-1$/ } },
    ],
    ['SHALL', 'a server that was given none gives one', { path: 'Patient/{p}', header: { 'x-request-id': /.{8}/ } }],
    [
      'SHOULD',
      'a method that the path does not have is 405, with Allow',
      { method: 'DELETE', path: 'metadata', status: 405, header: { allow: /GET/ } },
    ],
    [
      'SHOULD',
      'OPTIONS tells the methods of a path',
      { method: 'OPTIONS', path: 'Patient/{p}', status: 204, header: { allow: /GET.*PUT/ } },
    ],
    [
      'SHALL',
      'who is not known is 401',
      {
        path: 'Patient/{p}',
        headers: { authorization: 'Bearer x' },
        status: 401,
        header: { 'www-authenticate': /Bearer/ },
      },
    ],
  ]),
  ...section('http › read', [
    ['SHALL', 'read gives the current content', { path: 'Patient/{q}', has: /"active":true/ }],
    ['SHALL', 'the resource has the id that was asked for', { path: 'Patient/{q}', has: /"id":"{q}"/ }],
    ['SHOULD', 'read gives ETag', { path: 'Patient/{p}', header: { etag: /^W\/"1"$/ } }],
    ['SHOULD', 'read gives Last-Modified', { path: 'Patient/{p}', header: { 'last-modified': /./ } }],
    ['SHOULD', 'a deleted resource is 410', { path: 'Patient/{gone}', status: 410 }],
    ['SHALL', 'an unknown one is 404', { path: 'Patient/never', status: 404 }],
    [
      'SHOULD',
      'failures have an OperationOutcome',
      { path: 'Patient/never', status: 404, has: /"resourceType":"OperationOutcome"/ },
    ],
    [
      'SHOULD',
      'If-None-Match of the current version: 304',
      { path: 'Patient/{p}', headers: { 'if-none-match': 'W/"1"' }, status: 304, has: /^$/ },
    ],
    ['SHOULD', 'If-None-Match of another version: 200', { path: 'Patient/{q}', headers: { 'if-none-match': 'W/"1"' } }],
    [
      'SHOULD',
      'If-Modified-Since a later time: 304',
      { path: 'Patient/{p}', headers: { 'if-modified-since': 'Wed, 01 Jan 2098 00:00:00 GMT' }, status: 304 },
    ],
    [
      'SHOULD',
      'If-Modified-Since an earlier time: 200',
      { path: 'Patient/{p}', headers: { 'if-modified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' } },
    ],
    [
      'MAY',
      '_summary gives part of a resource',
      { path: 'Patient/p1?_summary=text', has: /SUBSETTED/, lacks: /"family"/ },
    ],
    [
      'MAY',
      '_elements gives those elements',
      { path: 'Patient/p1?_elements=gender', has: [/"gender"/, /SUBSETTED/], lacks: /"family"/ },
    ],
    [
      'SHALL',
      'digits of decimals are kept',
      [
        {
          method: 'PUT',
          path: 'Observation/dec{n}',
          status: 201,
          body: '{"resourceType":"Observation","id":"dec{n}","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}',
          headers: { 'content-type': 'application/fhir+json' },
        },
        { path: 'Observation/dec{n}', has: /"value":1\.00[,}]/ },
        { method: 'DELETE', path: 'Observation/dec{n}', status: 204 },
      ],
    ],
  ]),
  ...section('http › vread', [
    [
      'SHALL',
      'vread gives the version that is asked for',
      { path: 'Patient/{q}/_history/1', has: /"versionId":"1"/, lacks: /"active":true/ },
    ],
    [
      'SHALL',
      'its id and version are those of the URL',
      { path: 'Patient/{q}/_history/2', has: [/"id":"{q}"/, /"versionId":"2"/] },
    ],
    ['SHOULD', 'vread gives ETag of that version', { path: 'Patient/{q}/_history/1', header: { etag: /^W\/"1"$/ } }],
    ['SHOULD', 'vread gives Last-Modified', { path: 'Patient/{q}/_history/1', header: { 'last-modified': /./ } }],
    ['SHALL', 'a version that never was is 404', { path: 'Patient/{q}/_history/99', status: 404 }],
    ['SHALL', 'a version that is a deletion is 410', { path: 'Patient/{gone}/_history/2', status: 410 }],
    ['SHOULD', 'versions before a deletion can be read', { path: 'Patient/{gone}/_history/1' }],
    ['SHALL', 'no other resource has the same version under its URL', { path: 'Patient/{p}/_history/2', status: 404 }],
  ]),
  ...section('http › history', [
    [
      'SHALL',
      'history is a Bundle of type history',
      { path: 'Patient/{q}/_history', has: [/"resourceType":"Bundle"/, /"type":"history"/] },
    ],
    ['SHALL', 'it has each version of the instance', { path: 'Patient/{q}/_history', total: 2 }],
    [
      'SHOULD',
      'newest first',
      {
        path: 'Patient/{q}/_history',
        check: (r) =>
          expect(
            r
              .json<{ entry: { resource: { meta: { versionId: string } } }[] }>()
              .entry.map(({ resource }) => resource.meta.versionId),
          ).deep.equal(['2', '1']),
      },
    ],
    [
      'SHALL',
      'entries tell the request that made them',
      { path: 'Patient/{q}/_history', has: /"request":\{"method":"PUT","url":"Patient\/{q}"\}/ },
    ],
    [
      'SHALL',
      'a deletion is an entry without resource',
      {
        path: 'Patient/{gone}/_history',
        check: (r) =>
          expect(r.json<{ entry: { resource?: object; request: { method: string } }[] }>().entry[0])
            .deep.include({
              request: {
                method: 'DELETE',
                url: new URL(r.json<{ entry: { fullUrl: string }[] }>().entry[0]!.fullUrl).pathname.replace(
                  '/fhir/R4/',
                  '',
                ),
              },
            })
            .and.not.property('resource'),
      },
    ],
    [
      'SHOULD',
      'entries tell version and time of the answer',
      { path: 'Patient/{q}/_history', has: [/"etag":"W\/\\"2\\""/, /"lastModified":"/] },
    ],
    ['SHALL', 'history of a type', { path: 'Patient/_history?_count=2', has: /"type":"history"/ }],
    ['SHALL', 'history of the system', { path: '_history?_count=2', has: /"type":"history"/ }],
    [
      'SHALL',
      '_count bounds a page',
      { path: 'Patient/_history?_count=1', check: (r) => expect(r.json<{ entry: object[] }>().entry).length(1) },
    ],
    ['SHALL', 'pages are linked', { path: 'Patient/_history?_count=1', has: /"relation":"next"/ }],
    [
      'SHALL',
      '_since leaves out what is older',
      { path: 'Patient/{q}/_history?_since=2098-01-01T00:00:00Z', lacks: /"versionId"/ },
    ],
    [
      'SHOULD',
      '_at gives what was current then',
      { path: 'Patient/{q}/_history?_at=2098', has: /"versionId":"2"/, lacks: /"versionId":"1"/ },
    ],
    ['SHALL', 'history of what never was is 404', { path: 'Patient/never/_history', status: 404 }],
    ['SHALL', 'a broken _since is refused', { path: 'Patient/_history?_since=x', status: 400 }],
  ]),
  ...section('http › capabilities', [
    [
      'SHALL',
      'GET [base]/metadata gives a CapabilityStatement',
      { path: 'metadata', has: /"resourceType":"CapabilityStatement"/ },
    ],
    ['SHALL', 'it tells the version of FHIR', { path: 'metadata', has: /"fhirVersion":"4.0.1"/ }],
    ['SHALL', 'it tells the formats', { path: 'metadata', has: [/application\/fhir\+json/, /application\/fhir\+xml/] }],
    ['SHALL', 'its kind is instance', { path: 'metadata', has: /"kind":"instance"/ }],
    ['SHALL', 'it lists the interactions of each type', { path: 'metadata', has: /"code":"vread"/ }],
    ['SHALL', 'it lists the search parameters of each type', { path: 'metadata', has: /"name":"birthdate"/ }],
    ['SHOULD', 'anybody may read it', { path: 'metadata', headers: { authorization: '' } }],
    ['SHOULD', 'mode=full is the default', { path: 'metadata?mode=full', has: /CapabilityStatement/ }],
    [
      'SHOULD',
      'mode=normative and mode=terminology',
      { path: 'metadata?mode=terminology', status: 400 },
      'only mode=full: there are no such statements',
    ],
  ]),
];
