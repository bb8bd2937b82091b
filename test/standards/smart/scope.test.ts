import { expect } from 'chai';
import { formatResourceScope, formatScopes, parseGranted, parseScopes } from '../../../src/standards/smart/scope.ts';
import { ScopeError } from '../../../src/standards/smart/scope-error.ts';
import { chooseAllowed, isWithin, needsEncounter, needsPatient } from '../../../src/standards/smart/scope-set.ts';

const PARAMETERS = new Map([
  ['Observation', ['category', 'code', 'date', 'subject', '_tag']],
  ['*', ['_tag', '_security']],
]);
const vocabulary = {
  isType: (type: string) => ['Patient', 'Observation', 'Condition'].includes(type),
  isParameter: (type: string, name: string) => PARAMETERS.get(type)?.includes(name) ?? false,
};
const parse = (text: string) => parseScopes(text, vocabulary);
const LAB = 'category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory';

describe('smart › scope', () => {
  const letters = [
    ['patient/Observation.read', 'patient/Observation.rs'],
    ['user/*.write', 'user/*.cud'],
    ['system/*.*', 'system/*.cruds'],
    ['patient/*.rs', 'patient/*.rs'],
    ['system/Patient.cruds', 'system/Patient.cruds'],
    ['user/Condition.d', 'user/Condition.d'],
    [`patient/Observation.read?${LAB}`, `patient/Observation.rs?${LAB}`],
  ] as const;
  for (const [asked, meant] of letters)
    it(`[SC-01] ${asked} means ${meant} and is given back as it was asked for`, () => {
      const scopes = parse(asked);
      expect(formatScopes(scopes)).equal(asked);
      expect(scopes.map(({ resource }) => resource && formatResourceScope(resource))).deep.equal([meant]);
    });

  const dropped = [
    'patient/Observation.dus',
    'patient/Observation.rr',
    'patient/Observation.',
    'patient/Observation.x',
    'patient/Observation.readwrite',
    'patient/Observation.rsx',
    'patient/Observation',
    'patient/Observation.rs?',
    'patient/Observation.**',
    'patient/Wizard.rs',
    'patient/observation.rs',
    'patient.rs',
    'group/*.rs',
    'Patient/*.rs',
    'launch/wizard',
    'openId',
    'patient/*.rs"',
    'patient/*.rs\\',
    'pätient/*.rs',
  ];
  for (const asked of dropped)
    it(`[SC-02] ${asked} is left out, not guessed at`, () => {
      expect(parse(asked)).deep.equal([]);
      expect(formatScopes(parse(`openid ${asked}`))).equal('openid');
    });

  it('[SC-02] .read never means r and d', () => {
    expect(parse('patient/*.read')[0]?.resource?.letters).deep.equal(['r', 's']);
  });

  it('scopes that are not about resources stand for themselves, each once', () => {
    const text = 'openid fhirUser launch launch/patient launch/encounter offline_access prescription:read';
    expect(formatScopes(parse(`  ${text}  openid`))).equal(text);
    expect(parse(text).every(({ resource }) => resource === undefined)).equal(true);
  });

  const allowed = [
    LAB,
    'category=laboratory&code=1,2',
    'date=ge2020-01-01&date=lt2021-01-01',
    'category:not=laboratory',
    'code:missing=false',
    '_tag=a%7Cb',
  ];
  for (const constraint of allowed)
    it(`[SC-09] ?${constraint} is a constraint`, () => {
      expect(parse(`patient/Observation.rs?${constraint}`)[0]?.resource?.constraint).equal(constraint);
    });

  const refused = [
    ['a chain', 'subject.name=x'],
    ['a typed chain', 'subject:Patient.name=x'],
    ['_has', '_has:Provenance:target:agent=1'],
    ['_filter', '_filter=code%20eq%201'],
    ['another modifier', 'code:exact=x'],
    ['an unknown modifier', 'code:nothing=x'],
    ['an unknown parameter', 'colour=blue'],
    ['a control', '_count=1'],
    ['no value', 'code='],
    ['an empty alternative', 'code=1,,2'],
    ['no parameter', '=1'],
    ['no equals sign', 'code'],
    ['an empty part', 'code=1&&category=2'],
    ['a broken escape', 'code=%zz'],
    ['missing with another value', 'code:missing=perhaps'],
  ] as const;
  for (const [what, constraint] of refused)
    it(`[SC-09] a constraint with ${what} is refused`, () => {
      expect(() => parse(`openid patient/Observation.rs?${constraint}`)).throw(ScopeError);
    });

  it('[SC-09] a constraint on every type has parameters of every type', () => {
    expect(parse('patient/*.rs?_tag=x')).length(1);
    expect(() => parse('patient/*.rs?code=1')).throw(ScopeError);
  });

  const types = (count: number, tail = ''): string =>
    Array.from({ length: count }, (_, i) => `patient/Observation.rs?code=${i}${tail}`).join(' ');
  it('[SC-10] 40 constrained scopes are read, 41 are refused', () => {
    expect(parse(types(40))).length(40);
    expect(() => parse(types(41))).throw(ScopeError, /40/);
  });
  it('[SC-10] 200 scopes are read, 201 are refused', () => {
    const words = (count: number): string => Array.from({ length: count }, (_, i) => `s${i}`).join(' ');
    expect(parse(`openid ${words(199)}`)).length(1);
    expect(() => parse(words(201))).throw(ScopeError, /200/);
  });
  it('[SC-10] 8 KiB are read, one byte more is refused', () => {
    expect(parse(`openid ${'x'.repeat(8192 - 7)}`)).length(1);
    expect(() => parse(`openid ${'x'.repeat(8192 - 6)}`)).throw(ScopeError, /8192/);
  });
});

