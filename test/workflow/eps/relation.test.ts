/** In whose name a message to the Spine speaks, and whose records its sender may see. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Caller } from '../../../src/ports/caller.ts';
import { criteriaOf as criteriaIn } from '../../../src/rest/criteria.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { type CheckRelation, createCheckPatients, createCheckRelation } from '../../../src/workflow/eps/relation.ts';
import { client, person, scopesOf } from '../../support/callers.ts';
import {
  cancellation,
  claim,
  newPrescription,
  nominatedRelease,
  notification,
  OTHER_PHARMACY,
  order,
  PHARMACY,
  patientRelease,
  returnTask,
  type V3Document,
  withdrawTask,
} from '../../support/eps-messages.ts';
import { openPolicyStore, type PolicyStore } from '../../support/policy-store.ts';

const at = Date.parse('2026-11-17T09:00:00Z');
const NHS_NUMBER = '9990000034';
const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code';

/** A system that its certificate names as that organisation. */
const partner = (organizationId: string): Caller => ({
  kind: 'partner',
  name: `endpoint-${organizationId}`,
  correlationId: 'test',
  scopes: scopesOf('system/*.cruds'),
  otherScopes: [],
  organizationId,
});

describe('workflow › eps › relation', () => {
  let world: PolicyStore;
  let check: CheckRelation;
  before(async () => {
    world = await openPolicyStore();
    const { store, services } = world;
    check = createCheckRelation({ store, criteriaOf: (type, query) => criteriaIn(services, type, query) });
    for (const [id, code] of [
      ['pharmacy', PHARMACY],
      ['other', OTHER_PHARMACY],
      ['surgery', 'Z99911'],
    ] as const)
      await world.put({ resourceType: 'Organization', id, identifier: [{ system: ODS, value: code }], name: id });
  });
  after(() => world.stop());

  const isAllowed = async (caller: Caller, { payload, v3 }: V3Document): Promise<boolean> => {
    try {
      await check(caller, payload, v3);
      return true;
    } catch (error) {
      if (error instanceof FhirError && error.status === 403) return false;
      throw error;
    }
  };

  it('[PK-09] a partner speaks for its own organisation alone, in whichever message', async () => {
    const made = newPrescription();
    const told = { at, status: '0006', items: ['0001', '0001'] };
    for (const message of [
      patientRelease(made, at),
      nominatedRelease(at),
      notification(made, randomUUID(), told),
      claim(made, told),
      returnTask(made, randomUUID(), { at }),
      withdrawTask(made, randomUUID(), { at }),
    ])
      expect([
        await isAllowed(partner('pharmacy'), message),
        await isAllowed(partner('other'), message),
        await isAllowed(partner('gone'), message),
      ]).eql([true, false, false]);
    for (const message of [order(made, { at }), cancellation(made, { at })])
      expect([await isAllowed(partner('surgery'), message), await isAllowed(partner('other'), message)]).eql([
        true,
        false,
      ]);
  });

  it('a program of our own may do what its scopes say', async () => {
    expect(await isAllowed(client('system/*.cruds'), patientRelease(newPrescription(), at))).equal(true);
  });

  it('[AZ-01] whoever may not look at a patient whom we know is told nothing of them by the tracker either', async () => {
    const { store, services } = world;
    const checkPatients = createCheckPatients({
      store,
      criteriaOf: (type, query) => criteriaIn(services, type, query),
    });
    await world.put({
      resourceType: 'Patient',
      id: 'p34',
      identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: NHS_NUMBER }],
      managingOrganization: { reference: 'Organization/surgery' },
    });
    const scopes = 'user/Task.s';
    const [near, far] = [['surgery'], ['other']].map((organizations) =>
      person('PRESCRIBER', { practitioner: 'gp', organizations, scopes }),
    ) as [Caller, Caller];
    await checkPatients(near, [NHS_NUMBER]);
    await checkPatients(far, ['9990548609']);
    const error = await checkPatients(far, ['9990548609', NHS_NUMBER]).catch((e: unknown) => e);
    expect(error).property('status', 403);
  });
});
