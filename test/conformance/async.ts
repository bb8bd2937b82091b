/** Sentences of https://hl7.org/fhir/R4/async.html, asked of searches, of bundles and of `$export`. */
import { expect } from 'chai';
import { type Step, section } from './sentence.ts';

const LATER = { prefer: 'respond-async' };
const begun = (path: string, more: Partial<Step> = {}): Step => ({
  path,
  headers: LATER,
  status: 202,
  save: { place: 'content-location' },
  ...more,
});
const fetched: Step = { path: '{place}', waits: true };
/** So that the next rows may ask. */
const ended: Step = { method: 'DELETE', path: '{place}', status: [202, 404] };
const leaving = (...steps: readonly Step[]): readonly Step[] => [...steps, ended];
const transaction = {
  resourceType: 'Bundle',
  type: 'transaction',
  entry: [
    {
      resource: { resourceType: 'Patient', id: 'later{n}', gender: 'female' },
      request: { method: 'PUT', url: 'Patient/later{n}' },
    },
  ],
};

export const ASYNC = [
  ...section('async › asking', [
    ['SHALL', 'Prefer: respond-async is answered by 202', leaving(begun('Patient?_id={p}'))],
    [
      'SHALL',
      'Content-Location is the absolute URL to ask',
      leaving(begun('Patient?_id={p}', { header: { 'content-location': /^{base}\/.+/ } })),
    ],
    [
      'MAY',
      'the answer to the request has an OperationOutcome',
      leaving(begun('Patient?_id={p}', { has: /^(\{"resourceType":"OperationOutcome".*)?$/ })),
    ],
    [
      'SHALL',
      'without the header the answer comes at once',
      { path: 'Patient?_id={p}', header: { 'content-location': null }, has: /"searchset"/ },
    ],
    [
      'SHALL',
      'a search by POST too',
      leaving(
        begun('Patient/_search', {
          method: 'POST',
          body: '_id={p}',
          headers: { ...LATER, 'content-type': 'application/x-www-form-urlencoded' },
        }),
      ),
    ],
    [
      'SHALL',
      'what cannot be taken is refused with an OperationOutcome',
      { path: '$export?_type=Nothing', headers: LATER, status: 400, has: /"OperationOutcome"/ },
    ],
    [
      'SHALL',
      'an operation that is always asynchronous says that it needs the header',
      { path: '$export', status: 400, has: /respond-async/ },
    ],
  ]),
  ...section('async › while it is under way', [
    [
      'SHALL',
      'GET of the place is 202 until it is done, then another status',
      leaving(
        begun('Patient?_id={p}'),
        { path: '{place}', status: [200, 202] },
        { ...fetched, check: (r) => expect(r.status).equal(200) },
      ),
    ],
    [
      'SHOULD',
      'meanwhile Retry-After says when to ask again',
      leaving(begun('$export?_type=Patient'), {
        path: '{place}',
        status: [200, 202],
        check: (r) => {
          if (r.status === 202) expect(Number(r.headers.get('retry-after'))).above(0);
        },
      }),
    ],
    [
      'MAY',
      'X-Progress says in less than 100 characters how far it is',
      leaving(begun('$export?_type=Patient'), {
        path: '{place}',
        status: [200, 202],
        check: (r) => {
          if (r.status === 202) expect((r.headers.get('x-progress') ?? '').length).within(1, 99);
        },
      }),
    ],
  ]),
  ...section('async › the result', [
    [
      'SHALL',
      'is 200, and a search within it as if it had been asked at once',
      leaving(begun('Patient?_id={p}'), { ...fetched, has: [/"batch-response"/, /"searchset"/, /"id":"{p}"/] }),
    ],
    [
      'SHALL',
      'of a transaction: its own answer, and what it wrote is there',
      leaving(
        begun('', { method: 'POST', body: transaction }),
        { ...fetched, has: /"transaction-response"/ },
        { path: 'Patient/later{n}' },
      ),
    ],
    [
      'SHALL',
      'what failed is told by an OperationOutcome',
      leaving(begun('Patient?nonsense=1'), { ...fetched, has: [/"status":"400/, /"OperationOutcome"/] }),
    ],
    [
      'SHOULD',
      'Expires says until when it is kept',
      leaving(begun('Patient?_id={p}'), { ...fetched, header: { expires: /GMT$/ } }),
    ],
    [
      'SHALL',
      'the same again for who asks again',
      leaving(begun('Patient?_id={p}'), fetched, { ...fetched, has: /"id":"{p}"/ }),
    ],
    [
      'SHALL',
      'of $export: a manifest in JSON with the time, the request and the files',
      leaving(begun('$export?_type=Patient'), {
        ...fetched,
        header: { 'content-type': /^application\/json/ },
        check: (r) => {
          const manifest = r.json<Record<string, unknown>>();
          expect(manifest).include.keys('transactionTime', 'request', 'requiresAccessToken', 'output', 'error');
          expect(manifest['request']).match(/\$export\?_type=Patient$/);
        },
      }),
    ],
  ]),
  ...section('async › ending it', [
    [
      'SHALL',
      'DELETE of the place is 202, and GET then 404 with an OperationOutcome',
      leaving(
        begun('$export?_type=Patient'),
        { method: 'DELETE', path: '{place}', status: 202 },
        { path: '{place}', status: 404, has: /"OperationOutcome"/ },
      ),
    ],
    [
      'SHALL',
      'what is ended already is 404',
      leaving(
        begun('Patient?_id={p}'),
        { method: 'DELETE', path: '{place}', status: 202 },
        { method: 'DELETE', path: '{place}', status: 404 },
      ),
    ],
  ]),
];
