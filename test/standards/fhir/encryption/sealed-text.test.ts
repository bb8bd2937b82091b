import { createSecretKey, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  compileProtectedElements,
  parseProtectedPaths,
} from '../../../../src/standards/fhir/encryption/protected-elements.ts';
import {
  type DataKey,
  isSealedAsWanted,
  keyIdsOf,
  needsSealing,
  openText,
  SealedValueError,
  sealText,
} from '../../../../src/standards/fhir/encryption/sealed-text.ts';
import { createSearchParameters } from '../../../../src/standards/fhir/search/parameters.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const parameters = createSearchParameters(definitions);
const elementsOf = (setting: string) => {
  const paths = parseProtectedPaths(setting);
  if (!paths) throw new Error(`no paths: ${setting}`);
  return compileProtectedElements(paths, definitions, parameters);
};
const UK = elementsOf('uk-protected');
const newKey = (): DataKey => ({ id: randomBytes(8).toString('hex'), key: createSecretKey(randomBytes(32)) });
const KEY = newKey();
const keyOf = (id: string) => (id === KEY.id ? KEY.key : undefined);
const textOf = (resource: object) => JSON.stringify(resource);
const seal = (resource: object, type: string, id: string, elements = UK) =>
  sealText(textOf(resource), type, id, elements, KEY);

const PETER = {
  resourceType: 'Patient',
  id: 'p1',
  meta: { versionId: '1' },
  text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Peter "Jim" Chalmers</div>' },
  identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9000000009' }],
  active: true,
  name: [{ family: 'Chalmers', given: ['Peter', 'Jämes \\ "Jim"'], _given: [null, { id: 'g' }] }],
  telecom: [{ system: 'phone', value: '(03) 5555 6473', rank: 1 }],
  gender: 'male',
  birthDate: '1974-12-25',
  _birthDate: { extension: [{ url: 'urn:time', valueDateTime: '1974-12-25T14:35:45-05:00' }] },
  address: [{ line: ['534 Erewhon St'], postalCode: '3999' }],
  contact: [{ name: { family: 'du Marché' } }],
};

