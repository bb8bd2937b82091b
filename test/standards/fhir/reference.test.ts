import { expect } from 'chai';
import { isId, type ParsedReference, parseReference } from '../../../src/standards/fhir/reference.ts';

const CASES: readonly [string, ParsedReference | undefined][] = [
  ['Patient/1', { kind: 'relative', type: 'Patient', id: '1' }],
  ['Patient/a-B.9', { kind: 'relative', type: 'Patient', id: 'a-B.9' }],
  ['Patient/1/_history/2', { kind: 'relative', type: 'Patient', id: '1', version: '2' }],
  [`Patient/${'x'.repeat(64)}`, { kind: 'relative', type: 'Patient', id: 'x'.repeat(64) }],
  [`Patient/${'x'.repeat(65)}`, undefined],
  ['Patient/1/', undefined],
  ['Patient/1/_history', undefined],
  ['Patient/1/_history/', undefined],
  ['Patient/1/_history/2/3', undefined],
  ['Patient/1/name', undefined],
  ['Patient/', undefined],
  ['Patient', undefined],
  ['/Patient/1', undefined],
  ['patient/1', undefined],
  ['Patient/a b', undefined],
  ['Patient/1?x=y', undefined],
  ['Patient/ü', undefined],
  ['', undefined],
  [' ', undefined],
  ['#', { kind: 'fragment', id: '' }],
  ['#c1', { kind: 'fragment', id: 'c1' }],
  ['#c 1', undefined],
  ['##', undefined],
  [
    'urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7',
    { kind: 'urn', urn: 'urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7' },
  ],
  [
    'urn:uuid:53FEFA32-FCBB-4FF8-8A92-55EE120877B7',
    { kind: 'urn', urn: 'urn:uuid:53FEFA32-FCBB-4FF8-8A92-55EE120877B7' },
  ],
  ['urn:uuid:1', undefined],
  ['urn:oid:1.2.3', { kind: 'urn', urn: 'urn:oid:1.2.3' }],
  ['urn:oid:1.02', undefined],
  [
    'Patient?identifier=https://example.org/ids|1',
    { kind: 'conditional', type: 'Patient', query: 'identifier=https://example.org/ids|1' },
  ],
  ['Patient?', undefined],
  ['patient?x=y', undefined],
  [
    'https://example.org/fhir/Patient/1',
    {
      kind: 'absolute',
      url: 'https://example.org/fhir/Patient/1',
      base: 'https://example.org/fhir',
      type: 'Patient',
      id: '1',
    },
  ],
  [
    'https://example.org/Patient/1/_history/2',
    {
      kind: 'absolute',
      url: 'https://example.org/Patient/1/_history/2',
      base: 'https://example.org',
      type: 'Patient',
      id: '1',
      version: '2',
    },
  ],
  ['https://example.org/', { kind: 'absolute', url: 'https://example.org/', base: 'https://example.org/' }],
  ['mailto:a@example.org', { kind: 'absolute', url: 'mailto:a@example.org', base: 'mailto:a@example.org' }],
  [
    'http://example.org/fhir/ValueSet/x|1.0',
    { kind: 'canonical', url: 'http://example.org/fhir/ValueSet/x', version: '1.0' },
  ],
  ['https://example.org/a b', undefined],
  ['not a reference', undefined],
  ['constructor', undefined],
];

describe('reference › parse', () => {
  for (const [text, expected] of CASES)
    it(`${JSON.stringify(text)} is ${expected?.kind ?? 'no reference'}`, () => {
      expect(parseReference(text)).to.eql(expected);
    });

  it('id: letters, digits, hyphens and points, 1 to 64 of them', () => {
    for (const id of ['a', '1', 'A-.', 'x'.repeat(64)]) expect(isId(id), id).to.equal(true);
    for (const id of ['', 'a_b', 'a/b', 'a b', 'é', 'x'.repeat(65), 'a\n']) expect(isId(id), id).to.equal(false);
  });
});
