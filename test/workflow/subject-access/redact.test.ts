/** What is cut from single resources, and what stays. SECURITY DP-03 */
import { expect } from 'chai';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { createTransform } from '../../../src/standards/fhir/transform.ts';
import { redact } from '../../../src/workflow/subject-access/redact.ts';
import type { Subject } from '../../../src/workflow/subject-access/reference-target.ts';
import { testDefinitions } from '../../support/definitions.ts';

const subject: Subject = {
  selves: new Set(['Patient/p']),
  identifiers: new Set(['urn:n|1']),
  baseUrl: 'http://mortar.test/fhir/R4',
  isOwn: (reference) => reference === 'Observation/own',
};
const own = { reference: 'Patient/p' };
const other = { reference: 'Patient/q', display: 'Planted' };
const div = (words: string) => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml">${words}</div>`,
});

describe('workflow › subject access › redact', () => {
  const transform = createTransform(testDefinitions());
  const cut = (resource: object): Record<string, unknown> =>
    redact(transform, resource as Resource, subject) as unknown as Record<string, unknown>; // something is left

  const history = {
    resourceType: 'FamilyMemberHistory',
    id: 'f',
    status: 'completed',
    patient: own,
    text: div('Planted'),
    relationship: { text: 'mother' },
    name: 'Planted',
    bornDate: '1950-01-02',
    note: [{ text: 'Planted' }],
    condition: [
      { code: { text: 'asthma' }, note: [{ text: 'Planted' }], extension: [{ url: 'urn:x', valueString: 'Planted' }] },
    ],
  };
  const historyLeft = {
    resourceType: 'FamilyMemberHistory',
    id: 'f',
    status: 'completed',
    patient: own,
    relationship: { text: 'mother' },
    condition: [{ code: { text: 'asthma' } }],
  };

  it('[DP-03] a relative’s history keeps relationship and conditions only: by itself, contained, and in a Bundle', () => {
    expect(cut(history)).deep.equal(historyLeft);
    const condition = { resourceType: 'Condition', id: 'c', subject: own, code: { text: 'kept' } };
    expect(cut({ ...condition, contained: [history] })).deep.equal({ ...condition, contained: [historyLeft] });
    const bundle = { resourceType: 'Bundle', id: 'b', type: 'collection' };
    expect(
      cut({ ...bundle, entry: [{ fullUrl: 'urn:uuid:1', resource: { ...condition, contained: [history] } }] }),
    ).deep.equal({
      ...bundle,
      entry: [{ fullUrl: 'urn:uuid:1', resource: { ...condition, contained: [historyLeft] } }],
    });
  });

  it('[DP-03] a contained Patient who is the patient goes without their contacts, and a contained relative is not named', () => {
    const me = { resourceType: 'Patient', id: 'me', identifier: [{ system: 'urn:n', value: '1' }] };
    const relative = {
      resourceType: 'RelatedPerson',
      id: 'r',
      identifier: [{ system: 'urn:n', value: '1' }],
      patient: own,
    };
    expect(
      cut({
        resourceType: 'Condition',
        id: 'c',
        subject: own,
        contained: [
          { ...me, contact: [{ relationship: [{ text: 'mother' }], name: { family: 'Planted' } }] },
          { ...relative, name: [{ family: 'Planted' }] },
        ],
      }),
    ).deep.equal({
      resourceType: 'Condition',
      id: 'c',
      subject: own,
      contained: [
        { ...me, contact: [{ relationship: [{ text: 'mother' }] }] },
        { resourceType: 'RelatedPerson', id: 'r', patient: own },
      ],
    });
  });

  it('[DP-03] what a resource holds about another patient alone goes, with the names given to it', () => {
    const code = { coding: [{ system: 'urn:c', code: 'planted' }] };
    const about = (id: string, who: object) => ({
      resourceType: 'Observation',
      id,
      status: 'final',
      code,
      subject: who,
    });
    const left = cut({
      resourceType: 'DiagnosticReport',
      id: 'd',
      status: 'final',
      code: { coding: [{ system: 'urn:c', code: 'kept' }] },
      subject: own,
      contained: [
        { resourceType: 'Patient', id: 'x', name: [{ family: 'Planted' }] },
        about('o', other),
        about('y', { reference: '#x' }),
      ],
      result: [
        { reference: '#o', display: 'Planted' },
        { reference: '#y', display: 'Planted' },
      ],
    });
    expect(JSON.stringify(left))
      .match(/"kept"/)
      .and.not.match(/planted|contained|#/i);
    const bundle = { resourceType: 'Bundle', id: 'b', type: 'collection' };
    expect(
      cut({
        ...bundle,
        entry: [
          { fullUrl: 'urn:uuid:1', resource: about('o', other) },
          { fullUrl: 'urn:uuid:2', resource: about('p', own) },
        ],
      })['entry'],
    ).deep.equal([{ fullUrl: 'urn:uuid:2', resource: { ...about('p', own) } }]);
  });

  it('[DP-03] a reference to something contained is kept without the words beside it', () => {
    const left = cut({
      resourceType: 'Condition',
      id: 'c',
      subject: own,
      contained: [history],
      evidence: [{ detail: [{ reference: '#f', display: 'Planted' }] }],
    });
    expect(left['evidence']).deep.equal([{ detail: [{ reference: '#f' }] }]);
  });

  it('[DP-03] a narrative goes where anything of its resource was cut', () => {
    const text = div('Planted');
    const observation = { resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'kept' }, subject: own };
    for (const resource of [
      { resourceType: 'Patient', id: 'p', text, contact: [{ name: { family: 'Planted' } }] },
      { resourceType: 'Patient', id: 'p', text, link: [{ other, type: 'seealso' }] },
      { ...observation, text, performer: [{ reference: 'RelatedPerson/r', display: 'Planted' }] },
      { ...observation, text, performer: [{ display: 'Planted' }] },
      { ...observation, text, hasMember: [{ reference: 'Observation/own', display: 'Planted' }] },
      { ...observation, text, note: [{ text: 'kept', extension: [{ url: 'urn:x', valueReference: other }] }] },
      { ...observation, text, contained: [{ resourceType: 'RelatedPerson', id: 'r', patient: own }] },
      // In what it contains, however deep.
      { ...observation, text, contained: [{ ...observation, id: 'i', text, performer: [{ display: 'Planted' }] }] },
      { resourceType: 'Parameters', parameter: [{ name: 'x', resource: { ...observation, text, focus: [other] } }] },
    ])
      expect(JSON.stringify(cut(resource)), JSON.stringify(resource)).not.match(/Planted|"text":\{/);
  });

  it('[DP-03] a narrative stays where nothing was cut, also beside one that goes', () => {
    const observation = { resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'x' }, subject: own };
    const plain = {
      ...observation,
      text: div('kept'),
      performer: [{ display: 'Dr Kept', reference: 'Practitioner/1' }],
      hasMember: [{ reference: 'Observation/own' }],
      contained: [{ ...observation, id: 'i', text: div('kept') }],
    };
    expect(cut(plain)).deep.equal(plain);
    const entries = [plain, { ...plain, text: div('Planted'), performer: [{ display: 'Planted' }] }];
    const bundle = cut({
      resourceType: 'Bundle',
      id: 'b',
      type: 'collection',
      entry: entries.map((resource) => ({ resource })),
    });
    expect((bundle['entry'] as { resource: object }[]).map(({ resource }) => 'text' in resource)).deep.equal([
      true,
      false,
    ]);
  });

  it('[DP-03] sections of a Composition keep their words one by one', () => {
    const left = cut({
      resourceType: 'Composition',
      id: 'c',
      status: 'final',
      type: { text: 'x' },
      date: '2026-01-01',
      title: 'x',
      subject: own,
      author: [{ reference: 'Practitioner/1' }],
      text: div('Planted'),
      section: [
        { title: 'one', text: div('kept'), entry: [{ reference: 'Observation/own' }] },
        { title: 'two', text: div('Planted'), entry: [{ reference: 'RelatedPerson/r' }] },
        {
          title: 'three',
          text: div('Planted'),
          section: [
            { title: 'four', text: div('kept') },
            { title: 'five', text: div('Planted'), focus: { reference: 'RelatedPerson/r' } },
          ],
        },
      ],
    });
    expect(JSON.stringify(left).match(/kept|Planted/g)).deep.equal(['kept', 'kept']);
    expect(left).not.have.property('text');
  });
});
