/**
 * Sentences of https://hl7.org/fhir/R4/search.html#contained, of `_list`, `_text` and `_content` there, and of
 * https://hl7.org/fhir/R4/location.html#positional; each row puts what it asks for under an identifier of its own.
 */
import { expect } from 'chai';
import type { Reply } from '../support/fhir-client.ts';
import { finds, refused, type Step, section } from './sentence.ts';

const put = (type: string, id: string, more: object): Step => ({
  method: 'PUT',
  path: `${type}/${id}`,
  body: { resourceType: type, id, ...more },
  status: [200, 201],
});
const own = { identifier: [{ system: 'urn:row', value: '{n}' }] };
const coded = (code: string) => ({ code: { coding: [{ system: 'urn:row', code }] } });
const MEDICATION = { resourceType: 'Medication', id: 'm', ...coded('inside{n}') };
const order = put('MedicationRequest', 'order{n}', {
  status: 'active',
  intent: 'order',
  subject: { reference: 'Patient/{p}' },
  medicationReference: { reference: '#m' },
  contained: [MEDICATION],
});
const plain = put('Medication', 'plain{n}', coded('inside{n}'));
const INSIDE = 'Medication?code=urn:row|inside{n}';
const NARRATIVE = (words: string) => ({
  text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${words}</div>` },
});

interface Entry {
  readonly fullUrl: string;
  readonly resource: { readonly resourceType: string; readonly id: string };
  readonly search: { readonly mode: string; readonly extension?: readonly { readonly url: string }[] };
}
const entries = (reply: Reply): readonly Entry[] => reply.json<{ entry?: Entry[] }>().entry ?? [];

export const SEARCH_SPECIAL = [
  ...section('search › _contained', [
    ['SHALL', 'what is contained is not found unless asked for', [order, plain, finds(INSIDE, 'plain{n}')]],
    ['SHALL', 'false says so', [order, plain, finds(`${INSIDE}&_contained=false`, 'plain{n}')]],
    ['SHALL', 'true finds what is contained only', [order, plain, finds(`${INSIDE}&_contained=true`, 'order{n}')]],
    ['SHALL', 'both finds both', [order, plain, finds(`${INSIDE}&_contained=both`, 'order{n} plain{n}')]],
    [
      'SHALL',
      'the container is given out unless asked otherwise',
      [
        order,
        {
          path: `${INSIDE}&_contained=true`,
          check: (r) => expect(entries(r)[0]?.resource.resourceType).equal('MedicationRequest'),
        },
        {
          path: `${INSIDE}&_contained=true&_containedType=container`,
          check: (r) => expect(entries(r)[0]?.resource.resourceType).equal('MedicationRequest'),
        },
      ],
    ],
    [
      'SHALL',
      '_containedType=contained gives out what is contained',
      [
        order,
        {
          path: `${INSIDE}&_contained=true&_containedType=contained`,
          check: (r) => expect(entries(r)[0]?.resource).include({ resourceType: 'Medication', id: 'm' }),
        },
      ],
    ],
    [
      'SHALL',
      'its fullUrl is that of the container with its id as fragment',
      [
        order,
        {
          path: `${INSIDE}&_contained=true&_containedType=contained`,
          has: /"fullUrl":"{base}\/MedicationRequest\/order{n}#m"/,
        },
      ],
    ],
    [
      'SHALL',
      'a chained condition is evaluated inside contained resources',
      [order, plain, finds('MedicationRequest?medication.code=urn:row|inside{n}', 'order{n}')],
    ],
    [
      'SHALL',
      'of those only that the reference points to',
      [
        put('MedicationRequest', 'order{n}', {
          status: 'active',
          intent: 'order',
          subject: { reference: 'Patient/{p}' },
          medicationReference: { reference: '#other' },
          contained: [{ resourceType: 'Medication', id: 'other' }, MEDICATION],
          supportingInformation: [{ reference: '#m' }],
        }),
        finds('MedicationRequest?medication.code=urn:row|inside{n}', ''),
      ],
    ],
    [
      'SHALL',
      'another _containedType is refused',
      refused('Medication?_contained=true&_containedType=x', /_contained/),
    ],
  ]),
  ...section('search › _list', [
    [
      'SHALL',
      'what an entry of the List names',
      [
        put('List', 'list{n}', { status: 'current', mode: 'working', entry: [{ item: { reference: 'Patient/{p}' } }] }),
        finds('Patient?_list=list{n}', '{p}'),
      ],
    ],
    [
      'SHALL',
      'of the type that is searched only',
      [
        put('List', 'list{n}', { status: 'current', mode: 'working', entry: [{ item: { reference: 'Patient/{p}' } }] }),
        finds('Observation?_list=list{n}', ''),
      ],
    ],
    [
      'SHALL',
      'with other parameters: both hold',
      [
        put('List', 'list{n}', {
          status: 'current',
          mode: 'working',
          entry: [{ item: { reference: 'Patient/{p}' } }, { item: { reference: 'Patient/{q}' } }],
        }),
        finds('Patient?_list=list{n}&active=true', '{q}'),
      ],
    ],
    [
      'SHALL',
      'what the List names no longer is not found',
      [
        put('List', 'list{n}', { status: 'current', mode: 'working', entry: [{ item: { reference: 'Patient/{p}' } }] }),
        put('List', 'list{n}', { status: 'current', mode: 'working' }),
        finds('Patient?_list=list{n}', ''),
      ],
    ],
    [
      'SHOULD',
      'a current list by its name, though no List is stored',
      [
        put('AllergyIntolerance', 'allergy{n}', {
          patient: { reference: 'Patient/{p}' },
          ...own,
          clinicalStatus: {
            coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
          },
          code: { text: 'x' },
        }),
        finds('AllergyIntolerance?_list=$current-allergies&identifier=urn:row|{n}', 'allergy{n}'),
      ],
    ],
  ]),
  ...section('search › near', [
    [
      'SHALL',
      'latitude|longitude|distance|unit: within the distance',
      [
        put('Location', 'near{n}', { ...own, position: { latitude: 53.7997, longitude: -1.5492 } }),
        put('Location', 'far{n}', { ...own, position: { latitude: 51.5072, longitude: -0.1276 } }),
        finds('Location?near=53.96|-1.0873|40|km&identifier=urn:row|{n}', 'near{n}'),
        finds('Location?near=53.96|-1.0873|30|km&identifier=urn:row|{n}', ''),
        finds('Location?near=53.96|-1.0873|400|km&identifier=urn:row|{n}', 'near{n} far{n}'),
      ],
    ],
    [
      'SHALL',
      'other units of length, as UCUM writes them',
      [
        put('Location', 'near{n}', { ...own, position: { latitude: 53.7997, longitude: -1.5492 } }),
        finds('Location?near=53.96|-1.0873|25|[mi_i]&identifier=urn:row|{n}', 'near{n}'),
        finds('Location?near=53.96|-1.0873|40000|m&identifier=urn:row|{n}', 'near{n}'),
      ],
    ],
    [
      'SHOULD',
      'without unit: km; without distance: what the server finds near',
      [
        put('Location', 'near{n}', { ...own, position: { latitude: 53.7997, longitude: -1.5492 } }),
        finds('Location?near=53.96|-1.0873|40&identifier=urn:row|{n}', 'near{n}'),
        finds('Location?near=53.7998|-1.5493&identifier=urn:row|{n}', 'near{n}'),
      ],
    ],
    [
      'SHOULD',
      'the distance of each is in entry.search',
      [
        put('Location', 'near{n}', { ...own, position: { latitude: 53.7997, longitude: -1.5492 } }),
        {
          path: 'Location?near=53.96|-1.0873|40|km&identifier=urn:row|{n}',
          check: (r) =>
            expect(entries(r)[0]?.search.extension?.[0]?.url).equal(
              'http://hl7.org/fhir/StructureDefinition/location-distance',
            ),
        },
      ],
    ],
    [
      'SHALL',
      'one without a position is not near',
      [put('Location', 'lost{n}', own), finds('Location?near=53.96|-1.0873|20000|km&identifier=urn:row|{n}', '')],
    ],
    ['SHALL', 'what is no place is refused', refused('Location?near=north')],
  ]),
];

/** On a server with FULL_TEXT=all. */
export const SEARCH_WORDS = [
  ...section('search › _text and _content', [
    [
      'SHALL',
      '_text looks at the narrative',
      [
        put('Basic', 'words{n}', { ...coded('x'), ...NARRATIVE('Quokka liver clinic {n}x') }),
        finds('Basic?_text=quokka {n}x', 'words{n}'),
        finds('Basic?_text=wombat {n}x', ''),
      ],
    ],
    [
      'SHALL',
      '_content looks at every text',
      [
        put('Basic', 'words{n}', { code: { text: 'Numbat {n}x' }, ...NARRATIVE('Quokka') }),
        finds('Basic?_content=numbat {n}x', 'words{n}'),
        finds('Basic?_content=quokka {n}x', 'words{n}'),
        finds('Basic?_text=numbat {n}x', ''),
      ],
    ],
    [
      'SHOULD',
      'AND, OR and brackets',
      [
        put('Basic', 'words{n}', { ...coded('x'), ...NARRATIVE('Quokka metastases {n}x') }),
        finds('Basic?_text=(quokka OR wombat) and metastases and {n}x', 'words{n}'),
        finds('Basic?_text=(wombat OR numbat) and metastases and {n}x', ''),
      ],
    ],
    [
      'SHALL',
      'case does not count',
      [
        put('Basic', 'words{n}', { ...coded('x'), ...NARRATIVE('QUOKKA {n}x') }),
        finds('Basic?_text=quokka {n}X', 'words{n}'),
      ],
    ],
    [
      'SHALL',
      'what is changed is found by its new words only',
      [
        put('Basic', 'words{n}', { ...coded('x'), ...NARRATIVE('Quokka {n}x') }),
        put('Basic', 'words{n}', { ...coded('x'), ...NARRATIVE('Numbat {n}x') }),
        finds('Basic?_text=quokka {n}x', ''),
        finds('Basic?_text=numbat {n}x', 'words{n}'),
      ],
    ],
  ]),
];
