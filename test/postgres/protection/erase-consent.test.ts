import { expect } from 'chai';
import { consentRules } from '../../../src/policy/consent.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { eraseReferences, type Gone } from '../../../src/postgres/protection/erase-references.ts';
import { person } from '../../support/callers.ts';
import { privacyConsent } from '../../support/consents.ts';
import { ROOT } from '../../support/policy-store.ts';
import { openProtectionWorld, type ProtectionWorld } from './world.ts';

const actor = (reference: string, role = 'PRCP') => ({ role: { coding: [{ code: role }] }, reference: { reference } });
const data = (reference: string, meaning = 'instance') => ({ meaning, reference: { reference } });
const GONE = 'Patient/gone';
const consentOf = (provision: object | undefined, extra: object = {}): Resource =>
  privacyConsent('stays', provision, { policyRule: { coding: [{ code: 'OPTIN' }] }, ...extra });
const OUT = { policyRule: { coding: [{ code: 'OPTOUT' }] } };
const localOf = (reference: string): string | undefined =>
  /^[A-Z][a-zA-Z]+\/[a-z0-9-]+$/.test(reference) ? reference : undefined;
const gone: Gone = {
  isGone: (link) => link === GONE || link === 'RelatedPerson/gone',
  isTheirs: () => false,
  isOwn: () => false,
  localOf,
  referringTo: (reference) => (reference === GONE ? ['Observation/seen'] : []),
};
const erased = { display: 'erased' };

