import { expect } from 'chai';
import { codes, messages, one, plain, refuse } from './parse-fixtures.ts';

describe('search › chain', () => {
  it('subject:Patient.name=peter', () => {
    expect(plain(one('DiagnosticReport', 'subject:Patient.name=peter'))).to.deep.equal({
      kind: 'chain',
      parameter: 'DiagnosticReport.subject',
      branches: [{ type: 'Patient', condition: { kind: 'string', parameter: 'Patient.name', values: ['peter'] } }],
    });
  });
  it('subject.name=peter: every target that has the parameter', () => {
    const { branches } = plain(one('DiagnosticReport', 'subject.name=peter')) as { branches: { type: string }[] };
    expect(branches.map((b) => b.type)).to.deep.equal(['Location', 'Patient']);
  });
  it('leads through several links and may carry a modifier', () => {
    const found = JSON.stringify(plain(one('Observation', 'patient.general-practitioner:Practitioner.name:exact=a')));
    expect(found)
      .to.include('"kind":"chain","parameter":"Patient.general-practitioner"')
      .and.include('"modifier":"exact"');
  });
  it('at most 4 links', () => {
    expect(one('Observation', `${'has-member:Observation.'.repeat(4)}code=a`).kind).to.equal('chain');
    expect(codes('Observation', `${'has-member:Observation.'.repeat(5)}code=a`)).to.deep.equal(['too-costly']);
  });
  it('that fans out without end is refused', () => {
    expect(codes('Provenance', 'target.target.target.target._id=1')).to.deep.equal(['too-costly']);
  });
  for (const [query, message] of [
    ['gender.name=a', 'it cannot be chained'],
    ['patient:Group.name=a', 'cannot refer to Group'],
    ['patient:Nothing.name=a', 'cannot refer to Nothing'],
    ['patient.nmae=a', "No target of 'patient' has a parameter 'nmae'; did you mean name?"],
    ['patient.=a', "No target of 'patient' has a parameter ''"],
    ['.name=a', "Unknown parameter '' for"],
    ['patient:Patient:x.name=a', 'has more than one modifier'],
    ['patient.birthdate=x', 'is not a date'],
  ] as const)
    it(`${query}: ${message}`, () => {
      const type = query.startsWith('gender') ? 'Patient' : 'Observation';
      expect(messages(type, query)[0]).to.include(message);
    });
});

describe('search › _list', () => {
  const inList = (...ids: string[]) => ({
    kind: 'has',
    type: 'List',
    parameter: 'List.item',
    condition: { kind: 'id', ids },
  });
  it('_list=42,43: what an entry of one of them names', () => {
    expect(plain(one('Patient', '_list=42,43'))).to.deep.equal(inList('42', '43'));
  });
  it('goes along a chain', () => {
    const found = plain(one('Observation', 'patient._list=42')) as { branches: unknown[] };
    expect(found.branches).to.deep.equal([{ type: 'Patient', condition: inList('42') }]);
  });
  it('takes no modifier, no URL and no list of another type', () => {
    expect(messages('Patient', '_list=List/42')[0]).to.include('the id of a List');
    expect(messages('Patient', '_list=')[0]).to.include('the id of a List');
    expect(messages('Patient', '_list=$current-allergies')[0]).to.include('list of AllergyIntolerance, not of Patient');
    expect(messages('Patient', '_list:not=42')[0]).to.include('Unknown parameter');
  });
});

describe('search › _has', () => {
  it('_has:Observation:patient:code=1234-5', () => {
    expect(plain(one('Patient', '_has:Observation:patient:code=1234-5'))).to.deep.equal({
      kind: 'has',
      type: 'Observation',
      parameter: 'Observation.patient',
      condition: { kind: 'token', parameter: 'Observation.code', values: [{ code: '1234-5' }] },
    });
  });
  it('nests', () => {
    expect(plain(one('Patient', '_has:Observation:patient:_has:AuditEvent:entity:agent=MyUserId'))).to.deep.equal({
      kind: 'has',
      type: 'Observation',
      parameter: 'Observation.patient',
      condition: {
        kind: 'has',
        type: 'AuditEvent',
        parameter: 'AuditEvent.entity',
        condition: { kind: 'reference', parameter: 'AuditEvent.agent', values: [{ id: 'MyUserId' }] },
      },
    });
  });
  it('behind a chain, and a chain behind it', () => {
    expect(one('Encounter', 'patient._has:Group:member:_id=102').kind).to.equal('chain');
    const has = one('Patient', '_has:Observation:patient:performer:Practitioner.name=x');
    expect(has.kind === 'has' && has.condition.kind).to.equal('chain');
  });
  it('carries a modifier', () => {
    const has = one('Patient', '_has:Observation:patient:code:not=x');
    expect(has.kind === 'has' && has.condition).to.include({ kind: 'token', modifier: 'not' });
  });
  it('at most 3 deep', () => {
    const nest = (depth: number): string => '_has:Observation:has-member:'.repeat(depth);
    expect(one('Observation', `${nest(3)}code=a`).kind).to.equal('has');
    expect(codes('Observation', `${nest(4)}code=a`)).to.deep.equal(['too-costly']);
  });
  for (const query of [
    '_has=x',
    '_has:Observation=x',
    '_has:Observation:patient=x',
    '_has:Nothing:a:b=x',
    '_has:Observation:code:code=x',
    '_has:Observation:encounter:code=x',
    '_has:Observation:patient:nothing=x',
    '_has:::=x',
  ])
    it(`${query} is refused`, () => expect(refuse('Patient', query).status).to.equal(400));
});
