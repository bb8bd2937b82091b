import { expect } from 'chai';
import type { Resource } from '../../src/ports/resource-store.ts';
import { mergeResource } from '../../src/workflow/merge-resource.ts';

type Json = Readonly<Record<string, unknown>>;
const patient = (more: Json): Resource => ({ resourceType: 'Patient', ...more });
const merged = (current: Json, incoming: Json, removed: readonly string[] = []): Json => {
  const { resourceType: _, ...rest } = mergeResource(patient(current), patient(incoming), removed);
  return rest;
};

const CASES: readonly [title: string, current: Json, incoming: Json, expected: Json, removed?: readonly string[]][] = [
  [
    'what the message says replaces, what it does not mention stays',
    { id: '1', gender: 'male', birthDate: '1980' },
    { gender: 'female' },
    { id: '1', gender: 'female', birthDate: '1980' },
  ],
  [
    'links are added: a record that took in two others is linked to both',
    { link: [{ other: { reference: 'Patient/2' }, type: 'replaces' }] },
    { link: [{ other: { reference: 'Patient/3' }, type: 'replaces' }] },
    {
      link: [
        { other: { reference: 'Patient/2' }, type: 'replaces' },
        { other: { reference: 'Patient/3' }, type: 'replaces' },
      ],
    },
  ],
  [
    'identifiers are added; one of the same system and value is replaced where it stands',
    {
      identifier: [
        { system: 'a', value: '1', use: 'old' },
        { system: 'b', value: '2' },
      ],
    },
    {
      identifier: [
        { system: 'c', value: '3' },
        { system: 'a', value: '1', use: 'usual' },
      ],
    },
    {
      identifier: [
        { system: 'a', value: '1', use: 'usual' },
        { system: 'b', value: '2' },
        { system: 'c', value: '3' },
      ],
    },
  ],
  [
    'the same value of two systems is two identifiers',
    { identifier: [{ system: 'a', value: '1' }] },
    { identifier: [{ value: '1' }] },
    { identifier: [{ system: 'a', value: '1' }, { value: '1' }] },
  ],
  [
    'extensions are joined by url',
    {
      extension: [
        { url: 'x', valueString: '1' },
        { url: 'y', valueString: '2' },
      ],
    },
    { extension: [{ url: 'y', valueString: '3' }] },
    {
      extension: [
        { url: 'x', valueString: '1' },
        { url: 'y', valueString: '3' },
      ],
    },
  ],
  [
    'several extensions of one url replace all of it',
    { extension: [{ url: 'x', valueString: '1' }, { url: 'y' }, { url: 'x', valueString: '2' }] },
    {
      extension: [
        { url: 'x', valueString: '3' },
        { url: 'x', valueString: '4' },
        { url: 'x', valueString: '5' },
      ],
    },
    {
      extension: [
        { url: 'x', valueString: '3' },
        { url: 'x', valueString: '4' },
        { url: 'x', valueString: '5' },
        { url: 'y' },
      ],
    },
  ],
  [
    'one form of a choice replaces the other, its primitive extension too',
    { deceasedBoolean: true, _deceasedBoolean: { id: 'd' } },
    { deceasedDateTime: '2026-01-01' },
    { deceasedDateTime: '2026-01-01' },
  ],
  [
    'multipleBirth is no other choice than itself',
    { multipleBirthInteger: 2, deceasedBoolean: false },
    { multipleBirthBoolean: true },
    { deceasedBoolean: false, multipleBirthBoolean: true },
  ],
  [
    'a new value loses the old extension of its primitive',
    { birthDate: '1980-01-01', _birthDate: { extension: [{ url: 'time' }] } },
    { birthDate: '1981-01-01' },
    { birthDate: '1981-01-01' },
  ],
  [
    'an extension without a value replaces only the extension',
    { birthDate: '1980-01-01', _birthDate: { id: 'a' } },
    { _birthDate: { id: 'b' } },
    { birthDate: '1980-01-01', _birthDate: { id: 'b' } },
  ],
  [
    'an element that is removed and said anew is what the message says',
    { extension: [{ url: 'a', valueCode: '1' }], note: [{ text: 'old' }] },
    { extension: [{ url: 'b', valueCode: '2' }] },
    { extension: [{ url: 'b', valueCode: '2' }] },
    ['extension', 'note'],
  ],
  [
    'removed elements go, and nothing else',
    { telecom: [{ value: '1' }], gender: 'male', _gender: { id: 'g' }, birthDate: '1980' },
    {},
    { birthDate: '1980' },
    ['telecom', 'gender'],
  ],
  [
    'the version stays that of the stored one; tags and profiles are added',
    { meta: { versionId: '3', profile: ['p'], tag: [{ code: 'a' }] } },
    { meta: { profile: ['q'], tag: [{ code: 'a' }, { code: 'b' }] } },
    { meta: { versionId: '3', profile: ['p', 'q'], tag: [{ code: 'a' }, { code: 'b' }] } },
  ],
  ['the id is never the message’s', { id: '1' }, { id: '2' }, { id: '1' }],
];

describe('merge of a resource', () => {
  for (const [title, current, incoming, expected, removed] of CASES)
    it(title, () => {
      expect(merged(current, incoming, removed)).deep.equal(expected);
    });

  it('of the same again changes nothing, not even the order of members', () => {
    for (const [, , incoming, expected, removed] of CASES)
      expect(JSON.stringify(merged(expected, incoming, removed))).equal(JSON.stringify(expected));
  });
});
