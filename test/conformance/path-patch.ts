/** Sentences of https://hl7.org/fhir/R4/fhirpatch.html */
import { expect } from 'chai';
import { type Step, section } from './sentence.ts';

const PATIENT = {
  resourceType: 'Patient',
  gender: 'female',
  name: [
    { use: 'official', family: 'Ash', given: ['Wren', 'May'] },
    { use: 'nickname', text: 'W' },
  ],
  managingOrganization: { reference: '#o' },
  contained: [{ resourceType: 'Organization', id: 'o', name: 'Inside' }],
};
const made: Step = { method: 'POST', path: 'Patient', body: PATIENT, status: 201, saveId: 'new' };

type Value = Readonly<Record<string, unknown>>;
/** One operation of a patch: its parts by name. */
const operation = (parts: Readonly<Record<string, Value>>) => ({
  name: 'operation',
  part: Object.entries(parts).map(([name, value]) => ({ name, ...value })),
});
const patch = (operations: readonly Readonly<Record<string, Value>>[], more: Partial<Step> = {}): Step => ({
  method: 'PATCH',
  path: 'Patient/{new}',
  headers: { 'content-type': 'application/fhir+json' },
  body: { resourceType: 'Parameters', parameter: operations.map(operation) },
  ...more,
});
const type = (valueCode: string): Value => ({ valueCode });
const text = (valueString: string): Value => ({ valueString });
const number = (valueInteger: number): Value => ({ valueInteger });
const fails = (one: Readonly<Record<string, Value>>, more: Partial<Step> = {}): readonly Step[] => [
  made,
  patch([one], { status: [400, 422], has: /"OperationOutcome"/, ...more }),
  { path: 'Patient/{new}', has: /"versionId":"1"/ },
];

