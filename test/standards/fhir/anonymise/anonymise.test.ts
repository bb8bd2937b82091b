/** What an anonymised resource keeps, of every type. SECURITY DP-08 */
import { expect } from 'chai';
import { createAnonymiser } from '../../../../src/standards/fhir/anonymise/anonymise.ts';
import { createDraw, createTestNhsNumbers } from '../../../../src/standards/fhir/anonymise/pseudonyms.ts';
import { shiftDate } from '../../../../src/standards/fhir/anonymise/shift-date.ts';
import { createTransform, DESCEND } from '../../../../src/standards/fhir/transform.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { isNhsNumber, NHS_NUMBER_SYSTEM } from '../../../../src/standards/nhs/identifiers.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const validate = createValidator(definitions, { checks: 'structure' });
const transform = createTransform(definitions);
const key = Buffer.alloc(32, 7);
const anonymiser = createAnonymiser({
  definitions,
  key,
  baseUrl: 'http://a.test/fhir/R4',
  nhsNumberSystem: NHS_NUMBER_SYSTEM,
});
const everything = (_reference: string): boolean => true;

type Json = Record<string, unknown>;
const anonymise = (resource: Json, exists = everything): Json =>
  anonymiser.anonymise(resource as never, exists) as unknown as Json;

/** The same resource with a word of its own wherever people write words, and in every address and number. */
function planted(resource: Json): Json {
  let n = 0;
  const word = (): string => {
    n += 1;
    return `Zq${n}`;
  };
  return transform(resource, ({ type, name, owner }) => {
    if (name === 'id' && owner === resource['resourceType']) return word();
    if (type === 'string' && name !== 'id') return word();
    if (type === 'markdown') return word();
    if (type === 'base64Binary') return Buffer.from(word()).toString('base64').replaceAll('=', 'A');
    if (type === 'xhtml') return `<div xmlns="http://www.w3.org/1999/xhtml">${word()}</div>`;
    if (type === 'Extension') return { url: 'http://hl7.org/fhir/StructureDefinition/x', valueString: word() };
    if (['url', 'uri'].includes(type) && !(name === 'system' && owner !== 'Identifier')) return `urn:zq:${word()}`;
    return DESCEND;
  }) as Json;
}

