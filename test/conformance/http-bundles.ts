/** Sentences of https://hl7.org/fhir/R4/http.html#transaction */
import { expect } from 'chai';
import type { Reply } from '../support/fhir-client.ts';
import { type Step, section } from './sentence.ts';

const PATIENT = { resourceType: 'Patient', gender: 'female' };
const bundle = (type: string, entry: readonly object[], more: Partial<Step> = {}): Step => ({
  method: 'POST',
  path: '',
  body: { resourceType: 'Bundle', type, entry },
  ...more,
});
const request = (method: string, url: string, resource?: object, more: object = {}) => ({
  ...(resource !== undefined && { resource }),
  request: { method, url },
  ...more,
});
const own = (id: string, more: object = {}) => ({ ...PATIENT, id, ...more });
const statuses = (reply: Reply): string[] =>
  reply.json<{ entry: { response: { status: string } }[] }>().entry.map(({ response }) => response.status.slice(0, 3));
const URN = 'urn:uuid:0c6cf7d2-5b5a-4c6e-9c57-3f1a9b1f9a01';
const observation = (reference: string, more: object = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  subject: { reference },
  ...more,
});

export const HTTP_BUNDLES = [
  ...section('http › batch', [
    [
      'SHALL',
      'the answer is a Bundle of type batch-response',
      bundle('batch', [request('GET', 'Patient/{p}')], { has: /"type":"batch-response"/ }),
    ],
    [
      'SHALL',
      'one entry of the answer for each, in order',
      bundle(
        'batch',
        [request('GET', 'Patient/{p}'), request('GET', 'Patient/never'), request('POST', 'Patient', PATIENT)],
        { check: (r) => expect(statuses(r)).deep.equal(['200', '404', '201']) },
      ),
    ],
    [
      'SHALL',
      'each entry is for itself: one that fails leaves the others',
      [
        bundle('batch', [request('PUT', 'Patient/b{n}', own('b{n}')), request('PUT', 'Patient/c{n}', own('other'))], {
          check: (r) => expect(statuses(r)).deep.equal(['201', '400']),
        }),
        { path: 'Patient/b{n}' },
      ],
    ],
    [
      'SHALL',
      'the answer as a whole is 200 though entries fail',
      bundle('batch', [request('GET', 'Patient/never')], { status: 200 }),
    ],
    [
      'SHOULD',
      'a failed entry has an OperationOutcome',
      bundle('batch', [request('GET', 'Patient/never')], { has: /"outcome":\{"resourceType":"OperationOutcome"/ }),
    ],
    [
      'SHALL',
      'entries tell location and etag of what they made',
      bundle('batch', [request('POST', 'Patient', PATIENT)], {
        has: [/"location":"/, /"etag":"W\//, /"lastModified":"/],
      }),
    ],
    [
      'SHALL',
      'searches are entries too',
      bundle('batch', [request('GET', 'Patient?_id=p1')], { has: [/"type":"searchset"/, /"id":"p1"/] }),
    ],
    [
      'SHALL',
      'ifNoneMatch of an entry is honoured',
      bundle('batch', [{ request: { method: 'GET', url: 'Patient/{p}', ifNoneMatch: 'W/"1"' } }], {
        check: (r) => expect(statuses(r)).deep.equal(['304']),
      }),
    ],
    [
      'SHALL',
      'ifMatch of an entry is honoured',
      bundle('batch', [{ resource: own('{p}'), request: { method: 'PUT', url: 'Patient/{p}', ifMatch: 'W/"9"' } }], {
        check: (r) => expect(statuses(r)).deep.equal(['412']),
      }),
    ],
    ['SHALL', 'an entry without request is refused', bundle('batch', [{ resource: PATIENT }], { status: [400, 422] })],
    [
      'SHOULD',
      'Prefer: return=representation brings the resources',
      bundle('batch', [request('POST', 'Patient', PATIENT)], {
        headers: { prefer: 'return=representation' },
        has: /"resource":\{"resourceType":"Patient"/,
      }),
    ],
  ]),
  ...section('http › transaction', [
    [
      'SHALL',
      'the answer is a Bundle of type transaction-response',
      bundle('transaction', [request('POST', 'Patient', PATIENT)], { has: /"type":"transaction-response"/ }),
    ],
    [
      'SHALL',
      'all entries or none',
      [
        bundle(
          'transaction',
          [
            request('PUT', 'Patient/t{n}', own('t{n}')),
            request('PUT', 'Patient/x{n}', { ...own('x{n}'), gender: 'nothing' }),
          ],
          { status: [400, 422] },
        ),
        { path: 'Patient/t{n}', status: 404 },
      ],
    ],
    [
      'SHALL',
      'a failure is one OperationOutcome',
      bundle('transaction', [request('PUT', 'Patient/x{n}', { ...own('x{n}'), gender: 'nothing' })], {
        status: [400, 422],
        has: /^\{"resourceType":"OperationOutcome"/,
      }),
    ],
    [
      'SHALL',
      'entries of the answer are in the order of the request',
      bundle(
        'transaction',
        [
          request('GET', 'Patient/{p}'),
          request('POST', 'Patient', PATIENT),
          request('PUT', 'Patient/t{n}', own('t{n}')),
        ],
        { check: (r) => expect(statuses(r)).deep.equal(['200', '201', '201']) },
      ),
    ],
    [
      'SHALL',
      'reads see what the writes of the bundle have done, whatever the order',
      bundle('transaction', [request('GET', 'Patient/t{n}'), request('PUT', 'Patient/t{n}', own('t{n}'))], {
        check: (r) => expect(statuses(r)).deep.equal(['200', '201']),
      }),
    ],
    [
      'SHALL',
      'searches see them as well',
      bundle('transaction', [request('GET', 'Patient?_id=t{n}'), request('PUT', 'Patient/t{n}', own('t{n}'))], {
        has: /"total":1/,
      }),
    ],
    [
      'SHALL',
      'deletes come before creates',
      [
        {
          method: 'POST',
          path: 'Patient',
          status: 201,
          body: { ...PATIENT, identifier: [{ value: 'd{n}' }] },
          saveId: 'old',
        },
        bundle('transaction', [
          { resource: { ...PATIENT, identifier: [{ value: 'd{n}' }] }, request: { method: 'POST', url: 'Patient' } },
          request('DELETE', 'Patient/{old}'),
        ]),
        { path: 'Patient?identifier=d{n}', total: 1 },
      ],
    ],
    [
      'SHALL',
      'a resource twice in one transaction is refused',
      bundle(
        'transaction',
        [request('PUT', 'Patient/t{n}', own('t{n}')), request('PUT', 'Patient/t{n}', own('t{n}', { active: true }))],
        { status: 400 },
      ),
    ],
    [
      'SHALL',
      'references to a fullUrl become references to what it was stored as',
      [
        bundle('transaction', [
          request('POST', 'Observation', observation(URN, { id: 'none' })),
          request('PUT', 'Patient/t{n}', own('t{n}'), { fullUrl: URN }),
        ]),
        { path: 'Observation?subject=Patient/t{n}', has: /"reference":"Patient\/t{n}"/ },
      ],
    ],
    [
      'SHALL',
      'conditional references are resolved',
      [
        {
          method: 'POST',
          path: 'Patient',
          status: 201,
          body: { ...PATIENT, identifier: [{ value: 'r{n}' }] },
          saveId: 'one',
        },
        bundle('transaction', [request('POST', 'Observation', observation('Patient?identifier=r{n}'))]),
        { path: 'Observation?subject=Patient/{one}', has: /"reference":"Patient\/{one}"/ },
      ],
    ],
    [
      'SHALL',
      'a conditional reference without a match fails the transaction',
      bundle('transaction', [request('POST', 'Observation', observation('Patient?identifier=none{n}'))], {
        status: [400, 404, 412],
      }),
    ],
    [
      'SHALL',
      'ifNoneExist of an entry is honoured',
      [
        {
          method: 'POST',
          path: 'Patient',
          status: 201,
          body: { ...PATIENT, identifier: [{ value: 'e{n}' }] },
          saveId: 'one',
        },
        bundle(
          'transaction',
          [{ resource: PATIENT, request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=e{n}' } }],
          { has: /Patient\/{one}\/_history\/1/, check: (r) => expect(statuses(r)).deep.equal(['200']) },
        ),
      ],
    ],
    [
      'SHALL',
      'ifMatch of an entry is honoured',
      [
        { method: 'PUT', path: 'Patient/t{n}', status: 201, body: own('t{n}') },
        bundle(
          'transaction',
          [
            {
              resource: own('t{n}', { active: true }),
              request: { method: 'PUT', url: 'Patient/t{n}', ifMatch: 'W/"7"' },
            },
          ],
          { status: 412 },
        ),
      ],
    ],
    [
      'SHALL',
      'conditional update, patch and delete are entries',
      [
        { method: 'PUT', path: 'Patient/t{n}', status: 201, body: own('t{n}', { identifier: [{ value: 'k{n}' }] }) },
        bundle('transaction', [request('DELETE', 'Patient?identifier=k{n}')]),
        { path: 'Patient/t{n}', status: 410 },
      ],
    ],
    [
      'SHALL',
      'an empty transaction is answered',
      { method: 'POST', path: '', body: { resourceType: 'Bundle', type: 'transaction' } },
    ],
    ['SHALL', 'another type of Bundle is refused at the base', bundle('searchset', [], { status: [400, 422] })],
    [
      'SHALL',
      'a request.url of another server is refused',
      bundle('transaction', [request('PUT', 'http://elsewhere.example/Patient/1', own('1'))], { status: 400 }),
    ],
  ]),
];
