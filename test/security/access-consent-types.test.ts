/** SECURITY FA-06, CP-22: Consents about what R4 has in no compartment, about Binaries and about stored Bundles. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, person } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { BASE_URL, openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const ref = (reference: string) => ({ reference });
const P = ref('Patient/p');
const Q = ref('Patient/q');
const type = (code: string) => ({ system: 'http://hl7.org/fhir/resource-types', code });
const consent = (provision: object | undefined, more: object = {}): Resource => privacyConsent('p', provision, more);
const ofTypes = (...codes: readonly string[]): object => ({ type: 'deny', class: codes.map(type) });

const binary = (id: string, context?: string): Resource => ({
  resourceType: 'Binary',
  id,
  contentType: 'text/plain',
  data: 'AAAA',
  ...(context !== undefined && { securityContext: ref(context) }),
});
const bundle = (id: string, ...entries: readonly object[]): Resource => ({
  resourceType: 'Bundle',
  id,
  type: 'document',
  entry: entries.map((resource) => ({ resource })),
});
const composition = (subject: object) => ({ resourceType: 'Composition', status: 'final', subject });

/** What is about the patient `p` in one way or another. */
const OF_P: readonly Resource[] = [
  { resourceType: 'Contract', id: 'subject', subject: [P] },
  { resourceType: 'Contract', id: 'signer', signer: [{ party: P }] },
  { resourceType: 'Device', id: 'x', patient: P },
  { resourceType: 'GuidanceResponse', id: 'x', moduleUri: 'urn:x', status: 'success', subject: P },
  {
    resourceType: 'Linkage',
    id: 'x',
    item: [
      { type: 'source', resource: P },
      { type: 'alternate', resource: P },
    ],
  },
  { resourceType: 'MessageHeader', id: 'x', eventUri: 'urn:x', focus: [P], source: { endpoint: 'urn:x' } },
  { resourceType: 'Task', id: 'for', status: 'requested', intent: 'order', for: P },
  { resourceType: 'Task', id: 'focus', status: 'requested', intent: 'order', focus: P },
  { resourceType: 'Task', id: 'requester', status: 'requested', intent: 'order', for: Q, requester: P },
  { resourceType: 'VerificationResult', id: 'x', status: 'attested', target: [P] },
  binary('patient', 'Patient/p'),
  binary('observation', 'Observation/o'),
  binary('attached'),
  bundle('subject', composition(P)),
  bundle('whole', composition(ref(`${BASE_URL}/Patient/p`))),
  bundle('version', composition(ref('Patient/p/_history/3'))),
  bundle('entry', composition(ref('urn:uuid:1')), { resourceType: 'Patient', id: 'p' }),
];
/** And what is not, or of nobody. */
const OTHERS: readonly Resource[] = [
  { resourceType: 'Contract', id: 'other', subject: [Q] },
  { resourceType: 'Device', id: 'other' },
  { resourceType: 'GuidanceResponse', id: 'other', moduleUri: 'urn:x', status: 'success', subject: Q },
  { resourceType: 'Task', id: 'other', status: 'requested', intent: 'order', for: Q },
  binary('of-nobody'),
  binary('other', 'Patient/q'),
  binary('shared', 'Organization/o1'),
  binary('attached-other'),
  bundle('other', composition(Q), { resourceType: 'Patient', id: 'q' }),
  bundle('longer', composition(ref('Patient/p-2'))),
];
const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`;

describe('access › Consents about types of no compartment', () => {
  let world: PolicyStore;
  let base: string;
  let now: Caller = ROOT;
  const program = client('system/*.crs');
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async () => now);
    const file = (id: string, subject: object, url: string): Resource => ({
      resourceType: 'DocumentReference',
      id,
      status: 'current',
      subject,
      content: [{ attachment: { url } }],
    });
    for (const id of ['p', 'q'])
      await world.put({ resourceType: 'Patient', id, managingOrganization: ref('Organization/o1') });
    await world.put({ resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'x' }, subject: P });
    await world.put({ resourceType: 'Condition', id: 'o', subject: P });
    await world.put(file('p', P, 'Binary/attached'));
    await world.put(file('q', Q, 'Binary/attached-other'));
    for (const resource of [...OF_P, ...OTHERS]) await world.put(resource);
  });
  after(() => world.stop());
  beforeEach(() => world.put(consent(undefined)));

  /** Those that are read, which must be those that are found. */
  const seen = async (caller: Caller, resources: readonly Resource[]): Promise<readonly string[]> => {
    now = caller;
    const read: string[] = [];
    const found: string[] = [];
    for (const resource of resources) {
      const name = nameOf(resource);
      if ((await fetch(`${base}/${name}`)).status === 200) read.push(name);
      const page = await fetch(`${base}/${resource.resourceType}?_id=${resource['id']}&_total=accurate`);
      if (((await page.json()) as { total: number }).total === 1) found.push(name);
    }
    expect(found).to.deep.equal(read);
    return read;
  };

  it('[FA-06] [CP-22] a denial keeps from programs all that names the patient, and nothing else', async () => {
    const all = [...OF_P, ...OTHERS];
    expect(await seen(program, all)).to.deep.equal(all.map(nameOf));
    await world.put(consent({ type: 'deny' }));
    expect(await seen(program, OF_P)).to.deep.equal([]);
    expect(await seen(program, OTHERS)).to.deep.equal(OTHERS.map(nameOf));
    for (const caller of [client('system/*.cruds'), ROOT])
      expect(await seen(caller, all), caller.name).to.deep.equal(all.map(nameOf));
  });

  const of = (name: string): readonly string[] => OF_P.map(nameOf).filter((one) => one.startsWith(`${name}/`));
  const NARROW: readonly (readonly [what: string, provision: object, hidden: readonly string[]])[] = [
    ['Contracts', ofTypes('Contract'), [...of('Contract'), ...of('Bundle')]],
    ['Binaries', ofTypes('Binary'), [...of('Binary'), ...of('Bundle')]],
    ['documents, with what they point to', ofTypes('DocumentReference'), ['Binary/attached', ...of('Bundle')]],
    [
      'Observations, with what they are the context of',
      ofTypes('Observation'),
      ['Binary/observation', ...of('Bundle')],
    ],
    [
      'one Binary by name',
      { type: 'deny', data: [{ meaning: 'instance', reference: ref('Binary/attached') }] },
      ['Binary/attached', ...of('Bundle')],
    ],
    ['collecting', { type: 'deny', action: [{ coding: [{ code: 'collect' }] }] }, []],
    [
      'everything but Bundles, as a whole, and Contracts',
      {
        type: 'deny',
        provision: [{ type: 'permit', class: [type('Bundle'), type('Contract')] }],
      },
      OF_P.map(nameOf).filter((name) => !/^(Bundle|Contract)/.test(name)),
    ],
  ];
  for (const [what, provision, hidden] of NARROW)
    it(`[FA-06] [CP-22] a denial of ${what}`, async () => {
      await world.put(consent(provision));
      const expected = OF_P.map(nameOf).filter((name) => !hidden.includes(name));
      expect(await seen(program, OF_P)).to.deep.equal(expected);
    });

  it('[FA-06] [CP-22] people see a Binary with a document that they see, and not with one that is denied', async () => {
    const doctor = person('DOCTOR', { practitioner: 'd1', organizations: ['o1'] });
    const both = [binary('attached'), binary('patient')];
    expect(await seen(doctor, both)).to.deep.equal(both.map(nameOf));
    await world.put(consent(ofTypes('DocumentReference')));
    expect(await seen(doctor, both)).to.deep.equal(['Binary/patient']);
    await world.put(consent({ type: 'deny' }));
    expect(await seen(doctor, both)).to.deep.equal([]);
    await world.put(consent(ofTypes('Binary')));
    expect(await seen(doctor, both), 'by their own type').to.deep.equal([]);
  });

  it('[FA-06] [CP-22] of a Binary in a context of another type nobody knows whose it is: programs do not see it', async () => {
    const odd = [
      binary('condition', 'Condition/o'),
      binary('task', `${BASE_URL}/Task/for`),
      binary('gone', 'Immunization/never-was'),
      { ...binary('empty'), securityContext: { display: 'x' } },
    ];
    for (const resource of odd) await world.put(resource);
    expect(await seen(program, odd)).to.deep.equal([]);
    expect(await seen(client('system/*.cruds'), odd)).to.deep.equal(odd.map(nameOf));
  });

  it('[FA-06] a program changes none of these that it may not read', async () => {
    const writer = client('system/*.crus');
    const put = async (resource: Resource): Promise<number> => {
      now = writer;
      const headers = { 'content-type': 'application/fhir+json' };
      return (await fetch(`${base}/${nameOf(resource)}`, { method: 'PUT', headers, body: JSON.stringify(resource) }))
        .status;
    };
    const some = ['Contract/subject', 'Linkage/x', 'Binary/attached', 'GuidanceResponse/x'];
    const chosen = OF_P.filter((resource) => some.includes(nameOf(resource)));
    expect(chosen).to.have.length(some.length);
    for (const resource of chosen) expect(await put(resource), nameOf(resource)).to.equal(200);
    await world.put(consent({ type: 'deny' }));
    for (const resource of chosen) expect(await put(resource), nameOf(resource)).to.equal(403);
  });

  it('[FA-06] a permission opens nothing that only mentions its patient', async () => {
    const actor = { role: { coding: [{ code: 'PRCP' }] }, reference: ref('RelatedPerson/rp') };
    const proxy = { relatedPersonId: 'rp', patientId: 'q', from: 0, until: Number.POSITIVE_INFINITY };
    const parent = person('PATIENT', { proxies: [proxy] });
    const tasks = [...OF_P, ...OTHERS].filter(({ resourceType }) => resourceType === 'Task');
    await world.put(consent({ type: 'permit', actor: [actor] }));
    expect(await seen(parent, tasks), 'by the requester').to.deep.equal([]);
    await world.put(consent({ type: 'permit', actor: [actor] }, { patient: Q }));
    expect(await seen(parent, tasks)).to.deep.equal(['Task/requester', 'Task/other']);
  });
});
