/** Worlds of resources that know each other, made from a seed, and everything that ever happened to them. */
import type { Resource, StoredVersion } from '../../src/ports/resource-store.ts';
import { type Current, type Json, PARAMETERS } from './naive-search.ts';
import { openPolicyStore, type PolicyStore, type PolicyStoreOptions, ROOT } from './policy-store.ts';

export interface Version {
  readonly type: string;
  readonly id: string;
  readonly versionId: number;
  readonly lastUpdated: number;
  /** Absent: the version that says deleted. */
  readonly resource?: Json;
}

export interface World {
  readonly store: PolicyStore;
  /** In the order in which they were made. */
  readonly versions: readonly Version[];
  readonly current: readonly Current[];
  stop(): Promise<void>;
}

/** Ids are the same for every type, so that a key that forgets the type is found out. */
export const IDS = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'] as const;
const PATIENTS = ['n1', 'n2', 'n3', 'n4', 'n5'] as const;
export const SYSTEM = 'http://example.org/codes';
export const CODES = ['alpha', 'beta', 'gamma'] as const;
export const STATUSES = ['active', 'final', 'finished', 'in-progress', 'requested', 'completed', 'cancelled'] as const;
export const NAMES = ['Adams', 'Adler', 'Brown', 'Baker', 'Clark'] as const;
export const DATES = [
  '2026-05-14',
  '2026-05-16',
  '2026-05-16T11:59:59Z',
  '2026-05-16T13:00:00Z',
  '2026-05-17',
  '2026-06-01',
  '2026-06-14T08:00:00Z',
] as const;
export const LABELS = ['R', 'PSY', 'L', 'N'] as const;