describe('protection › what is erased, in the Consents of others', () => {
  for (const [title, before, after, extra] of [
    [
      'an actor goes from a list of several',
      { type: 'deny', actor: [actor(GONE), actor('Practitioner/d')] },
      { type: 'deny', actor: [actor('Practitioner/d')] },
    ],
    ['a denial of one actor goes with the actor', { type: 'deny', actor: [actor(GONE)] }, undefined],
    ['so does one of a relative', { type: 'deny', actor: [actor('RelatedPerson/gone')] }, undefined],
    ['a permission of one actor goes with the actor', { type: 'permit', actor: [actor(GONE)] }, undefined, OUT],
    ['a provision without a type as well', { actor: [actor(GONE)] }, undefined],
    ['a denial of one resource goes with the resource', { type: 'deny', data: [data(GONE)] }, undefined],
    [
      'a resource goes from a list of several',
      { type: 'deny', data: [data(GONE), data('Observation/o')] },
      { type: 'deny', data: [data('Observation/o')] },
    ],
    [
      'what was denied as it referred to them is denied by its name',
      { type: 'deny', data: [data(GONE, 'authoredby'), data('Observation/o')] },
      { type: 'deny', data: [data('Observation/seen'), data('Observation/o')] },
    ],
    ['unless there is none', { type: 'deny', data: [data('RelatedPerson/gone', 'dependents')] }, undefined],
    [
      'what was not permitted as it is read from texts is not permitted now',
      { type: 'permit', data: [data(GONE, 'dependents')] },
      { type: 'permit', data: [{ meaning: 'dependents', reference: erased }] },
      OUT,
    ],
    [
      'exceptions below go with it, and those beside stay',
      {
        type: 'permit',
        provision: [
          { type: 'deny', actor: [actor(GONE)], provision: [{ type: 'permit', class: [{ code: 'Condition' }] }] },
          { type: 'deny', actor: [actor('Practitioner/d')] },
        ],
      },
      { type: 'permit', provision: [{ type: 'deny', actor: [actor('Practitioner/d')] }] },
    ],
    [
      'a frame stays without its only exception',
      { type: 'permit', provision: [{ type: 'deny', actor: [actor(GONE)] }] },
      { type: 'permit' },
    ],
    [
      'an actor who only says where data come from narrowed nothing, and does not now',
      { type: 'deny', actor: [actor(GONE, 'AUT')] },
      { type: 'deny', actor: [{ role: { coding: [{ code: 'AUT' }] }, reference: erased }] },
    ],
  ] as readonly (readonly [string, object, object | undefined, object?])[])
    it(`[DP-04] [FA-06] ${title}`, () => {
      const given = consentOf(before, extra);
      const left = eraseReferences(given, gone);
      expect(left).to.deep.equal(consentOf(after, extra));
      // To others it means the same: no rule is wider than one that was there.
      const rulesOf = (consent: Resource) => consentRules(consent, { localOf, isType: () => true });
      const wide = (consent: Resource): string[] =>
        rulesOf(consent)
          .filter(({ actors, resources, effect }) => effect !== 'neutral' && !actors && !resources)
          .map(({ effect }) => effect);
      expect(wide(left)).to.deep.equal(wide(given));
    });

  it('[DP-04] one that names nothing that is gone is the very same', () => {
    const given = consentOf({ type: 'deny', actor: [actor('Practitioner/d')], data: [data('Observation/o')] });
    expect(eraseReferences(given, gone)).to.equal(given);
  });

  describe('in the store', () => {
    let world: ProtectionWorld;
    const DOCTOR = person('DOCTOR', { practitioner: 'd', organizations: ['o'] });
    const may = (caller: Caller, type: string, id: string): Promise<boolean> =>
      world.store.read(caller, type, id).then(
        () => true,
        () => false,
      );
    before(async () => {
      world = await openProtectionWorld();
      const at = { managingOrganization: { reference: 'Organization/o' } };
      await world.put({ resourceType: 'Organization', id: 'o' });
      await world.put({ resourceType: 'Patient', id: 'gone' });
      await world.put({ resourceType: 'Patient', id: 'stays', ...at });
      for (const [id, extra] of [
        ['seen', { performer: [{ reference: GONE }] }],
        ['other', {}],
      ] as const)
        await world.put({
          resourceType: 'Observation',
          id,
          status: 'final',
          code: { text: 'x' },
          subject: { reference: 'Patient/stays' },
          ...extra,
        });
      await world.put(consentOf({ type: 'deny', actor: [actor(GONE)] }));
      await world.put(consentOf({ type: 'deny', data: [data(GONE)] }, { id: 'c2' }));
      await world.put(consentOf({ type: 'deny', data: [data(GONE, 'authoredby')] }, { id: 'c3' }));
      await world.sql(
        "update mortar.consent_rule set by_patient = true where resources is null and actors = '{Patient/gone}'",
      );
      await world.put(consentOf({ type: 'deny', actor: [actor(GONE), actor('Practitioner/x')] }, { id: 'c4' }));
      await world.sql(
        `update mortar.consent_rule r set by_patient = true from fhir.consent c where c.rid = r.consent and c.id = 'c4'`,
      );
    });
    after(() => world.stop());

    it('[DP-04] [FA-06] [FA-09] others may what they might before, no more and no less, by the same word', async () => {
      const all = async (): Promise<boolean[]> => [
        await may(DOCTOR, 'Patient', 'stays'),
        await may(DOCTOR, 'Observation', 'other'),
        await may(DOCTOR, 'Observation', 'seen'),
      ];
      expect(await all()).to.deep.equal([true, true, false]);
      await world.store.removal.remove(['gone']);
      expect(await all()).to.deep.equal([true, true, false]);
      expect(
        await world.sql(`select c.id, r.effect, r.actors, r.resources, r.by_patient from mortar.consent_rule r
join fhir.consent c on c.rid = r.consent order by c.id`),
      ).to.deep.equal([
        // The other Consents referred to them as well.
        ['c3', 'D', null, ['Consent/c', 'Consent/c2', 'Consent/c4', 'Observation/seen'], false],
        ['c4', 'D', ['Practitioner/x'], null, true],
      ]);
      for (const id of ['c', 'c2', 'c3', 'c4'])
        for (const version of [1, 2])
          expect((await world.store.vread(ROOT, 'Consent', id, version)).content).not.to.contain(GONE);
    });
  });
});
