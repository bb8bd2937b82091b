import { expect } from 'chai';
import { MAIN_DATES } from '../../../../src/standards/fhir/search/main-dates.ts';
import { UNSUPPORTED_PARAMETERS } from '../../../../src/standards/fhir/search/parameters.ts';
import { definitions, parameters, typeParameters, types } from './fixtures.ts';

const atomsOf = (type: string, code: string): string[] =>
  typeParameters(type)
    .parameters.get(code)
    ?.atoms.map((a) => a.code) ?? [];
const parameter = (type: string, code: string) => {
  const found = typeParameters(type).parameters.get(code);
  if (found === undefined) throw new Error(`no ${type}.${code}`);
  return found;
};

describe('search › parameters', () => {
  it('has the 145 types that can be stored, and no other', () => {
    expect(types).to.have.length(145);
    expect(types.every((type) => parameters.get(type) !== undefined)).to.equal(true);
    for (const type of ['Parameters', 'Resource', 'HumanName', '__proto__', 'constructor'])
      expect(parameters.get(type), type).to.equal(undefined);
  });

  it('has every parameter of every type, each with values to find', () => {
    let count = 0;
    for (const type of types) {
      const wanted = definitions.searchParameters
        .filter((p) => p.base.some((b) => b === type || b === 'Resource' || b === 'DomainResource'))
        .filter((p) => !UNSUPPORTED_PARAMETERS.has(p.code))
        .map((p) => p.code);
      const { parameters: found } = typeParameters(type);
      expect([...found.keys()], type).to.have.members(wanted);
      for (const { code, atoms } of found.values()) {
        if (code === '_id' || code === '_lastUpdated') expect(atoms).to.have.length(0);
        else
          expect(
            atoms.flatMap((a) => a.leaves),
            `${type}.${code}`,
          ).to.not.have.length(0);
      }
      count += found.size;
    }
    expect(count).to.equal(2568);
  });

  it('leaves out only what R4 defines without an expression or as geography', () => {
    const left = definitions.searchParameters.filter((p) => UNSUPPORTED_PARAMETERS.has(p.code));
    expect(left.map((p) => p.code)).to.have.members(['_text', '_content', '_query', 'near']);
  });

  it('numbers presence bits from 0 in the order of codes, within 63', () => {
    for (const type of types) {
      const all = [...typeParameters(type).parameters.values()];
      expect(all.map((p) => p.bit)).to.deep.equal(all.map((_, i) => i));
      expect(all.map((p) => p.code)).to.deep.equal(all.map((p) => p.code).sort());
      expect(all.length).to.be.at.most(63);
    }
  });

  it('numbers atoms by their place', () => {
    for (const type of types)
      expect(typeParameters(type).atoms.map((a) => a.index)).to.deep.equal([...typeParameters(type).atoms.keys()]);
  });
});

describe('search › parameters › atoms', () => {
  for (const [type, code, atoms] of [
    ['Observation', 'subject', ['subject']],
    ['Observation', 'patient', ['subject']],
    ['Patient', 'phonetic', ['name']],
    ['Encounter', 'practitioner', ['participant']],
    ['Coverage', 'patient', ['beneficiary']],
    ['Observation', 'combo-code', ['code', 'component-code']],
    ['Observation', 'combo-value-quantity', ['component-value-quantity', 'value-quantity']],
    ['Observation', 'combo-code-value-quantity', ['code-value-quantity', 'component-code-value-quantity']],
    ['Observation', 'combo-code-value-concept', ['code-value-concept', 'component-code-value-concept']],
    ['AuditEvent', 'patient', ['agent', 'entity']],
    ['Patient', 'email', ['email']],
    ['Patient', 'telecom', ['telecom']],
    ['Bundle', 'message', ['composition']],
  ] as const)
    it(`${type} ${code} is stored as ${atoms.join(' and ')}`, () => {
      expect(atomsOf(type, code)).to.deep.equal(atoms);
    });

  it('a parameter shares only atoms of its own type', () => {
    for (const type of types)
      for (const p of typeParameters(type).parameters.values())
        for (const atom of p.atoms) expect(atom.type, `${type}.${p.code}`).to.equal(p.type);
  });

  it('says where the leaves are, as paths for Postgres', () => {
    const paths = (type: string, code: string) =>
      parameter(type, code).atoms.flatMap((a) => a.leaves.map((l) => l.path));
    expect(paths('Patient', 'email')).to.deep.equal(['$.telecom[*] ? (@.system == "email")']);
    expect(paths('Observation', 'code')).to.deep.equal(['$.code']);
    expect(paths('Observation', 'component-value-quantity')).to.include('$.component[*].valueQuantity');
    expect(paths('Bundle', 'composition')).to.deep.equal(['$.entry[0].resource']);
    expect(paths('Measure', 'depends-on')).to.include('$.relatedArtifact[*] ? (@.type == "depends-on").resource');
    expect(paths('InsurancePlan', 'name')).to.deep.equal(['$.name', '$.alias[*]']);
  });
});