export const PATH_PATCH = [
  ...section('fhirpatch › operations', [
    [
      'SHALL',
      'add appends what is named to the element at the path',
      [
        made,
        patch(
          [{ type: type('add'), path: text('Patient'), name: text('birthDate'), value: { valueDate: '1970-01-02' } }],
          {
            has: [/"birthDate":"1970-01-02"/, /"versionId":"2"/],
          },
        ),
      ],
    ],
    [
      'SHALL',
      'add to a list: at its end',
      [
        made,
        patch([{ type: type('add'), path: text('Patient.name[0]'), name: text('given'), value: text('June') }], {
          has: /"given":\["Wren","May","June"\]/,
        }),
      ],
    ],
    [
      'SHALL',
      'insert at the index, counted from 0',
      [
        made,
        patch([{ type: type('insert'), path: text('Patient.name[0].given'), index: number(1), value: text('June') }], {
          has: /"given":\["Wren","June","May"\]/,
        }),
      ],
    ],
    [
      'SHALL',
      'an index that is the length of the list appends',
      [
        made,
        patch([{ type: type('insert'), path: text('Patient.name[0].given'), index: number(2), value: text('June') }], {
          has: /"given":\["Wren","May","June"\]/,
        }),
      ],
    ],
    [
      'SHALL',
      'an index beyond the list is refused',
      fails({ type: type('insert'), path: text('Patient.name[0].given'), index: number(3), value: text('June') }),
    ],
    [
      'SHALL',
      'insert needs an index',
      fails({ type: type('insert'), path: text('Patient.name[0].given'), value: text('June') }),
    ],
    [
      'SHALL',
      'delete takes the element away',
      [made, patch([{ type: type('delete'), path: text('Patient.gender') }], { lacks: /"gender"/ })],
    ],
    [
      'SHALL',
      'delete of what is not there changes nothing and is no fault',
      [made, patch([{ type: type('delete'), path: text('Patient.birthDate') }], { has: /"versionId":"1"/ })],
    ],
    ['SHALL', 'delete of several is refused', fails({ type: type('delete'), path: text('Patient.name') })],
    [
      'SHALL',
      'replace puts the value in the place of the element',
      [
        made,
        patch([{ type: type('replace'), path: text('Patient.gender'), value: { valueCode: 'male' } }], {
          has: /"gender":"male"/,
        }),
      ],
    ],
    [
      'SHALL',
      'move within a list',
      [
        made,
        patch([{ type: type('move'), path: text('Patient.name'), source: number(1), destination: number(0) }], {
          check: (r) => expect(r.json<{ name: { use: string }[] }>().name[0]?.use).equal('nickname'),
        }),
      ],
    ],
    ['SHALL', 'another type is refused', fails({ type: type('copy'), path: text('Patient.gender') })],
  ]),
  ...section('fhirpatch › rules', [
    [
      'SHALL',
      'the path picks one element',
      fails({ type: type('add'), path: text('Patient.name'), name: text('family'), value: text('x') }),
    ],
    [
      'SHALL',
      'a path that picks nothing is refused, but of delete',
      fails({ type: type('replace'), path: text('Patient.birthDate'), value: { valueDate: '1970-01-01' } }),
    ],
    [
      'SHALL',
      'nothing but the resource asked for is altered',
      fails({
        type: type('replace'),
        path: text('Patient.generalPractitioner.resolve().name'),
        value: { valueHumanName: { text: 'x' } },
      }),
    ],
    [
      'SHALL',
      'a value of a wrong type is refused',
      fails({ type: type('replace'), path: text('Patient.gender'), value: { valueHumanName: { text: 'x' } } }),
    ],
    [
      'SHALL',
      'an outcome that is no valid resource is refused',
      fails({ type: type('replace'), path: text('Patient.gender'), value: { valueCode: 'nothing' } }),
    ],
    [
      'SHALL',
      'operations are done in order, each on what the one before has left',
      [
        made,
        patch(
          [
            { type: type('delete'), path: text('Patient.name[0]') },
            { type: type('replace'), path: text('Patient.name[0].text'), value: text('Wren') },
          ],
          { has: /"name":\[\{"use":"nickname","text":"Wren"\}\]/ },
        ),
      ],
    ],
    [
      'SHALL',
      'all of them or none',
      [
        made,
        patch(
          [
            { type: type('delete'), path: text('Patient.gender') },
            { type: type('replace'), path: text('Patient.birthDate'), value: { valueDate: '1970-01-01' } },
          ],
          { status: [400, 422] },
        ),
        { path: 'Patient/{new}', has: [/"gender":"female"/, /"versionId":"1"/] },
      ],
    ],
    [
      'SHALL',
      'the same as XML',
      [
        made,
        {
          method: 'PATCH',
          path: 'Patient/{new}',
          headers: { 'content-type': 'application/fhir+xml' },
          body: '<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="replace"/></part><part><name value="path"/><valueString value="Patient.gender"/></part><part><name value="value"/><valueCode value="other"/></part></parameter></Parameters>',
          has: /"gender":"other"/,
        },
      ],
    ],
    [
      'SHALL',
      'If-Match of another version: 412',
      [
        made,
        patch([{ type: type('delete'), path: text('Patient.gender') }], {
          headers: { 'content-type': 'application/fhir+json', 'if-match': 'W/"9"' },
          status: 412,
        }),
      ],
    ],
    [
      'SHALL',
      'in a transaction as the resource of a PATCH entry',
      [
        made,
        {
          method: 'POST',
          path: '',
          body: {
            resourceType: 'Bundle',
            type: 'transaction',
            entry: [
              {
                resource: {
                  resourceType: 'Parameters',
                  parameter: [operation({ type: type('delete'), path: text('Patient.gender') })],
                },
                request: { method: 'PATCH', url: 'Patient/{new}' },
              },
            ],
          },
        },
        { path: 'Patient/{new}', has: /"versionId":"2"/, lacks: /"gender"/ },
      ],
    ],
  ]),
];