type Random = (below: number) => number;

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Makes resources of each type that know only ids of `IDS`; not all valid in every rule of R4, as the store takes them. */
export function createMaker(random: Random) {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const chance = (percent: number): boolean => random(100) < percent;
  const ref = (...types: readonly string[]) => {
    const type = pick(types);
    const path = `${type}/${pick(type === 'Patient' ? PATIENTS : IDS.slice(0, 4))}`;
    return { reference: chance(7) ? `http://mortar.test/fhir/R4/${path}` : path };
  };
  const some = <T>(make: () => T, max = 2): T[] => Array.from({ length: 1 + random(max) }, make);
  const code = () => ({ coding: [{ ...(chance(70) && { system: SYSTEM }), code: pick(CODES) }] });
  const maybe = <T>(percent: number, name: string, make: () => T): Record<string, T> =>
    chance(percent) ? { [name]: make() } : {};
  const subject = () => maybe(92, 'subject', () => ref(...(chance(90) ? ['Patient'] : ['Group'])));
  const name = () => [{ family: pick(NAMES), given: [pick(NAMES)] }];
  const byPerson = () => ref('Practitioner', 'Practitioner', 'Patient');

  /** A rule of a Consent, mostly narrow, with some words that nobody understands. */
  const provision = (depth: number, typed: number): Json => ({
    ...maybe(typed, 'type', () => pick(['deny', 'permit'])),
    ...maybe(40, 'actor', () =>
      some(() => ({
        role: { coding: [{ code: chance(95) ? 'PRCP' : 'AUT' }] },
        reference: ref(
          'Practitioner',
          'Practitioner',
          'Organization',
          'Organization',
          'PractitionerRole',
          pick(['Group', 'Device']),
        ),
      })),
    ),
    ...maybe(20, 'purpose', () => [
      {
        system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason',
        code: pick(['TREAT', 'HRESCH', 'ETREAT', 'UNHEARD']),
      },
    ]),
    ...maybe(50, 'class', () =>
      some(() => ({
        system: chance(93) ? 'http://hl7.org/fhir/resource-types' : 'urn:x',
        code: pick(['Observation', 'Encounter', 'MedicationRequest', 'Task', 'Patient', 'DocumentReference', 'Binary']),
      })),
    ),
    ...maybe(20, 'securityLabel', () => some(() => ({ code: pick(['R', 'N', 'PSY', 'L', 'V']) }))),
    ...maybe(20, 'data', () =>
      some(() => ({
        meaning: pick(['instance', 'instance', 'dependents', 'related']),
        reference: { reference: `${pick(['Observation', 'Encounter', 'Task', 'Binary'])}/${pick(IDS)}` },
      })),
    ),
    ...maybe(12, 'action', () => [{ coding: [{ code: pick(['access', 'access', 'collect', 'sell']) }] }]),
    ...maybe(8, 'code', () => [{ text: 'something' }]),
    ...maybe(20, 'period', () =>
      pick([{ start: '2026-06-01' }, { end: '2026-05-01' }, { start: '2026-06-15', end: '2026-06-15' }]),
    ),
    ...(depth > 0 ? maybe(35, 'provision', () => some(() => provision(depth - 1, 95), 3)) : {}),
  });

  /** One that the order contains, and at times another that it contains and does not name. */
  const requesterInside = (): Json => {
    const inside = (id: string): Json => ({ resourceType: 'Practitioner', id, name: name() });
    return { contained: chance(50) ? [inside('r'), inside('s')] : [inside('r')], requester: { reference: '#r' } };
  };
  const MAKE: Readonly<Record<string, () => Json>> = {
    Patient: () => ({
      ...maybe(60, 'managingOrganization', () => ref('Organization')),
      ...maybe(40, 'generalPractitioner', () => some(() => ref('Organization', 'Practitioner', 'PractitionerRole'))),
      ...maybe(30, 'link', () => [{ other: ref('Patient'), type: 'seealso' }]),
      name: name(),
      gender: pick(['male', 'female']),
      ...maybe(80, 'birthDate', () => pick(['1960-01-01', '1980-05-05', '2001'])),
    }),
    Observation: () => ({
      status: pick(['final', 'preliminary']),
      code: code(),
      category: [code()],
      ...subject(),
      ...maybe(50, 'performer', () => some(byPerson)),
      ...maybe(30, 'encounter', () => ref('Encounter')),
      ...maybe(20, 'focus', () => [ref('Patient', 'Observation')]),
      ...maybe(20, 'device', () => ref('Device')),
      ...maybe(30, 'hasMember', () => some(() => ref('Observation'))),
      ...maybe(80, 'effectiveDateTime', () => pick(DATES)),
    }),
    Condition: () => ({
      ...subject(),
      code: code(),
      category: [code()],
      ...maybe(40, 'asserter', byPerson),
      ...maybe(30, 'encounter', () => ref('Encounter')),
      ...maybe(60, 'onsetDateTime', () => pick(DATES)),
    }),
    Encounter: () => ({
      status: pick(['finished', 'finished', 'in-progress', 'planned', 'cancelled', 'arrived']),
      class: { code: 'AMB' },
      ...subject(),
      ...maybe(60, 'participant', () => some(() => ({ individual: ref('Practitioner', 'PractitionerRole') }))),
      ...maybe(60, 'serviceProvider', () => ref('Organization')),
      ...maybe(85, 'period', () => {
        const start = pick(DATES.slice(0, 4));
        const end = pick(DATES);
        return pick([{ start, end }, { start, end }, { start }, { end }]);
      }),
    }),
    CareTeam: () => ({
      status: pick(['active', 'inactive']),
      ...subject(),
      participant: some(() => ({ member: ref('Practitioner', 'Organization', 'Patient') })),
    }),
    Task: () => ({
      status: pick(['requested', 'in-progress', 'completed']),
      intent: 'order',
      ...maybe(90, 'for', () => ref('Patient')),
      ...maybe(80, 'owner', () => ref('Organization', 'Practitioner')),
      ...maybe(20, 'requester', () => ref('Practitioner', 'Patient')),
      ...maybe(50, 'focus', () => ref('MedicationRequest')),
      ...maybe(60, 'authoredOn', () => pick(DATES)),
    }),
    MedicationRequest: () => ({
      status: pick(['active', 'completed']),
      intent: pick(['order', 'proposal']),
      ...subject(),
      medicationCodeableConcept: code(),
      ...(chance(60) ? requesterInside() : maybe(60, 'requester', () => ref('Practitioner'))),
      ...maybe(60, 'dispenseRequest', () => ({ performer: ref('Organization') })),
      ...maybe(80, 'authoredOn', () => pick(DATES)),
    }),
    MedicationDispense: () => ({
      status: pick(['completed', 'in-progress']),
      ...subject(),
      ...maybe(70, 'performer', () => [{ actor: ref('Organization', 'Practitioner') }]),
      ...maybe(60, 'authorizingPrescription', () => some(() => ref('MedicationRequest'))),
      ...maybe(60, 'whenHandedOver', () => pick(DATES)),
    }),
    Appointment: () => ({
      status: pick(['booked', 'cancelled']),
      participant: some(() => ({ actor: ref('Patient', 'Patient', 'Practitioner'), status: 'accepted' }), 3),
      ...maybe(80, 'start', () => pick(['2026-06-14T08:00:00Z', '2026-07-01T09:00:00Z'])),
      ...maybe(30, 'slot', () => [ref('Slot')]),
    }),
    Device: () => ({
      status: pick(['active', 'inactive']),
      ...maybe(60, 'patient', () => ref('Patient')),
      ...maybe(30, 'owner', () => ref('Organization')),
    }),
    Group: () => ({
      type: pick(['person', 'device']),
      actual: true,
      member: some(() => ({ entity: ref('Patient', 'Patient', 'Device') }), 3),
    }),
    List: () => ({
      status: pick(['current', 'retired']),
      mode: 'working',
      ...subject(),
      ...maybe(50, 'source', byPerson),
      entry: some(() => ({ item: ref('Observation', 'Condition', 'MedicationRequest') }), 3),
    }),
    Provenance: () => ({
      target: some(() => ref('Observation', 'Patient', 'MedicationRequest')),
      recorded: pick(['2026-06-14T08:00:00Z', '2026-06-01T10:00:00Z']),
      agent: [{ who: byPerson() }],
    }),
    DocumentReference: () => ({
      status: pick(['current', 'superseded']),
      ...subject(),
      ...maybe(50, 'author', () => some(byPerson)),
      content: [{ attachment: { url: `Binary/${pick(IDS)}` } }],
    }),
    DiagnosticReport: () => ({
      status: pick(['final', 'preliminary']),
      code: code(),
      ...subject(),
      ...maybe(80, 'result', () => some(() => ref('Observation'), 3)),
      ...maybe(30, 'encounter', () => ref('Encounter')),
      ...maybe(30, 'presentedForm', () => [{ url: `Binary/${pick(IDS)}` }]),
    }),
    Schedule: () => ({ actor: [ref('Practitioner', 'Location')] }),
    Slot: () => ({
      schedule: ref('Schedule'),
      status: pick(['free', 'busy']),
      start: pick(['2026-06-14T08:00:00Z', '2026-07-01T09:00:00Z']),
      end: '2026-07-01T10:00:00Z',
    }),
    AllergyIntolerance: () => ({ patient: ref('Patient'), code: code(), ...maybe(50, 'recorder', byPerson) }),
    Flag: () => ({
      status: pick(['active', 'inactive']),
      code: code(),
      subject: ref('Patient'),
      ...maybe(40, 'author', byPerson),
    }),
    Consent: () => ({
      status: pick(['active', 'active', 'active', 'inactive']),
      ...maybe(90, 'scope', () => ({ coding: [{ code: pick(['patient-privacy', 'patient-privacy', 'research']) }] })),
      ...maybe(90, 'patient', () => ref('Patient')),
      ...maybe(25, 'policyRule', () => ({ coding: [{ code: pick(['OPTIN', 'OPTOUT']) }] })),
      ...maybe(90, 'provision', () => provision(2, 80)),
    }),
    QuestionnaireResponse: () => ({
      status: pick(['completed', 'in-progress']),
      ...subject(),
      ...maybe(50, 'author', byPerson),
    }),
    Communication: () => ({
      status: pick(['completed', 'in-progress']),
      ...maybe(50, 'category', () => [
        {
          coding: [{ system: pick([NOTICE, NOTICE, 'urn:letters']), code: 'ready' }],
        },
      ]),
      ...subject(),
      ...maybe(50, 'sender', byPerson),
      ...maybe(50, 'recipient', () => some(byPerson)),
    }),
    RelatedPerson: () => ({ patient: ref('Patient'), name: name() }),
    Basic: () => ({ code: code(), ...maybe(70, 'subject', () => ref('Patient')) }),
    AuditEvent: () => ({
      type: { code: 'rest' },
      recorded: pick(['2026-06-14T08:00:00Z', '2026-06-01T10:00:00Z']),
      entity: some(() => ({ what: ref('Patient', 'Observation') })),
    }),
    Organization: () => ({ name: pick(NAMES), ...maybe(40, 'partOf', () => ref('Organization')) }),
    Practitioner: () => ({ name: name() }),
    PractitionerRole: () => ({ practitioner: ref('Practitioner'), organization: ref('Organization') }),
    Location: () => ({
      name: pick(NAMES),
      ...maybe(50, 'managingOrganization', () => ref('Organization')),
      ...maybe(80, 'position', () => {
        const [latitude, longitude] = pick(PLACES);
        return { latitude, longitude };
      }),
    }),
    Library: () => ({ status: 'active', type: code() }),
    Binary: () => ({
      contentType: 'text/plain',
      data: 'AAAA',
      ...maybe(50, 'securityContext', () => ref('Patient', 'Patient', 'Observation', 'Organization')),
    }),
  };

  return {
    pick,
    chance,
    make(type: string, id: string): Resource {
      const label = chance(15) ? { meta: { security: [{ code: pick(LABELS) }] } } : {};
      const text = chance(50) && hasNarrative(type) ? { text: narrative(some(() => pick(WORDS), 4)) } : {};
      return { resourceType: type, id, ...label, ...text, ...MAKE[type]?.() };
    },
  };
}

