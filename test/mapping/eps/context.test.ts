/** Who may send what, and what the headers say. */
import { expect } from 'chai';
import { type EpsContext, epsContext, SANDBOX } from '../../../src/mapping/eps/context.ts';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { lastUpdatedOf, statusOf, toEpsOutcome } from '../../../src/mapping/eps/outcome.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { fixtureContext, fixtureMessage } from './fixture.ts';
import { short } from './issues.ts';

const USER = 'urn:nhsd:apim:user-nhs-id:aal3:';
const APPLICATION = 'urn:nhsd:apim:app:level3:electronic-prescription-service-api:';
const API = 'electronic-prescription-service-api:';

describe('mapping › eps › context', () => {
  const defaults = { now: 5, newId: () => 'id' };

  it('without headers is that of the sandbox', () => {
    expect(epsContext({}, defaults)).deep.equal({ ...SANDBOX, ...defaults });
  });

  it('takes headers by names in any case, over the defaults', () => {
    const context = epsContext(
      new Map([
        ['NHSD-ASID', '1'],
        ['nhsd-party-key', '2'],
        ['Nhsd-Identity-UUID', '3'],
        ['nhsd-session-urid', '4'],
        ['nhsd-scope', ' a  b '],
        ['nhsd-application-id', '5'],
      ]),
      { ...defaults, fromAsid: 'default', toAsid: '6' },
    );
    expect(context).deep.include({ fromAsid: '1', fromPartyKey: '2', userId: '3', roleProfileId: '4', toAsid: '6' });
    expect(context).deep.include({ scopes: new Set(['a', 'b']), applicationId: '5' });
  });

  it('without a user the wrapper has no author', () => {
    const { userId: _, ...context } = fixtureContext();
    const { value } = convertToV3(fixtureMessage('release-nominated'), context);
    expect(value).include('<author1 typeCode="AUT">').and.not.include('partSDSRole');
  });
});

describe('mapping › eps › permission', () => {
  const scopes = (...names: readonly string[]): Partial<EpsContext> => ({ scopes: new Set(names) });
  const onlyUser = (name: string): string =>
    `fatal/forbidden: ${name} functionality can only be accessed using the user-restricted access mode.`;
  const none = (name: string): string =>
    `fatal/forbidden: Your app does not have permission to access ${name} functionality.`;
  const rows: readonly (readonly [message: string, changes: Partial<EpsContext>, expected: readonly string[]])[] = [
    ['prescription-order-acute', scopes(`${USER}${API}prescribing`), []],
    ['prescription-order-acute', scopes(`${USER}fhir-prescribing`), []],
    ['prescription-order-acute', scopes(`${USER}${API}dispensing`), [none('prescribing')]],
    ['prescription-order-acute', scopes(`${APPLICATION}prescribing`), [onlyUser('Prescribing')]],
    [
      'prescription-order-acute',
      { prescribeEnabled: false },
      ['fatal/not-supported: Prescribing functionality is disabled.'],
    ],
    ['prescription-order-update', scopes(), [none('prescribing')]],
    ['dispense-notification-amend', scopes(`${USER}fhir-dispensing`), []],
    ['dispense-notification-amend', scopes(`${APPLICATION}dispensing`), [onlyUser('Dispensing')]],
    [
      'dispense-notification-amend',
      { dispenseEnabled: false },
      ['fatal/not-supported: Dispensing functionality is disabled.'],
    ],
    ['release-patient', scopes(`${APPLICATION}dispensing`), [onlyUser('Dispensing')]],
    ['release-nominated', scopes(`${APPLICATION}dispensing`), []],
    ['release-nominated', scopes(`${USER}${API}dispensing`), []],
    ['release-nominated', scopes(), [none('dispensing')]],
    ['task-return', scopes(`${USER}${API}prescribing`), [none('dispensing')]],
    ['task-withdraw', scopes(`${APPLICATION}dispensing`), [onlyUser('Dispensing')]],
    ['claim-amend', scopes(), [none('dispensing')]],
  ];
  for (const [message, changes, expected] of rows)
    it(`${message}, ${[...(changes.scopes ?? ['disabled'])].join(' ') || 'no scope'}`, () => {
      const { issues } = convertToV3(fixtureMessage(message), fixtureContext(changes));
      expect(issues.map(short)).deep.equal(expected);
      if (expected.length > 0) expect(statusOf(issues)).equal(issues[0]?.code === 'forbidden' ? 403 : 400);
    });
});

describe('mapping › eps › what is no message', () => {
  for (const payload of [undefined, null, 1, 'x', [], {}, { resourceType: 'Patient' }, { resourceType: 'toString' }]) {
    it(`$convert of ${JSON.stringify(payload)}`, () => {
      expect(convertToV3(payload, fixtureContext()).issues.map(short)).deep.equal([
        'fatal/invalid: Message not supported by $convert endpoint',
      ]);
    });
    it(`$prepare of ${JSON.stringify(payload)}`, () => {
      expect(prepare(payload, fixtureContext()).issues.map(short)).deep.equal([
        'fatal/value: Incorrect FHIR resource type. Expected Bundle.',
      ]);
    });
  }

  it('$prepare of a cancellation', () => {
    expect(prepare(fixtureMessage('prescription-order-update'), fixtureContext()).issues.map(short)).deep.equal([
      "F INVALID_VALUE: MessageHeader.eventCoding.code must be 'prescription-order'. @ MessageHeader.eventCoding.code",
    ]);
  });
});

describe('mapping › eps › outcome', () => {
  const found = prepare({}, fixtureContext()).issues;
  const fault = convertToV3({ resourceType: 'Bundle' }, fixtureContext()).issues;

  it('of findings carries the time of the message', () => {
    expect(toEpsOutcome(found, '2026-11-16T09:41:00+00:00')).deep.equal({
      resourceType: 'OperationOutcome',
      meta: { lastUpdated: '2026-11-16T09:41:00+00:00' },
      issue: found,
    });
  });

  it('of a fault of the translation carries none', () => {
    expect(toEpsOutcome(fault, '2026-11-16T09:41:00+00:00')).deep.equal({
      resourceType: 'OperationOutcome',
      issue: fault,
    });
    expect(statusOf(fault)).equal(400);
  });

  it('the time of a message is its own, or now', () => {
    const now = Date.parse('2026-11-16T09:41:30.9Z');
    expect(lastUpdatedOf(fixtureMessage('prescription-order-acute'), now)).equal('2026-11-16T09:41:00+00:00');
    for (const payload of [{}, { meta: 1 }, { meta: { lastUpdated: 1 } }, null])
      expect(lastUpdatedOf(payload, now)).equal('2026-11-16T09:41:30+00:00');
  });

  it('status: informational alone is 200', () => {
    expect(statusOf([{ severity: 'information', code: 'informational' }])).equal(200);
    expect(statusOf([{ severity: 'information', code: 'informational' }, ...found])).equal(400);
  });
});
