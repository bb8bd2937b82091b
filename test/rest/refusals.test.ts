/** What of the refusals of doors is kept. */
import { expect } from 'chai';
import type { AuditEvent } from '../../src/ports/audit.ts';
import type { Caller } from '../../src/ports/caller.ts';
import { anonymousCaller } from '../../src/rest/door.ts';
import { createRefusals } from '../../src/rest/refusals.ts';
import { FhirError, issue } from '../../src/standards/fhir/outcome.ts';
import { person } from '../support/callers.ts';

describe('rest › refusals', () => {
  const unknown = new FhirError(401, [issue('login', 'who?')]);
  const forbidden = new FhirError(403, [issue('forbidden', 'no')], { cause: { rule: 'role' } });
  const from = (address: string): Caller => anonymousCaller('test', address);
  const made = (): { kept: AuditEvent[]; note: (caller: Caller, error: unknown) => Promise<void> } => {
    const kept: AuditEvent[] = [];
    const audit = { record: async (event: AuditEvent) => void kept.push(event) };
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const refusals = createRefusals({ audit, now: () => 0, log });
    return { kept, note: (caller, error) => refusals.note(caller, error, 'GET /Patient') };
  };

  it('[AU-04] a flood without tokens hides nothing that somebody known tries from the same address', async () => {
    const { kept, note } = made();
    for (let i = 0; i < 100; i++) await note(from('10.0.0.1'), unknown);
    const known: Caller = { ...person('RECEPTIONIST'), address: '10.0.0.1' };
    for (let i = 0; i < 100; i++) await note(known, forbidden);
    expect(kept.filter(({ caller }) => caller.kind === 'anonymous')).length(60);
    expect(kept.filter(({ caller }) => caller.kind === 'user')).length(100);
  });

  it('[AU-04] a customer’s whole IPv6 network is one address, so that nobody fills the trail from there', async () => {
    const { kept, note } = made();
    for (let i = 0; i < 200; i++) await note(from(`2001:db8:1:2::${i.toString(16)}`), unknown);
    await note(from('2001:db8:1:3::1'), unknown);
    expect(kept).length(61);
  });
});
