/** Sentences of https://hl7.org/fhir/R4/search.html: quantities, references and what is made of several, asked of test/rest/search/data-set.ts. */
import { finds, refused, section } from './sentence.ts';

const UCUM = 'http://unitsofmeasure.org';
const NHS = 'https://fhir.nhs.uk/Id/nhs-number';

export const SEARCH_LINKS = [
  ...section('search › quantity', [
    ['SHALL', '[number] whatever the unit, by implicit precision', finds('Observation?value-quantity=5.4', 'o-5.4')],
    ['SHALL', '[number]|[system]|[code]', finds(`Observation?value-quantity=5.4|${UCUM}|g`, 'o-5.4')],
    [
      'SHALL',
      '[number]||[code] by code or unit',
      [finds('Observation?value-quantity=5.4||g', 'o-5.4'), finds('Observation?value-quantity=5.4||gram', 'o-5.4')],
    ],
    ['SHOULD', 'other units of the same kind are found', finds(`Observation?value-quantity=5400|${UCUM}|mg`, 'o-5.4')],
    ['SHALL', 'units of another kind are not', finds(`Observation?value-quantity=5.4|${UCUM}|mL`, '')],
    ['SHALL', 'gt', finds(`Observation?value-quantity=gt5|${UCUM}|g`, 'o-5.4')],
    ['SHALL', 'lt', finds('Observation?value-quantity=lt5.3', 'o-5 o-less')],
    ['SHALL', 'ge', finds('Observation?value-quantity=ge5.4', 'o-5.4 o-100')],
    ['SHALL', 'le', finds('Observation?value-quantity=le5', 'o-5 o-less')],
    ['SHALL', 'sa', finds('Observation?value-quantity=sa5', 'o-5.4 o-100')],
    ['SHALL', 'eb', finds('Observation?value-quantity=eb5.5', 'o-5 o-5.4 o-less')],
    ['SHOULD', 'ap', finds('Observation?value-quantity=ap96', 'o-100')],
    ['SHALL', 'a comparator of the value counts', finds('Observation?value-quantity=lt5', 'o-less')],
    ['SHALL', 'what is no quantity is refused', refused('Observation?value-quantity=x|y')],
  ]),
  ...section('search › reference', [
    ['SHALL', '[id] of any type that it may refer to', finds('Observation?subject=p1&code=29463-7', 'o-5')],
    ['SHALL', '[type]/[id]', finds('Observation?subject=Patient/p1&code=29463-7', 'o-5')],
    [
      'SHALL',
      'an absolute URL of this server is the same',
      finds('Observation?subject={base}/Patient/p1&code=29463-7', 'o-5'),
    ],
    [
      'SHALL',
      'an absolute reference in the resource too',
      finds('Observation?subject=Patient/p2&code=29463-7', 'o-5.4'),
    ],
    ['SHALL', 'another type of the same id is not', finds('Observation?subject=Group/p1', '')],
    ['SHALL', ':[type] names the type', finds('Observation?subject:Patient=p1&code=29463-7', 'o-5')],
    [
      'SHALL',
      ':identifier by the identifier of the reference',
      finds(`Observation?subject:identifier=${NHS}|9000000009`, 'o-bp'),
    ],
    [
      'SHALL',
      'a canonical by url, whatever the version',
      finds('QuestionnaireResponse?questionnaire=http://acme.org/fhir/Questionnaire/q', 'q1 q2 q3'),
    ],
    [
      'SHALL',
      'a canonical with version',
      finds('QuestionnaireResponse?questionnaire=http://acme.org/fhir/Questionnaire/q|1.0', 'q1'),
    ],
    ['SHALL', 'a type that it cannot refer to is refused', refused('Observation?subject:Medication=1')],
  ]),
  ...section('search › uri', [
    ['SHALL', 'a uri matches as a whole', finds('ValueSet?url=http://acme.org/fhir/ValueSet/123', 'v1')],
    ['SHALL', ':below matches what begins so', finds('ValueSet?url:below=http://acme.org/fhir/', 'v1 v2')],
    [
      'SHALL',
      ':above matches what it begins with',
      finds('ValueSet?url:above=http://acme.org/fhir/ValueSet/123/_history/5', 'v1 v2'),
    ],
    ['SHALL', 'urns as a whole', finds('ValueSet?url=urn:oid:1.2.3', 'v3')],
    ['SHALL', 'a part is no match', finds('ValueSet?url=http://acme.org/fhir/ValueSet/12', '')],
  ]),
  ...section('search › composite', [
    ['SHALL', 'the parts are of one element', finds('Observation?component-code-value-quantity=8480-6$gt115', 'o-bp')],
    [
      'SHALL',
      'parts of two elements are no match',
      finds('Observation?component-code-value-quantity=8462-4$gt115', ''),
    ],
    ['SHALL', 'code and value of an Observation', finds('Observation?code-value-quantity=29463-7$5.4', 'o-5.4')],
    ['SHALL', 'prefixes in parts', finds('Observation?code-value-quantity=29463-7$lt5.3', 'o-5 o-less')],
    [
      'SHALL',
      'several composites by comma',
      finds('Observation?code-value-quantity=29463-7$5.4,weight$100', 'o-5.4 o-100'),
    ],
    ['SHALL', 'a missing part is refused', refused('Observation?code-value-quantity=29463-7')],
    ['SHALL', 'composites take no modifier but :missing', refused('Observation?code-value-quantity:exact=29463-7$5')],
  ]),
  ...section('search › chains', [
    [
      'SHALL',
      'a chain looks at the resource referred to',
      finds('Observation?subject:Patient.gender=male&code=29463-7', 'o-5'),
    ],
    [
      'SHALL',
      'without type: every type that has the parameter',
      finds('Observation?subject.family=mull&code=85354-9', 'o-bp o-bp2'),
    ],
    ['SHALL', 'several links', finds('Patient?organization.partof.name=ward', 'p1')],
    ['SHALL', 'OR at the end of a chain', finds('Observation?patient.given=mary,jurgen&code=29463-7', 'o-5 o-5.4')],
    [
      'SHALL',
      'two chains may be met by two resources',
      finds('Patient?organization.name=bay&organization.partof.partof.name=leeds', 'p1'),
    ],
    ['SHALL', '_has with several conditions', finds('Patient?_has:Observation:patient:code=bp&gender=male', 'p1')],
    [
      'SHALL',
      '_has nested',
      finds('Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=85354-9', 'doc'),
    ],
    ['SHALL', '_has with OR', finds('Patient?_has:Observation:patient:code=bp,5778-6', 'p1 p3')],
    ['SHALL', 'a chain of a type that cannot be is refused', refused('Observation?subject:Medication.code=x')],
    ['SHALL', 'a parameter that no target has is refused', refused('Observation?subject.nothing=x')],
    ['SHALL', 'an incomplete _has is refused', refused('Patient?_has:Observation:code=x')],
  ]),
];
