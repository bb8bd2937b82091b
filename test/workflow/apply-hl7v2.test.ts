/** Every kind of HL7 v2 message that is mapped, from its bytes into the store, and again: the second time changes nothing. */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { mapToFhir } from '../../src/mapping/hl7v2/map-to-fhir.ts';
import type { TransactionBundle } from '../../src/mapping/transaction-bundle.ts';
import { criteriaOf as criteriaIn } from '../../src/rest/criteria.ts';
import { kindOf } from '../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../src/standards/hl7v2/parse.ts';
import { type ApplyMessage, createApplyMessage } from '../../src/workflow/apply-message.ts';
import { fixture } from '../standards/hl7v2/samples.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const FIXTURES = new URL('../../fixtures/hl7v2/', import.meta.url);
const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };

describe('workflow › HL7 v2 in the store', () => {
  let world: PolicyStore;
  let apply: ApplyMessage;
  before(async () => {
    world = await openPolicyStore();
    const { store, services, clock } = world;
    const criteriaOf = (type: string, query: string) => criteriaIn(services, type, query);
    apply = createApplyMessage({ ...services, criteriaOf, newId: store.newId, now: clock.now });
  });
  after(() => world.stop());

  async function receive(bundle: TransactionBundle): Promise<readonly string[]> {
    let written: readonly string[] = [];
    const origin = { kind: 'test', sender: { display: 'PAS' }, messageId: world.store.newId() };
    await world.store.transaction(ROOT, (tx) =>
      apply(tx, bundle, origin, async (versions) => {
        written = versions;
      }),
    );
    return written;
  }

  for (const file of readdirSync(FIXTURES).filter((name) => name.endsWith('.hl7'))) {
    const name = file.replace('.hl7', '');
    // A feed of its own without national numbers, so that no message meets what another left.
    const text = fixture(name).toString('latin1').replaceAll('|RXX|', `|${name}|`);
    const bytes = Buffer.from(text.replaceAll(/\d{10}\^\^\^NHS\^NH[^~|]*~/g, ''), 'latin1');
    const message = parseMessage(bytes).value;
    const { value } = message === undefined ? {} : mapToFhir(message, CONTEXT);
    if (message === undefined || value === undefined) continue;
    it(`${name}: ${kindOf(message)}`, async () => {
      expect((await receive(value)).length).greaterThan(0);
      expect(await receive(value), 'the second time').eql([]);
    });
  }
});