describe('search › parameters › references', () => {
  it('resolve() is X restricts the targets', () => {
    expect(parameter('Observation', 'patient')).to.deep.include({ onlyTargets: ['Patient'], targets: ['Patient'] });
    expect(parameter('Observation', 'subject').onlyTargets).to.deep.equal([]);
    expect(parameter('Observation', 'subject').targets).to.deep.equal(['Device', 'Group', 'Location', 'Patient']);
    expect(parameter('Bundle', 'message').onlyTargets).to.deep.equal(['MessageHeader']);
  });

  it('a reference to anything has every storable type as target', () => {
    expect(parameter('Provenance', 'target').targets).to.have.members(types);
  });

  it('targets are storable types, and never none', () => {
    for (const type of types)
      for (const p of typeParameters(type).parameters.values())
        if (p.type === 'reference') {
          expect(p.targets, `${type}.${p.code}`).to.not.have.length(0);
          for (const target of [...p.targets, ...p.onlyTargets]) expect(types, `${type}.${p.code}`).to.include(target);
        }
  });
});

describe('search › parameters › main date', () => {
  it('is a date with one atom and one value at most', () => {
    for (const [type, code] of MAIN_DATES) {
      const { mainDate } = typeParameters(type);
      expect(mainDate, type).to.deep.include({ type: 'date', multiple: false });
      expect(parameter(type, code).atoms, type).to.deep.equal([mainDate]);
    }
  });

  for (const [type, code] of [
    ['Patient', 'birthdate'],
    ['Encounter', 'date'],
    ['Condition', 'onset-date'],
    ['MedicationRequest', 'authoredon'],
    ['MedicationAdministration', 'effective-time'],
    ['Slot', 'start'],
  ] as const)
    it(`${type}: ${code}`, () => expect(MAIN_DATES.get(type)).to.equal(code));
});

describe('search › parameters › one patient', () => {
  for (const [type, codes] of [
    ['Observation', ['patient', 'subject']],
    ['AllergyIntolerance', ['patient']],
    ['Coverage', ['beneficiary', 'patient']],
    ['ResearchSubject', ['individual', 'patient']],
  ] as const)
    it(`${type} is of one patient: ${codes.join(', ')}`, () => {
      const { singlePatient, patientCodes, patientAtom } = typeParameters(type);
      expect({ singlePatient, patientCodes }).to.deep.equal({ singlePatient: true, patientCodes: codes });
      expect(patientAtom).to.equal(parameter(type, codes[0]).atoms[0]);
      expect(patientAtom?.multiple).to.equal(false);
    });

  for (const type of [
    'Appointment',
    'AuditEvent',
    'Provenance',
    'Group',
    'Patient',
    'Schedule',
    'Account',
    'Organization',
  ])
    it(`${type} is not`, () => {
      expect(typeParameters(type)).to.deep.include({ singlePatient: false, patientCodes: [], patientAtom: undefined });
    });
});

describe('search › parameters › implied systems', () => {
  for (const [type, code, systems] of [
    ['Patient', 'gender', ['http://hl7.org/fhir/administrative-gender']],
    ['Observation', 'status', ['http://hl7.org/fhir/observation-status']],
    ['Patient', 'active', ['http://terminology.hl7.org/CodeSystem/special-values']],
    ['Observation', 'code', []],
    ['Patient', 'identifier', []],
  ] as const)
    it(`${type} ${code}: ${systems.join() || 'none'}`, () => {
      expect(parameter(type, code).impliedSystems).to.deep.equal(systems);
    });
});
