/** Who may send what to the Spine, and under whose ids. */
import { expect } from 'chai';
import { findRefusal } from '../../../src/mapping/eps/permission.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import { FhirError, textOf } from '../../../src/standards/fhir/outcome.ts';
import type { Identities } from '../../../src/workflow/eps/identities.ts';
import { type Functions, readSender } from '../../../src/workflow/eps/sender.ts';
import { client, person } from '../../support/callers.ts';

const OURS = { toAsid: '1', toPartyKey: 'YES-1', fromAsid: '200000001285', fromPartyKey: 'T-1' };
const OPEN = { toAsid: '1', toPartyKey: 'YES-1' };
const NAMED = { 'nhsd-identity-uuid': '555254239107', 'nhsd-session-urid': '555254240100' };
const NOBODY = { userIds: [], roleProfileIds: [] };
const KNOWN = { userIds: ['555254239107'], roleProfileIds: ['555254240100', '555254240200'] };
const ALL: Functions = { prescribing: true, dispensing: true, tracking: true };
const PERSON = person('PRESCRIBER', {});
const PROGRAM = client('system/MedicationRequest.cu');

interface Given {
  readonly caller?: Caller;
  readonly headers?: Readonly<Record<string, string>>;
  readonly functions?: Functions;
  readonly known?: Identities;
}
const read = (
  { caller = PERSON, headers = NAMED, functions = ALL, known = caller === PERSON ? KNOWN : NOBODY }: Given,
  settings: typeof OPEN = OURS,
) => readSender({ caller, headers, functions, known }, settings, 0);

function refusalOf(given: Given, settings?: typeof OPEN): string {
  try {
    read(given, settings);
    return 'none';
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return `${error.status} ${error.issues.map(textOf).join('; ')}`;
  }
}

describe('workflow › eps › sender', () => {
  for (const [name, given, settings, expected] of [
    ['a person, named', {}, OURS, 'none'],
    [
      'a person of whom no SDS id is known here',
      { known: NOBODY },
      OURS,
      "403 The id in header 'NHSD-Session-URID' is not the caller's: the Practitioner and PractitionerRole of their account name no SDS id, where an administrator adds it",
    ],
    [
      'a person whose role alone is known here',
      { known: { ...KNOWN, userIds: [] } },
      OURS,
      "403 The id in header 'NHSD-Identity-UUID' is not the caller's: the Practitioner and PractitionerRole of their account name no SDS id, where an administrator adds it",
    ],
    ['a program that names whom it acts for', { caller: PROGRAM }, OURS, 'none'],
    [
      'a person who is not named',
      { headers: {}, known: NOBODY },
      OURS,
      "400 Missing value in header 'NHSD-Session-URID'",
    ],
    [
      'a role without a person',
      { headers: { 'nhsd-session-urid': '555254240100' }, known: NOBODY },
      OURS,
      "400 Missing value in header 'NHSD-Identity-UUID'",
    ],
    [
      'a person whose ids are known here',
      { headers: { 'nhsd-session-urid': '555254240200' }, known: KNOWN },
      OURS,
      'none',
    ],
    [
      'one of several roles must be chosen',
      { headers: {}, known: KNOWN },
      OURS,
      "400 Missing value in header 'NHSD-Session-URID'",
    ],
    ['the only role need not be', { headers: {}, known: { ...KNOWN, roleProfileIds: ['555254240100'] } }, OURS, 'none'],
    [
      "another's role",
      { headers: { ...NAMED, 'nhsd-session-urid': '999999999999' }, known: KNOWN },
      OURS,
      "403 The id in header 'NHSD-Session-URID' is not the caller's",
    ],
    [
      "another's user id",
      { headers: { ...NAMED, 'nhsd-identity-uuid': '999999999999' }, known: KNOWN },
      OURS,
      "403 The id in header 'NHSD-Identity-UUID' is not the caller's",
    ],
    ['a program that names nobody', { caller: PROGRAM, headers: {} }, OURS, 'none'],
    [
      'no system id anywhere',
      {},
      OPEN,
      "400 Missing value in header 'NHSD-ASID'; Missing value in header 'NHSD-Party-Key'",
    ],
    [
      'a system id that is none',
      { headers: { ...NAMED, 'nhsd-asid': 'x' } },
      OURS,
      "400 Invalid value in header 'NHSD-ASID'",
    ],
    [
      "another system's id",
      { headers: { ...NAMED, 'nhsd-asid': '999999999999' } },
      OURS,
      "403 The system in header 'NHSD-ASID' is not one that sends from here",
    ],
    [
      'a request id that is no UUID',
      { headers: { ...NAMED, 'x-request-id': '1' } },
      OURS,
      '400 X-Request-ID header missing or malformed',
    ],
  ] as const)
    it(`${name}: ${expected}`, () => {
      expect(refusalOf(given, settings)).equal(expected);
    });

  for (const [name, given, prescribing, dispensing, nominated] of [
    ['a person with every right', {}, 'may', 'may', 'may'],
    ['a prescriber', { functions: { ...ALL, dispensing: false } }, 'may', 'may not', 'may not'],
    ['a program for a person', { caller: PROGRAM }, 'may', 'may', 'may'],
    ['a program for itself', { caller: PROGRAM, headers: {} }, 'may not', 'may not', 'may'],
    [
      'whatever the header says',
      {
        headers: { ...NAMED, 'nhsd-scope': 'urn:nhsd:apim:user-nhs-id:aal3:fhir-dispensing' },
        functions: { prescribing: false, dispensing: false, tracking: false },
      },
      'may not',
      'may not',
      'may not',
    ],
  ] as const)
    it(`[AZ-01] ${name} ${prescribing} prescribe, ${dispensing} dispense, ${nominated} ask for what is nominated`, () => {
      const { context } = read(given);
      const may = (refusal: unknown): string => (refusal === undefined ? 'may' : 'may not');
      expect([
        may(findRefusal('Prescribing', context)),
        may(findRefusal('Dispensing', context)),
        may(findRefusal('Dispensing', context, false)),
      ]).eql([prescribing, dispensing, nominated]);
    });

  it('ids are the same for one request id of one party, and others without', () => {
    const headers = { ...NAMED, 'x-request-id': '7C051831-2824-4b65-a2e3-e371945b6b15' };
    const idOf = (given: Given): string => read(given).context.newId();
    expect(idOf({ headers })).equal(idOf({ headers }));
    expect(idOf({})).not.equal(idOf({}));
  });
});
