/** Sentences of https://hl7.org/fhir/R4/search.html and http.html#search: how a search is asked and answered. */
import { expect } from 'chai';
import type { Reply } from '../support/fhir-client.ts';
import { finds, refused, type Step, section } from './sentence.ts';

interface Found {
  readonly link: readonly { readonly relation: string; readonly url: string }[];
  readonly entry?: readonly {
    readonly fullUrl: string;
    readonly resource: Readonly<Record<string, unknown>>;
    readonly search: { readonly mode: string };
  }[];
}
const linkOf = (reply: Reply, relation: string): string | undefined =>
  reply.json<Found & Record<string, unknown>>().link.find((l) => l.relation === relation)?.url;
const modes = (reply: Reply): string[] =>
  (reply.json<Found & Record<string, unknown>>().entry ?? [])
    .map(({ search, resource }) => `${search.mode} ${resource['id']}`)
    .sort();
const shows = (path: string, ...expected: readonly string[]): Step => ({
  path,
  check: (reply) => expect(modes(reply)).deep.equal([...expected].sort()),
});
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const first = (reply: Reply): Readonly<Record<string, unknown>> =>
  reply.json<Found & Record<string, unknown>>().entry?.[0]?.resource ?? {};

export const SEARCH_RESULTS = [
  ...section('search › asking', [
    ['SHALL', 'GET [base]/[type]?…', finds('Patient?_id=p1', 'p1')],
    [
      'SHALL',
      'POST [base]/[type]/_search with a form',
      { method: 'POST', path: 'Patient/_search', body: '_id=p1', headers: FORM, ids: 'p1' },
    ],
    [
      'SHALL',
      'parameters of URL and form are joined',
      { method: 'POST', path: 'Patient/_search?gender=male', body: '_id=p1,p2', headers: FORM, ids: 'p1' },
    ],
    [
      'SHALL',
      'another content type of a form is 415',
      {
        method: 'POST',
        path: 'Patient/_search',
        body: '{}',
        headers: { 'content-type': 'application/json' },
        status: 415,
      },
    ],
    ['SHALL', 'GET [base]?… over all types', finds('?_id=p1', 'p1')],
    ['SHALL', 'POST [base]/_search', { method: 'POST', path: '_search', body: '_id=p1', headers: FORM, ids: 'p1' }],
    ['SHALL', 'a compartment: [type]/[id]/[type]', finds('Patient/p1/Observation?code=29463-7', 'o-5')],
    ['SHALL', 'a compartment has what refers to its owner only', finds('Patient/p2/Observation', 'o-5.4')],
    ['SHALL', 'a whole compartment: [type]/[id]/*', finds('Patient/p2/*?_type=Observation,Patient', 'o-5.4 p2')],
    ['SHALL', 'a type that is not in the compartment is refused', { path: 'Patient/p1/Medication', status: 404 }],
    ['SHOULD', 'HEAD of a search', { method: 'HEAD', path: 'Patient?_id=p1', has: /^$/ }],
    ['SHALL', 'parameter names tell case', refused('Patient?Gender=male')],
    ['SHALL', 'percent-encoding is read', finds('Patient?%66amily=m%C3%BCl', 'p1 p3')],
    ['SHALL', 'broken percent-encoding is refused', refused('Patient?family=%C3')],
    ['SHOULD', 'a search of a type that is not there is 404', { path: 'Nothing?x=1', status: 404 }],
  ]),
  ...section('search › the answer', [
    [
      'SHALL',
      'a Bundle of type searchset',
      { path: 'Patient?_id=p1', has: [/"resourceType":"Bundle"/, /"type":"searchset"/] },
    ],
    ['SHALL', 'nothing found is an empty Bundle, no error', { path: 'Patient?_id=none', ids: '', total: 0 }],
    [
      'SHALL',
      'self tells what was asked',
      { path: 'Patient?_id=p1', check: (r) => expect(linkOf(r, 'self')).match(/\/Patient\?_id=p1$/) },
    ],
    [
      'SHALL',
      'self leaves out what was ignored',
      {
        path: 'Patient?_id=p1&nothing=1',
        headers: { prefer: 'handling=lenient' },
        check: (r) => expect(linkOf(r, 'self')).match(/\/Patient\?_id=p1$/),
      },
    ],
    [
      'SHOULD',
      'what was ignored is told as an outcome entry',
      { path: 'Patient?_id=p1&nothing=1', headers: { prefer: 'handling=lenient' }, has: /"mode":"outcome"/ },
    ],
    ['SHALL', 'entries have a fullUrl', { path: 'Patient?_id=p1', has: /"fullUrl":"{base}\/Patient\/p1"/ }],
    ['SHALL', 'entries tell why they are there', shows('Patient?_id=p1', 'match p1')],
    [
      'SHALL',
      'total counts matches, not pages and not includes',
      { path: 'Patient?_id=p1,p2,p3&_count=1&_total=accurate&_include=Patient:organization', total: 3 },
    ],
    ['SHALL', '_total=none may leave it out', { path: 'Patient?_id=p1,p2,p3&_count=1&_total=none', total: null }],
    ['SHOULD', '_total=estimate gives a number', { path: 'Patient?_count=1&_total=estimate', has: /"total":\d/ }],
    ['SHALL', 'another _total is refused', refused('Patient?_total=x')],
    [
      'SHALL',
      'a failure is an OperationOutcome',
      refused('Patient?birthdate=x', /^\{"resourceType":"OperationOutcome"/),
    ],
  ]),
  ...section('search › pages', [
    [
      'SHALL',
      '_count bounds the matches of a page',
      { path: 'Patient?_id=p1,p2,p3&_count=2', check: (r) => expect(modes(r)).length(2) },
    ],
    [
      'SHALL',
      'next leads to the rest',
      { path: 'Patient?_id=p1,p2,p3&_count=2', check: (r) => expect(linkOf(r, 'next')).be.a('string') },
    ],
    [
      'SHALL',
      'the last page has no next',
      { path: 'Patient?_id=p1,p2,p3&_count=3', check: (r) => expect(linkOf(r, 'next')).equal(undefined) },
    ],
    [
      'SHALL',
      'includes do not count',
      { path: 'Patient?_id=p1,p2&_count=2&_include=Patient:organization', check: (r) => expect(modes(r)).length(4) },
    ],
    ['SHALL', '_count=0 is _summary=count', { path: 'Patient?_id=p1,p2&_count=0', total: 2, ids: '' }],
    ['SHALL', 'a broken _count is refused', [refused('Patient?_count=x'), refused('Patient?_count=-1')]],
    ['SHALL', 'a link that was not made here is refused', refused('Patient?_cursor=abc')],
    ['MAY', '_offset', { path: 'Patient?_id=p1,p2,p3&_sort=_id&_count=1&_offset=1', order: 'p2' }],
  ]),
  ...section('search › _sort', [
    ['SHALL', 'ascending', { path: 'Patient?_id=p1,p2,p3&_sort=birthdate', order: 'p2 p1 p3' }],
    ['SHALL', '- descends', { path: 'Patient?_id=p1,p2,p3&_sort=-birthdate', order: 'p3 p1 p2' }],
    ['SHALL', 'several keys', { path: 'Patient?_id=p1,p2,p3&_sort=gender,-_id', order: 'p3 p2 p1' }],
    ['SHALL', 'by string', { path: 'Patient?_id=p1,p2,p3&_sort=family', order: 'p3 p1 p2' }],
    ['SHALL', 'by _id', { path: 'Patient?_id=p2,p1&_sort=-_id', order: 'p2 p1' }],
    ['SHALL', 'by _lastUpdated', { path: 'Patient?_id=p2,p1,p3&_sort=_lastUpdated', order: 'p1 p2 p3' }],
    [
      'SHOULD',
      'those without value have a place: last',
      [
        { path: 'Patient?_id=p1,p4&_sort=gender', order: 'p1 p4' },
        { path: 'Patient?_id=p1,p4&_sort=-gender', order: 'p1 p4' },
      ],
    ],
    ['SHALL', 'an unknown key is refused', refused('Patient?_sort=nothing')],
    ['SHOULD', 'pages keep the order', { path: 'Patient?_id=p1,p2,p3&_sort=birthdate&_count=1', order: 'p2' }],
  ]),
  ...section('search › _include', [
    [
      'SHALL',
      '_include=Type:parameter',
      shows('Patient?_id=p1&_include=Patient:organization', 'match p1', 'include org-low'),
    ],
    [
      'SHALL',
      'with the type of the target',
      shows('Observation?_id=o-5&_include=Observation:subject:Patient', 'match o-5', 'include p1'),
    ],
    [
      'SHALL',
      'another target type brings nothing',
      shows('Observation?_id=o-5&_include=Observation:subject:Group', 'match o-5'),
    ],
    ['SHALL', '_revinclude', shows('Patient?_id=p2&_revinclude=Observation:subject', 'match p2', 'include o-5.4')],
    [
      'SHALL',
      'each resource once',
      shows('Observation?_id=o-5,o-bp&_include=Observation:subject', 'match o-5', 'match o-bp', 'include p1'),
    ],
    [
      'SHALL',
      'a match is no include as well',
      shows(
        'Organization?_id=org-low,org-mid&_include=Organization:partof',
        'match org-low',
        'match org-mid',
        'include org-top',
      ),
    ],
    [
      'SHALL',
      'without :iterate one step',
      shows('Patient?_id=p1&_include=Patient:organization&_include=Organization:partof', 'match p1', 'include org-low'),
    ],
    [
      'SHALL',
      ':iterate goes on from what was included',
      shows(
        'Patient?_id=p1&_include=Patient:organization&_include:iterate=Organization:partof',
        'match p1',
        'include org-low',
        'include org-mid',
        'include org-top',
      ),
    ],
    [
      'SHOULD',
      'Type:* brings all references',
      shows('Encounter?_id=e-day&_include=Encounter:*', 'match e-day', 'include p2'),
    ],
    ['MAY', '_include=* brings all references', shows('Patient?_id=p3&_include=*', 'match p3', 'include doc')],
    [
      'SHALL',
      'an unknown include is refused',
      [refused('Patient?_include=Patient:nothing'), refused('Patient?_include=Patient:gender')],
    ],
  ]),
  ...section('search › parts of resources', [
    [
      'SHOULD',
      '_summary=true has the summary elements',
      { path: 'Patient?_id=p1&_summary=true', check: (r) => expect(first(r)).property('birthDate') },
    ],
    ['SHALL', 'parts are tagged SUBSETTED', { path: 'Patient?_id=p1&_summary=true', has: /"SUBSETTED"/ }],
    [
      'SHOULD',
      '_summary=text: narrative, id, meta and what is mandatory',
      {
        path: 'Observation?_id=o-5&_summary=text',
        check: (r) => expect(first(r)).include.keys('id', 'meta', 'status').and.not.property('valueQuantity'),
      },
    ],
    [
      'SHOULD',
      '_summary=data: all but the narrative',
      { path: 'Observation?_id=o-5&_summary=data', check: (r) => expect(first(r)).property('valueQuantity') },
    ],
    ['SHOULD', '_summary=count: the total alone', { path: 'Patient?_id=p1,p2&_summary=count', total: 2, ids: '' }],
    ['SHOULD', '_summary=false: everything', { path: 'Patient?_id=p1&_summary=false', lacks: /SUBSETTED/ }],
    ['SHALL', 'another _summary is refused', refused('Patient?_summary=x')],
    [
      'SHALL',
      '_elements: these, and what is mandatory',
      {
        path: 'Observation?_id=o-5&_elements=subject',
        check: (r) =>
          expect(first(r)).include.keys('id', 'subject', 'status', 'code').and.not.property('valueQuantity'),
      },
    ],
    ['SHOULD', '_elements are tagged SUBSETTED', { path: 'Patient?_id=p1&_elements=gender', has: /"SUBSETTED"/ }],
    ['SHOULD', 'an unknown element is refused', refused('Patient?_elements=nothing')],
    ['MAY', '_contained=false is the default', finds('Patient?_id=p1&_contained=false', 'p1')],
    ['MAY', '_contained=true finds what others contain', finds('Medication?_contained=true&code=none', '')],
    ['MAY', '_contained=both finds both', finds('Patient?_id=p1&_contained=both', 'p1')],
    ['SHALL', 'another value of _contained is refused', refused('Patient?_contained=yes', /_contained/)],
  ]),
];
