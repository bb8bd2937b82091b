import { expect } from 'chai';
import { codes, messages, one, parse, plain, refuse } from './parse-fixtures.ts';

describe('search › control parameters', () => {
  it('_id is a list of ids', () => {
    expect(one('Patient', '_id=a,b')).to.deep.equal({ kind: 'id', ids: ['a', 'b'] });
    expect(codes('Patient', '_id=a b')).to.deep.equal(['value']);
  });
  it('_sort=status,-date,category', () => {
    const { sort } = parse('Observation', '_sort=status,-date,_lastUpdated,-_id');
    expect(sort.map((k) => [typeof k.by === 'string' ? k.by : k.by.code, k.descending])).to.deep.equal([
      ['status', false],
      ['date', true],
      ['_lastUpdated', false],
      ['_id', true],
    ]);
    for (const value of ['', '-', 'date,date', 'date,-date', 'nothing', 'code-value-quantity', '--date'])
      expect(refuse('Observation', [['_sort', value]]).status, value).to.equal(400);
  });
  it('_count: never more than the limit; 0 is _summary=count', () => {
    expect(parse('Patient', '_count=20').count).to.equal(20);
    expect(parse('Patient', '_count=100000').count).to.equal(100);
    expect(parse('Patient', '_count=0')).to.include({ count: 0, total: 'accurate', summary: 'count' });
    expect(parse('Patient', '_summary=count')).to.include({ count: 0, total: 'accurate', summary: 'count' });
    for (const value of ['', '-1', 'a', '1.5', '1e3', '9'.repeat(20)])
      expect(codes('Patient', [['_count', value]])).to.deep.equal(['value']);
  });
  it('_total, _summary, _elements, _offset, _cursor', () => {
    const found = parse(
      'Patient',
      '_total=accurate&_summary=text&_elements=name,deceased,deceasedBoolean&_offset=40&_cursor=abc',
    );
    expect(found).to.deep.include({ total: 'accurate', summary: 'text', offset: 40, cursor: 'abc' });
    expect(found.elements).to.deep.equal(['name', 'deceased', 'deceasedBoolean']);
    expect(found.applied.map(([name]) => name)).to.not.include('_cursor');
    for (const query of ['_total=all', '_summary=yes', '_elements=nmae', '_offset=x', '_cursor='])
      expect(refuse('Patient', query).status, query).to.equal(400);
  });
  it('each once (IN-11)', () => {
    for (const name of ['_count', '_sort', '_total', '_summary', '_elements', '_offset', '_cursor'])
      expect(messages('Patient', `${name}=1&${name}=2`).at(-1)).to.equal(`'${name}' may be given only once`);
  });
  it('_format and _pretty have no effect on what is found', () => {
    expect(parse('Patient', '_format=json&_pretty=true')).to.deep.include({ conditions: [], applied: [], ignored: [] });
  });
});

describe('search › _include and _revinclude', () => {
  for (const [query, include] of [
    [
      '_include=MedicationRequest:patient',
      { source: 'MedicationRequest', parameter: 'MedicationRequest.patient', iterate: false },
    ],
    [
      '_include=MedicationRequest:requester:Practitioner',
      { source: 'MedicationRequest', parameter: 'MedicationRequest.requester', iterate: false, target: 'Practitioner' },
    ],
    [
      '_include:iterate=Patient:general-practitioner',
      { source: 'Patient', parameter: 'Patient.general-practitioner', iterate: true },
    ],
    ['_include=*', { source: 'MedicationRequest', iterate: false }],
    ['_include=MedicationRequest:*', { source: 'MedicationRequest', iterate: false }],
    ['_revinclude=Provenance:target', { source: 'Provenance', parameter: 'Provenance.target', iterate: false }],
    ['_revinclude:iterate=Provenance:target', { source: 'Provenance', parameter: 'Provenance.target', iterate: true }],
  ] as const)
    it(query, () => {
      const { includes, revincludes } = parse('MedicationRequest', query);
      expect(plain(query.startsWith('_include') ? includes : revincludes)).to.deep.equal([include]);
    });
  for (const query of [
    '_include=',
    '_include=patient',
    '_include=Nothing:patient',
    '_include=MedicationRequest:status',
    '_include=MedicationRequest:patient:Group',
    '_include=MedicationRequest:patient:Nothing',
    '_include=MedicationRequest:patient:Patient:x',
    '_include:all=MedicationRequest:patient',
    '_include:iterate:x=Patient:link',
    '_revinclude:iterate=*',
    '_revinclude=Encounter:location',
    '_include=MedicationRequest:ptient',
  ])
    it(`${query} is refused`, () => expect(refuse('MedicationRequest', query).status).to.equal(400));
  it('_revinclude=* is all types that can refer to it', () => {
    const { revincludes } = parse('MedicationRequest', '_revinclude=*');
    const sources = revincludes.map(({ source }) => source);
    expect(sources).include.members(['MedicationDispense', 'Provenance', 'Task']).and.not.include('Patient');
    expect(revincludes.every(({ parameter, iterate, isOfAll }) => !parameter && !iterate && isOfAll)).equal(true);
  });
  it('at most 20', () => {
    expect(codes('Patient', `${'_revinclude=*&'.repeat(21)}`)).to.deep.equal(['too-costly']);
    const query = (n: number) => Array(n).fill('_revinclude=Provenance:target').join('&');
    expect(parse('Patient', query(20)).revincludes).to.have.length(20);
    expect(codes('Patient', query(21))).to.deep.equal(['too-costly']);
  });
});
