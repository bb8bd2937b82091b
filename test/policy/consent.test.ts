/** What Consents say, read as rules. SECURITY FA-06 */
import { expect } from 'chai';
import { consentRules } from '../../src/policy/consent.ts';

const reader = {
  localOf: (reference: string) => (/^[A-Z]\w+\/\w+$/.test(reference) ? reference : undefined),
  isType: (code: string) => ['Observation', 'Patient'].includes(code),
};
const consent = (provision: unknown, more: object = {}) => ({
  resourceType: 'Consent',
  status: 'active',
  scope: { coding: [{ code: 'patient-privacy' }] },
  patient: { reference: 'Patient/p' },
  provision,
  ...more,
});
const rulesOf = (provision: unknown, more: object = {}) => consentRules(consent(provision, more), reader);
const nested = (depth: number): object => ({ type: 'deny', ...(depth > 0 && { provision: [nested(depth - 1)] }) });

describe('policy › Consents', () => {
  it('[FA-06] nothing is read from Consents that are not in force, of nobody or about something else', () => {
    const provision = { type: 'deny' };
    for (const status of ['draft', 'proposed', 'rejected', 'inactive', 'entered-in-error', undefined])
      expect(rulesOf(provision, { status }), status).to.deep.equal([]);
    for (const scope of [undefined, {}, { coding: [{ code: 'research' }] }, { text: 'patient-privacy' }])
      expect(rulesOf(provision, { scope })).to.deep.equal([]);
    expect(rulesOf(provision, { patient: undefined })).to.deep.equal([]);
    expect(rulesOf(undefined)).to.deep.equal([]);
    expect(rulesOf({ period: { start: '2026' } }), 'a frame around nothing').to.deep.equal([]);
  });

  it('[FA-06] whatever has another shape than R4 says denies no less and permits nothing', () => {
    const wrong: readonly object[] = [
      ...['x', 1, null, {}, ['x'], [{}], [null]].map((actor) => ({ actor })),
      ...['x', [{ code: 1 }], [{ code: 'TREAT' }]].map((purpose) => ({ purpose })),
      ...[[{ code: 'Observation' }], [{ system: 'http://hl7.org/fhir/resource-types', code: 'Unheard' }]].map((c) => ({
        class: c,
      })),
      ...['x', [{}]].map((data) => ({ data })),
      ...['x', [{ coding: [] }], [{ text: 'use' }]].map((action) => ({ action })),
      { period: { start: 'yesterday' } },
      { period: { end: 12 } },
      { code: [] },
      { dataPeriod: {} },
      { securityLabel: [{ display: 'secret' }] },
    ];
    for (const narrowing of wrong) {
      const [rule, ...others] = rulesOf({ type: 'deny', ...narrowing });
      expect(others).to.deep.equal([]);
      expect(rule, JSON.stringify(narrowing)).to.deep.include({
        effect: 'deny',
        actions: 7,
        from: -8.64e15,
        until: 8.64e15,
      });
      for (const list of ['actors', 'purposes', 'types', 'labels', 'resources'])
        expect(rule, JSON.stringify(narrowing)).to.not.have.property(list);
      expect(rulesOf({ type: 'permit', ...narrowing }), JSON.stringify(narrowing)).to.deep.equal([]);
    }
  });

  it('[FA-06] provisions are exceptions of those around them, and say no more than those were understood to', () => {
    const rules = rulesOf({
      type: 'deny',
      provision: [
        { type: 'permit', actor: [{ reference: { reference: 'Practitioner/1' } }], provision: [{ type: 'deny' }] },
        { type: 'permit', code: [{ text: '?' }], provision: [{ type: 'permit' }, { type: 'deny' }] },
      ],
    });
    expect(rules.map(({ effect, ancestors }) => `${effect} ${ancestors.join('.')}`)).to.deep.equal([
      'deny ',
      'permit 0',
      'deny 0.1',
      'neutral 0',
      'neutral 0.3',
      'deny 0.3',
    ]);
  });

  it('[FA-06] nobody’s consent opens what law has sealed', () => {
    const labels = (...codes: string[]) =>
      rulesOf({ type: 'permit', securityLabel: codes.map((code) => ({ code })) })[0]?.labels;
    expect(labels('L', '_LEGAL')).to.deep.equal([]);
    expect(labels('V', 'L', 'PSY')).to.deep.equal(['U', 'M', 'N', 'R', 'V', 'PSY']);
  });

  it('[FA-06] a Consent with more provisions than are read denies everything, if it denies', () => {
    expect(rulesOf(nested(299))).to.have.length(300);
    const wide = (type: string) => ({ type, provision: Array.from({ length: 301 }, () => ({ type })) });
    expect(rulesOf(nested(300))).to.have.length(1);
    expect(rulesOf(wide('deny')).map(({ effect }) => effect)).to.deep.equal(['deny']);
    expect(rulesOf(wide('permit'))).to.deep.equal([]);
  });
});