describe('standards › fhir › anonymise', () => {
  for (const type of definitions.resourceTypes)
    it(`[DP-08] ${type}: valid, and none of the words, addresses and numbers is left`, () => {
      for (const seed of [1, 2]) {
        const generated = generateResource(definitions, type, { seed }) as Json;
        const source = planted({ ...generated, id: 'x' });
        expect(JSON.stringify(source)).match(/zq/i);
        const made = anonymise(source);
        expect(JSON.stringify(made).match(/.{60}zq.{20}/i)?.[0]).equal(undefined);
        const faults = validate(made, type).map((one) => `${one.expression?.[0]} ${one.diagnostics}`);
        const before = validate(source, type).map((one) => `${one.expression?.[0]} ${one.diagnostics}`);
        // The extension that referred to what is contained has been planted over.
        const ofOurs = faults.filter((fault) => !before.includes(fault) && !fault.endsWith('(dom-3)'));
        expect(ofOurs).deep.equal([]);
      }
    });

  const patient = {
    resourceType: 'Patient',
    id: 'p1',
    meta: { versionId: '3', lastUpdated: '2026-03-01T10:00:00.000Z', source: 'urn:uuid:x' },
    identifier: [
      { system: NHS_NUMBER_SYSTEM, value: '9434765919' },
      { system: 'http://hospital.example/mrn', value: 'MRN-1' },
    ],
    name: [{ use: 'official', family: 'Ashworth', given: ['Clara'] }],
    birthDate: '1980-02-29',
    photo: [{ url: 'Binary/1' }],
    generalPractitioner: [{ reference: 'Organization/o1', display: 'Mill Lane' }],
    extension: [
      { url: 'http://hospital.example/secret', valueString: 'x' },
      { url: 'http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired', valueBoolean: true },
    ],
  };

  it('[DP-08] names, numbers and addresses are others; NHS numbers of the test range with their check digit', () => {
    const made = anonymise(patient) as {
      identifier: { system: string; value: string }[];
      name: { family: string; use: string }[];
      extension: Json[];
      meta: Json;
    };
    expect(made.identifier[0]).include({ system: NHS_NUMBER_SYSTEM });
    expect(made.identifier[0]?.value).match(/^999/).satisfy(isNhsNumber);
    expect(JSON.stringify(made)).not.match(
      /9434765919|MRN-1|hospital|Ashworth|Clara|Mill Lane|Binary|urn:uuid:x|"p1"|"o1"/,
    );
    expect(made.name[0]).include({ use: 'official' });
    expect(made.extension.map(({ url }) => url)).deep.equal([
      'http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired',
    ]);
    expect(Object.keys(made.meta)).deep.equal(['lastUpdated']);
  });

  it('[DP-08] dates of a patient move together, so that ages stay, and nobody’s stay where they were', () => {
    for (let n = 0; n < 50; n += 1) {
      const subject = { reference: `Patient/p${n}` };
      const born = anonymise({ ...patient, id: `p${n}` })['birthDate'] as string;
      const seen = anonymise({
        resourceType: 'Encounter',
        id: `e${n}`,
        status: 'finished',
        class: { code: 'AMB' },
        subject,
        period: { start: '2026-03-01T10:00:00Z' },
      });
      const start = (seen['period'] as Json)['start'] as string;
      const days = (later: string, earlier: string): number =>
        (Date.parse(later.slice(0, 10)) - Date.parse(earlier)) / 86_400_000;
      expect(days(start, born)).equal(days('2026-03-01', '1980-02-29'));
      expect(Math.abs(days(born, '1980-02-29'))).within(1, 180);
      expect(start).match(/T10:00:00Z$/);
    }
  });

  it('[DP-08] references follow; those that lead nowhere are cut off', () => {
    const observation = {
      resourceType: 'Observation',
      id: 'o',
      status: 'final',
      code: { coding: [{ system: 'http://loinc.org', code: '1-8', display: 'words' }], text: 'words' },
      subject: { reference: 'http://a.test/fhir/R4/Patient/p1/_history/2', display: 'Clara' },
      hasMember: [{ reference: 'Observation/gone' }, { reference: 'https://elsewhere.test/Observation/1' }],
      contained: [{ resourceType: 'Specimen', id: 's', type: { text: 'words' } }],
      specimen: { reference: '#s' },
    };
    expect([...anonymiser.referencesOf(observation as never)]).have.members(['Patient/p1', 'Observation/gone']);
    const made = anonymise(observation, (reference) => reference === 'Patient/p1');
    expect(made['subject']).deep.equal({ reference: `Patient/${anonymise(patient)['id']}` });
    expect(made['hasMember']).deep.equal([{ display: 'removed' }, { display: 'removed' }]);
    expect(made['code']).deep.equal({ coding: [{ system: 'http://loinc.org', code: '1-8' }] });
    const [inner] = made['contained'] as Json[];
    expect(made['specimen']).deep.equal({ reference: `#${inner?.['id']}` });
  });

  it('[DP-08] the same for one key, another for another', () => {
    const again = createAnonymiser({
      definitions,
      key,
      baseUrl: 'http://a.test/fhir/R4',
      nhsNumberSystem: NHS_NUMBER_SYSTEM,
    });
    const other = createAnonymiser({
      definitions,
      key: Buffer.alloc(32, 8),
      baseUrl: '',
      nhsNumberSystem: NHS_NUMBER_SYSTEM,
    });
    const text = (one: typeof again): string => JSON.stringify(one.anonymise(patient as never, everything));
    expect(text(again)).equal(JSON.stringify(anonymise(patient)));
    expect(text(other)).not.equal(text(again));
    expect(JSON.parse(text(other)).id).not.equal(JSON.parse(text(again)).id);
  });

  it('[DP-08] no two numbers become one', () => {
    const numberOf = createTestNhsNumbers(createDraw(key));
    const made = Array.from({ length: 20_000 }, (_, i) => numberOf(String(i)));
    expect(new Set(made).size).equal(made.length);
    expect(made.every(isNhsNumber)).equal(true);
    expect(numberOf('7')).equal(made[7]);
  });

  for (const [text, days, moved] of [
    ['2026-02-28', 2, '2026-03-02'],
    ['2026-02-28T23:59:59+01:00', -60, '2025-12-30T23:59:59+01:00'],
    ['2026-01', 30, '2026-02'],
    ['2026', 10, '2026'],
    ['2026', -400, '2025'],
    ['not a date', 1, undefined],
  ] as const)
    it(`[DP-08] ${text} by ${days} days`, () => expect(shiftDate(text, days)).equal(moved));
});
