import { expect } from 'chai';
import type { Caller } from '../../../src/ports/caller.ts';
import type { ResourceStore, SearchPage } from '../../../src/ports/resource-store.ts';
import { auditedStore } from '../../../src/postgres/audit/audited-store.ts';
import { openTrail, type TrailView } from '../../../src/postgres/audit/trail.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import type { SearchParameter } from '../../../src/standards/fhir/search/parameter.ts';
import { parseSearch } from '../../../src/standards/fhir/search/parse.ts';
import type { SearchRequest } from '../../../src/standards/fhir/search/request.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../support/definitions.ts';
import {
  type AuditedDatabase,
  doctor,
  observation,
  openAuditedDatabase,
  parameters,
  patient,
} from './audited-database.ts';

const admin: Caller = {
  ...doctor,
  correlationId: 'admin-1',
  user: { ...doctor.user!, id: 'user-9', name: 'Ann Ash', roles: ['ADMIN'], fhirUser: 'Practitioner/p9' },
};
const stranger: Caller = { ...admin, name: 'stranger' };

interface Event {
  readonly id: string;
  readonly recorded: string;
  readonly action: string;
  readonly outcome: string;
  readonly subtype: readonly { readonly code: string }[];
  readonly entity?: readonly { readonly what?: { readonly reference?: string } }[];
}