/** What the workflows tell people is of this system. */
const NOTICE = 'https://mortar-fhir.org/CodeSystem/communication-category';

/** Leeds, York (36 km from there), London (273 km); Suva and Apia on both sides of 180° (1,146 km), and a pole. */
export const PLACES: readonly (readonly [latitude: number, longitude: number])[] = [
  [53.7997, -1.5492],
  [53.96, -1.0873],
  [51.5072, -0.1276],
  [-18.1248, 178.4501],
  [-13.8507, -171.7514],
  [90, 0],
];

/** What narratives are made of; the same word with marks, in capitals and with a further syllable. */
export const WORDS = ['bone', 'liver', 'Liver', 'Mäß', 'mass', 'lively', 'clear'];

const hasNarrative = (type: string): boolean => type !== 'Binary';

const narrative = (words: readonly string[]): Json => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml"><p>${words.join(' <b>and</b> ')}</p></div>`,
});

/** Fills a store with some hundred resources, moves some of them from one patient to another and deletes some. */
export async function createWorld(seed: number, options: PolicyStoreOptions = {}): Promise<World> {
  const store = await openPolicyStore(options);
  const random = createRandom(seed);
  const { pick, chance, make } = createMaker(random);
  const types = Object.keys(PARAMETERS);
  const versions: Version[] = [];
  const keep = ({ type, id, versionId, lastUpdated, content }: StoredVersion): void => {
    const resource = content === '' ? {} : { resource: JSON.parse(content) as Json };
    versions.push({ type, id, versionId, lastUpdated, ...resource });
  };
  const put = async (type: string, id: string): Promise<void> => {
    const before = versions.findLast((v) => v.type === type && v.id === id)?.versionId ?? 0;
    const version = await store.put(make(type, id));
    if (version.versionId > before) keep(version);
  };
  for (const id of IDS)
    for (const type of types)
      if (chance(['Patient', 'Organization', 'Practitioner', 'Encounter', 'Observation'].includes(type) ? 95 : 70))
        await put(type, id);
  for (let i = 0; i < 70; i++) {
    const type = pick(chance(50) ? types : ['Observation', 'Encounter', 'MedicationRequest', 'Patient', 'Task']);
    const id = pick(IDS);
    const last = versions.findLast((v) => v.type === type && v.id === id);
    if (last?.resource && chance(30)) {
      store.clock.pass(1000);
      const deleted = await store.store.delete(ROOT, type, id);
      if (deleted) keep(deleted.version);
    } else await put(type, id);
  }
  store.clock.pass(1000);
  const last = new Map(versions.map((version) => [`${version.type}/${version.id}`, version]));
  const current = [...last.values()].flatMap(({ type, id, lastUpdated, resource }) =>
    resource ? [{ type, id, lastUpdated, resource }] : [],
  );
  return { store, versions, current, stop: store.stop };
}