describe('encryption › sealed text', () => {
  it('empties every leaf of a protected element, and leaves everything else', () => {
    const sealed = JSON.parse(seal(PETER, 'Patient', 'p1'));
    for (const leaf of [
      sealed.name[0].family,
      ...sealed.name[0].given,
      sealed.name[0]._given[1].id,
      sealed.identifier[0].system,
      sealed.identifier[0].value,
      sealed.telecom[0].rank,
      sealed.birthDate,
      sealed._birthDate.extension[0].valueDateTime,
      sealed.address[0].line[0],
      sealed.text.div,
    ])
      expect(leaf).to.equal('');
    expect(sealed['~']).to.match(/^v1\.[0-9a-f]{16}\.[\w-]{38,}$/);
    delete sealed['~'];
    const { identifier, name, telecom, birthDate, _birthDate, address, text, ...rest } = sealed;
    expect(rest).to.deep.equal({
      resourceType: 'Patient',
      id: 'p1',
      meta: { versionId: '1' },
      active: true,
      gender: 'male',
      contact: [{ name: { family: 'du Marché' } }],
    });
    expect(sealed.name[0]._given[0]).to.equal(null);
  });

  it('[KS-07] opening gives back the text byte for byte, for resources of every type and any choice of elements', () => {
    const everywhere = definitions.resourceTypes.flatMap((type) =>
      (definitions.types[type]?.elements ?? [])
        .filter(({ name }) => !['id', 'meta', 'implicitRules', 'contained'].includes(name))
        .map(({ name }) => `${type}.${name}`)
        .filter((path) => {
          try {
            compileProtectedElements([path], definitions, parameters);
            return true;
          } catch {
            return false;
          }
        }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...definitions.resourceTypes),
        fc.nat(10_000),
        fc.array(fc.constantFrom(...everywhere), { maxLength: 40 }),
        fc.boolean(),
        (type, seed, paths, all) => {
          const own = all ? everywhere.filter((path) => path.startsWith(`${type}.`)) : paths;
          const elements = compileProtectedElements([...own, 'Patient.active'], definitions, parameters);
          const text = textOf({ ...generateResource(definitions, type, { seed }), id: 'x' });
          const sealed = sealText(text, type, 'x', elements, KEY);
          expect(openText(sealed, type, 'x', keyOf)).to.equal(text);
          expect(keyIdsOf(sealed)).to.deep.equal(needsSealing(text, type, elements) ? [KEY.id] : []);
          expect(isSealedAsWanted(sealed, text, type, elements)).to.equal(true);
          if (sealed !== text) expect(isSealedAsWanted(text, text, type, elements)).to.equal(false);
          if (all && sealed !== text) expect(leavesOf(JSON.parse(sealed), type)).to.deep.equal([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('keeps numbers as they were written, and any string', () => {
    const elements = elementsOf('Observation.value,Observation.note');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (note) => {
        const text = `{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.500},"note":[{"text":${JSON.stringify(note)}}]}`;
        const sealed = sealText(text, 'Observation', 'o', elements, KEY);
        expect(sealed).not.to.contain('1.500');
        expect(Buffer.from(openText(sealed, 'Observation', 'o', keyOf))).to.deep.equal(Buffer.from(text));
      }),
    );
  });

  it('protects a Patient that lies inside another resource, wherever its resourceType stands', () => {
    const inner = { name: [{ family: 'Planted' }], id: 'c', resourceType: 'Patient', gender: 'female' };
    for (const outer of [
      { resourceType: 'Observation', id: 'o', contained: [{ resourceType: 'Device' }, inner] },
      { resourceType: 'Bundle', id: 'o', entry: [{ resource: { resourceType: 'Basic', contained: [inner] } }] },
    ]) {
      const sealed = seal(outer, outer.resourceType, 'o');
      expect(sealed).not.to.contain('Planted');
      expect(sealed).to.contain('female');
      expect(openText(sealed, outer.resourceType, 'o', keyOf)).to.equal(textOf(outer));
    }
  });

  it('seals what looks sealed once more, so that nobody can write one', () => {
    const forged = seal(PETER, 'Patient', 'p1');
    const other = { resourceType: 'Basic', id: 'b', '~': JSON.parse(forged)['~'] };
    const sealed = seal(other, 'Basic', 'b');
    expect(sealed).not.to.equal(textOf(other));
    expect(openText(sealed, 'Basic', 'b', keyOf)).to.equal(textOf(other));
    expect(openText(seal({ code: { text: forged } }, 'Basic', 'b'), 'Basic', 'b', keyOf)).to.contain('v1.');
  });

  it('[KS-04] nothing of a sealed text can be moved or changed: to another resource, type, element or place', () => {
    const sealed = JSON.parse(seal(PETER, 'Patient', 'p1'));
    const other = JSON.parse(
      seal({ ...PETER, id: 'p2', name: [{ family: 'Other', given: ['A', 'B'] }] }, 'Patient', 'p2'),
    );
    const fails = (resource: object, type = 'Patient', id = 'p1'): void => {
      expect(() => openText(textOf(resource), type, id, keyOf)).to.throw(SealedValueError, 'do not belong');
    };
    fails({ ...sealed, '~': other['~'] });
    fails({ ...other, id: 'p1' });
    fails({ ...sealed, name: [{ ...sealed.name[0], family: 'In clear' }] });
    fails({ ...sealed, name: [{ ...sealed.name[0], given: [''] }] });
    fails({ ...sealed, gender: 'female' });
    const { '~': tail, ...rest } = sealed;
    fails({ ...rest, maritalStatus: { text: '' }, '~': tail });
    fails({ ...sealed, id: 'p2' }, 'Patient', 'p2');
    fails({ ...sealed, resourceType: 'Person' }, 'Person');
  });

  it('[KS-04] a changed byte anywhere does not open, nor another key', () => {
    const text = seal(PETER, 'Patient', 'p1');
    const resource = JSON.parse(text);
    const [, , body = ''] = resource['~'].split('.');
    fc.assert(
      fc.property(fc.nat(Buffer.from(body, 'base64url').length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(body, 'base64url');
        bytes[at] = (bytes[at] as number) ^ change;
        const changed = textOf({ ...resource, '~': `v1.${KEY.id}.${bytes.toString('base64url')}` });
        expect(() => openText(changed, 'Patient', 'p1', keyOf)).to.throw(SealedValueError);
      }),
    );
    const another = newKey();
    expect(() => openText(text, 'Patient', 'p1', () => another.key)).to.throw(SealedValueError);
    expect(() => openText(text, 'Patient', 'p1', () => undefined)).to.throw(SealedValueError, 'is gone');
  });

  it('[KS-05] no nonce comes twice', () => {
    const small = { resourceType: 'Patient', id: 'p', name: [{ text: 'A' }] };
    const nonces = new Set<string>();
    for (let i = 0; i < 100_000; i++) nonces.add(JSON.parse(seal(small, 'Patient', 'p'))['~'].slice(20, 36));
    expect(nonces.size).to.equal(100_000);
  });
});

/** What is left of a type's own members that would be protected: values other than the empty string. */
function leavesOf(resource: Record<string, unknown>, type: string): string[] {
  const kept = new Set(['resourceType', 'id', 'meta', 'implicitRules', 'contained', '~']);
  const paths = definitions.types[type]?.elements ?? [];
  const found: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null)
      for (const [k, v] of Object.entries(value)) visit(v, `${path}.${k}`);
    else if (value !== '' && value !== null && value !== undefined) found.push(path);
  };
  for (const { name } of paths) {
    const isWhole = (() => {
      try {
        compileProtectedElements([`${type}.${name}`], definitions, parameters);
        return !kept.has(name);
      } catch {
        return false;
      }
    })();
    if (isWhole) for (const key of [name, `_${name}`]) visit(resource[key], key);
  }
  return found;
}

describe('encryption › protected elements', () => {
  it('refuses what is not an element, and what resources are found by', () => {
    expect(parseProtectedPaths('Patient')).to.equal(undefined);
    expect(parseProtectedPaths('patient.name')).to.equal(undefined);
    expect(parseProtectedPaths('uk-protected, Person.name')).to.include.members(['Patient.name', 'Person.name']);
    expect(() => elementsOf('Patient.nmae')).to.throw("Patient.nmae: Patient has no element 'nmae'");
    expect(() => elementsOf('Pattient.name')).to.throw('no resource type');
    expect(() => elementsOf('Patient.meta')).to.throw('cannot be encrypted');
    expect(() => elementsOf('Observation.subject')).to.throw("'subject'");
    expect(() => elementsOf('Patient.link')).to.throw("'link'");
  });
});