describe('smart › scope-set', () => {
  const within = [
    ['patient/Observation.rs', 'patient/Observation.rs', true],
    ['patient/Observation.read', 'patient/Observation.rs', true],
    ['patient/Observation.rs', 'patient/*.read', true],
    ['patient/Observation.r', 'patient/Observation.rs', true],
    ['patient/Observation.rs', 'patient/Observation.r patient/Observation.s', true],
    ['patient/Observation.rs', 'patient/Observation.r', false],
    ['patient/*.rs', 'patient/Observation.rs', false],
    ['patient/Observation.rs', 'user/Observation.rs', false],
    ['system/Observation.rs', 'user/*.cruds', false],
    ['patient/Observation.rs?code=1', 'patient/Observation.rs', true],
    ['patient/Observation.rs', 'patient/Observation.rs?code=1', false],
    ['patient/Observation.rs?code=1&category=2', 'patient/*.rs?category=2', true],
    ['patient/Observation.rs?category=2', 'patient/Observation.rs?code=1&category=2', false],
    ['patient/Observation.rs?code=1', 'patient/Observation.rs?code=1,2', true],
    ['patient/Observation.rs?code=1,2', 'patient/Observation.rs?code=1', false],
    ['patient/Observation.rs?code=a%7Cb', 'patient/Observation.rs?code=a|b', true],
    ['patient/Observation.rs?code:not=1', 'patient/Observation.rs?code:not=1,2', false],
    ['patient/Observation.rs?code:not=1', 'patient/Observation.rs?code=1', false],
    ['openid', 'openid fhirUser', true],
    ['offline_access', 'openid', false],
    ['', 'openid', true],
  ] as const;
  for (const [asked, granted, expected] of within)
    it(`[ST-05] ${asked || 'nothing'} is ${expected ? '' : 'not '}within ${granted}`, () => {
      expect(isWithin(parseGranted(asked), parseGranted(granted))).equal(expected);
    });

  it('[SC-14] what a client is not registered for is left out', () => {
    const asked = parseGranted('openid patient/*.rs patient/*.cruds user/Patient.r launch');
    const allowed = parseGranted('openid patient/*.rs user/*.read');
    expect(formatScopes(chooseAllowed(asked, allowed))).equal('openid patient/*.rs user/Patient.r');
  });

  it('[SL-08] a patient/ scope infers launch/patient', () => {
    expect(needsPatient(parseGranted('openid patient/*.rs'))).equal(true);
    expect(needsPatient(parseGranted('launch/patient'))).equal(true);
    expect(needsPatient(parseGranted('openid user/*.rs launch'))).equal(false);
    expect(needsEncounter(parseGranted('launch/encounter'))).equal(true);
    expect(needsEncounter(parseGranted('launch/patient'))).equal(false);
  });
});
