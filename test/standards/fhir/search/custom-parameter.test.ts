/** What the writer of a SearchParameter reads when its expression cannot be followed: each message in full. */
import { expect } from 'chai';
import { createCustomCompiler } from '../../../../src/standards/fhir/search/custom-parameter.ts';
import { SUPPORTED } from '../../../../src/standards/fhir/search/expression.ts';
import { definitions, parameters } from './fixtures.ts';

const { read } = createCustomCompiler({
  definitions,
  official: parameters,
  isSealed: (_type, atom) => atom.leaves.some(({ path }) => path.includes('generalPractitioner')),
});

const said = (expression: string, type = 'string', base: readonly string[] = ['Patient']): readonly string[] =>
  read({ url: 'http://example.org/x', status: 'active', code: 'x', type, base, expression }).issues.map(
    ({ diagnostics, expression: where }) => {
      expect(where).deep.equal(['SearchParameter.expression']);
      return diagnostics ?? '';
    },
  );

/** Expression, type of the parameter, base, all that is said. */
const WRONG: readonly (readonly [string, string, readonly string[], string])[] = [
  [
    "Patient.name.matches('a*')",
    'string',
    ['Patient'],
    `The expression is not understood at character 14, "matches('a*')": the function matches() is not supported. ${SUPPORTED}`,
  ],
  [
    'Patient.name.where(use)',
    'string',
    ['Patient'],
    `The expression is not understood at character 23, ")": where() compares one element with one text by '=', or is where(resolve() is Type). ${SUPPORTED}`,
  ],
  [
    'Patient.name.where(use = home)',
    'string',
    ['Patient'],
    `The expression is not understood at character 26, "home)": a text in single quotes ('…') must stand here. ${SUPPORTED}`,
  ],
  [
    'Patient.name.',
    'string',
    ['Patient'],
    `The expression is not understood at its end, after "Patient.name.": a name must stand here. ${SUPPORTED}`,
  ],
  [
    'Patient.name as',
    'string',
    ['Patient'],
    `The expression is not understood at its end, after "Patient.name as": a name must stand here. ${SUPPORTED}`,
  ],
  [
    'Patient.name family',
    'string',
    ['Patient'],
    `The expression is not understood at character 14, "family": nothing more can follow here. ${SUPPORTED}`,
  ],
  [
    "Patient.name.where(use = 'home'",
    'string',
    ['Patient'],
    `The expression is not understood at its end, after ".name.where(use = 'home'": ')' must stand here. ${SUPPORTED}`,
  ],
  [
    "Patient.name.where(use = 'ho",
    'string',
    ['Patient'],
    `The expression is not understood at character 26, "'ho": the text that begins here has no closing '. ${SUPPORTED}`,
  ],
  [
    "Patient.name.where(use = 'a\\'b').family",
    'string',
    ['Patient'],
    `The expression is not understood at character 26, "'a\\'b').family": texts with escapes (\\) are not supported. ${SUPPORTED}`,
  ],
  [
    'Patient.name | ',
    'string',
    ['Patient'],
    `The expression is not understood at its end, after "Patient.name |": a name must stand here. ${SUPPORTED}`,
  ],
  [
    'exists(Patient.name)',
    'string',
    ['Patient'],
    `The expression is not understood at character 1, "exists(Patient.name)": a path begins with the name of a type or of an element, not with exists(). ${SUPPORTED}`,
  ],
  [
    'Patient.name.exists()',
    'token',
    ['Patient'],
    `The expression is not understood at character 14, "exists()": exists() is supported in 'a.exists() and a != false' only. ${SUPPORTED}`,
  ],
  [
    'Patient.name[x]',
    'string',
    ['Patient'],
    `The expression is not understood at character 14, "x]": a number must stand here. ${SUPPORTED}`,
  ],
  [
    'Patient.name[0].given[1',
    'string',
    ['Patient'],
    `The expression is not understood at its end, after "Patient.name[0].given[1": ']' must stand here. ${SUPPORTED}`,
  ],
  [
    "Patient.name + 'x'",
    'string',
    ['Patient'],
    `The expression is not understood at character 14, "+ 'x'": this character has no meaning here. ${SUPPORTED}`,
  ],
  [
    "Patient.name.family & '§'",
    'string',
    ['Patient'],
    `The expression is not understood at character 21, "& '§'": this character has no meaning here. ${SUPPORTED}`,
  ],
  [
    '',
    'string',
    ['Patient'],
    `The expression is not understood at its end, after "": a name must stand here. ${SUPPORTED}`,
  ],
  [
    'Patient.active.exists() and Patient.deceased != false',
    'token',
    ['Patient'],
    `The expression is not understood at character 16, "exists() and Patient.dec…": both sides of 'a.exists() and a != false' must be the same path. ${SUPPORTED}`,
  ],
  [
    "Patient.name.where(use = 'home').where(period = 'x')",
    'string',
    ['Patient'],
    `In the expression, an element is compared twice by where(…): once is supported. ${SUPPORTED}`,
  ],
  [
    'Patient[0].name',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: [0] must follow the name of an element',
  ],
  [
    "Patient.where(active = 'x').name",
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: Patient has no element 'active' that is one text to compare with 'x'",
  ],
  [
    'Patient.nmae',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: Patient has no element 'nmae'; near: name",
  ],
  [
    'Patient.name.famly',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: HumanName has no element 'famly'; near: family",
  ],
  [
    'Patient.contact.nam',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: Patient.contact has no element 'nam'; near: name",
  ],
  [
    'Patinet.name',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: Patient has no element 'Patinet'; near: Patient",
  ],
  [
    'Observation.code',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: none of its paths begins with Patient',
  ],
  [
    "Patient.birthDate.extension('x').value",
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: 'extension' is below a primitive (date): nothing there, not even an extension, can be searched by",
  ],
  [
    'Patient.deceasedBoolean',
    'token',
    ['Patient'],
    "The expression cannot be searched by as token of Patient: FHIRPath names a choice without its type: deceased.ofType(boolean), not 'deceasedBoolean'",
  ],
  [
    'Patient.multipleBirth as string',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: no element there is of type string: it is one of boolean, integer',
  ],
  [
    'Patient.birthDate',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: what it finds is of type date; a string is of string, markdown, HumanName, Address',
  ],
  [
    'Patient.contact.telecom[0].value',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: [0] of 'telecom' must not follow an element that repeats, 'contact': which one is meant is not certain",
  ],
  [
    "Patient.name.where(usee='home').family",
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: HumanName has no element 'usee' that is one text to compare with 'home'",
  ],
  [
    'Patient.name.where(resolve() is Patient)',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: where(resolve() is Patient) is of references, not of HumanName',
  ],
  [
    'Patient.link.other.where(resolve() is Nobody)',
    'reference',
    ['Patient'],
    'The expression has where(resolve() is Nobody), and Nobody is no resource type',
  ],
  [
    'Patient.birthDate[1]',
    'date',
    ['Patient'],
    "The expression cannot be searched by as date of Patient: 'birthDate' does not repeat: there is no [1]",
  ],
  [
    'Patient.link.other.where(resolve() is Patient) | Patient.managingOrganization',
    'reference',
    ['Patient'],
    'The expression cannot be searched by as reference of Patient: where(resolve() is …) must be the same on all of its paths',
  ],
  [
    'Patient.extension.value.extension.value.extension.value.extension.value.extension.value',
    'string',
    ['Patient'],
    'The expression cannot be searched by as string of Patient: a path below Patient leads to too many places (500 at most): narrow it by ofType()',
  ],
  [
    'Patient.generalPractitioner',
    'reference',
    ['Patient'],
    'The expression cannot be searched by as reference of Patient: the references that it finds are stored encrypted on this server',
  ],
  [
    "Patient.extension('a').value.nope",
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: base64Binary, boolean, canonical, code … has no element 'nope'",
  ],
  [
    'Patient.meta.lastUpdated as Quantity',
    'quantity',
    ['Patient'],
    'The expression cannot be searched by as quantity of Patient: no element there is of type Quantity: it is instant',
  ],
  [
    'Patient.name',
    'string',
    ['Patient', 'Observation'],
    'The expression cannot be searched by as string of Observation: none of its paths begins with Observation',
  ],
  [
    'Patient.contained',
    'reference',
    ['Patient'],
    'The expression cannot be searched by as reference of Patient: what it finds is of type Resource, by which a reference is not searched here',
  ],
  [
    'Patient.identifier.value.nope',
    'string',
    ['Patient'],
    "The expression cannot be searched by as string of Patient: 'nope' is below a primitive (string): nothing there, not even an extension, can be searched by",
  ],
];

describe('search › custom parameters › what is wrong with an expression', () => {
  for (const [expression, type, base, message] of WRONG)
    it(`[IN-35] ${type} of ${base.join()}: ${expression.slice(0, 60)}`, () => {
      expect(said(expression, type, base)).deep.equal([message]);
    });

  it('every type without a path of its own is named, and a syntax error once', () => {
    expect(said('Patient.name', 'string', ['Observation', 'Practitioner'])).length(2);
    expect(said('Patient.name(', 'string', ['Observation', 'Practitioner'])).length(1);
  });

  it('what is right stays right: one of each form', () => {
    for (const [expression, type] of [
      ['Patient.name', 'string'],
      ['name.family | Patient.contact.name', 'string'],
      ['(Patient.multipleBirth as integer)', 'number'],
      ["Patient.extension('http://example.org/a').value.ofType(string)", 'string'],
      ['Patient.deceased.exists() and Patient.deceased != false', 'token'],
      ['Patient.link.other.where(resolve() is RelatedPerson)', 'reference'],
      ["Patient.telecom.where( use = 'home' ).value", 'string'],
      ['Patient.name[0].given', 'string'],
    ] as const)
      expect(said(expression, type), expression).deep.equal([]);
  });
});
