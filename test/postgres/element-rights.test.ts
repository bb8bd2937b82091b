/** SECURITY AZ-04: what a role does not see of a resource it neither gets nor finds out by asking. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { ResourceStore, StoredVersion } from '../../src/ports/resource-store.ts';
import { withElementRights } from '../../src/postgres/element-rights.ts';
import type { SystemSearchRequest } from '../../src/standards/fhir/search/request.ts';
import { person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, parametersOfAll, parseQuery, ROOT } from '../support/policy-store.ts';

describe('access › elements of a resource', () => {
  let world: PolicyStore;
  let store: ResourceStore;
  const receptionist = person('RECEPTIONIST', { organizations: ['o'] });
  const both = person(['RECEPTIONIST', 'DOCTOR'], { organizations: ['o'] });
  const ORDER = {
    resourceType: 'MedicationRequest',
    id: 'order',
    status: 'active',
    _status: { extension: [{ url: 'http://example.org/x', valueCode: 'y' }] },
    intent: 'order',
    medicationCodeableConcept: { text: 'Sertraline 50mg tablets' },
    subject: { reference: 'Patient/p' },
    authoredOn: '2026-06-01',
    reasonCode: [{ coding: [{ system: 'http://snomed.info/sct', code: '35489007' }] }],
    note: [{ text: 'low mood' }],
    encounter: { reference: 'Encounter/e' },
    text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">low mood</div>' },
  };
  before(async () => {
    world = await openPolicyStore({ parameters: parametersOfAll });
    store = withElementRights(world.store, world.policy, parametersOfAll);
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o' } });
    await world.put(ORDER);
  });
  after(() => world.stop());

  const contentOf = (version: StoredVersion | undefined): Record<string, unknown> =>
    JSON.parse(version?.content ?? '{}');
  const SEEN = [
    'resourceType',
    'id',
    'meta',
    'status',
    '_status',
    'intent',
    'medicationCodeableConcept',
    'subject',
    'authoredOn',
  ];

  const WAYS: readonly [string, (caller: Caller) => Promise<StoredVersion | undefined>][] = [
    ['read', (caller) => store.read(caller, 'MedicationRequest', 'order')],
    ['vread', (caller) => store.vread(caller, 'MedicationRequest', 'order', 1)],
    [
      'search',
      async (caller) => (await store.search(caller, parseQuery('MedicationRequest', 'status=active'))).matches[0],
    ],
    [
      '_revinclude',
      async (caller) =>
        (await store.search(caller, parseQuery('Patient', '_revinclude=MedicationRequest:subject'))).included[0],
    ],
    [
      'history',
      async (caller) => (await store.history(caller, { type: 'MedicationRequest', id: 'order', count: 5 })).versions[0],
    ],
    ['a read in a transaction', (caller) => store.transaction(caller, (tx) => tx.read('MedicationRequest', 'order'))],
    [
      'a search in a transaction',
      (caller) =>
        store.transaction(caller, async (tx) => (await tx.search(parseQuery('MedicationRequest', ''))).matches[0]),
    ],
  ];
  for (const [title, ask] of WAYS)
    it(`[AZ-04] ${title} shows a receptionist the items and the status, and nothing of why`, async () => {
      const seen = contentOf(await ask(receptionist));
      expect(Object.keys(seen)).have.members(SEEN);
      expect(JSON.stringify(seen)).not.match(/low mood|35489007|Encounter/);
      expect((seen['meta'] as { tag: { code: string }[] }).tag.map(({ code }) => code)).deep.equal(['SUBSETTED']);
    });

  it('[AZ-04] [CP-07] words find for who sees all of it', async () => {
    for (const query of ['_text=mood', '_content=sertraline -nowhere']) {
      const { matches } = await store.search(both, parseQuery('MedicationRequest', query));
      expect(
        matches.map(({ id }) => id),
        query,
      ).deep.equal(['order']);
    }
  });

  it('[AZ-04] who is a doctor besides sees all of it, as does the system', async () => {
    for (const caller of [both, ROOT])
      expect(contentOf(await store.read(caller, 'MedicationRequest', 'order'))).include.keys(
        'note',
        'reasonCode',
        'text',
      );
  });

  const HIDDEN = [
    ['MedicationRequest', 'encounter=Encounter/e'],
    ['MedicationRequest', 'encounter=Encounter/none'],
    ['MedicationRequest', 'encounter:missing=true'],
    ['MedicationRequest', 'encounter.status=finished'],
    ['MedicationRequest', '_sort=priority'],
    ['MedicationRequest', '_text=mood'],
    ['MedicationRequest', '_text=nowhere'],
    ['MedicationRequest', 'status=active&_content=mood'],
    ['Patient', '_has:MedicationRequest:subject:_text=mood'],
    ['Patient', '_has:MedicationRequest:subject:_content=mood'],
    ['MedicationRequest', '_filter=status eq active or encounter re Encounter/e'],
    ['MedicationRequest', '_filter=not(encounter.status eq finished)'],
    ['Patient', '_filter=_has:MedicationRequest:subject:encounter re Encounter/e or gender eq male'],
    ['MedicationRequest', '_include=MedicationRequest:encounter'],
    ['MedicationRequest', '_include=*'],
    ['Patient', '_has:MedicationRequest:subject:encounter=Encounter/e'],
    ['Patient', '_revinclude=MedicationRequest:requester'],
  ] as const;
  for (const [type, query] of HIDDEN)
    it(`[AZ-04] ${type}?${query} is refused, whatever there is`, async () => {
      for (const ask of [
        () => store.search(receptionist, parseQuery(type, query)),
        () => store.transaction(receptionist, (tx) => tx.search(parseQuery(type, query))),
      ]) {
        const status = await ask().then(
          () => 200,
          (error: { status?: number }) => error.status,
        );
        expect(status).equal(403);
      }
    });

  it('[AZ-04] what refers to somebody, whatever it is, is without what is not shown whole', async () => {
    const referring = async (caller: Caller): Promise<readonly string[]> =>
      (await store.search(caller, parseQuery('Patient', '_revinclude=*'))).included.map(({ id }) => id);
    expect(await referring(both)).deep.equal(['order']);
    expect(await referring(receptionist)).deep.equal([]);
  });

  for (const query of [
    'status=active',
    'subject=Patient/p',
    'authoredon=ge2026',
    'status:missing=false',
    '_sort=-authoredon',
  ])
    it(`[AZ-04] ?${query} looks at what is shown, and finds`, async () => {
      const { matches } = await store.search(receptionist, parseQuery('MedicationRequest', query));
      expect(matches.map(({ id }) => id)).deep.equal(['order']);
    });

  it('[AZ-04] a search over types, in a transaction as outside, shows and asks no more', async () => {
    const over = (query: string, isNamed: boolean): SystemSearchRequest => {
      const { type: _type, contained: _contained, conditions, ...rest } = parseQuery('MedicationRequest', query);
      return { ...rest, sort: [], parts: [{ type: 'MedicationRequest', conditions }], isNamed };
    };
    for (const ask of [
      (request: SystemSearchRequest) => store.searchSystem(receptionist, request),
      (request: SystemSearchRequest) => store.transaction(receptionist, (tx) => tx.searchSystem(request)),
    ]) {
      const { matches } = await ask(over('status=active', true));
      expect(matches.map(({ id }) => id)).deep.equal(['order']);
      expect(matches[0]?.content).include('SUBSETTED').and.not.include('note');
      expect((await ask(over('encounter=Encounter/e', false))).matches).deep.equal([]);
      const status = await ask(over('encounter=Encounter/e', true)).then(
        () => 200,
        (error: { status?: number }) => error.status,
      );
      expect(status).equal(403);
    }
  });
});