describe('audit › AuditEvents by FHIR', () => {
  let db: AuditedDatabase;
  let store: ResourceStore;
  let view: TrailView;
  let clock = Date.UTC(2026, 4, 1, 9);
  const start = clock;
  before(async () => {
    db = await openAuditedDatabase({ now: () => (clock += 1000) });
    view = await openTrail({
      pools: db.pools,
      trail: db.trail,
      cipher: db.cipher,
      server: { name: 'Mortar', baseUrl: 'http://test.example/fhir/R4' },
      pageSizeDefault: 20,
      dateParameter: parameters.get('AuditEvent')?.parameters.get('date') as SearchParameter,
      mayRead: (caller) => caller.name !== 'stranger',
      now: () => (clock += 1),
    });
    store = auditedStore(db.store, db.trail, view.events);
    for (const id of ['a', 'b', 'c']) await store.update(doctor, 'Patient', id, () => patient());
    await store.update(doctor, 'Observation', 'o', () => observation('a'));
    await store.read(doctor, 'Observation', 'o');
    await store.search(doctor, { ...parse('Patient', ''), applied: [['family', 'Oak']] });
    await store.read(doctor, 'Patient', 'nobody').catch(() => undefined);
    await store.delete(doctor, 'Patient', 'c');
    for (const [id, at] of [
      ['x', start + 2500],
      ['y', start + 5500],
    ] as const)
      await store.update(doctor, 'AuditEvent', id, () => ({
        resourceType: 'AuditEvent',
        type: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110110' },
        recorded: new Date(at).toISOString(),
        agent: [{ requestor: true }],
        source: { observer: { display: 'Ward' } },
      }));
  });
  after(() => db.stop());

  const parse = (type: string, query: string): SearchRequest =>
    parseSearch({
      definitions: testDefinitions(),
      parameters,
      type,
      query,
      handling: 'strict',
      baseUrl: 'http://test.example/fhir/R4',
    });
  const search = (query: string, caller = admin): Promise<SearchPage> =>
    store.search(caller, parse('AuditEvent', query));
  const events = (page: SearchPage): Event[] => page.matches.map(({ content }) => JSON.parse(content) as Event);
  const kinds = (page: SearchPage): string[] =>
    events(page).map((event) => event.subtype?.map(({ code }) => code).join('+') ?? event.id);

  it('[AU-02] are valid, newest first, merged with those that clients have stored', async () => {
    const page = await search('_count=50');
    const validate = createValidator(testDefinitions());
    for (const { content } of page.matches)
      expect(validate(JSON.parse(content), 'AuditEvent').filter(({ severity }) => severity === 'error')).deep.equal([]);
    const all = events(page);
    expect(all.map(({ recorded }) => recorded)).deep.equal(
      all
        .map(({ recorded }) => recorded)
        .toSorted()
        .toReversed(),
    );
    expect(all.filter(({ id }) => id === 'x' || id === 'y')).length(2);
    expect(
      kinds(page).filter((kind) => kind === 'search-type'),
      'one for each patient',
    ).length(3);
    expect(page.total).equal(all.length);
    expect(page.next).equal(undefined);
  });

  it('[AU-02] pages show each once, whatever their size, in both directions', async () => {
    for (const order of ['', '&_sort=date', '&_sort=_lastUpdated'])
      for (const count of [1, 2, 7]) {
        const whole = events(await search(`_count=200${order}`)).map(({ id }) => id);
        const seen: string[] = [];
        let cursor: string | undefined;
        for (let n = 0; n < 300; n++) {
          const page = await store.search(admin, {
            ...parse('AuditEvent', `_count=${count}${order}`),
            ...(cursor && { cursor }),
          });
          expect(page.matches.length).at.most(count);
          seen.push(...events(page).map(({ id }) => id));
          cursor = page.next;
          if (cursor === undefined) break;
        }
        expect(new Set(seen).size, `each once, ${count}${order}`).equal(seen.length);
        expect(
          seen.filter((id) => whole.includes(id)),
          `${count}${order}`,
        ).deep.equal(whole);
      }
  });

  const SEARCHES: readonly (readonly [query: string, check: (page: SearchPage) => void])[] = [
    ['patient=Patient/a&subtype=read', (page) => expect(kinds(page)).deep.equal(['read'])],
    ['patient=b', (page) => expect(kinds(page)).deep.equal(['search-type', 'update'])],
    ['action=D', (page) => expect(kinds(page)).deep.equal(['delete'])],
    ['outcome=4', (page) => expect(events(page).map(({ outcome }) => outcome)).deep.equal(['4'])],
    ['outcome:not=0&subtype=read', (page) => expect(kinds(page)).deep.equal(['read'])],
    ['agent=Practitioner/p1&action=C', (page) => expect(kinds(page)).deep.equal([])],
    ['agent=Practitioner/p1&subtype=delete', (page) => expect(kinds(page)).deep.equal(['delete'])],
    ['agent=Practitioner/p2', (page) => expect(kinds(page)).deep.equal([])],
    ['entity=Observation/o', (page) => expect(kinds(page)).deep.equal(['read', 'update'])],
    [
      'type=http://terminology.hl7.org/CodeSystem/audit-event-type|rest&action=E',
      (page) => expect(kinds(page)).deep.equal(['search-type', 'search-type', 'search-type']),
    ],
    ['type=110110', (page) => expect(events(page).map(({ id }) => id)).deep.equal(['y', 'x'])],
    [
      `date=lt${new Date(start + 2000).toISOString().replace('.000', '')}`,
      (page) => expect(kinds(page).length).lessThan(3),
    ],
    ['date=gt2027', (page) => expect(kinds(page)).deep.equal([])],
  ];
  for (const [query, check] of SEARCHES)
    it(`[AU-02] ${query}`, async () => {
      const page = await search(query);
      check(page);
      const counted = await search(`${query}&_summary=count`);
      expect(counted.total, '_summary=count').equal(page.matches.length);
    });

  it('[AU-02] one is read by its id, also as a version, and has one version', async () => {
    const [first] = events(await search('subtype=search-type'));
    const id = first?.id as string;
    const version = await store.read(admin, 'AuditEvent', id);
    expect(JSON.parse(version.content)).deep.equal(first);
    expect((await store.vread(admin, 'AuditEvent', id, 1)).content).equal(version.content);
    expect((await store.history(admin, { type: 'AuditEvent', id, count: 5 })).versions).length(1);
    expect(events(await search(`_id=${id}`))).deep.equal([first]);
  });

  it('[AU-13] reading the trail is in the trail', async () => {
    const before = (await search('type=110101&_summary=count')).total ?? 0;
    await search('action=D');
    expect((await search('type=110101&_summary=count')).total ?? 0).greaterThan(before);
  });

  it('[AU-13] who may not read the trail finds what clients have stored, and nothing else', async () => {
    const [first] = events(await search('subtype=delete'));
    expect(
      events(await search('', stranger))
        .map(({ id }) => id)
        .toSorted(),
    ).deep.equal(['x', 'y']);
    const refused = await store.read(stranger, 'AuditEvent', first?.id as string).catch((error: unknown) => error);
    expect(refused).instanceOf(FhirError).property('status', 404);
  });

  it('[AU-10] nobody changes or deletes an AuditEvent of the trail', async () => {
    const [first] = events(await search('subtype=delete'));
    const id = first?.id as string;
    for (const work of [
      () => store.update(admin, 'AuditEvent', id, () => ({ resourceType: 'AuditEvent' })),
      () => store.delete(admin, 'AuditEvent', id),
      () => store.transaction(admin, (tx) => tx.write([{ kind: 'delete', type: 'AuditEvent', id }])),
    ])
      expect(await work().catch((error: unknown) => error))
        .instanceOf(FhirError)
        .property('status', 409);
  });

  it('[AU-02] what the trail cannot be searched by finds stored ones only, and says so', async () => {
    const page = await search('site=ward');
    expect(page.matches).length(0);
    expect(page.issues[0]?.diagnostics).include('site');
  });

  it('[AU-13] a patient learns who looked at their record: name, role, organization, time, purpose', async () => {
    const { visits, next } = await view.entriesOfPatient('b', 50);
    expect(next).equal(undefined);
    expect(visits.map(({ at: _at, ...visit }) => visit)).deep.equal(
      ['E', 'U'].map((action) => ({
        action,
        name: 'Dr. Ada Elm',
        roles: ['DOCTOR'],
        organizationIds: ['org-1'],
        purpose: 'TREAT',
      })),
    );
    const first = await view.entriesOfPatient('b', 1);
    const second = await view.entriesOfPatient('b', 1, first.next);
    expect([...first.visits, ...second.visits]).deep.equal(visits);
  });
});
