/** SECURITY CP-24: all types, so that none is special because nobody thought of it. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { STORED_TYPES } from '../../src/postgres/tables.ts';
import type { Leaf } from '../../src/standards/fhir/search/parameter.ts';
import { patientApp, person } from '../support/callers.ts';
import { testDefinitions } from '../support/definitions.ts';
import { generateResource } from '../support/generate-resource.ts';
import { isPatientType, openPolicyStore, type PolicyStore, parameters, parseQuery } from '../support/policy-store.ts';

/** SECURITY C2, by name; terminology and conformance are those that R4 calls so. */
const SHARED = new Set(
  `Organization Location Practitioner PractitionerRole HealthcareService Medication MedicationKnowledge Substance Endpoint
OrganizationAffiliation ActivityDefinition CapabilityStatement ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap
DeviceDefinition EventDefinition ExampleScenario GraphDefinition ImplementationGuide Library Measure MessageDefinition NamingSystem
ObservationDefinition OperationDefinition PlanDefinition Questionnaire SearchParameter SpecimenDefinition StructureDefinition
StructureMap TerminologyCapabilities ValueSet`.split(/\s+/),
);
/** Times to be booked are seen by who may book them. */
const BOOKING = new Set(['Schedule', 'Slot']);
const { Patient: membership } = testDefinitions().compartments;

/** Sets a reference at the end of a path. */
function setAt(resource: Record<string, unknown>, { steps }: Leaf, value: unknown): void {
  let at = resource;
  steps.forEach(({ name, array }, i) => {
    const last = i === steps.length - 1;
    if (last) {
      at[name] = array ? [value] : value;
      return;
    }
    const known = (array ? (at[name] as unknown[] | undefined)?.[0] : at[name]) as Record<string, unknown> | undefined;
    const inner = known ?? {};
    at[name] = array ? [inner] : inner;
    at = inner;
  });
}

const leavesOf = (type: string, code: string): readonly Leaf[] =>
  parameters
    .get(type)
    ?.parameters.get(code)
    ?.atoms.flatMap((atom) => atom.leaves) ?? [];

/** A resource of the patient, or of nobody where the compartment does not know the type. */
function resourceOf(type: string, id: string, patient: string): Resource {
  const resource = { ...generateResource(testDefinitions(), type, { fill: 'minimal' }), id } as Record<string, unknown>;
  const codes = type === 'Patient' ? [] : (membership[type] ?? []);
  for (const code of codes.slice(0, 1))
    for (const leaf of leavesOf(type, code)) setAt(resource, leaf, { reference: `Patient/${patient}` });
  if (type === 'Device') resource['patient'] = { reference: `Patient/${patient}` };
  return resource as Resource;
}

describe('access › all types', () => {
  let world: PolicyStore;
  const alice = patientApp('type-a', 'patient/*.cruds');
  const nobody = person('DOCTOR', { practitioner: 'x', organizations: ['nowhere'] });
  const clerk = person('STAFF', { organizations: ['nowhere'] });

  before(async function () {
    this.timeout(180_000);
    world = await openPolicyStore();
    for (const type of STORED_TYPES)
      for (const who of ['a', 'b']) {
        const id = type === 'Patient' ? `type-${who}` : `one-${who}`;
        await world.put(resourceOf(type, id, `type-${who}`));
      }
    // Everything that points to anything: a Provenance of each of B's, by which includes would lead to it.
    for (const type of STORED_TYPES) {
      const target = [
        { reference: `${type}/${type === 'Patient' ? 'type-b' : 'one-b'}` },
        { reference: 'Patient/type-a' },
      ];
      const agent = [{ who: { reference: 'Practitioner/one-a' } }];
      await world.put({
        resourceType: 'Provenance',
        id: `points-${type}`,
        target,
        agent,
        recorded: '2026-01-01T00:00:00Z',
      });
    }
  });
  after(() => world.stop());

  const outcome = async (work: () => Promise<readonly string[]>): Promise<readonly string[] | number> =>
    work().catch((error: { status?: number }) => error.status ?? 500);
  const read = (caller: Caller, type: string, id: string) =>
    outcome(async () => [(await world.store.read(caller, type, id)).id]);
  const search = (caller: Caller, type: string) =>
    outcome(async () =>
      (await world.ids(caller, `${type}?_count=200`)).filter((id) => !id.startsWith('points-')).sort(),
    );
  const history = (caller: Caller, type: string) =>
    outcome(async () => {
      const { versions } = await world.store.history(caller, { type, count: 500 });
      return versions
        .map(({ id }) => id)
        .filter((id) => !id.startsWith('points-'))
        .sort();
    });
  const includes = (caller: Caller, type: string) =>
    outcome(async () => {
      const query = `_id=points-${type}&_include=Provenance:target`;
      const page = await world.store.search(caller, parseQuery('Provenance', query));
      return page.included.filter((one) => one.id !== 'type-a').map(({ id }) => id);
    });

  for (const type of STORED_TYPES) {
    const [mine, theirs] = type === 'Patient' ? ['type-a', 'type-b'] : ['one-a', 'one-b'];
    const isShared = SHARED.has(type) || BOOKING.has(type);
    const isOwn = isPatientType(type) || type === 'Device';
    // A Binary is seen with what points to it, which here is nothing (CP-22).
    const isBinary = type === 'Binary';
    const kind = isShared ? 'shared' : isOwn ? 'one’s own only' : 'invisible';
    it(`[CP-24] ${type}: ${kind}`, async () => {
      const seen = isShared ? [mine, theirs].sort() : isOwn ? [mine] : isBinary ? [] : undefined;
      expect(await read(alice, type, mine), 'read').to.deep.equal(isBinary ? 404 : seen ? [mine] : 403);
      expect(await read(alice, type, theirs), 'read of another’s').to.deep.equal(
        isShared ? [theirs] : isOwn || isBinary ? 404 : 403,
      );
      expect(await search(alice, type), 'search').to.deep.equal(seen ?? 403);
      expect(await history(alice, type), 'history').to.deep.equal(seen ?? 403);
      expect(await includes(alice, type), 'include').to.deep.equal(isShared ? [theirs] : []);
    });
    it(`[CP-24] ${type}: staff without a relation`, async () => {
      for (const caller of [nobody, clerk]) {
        const found = await search(caller, type);
        if (isShared) expect(found, 'search').to.deep.equal([mine, theirs].sort());
        else expect(found === 403 ? [] : found, 'search').to.deep.equal([]);
        if (!isShared) expect(await read(caller, type, theirs), 'read').to.be.oneOf([403, 404]);
      }
    });
  }
  it('[CP-24] the types are all that R4 has', () => {
    expect(STORED_TYPES).to.have.length(testDefinitions().resourceTypes.length - 1);
  });
});
