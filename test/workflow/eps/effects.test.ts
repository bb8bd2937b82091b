/** What each answer of the Spine changes in the record. */
import { expect } from 'chai';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { INTERACTIONS } from '../../../src/standards/hl7v3/interaction.ts';
import { type Answered, effectsOf, itemChange } from '../../../src/workflow/eps/effects.ts';

type Json = Record<string, unknown>;
const ITEM = { system: 'https://fhir.nhs.uk/Id/prescription-order-item-number', value: 'item-1' };
const STATES = 'https://fhir.nhs.uk/CodeSystem/medicationdispense-type';
const INFORMATION = 'https://fhir.nhs.uk/StructureDefinition/Extension-EPS-DispensingInformation';

const order = (more: Json = {}): Resource => ({
  resourceType: 'MedicationRequest',
  id: 'order',
  identifier: [ITEM],
  status: 'active',
  intent: 'order',
  ...more,
});
const dispense = (id: string, code: string, number = id): Resource => ({
  resourceType: 'MedicationDispense',
  id,
  identifier: [{ system: 'https://fhir.nhs.uk/Id/prescription-dispense-item-number', value: number }],
  status: 'completed',
  contained: [{ resourceType: 'MedicationRequest', identifier: [ITEM] }],
  type: { coding: [{ system: STATES, code }] },
  whenHandedOver: '2026-11-17T09:00:00+00:00',
});
const task = (status: string): Resource => ({
  resourceType: 'Task',
  id: 'task',
  status,
  groupIdentifier: { system: 'https://fhir.nhs.uk/Id/prescription-order-number', value: 'A' },
  for: { reference: 'Patient/p' },
});
const claim = (id: string): Resource => ({ resourceType: 'Claim', id, status: 'active' });
const outcome = {
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'duplicate', details: { coding: [{ system: 's', code: 'C', display: 'Said' }] } }],
};
const cancelled = (code: string, status: string) => ({
  resourceType: 'Bundle',
  entry: [
    {
      resource: {
        resourceType: 'MedicationRequest',
        identifier: [ITEM],
        status,
        extension: [
          { url: 'https://fhir.nhs.uk/StructureDefinition/Extension-DM-PrescriptionStatusHistory', valueString: code },
        ],
      },
    },
  ],
});
const asked = { resourceType: 'Bundle', entry: [{ resource: order({ statusReason: { text: 'why' } }) }] };

const NOTHING: Omit<Answered, 'kind' | 'verdict'> = { answer: undefined, asked: undefined, own: [], earlier: [] };
/** The resources as they are when all effects that find them are applied: `MedicationRequest/order stopped 0002`. */
function after(
  answered: Partial<Answered> & Pick<Answered, 'kind' | 'verdict'>,
  stored: readonly Resource[],
): string[] {
  const effects = effectsOf({ ...NOTHING, ...answered });
  return stored.map((resource) => {
    const found = effects.filter(
      ({ type, query, fits = () => true }) =>
        type === resource.resourceType &&
        (query === `_id=${resource['id']}` ||
          ((resource['identifier'] ?? []) as Json[]).some(
            ({ system, value }) => query === `identifier=${system}|${value}`,
          ) ||
          (query === 'subject=Patient/p&status=active' && resource['status'] === 'active')) &&
        fits(resource),
    );
    const now = found.reduce((current, { change }) => change(current), resource);
    const code = /"dispenseStatus","valueCoding":\{[^}]*"code":"(\d+)"/.exec(JSON.stringify(now))?.[1] ?? '';
    return `${resource['id']} ${now['status']} ${code}`.trim();
  });
}

describe('workflow › eps › effects', () => {
  const K = INTERACTIONS;
  const group = order({ groupIdentifier: { value: 'A' } });
  for (const [name, answered, stored, expected] of [
    [
      'order accepted',
      { kind: K.ParentPrescription, verdict: 'accepted', own: [order()] },
      [order()],
      ['order active'],
    ],
    [
      'order refused',
      { kind: K.ParentPrescription, verdict: 'refused', own: [order()], answer: outcome },
      [order()],
      ['order entered-in-error'],
    ],
    ['order never sent', { kind: K.ParentPrescription, verdict: 'dead', own: [order()] }, [order()], ['order on-hold']],
    ...(
      [
        ['0001', 'cancelled', 'cancelled'],
        ['0002', 'active', 'active'],
        ['0004', 'completed', 'completed'],
        ['0005', 'stopped', 'stopped'],
        ['0007', 'unknown', 'active'],
      ] as const
    ).map(
      ([code, status, expected]) =>
        [
          `cancellation answered with ${code}`,
          { kind: K.CancellationRequest, verdict: 'accepted', answer: cancelled(code, status), asked },
          [order()],
          [`order ${expected}`],
        ] as const,
    ),
    [
      'cancellation refused outright',
      { kind: K.CancellationRequest, verdict: 'refused', answer: outcome, asked },
      [order()],
      ['order active'],
    ],
    ...(
      [
        ['0001', 'completed'],
        ['0002', 'stopped'],
        ['0003', 'active'],
        ['0004', 'active'],
      ] as const
    ).map(
      ([code, status]) =>
        [
          `notification of ${code}`,
          { kind: K.DispenseNotification, verdict: 'accepted', own: [dispense('new', code)] },
          [order(), dispense('new', code)],
          [`order ${status} ${code}`, 'new completed'],
        ] as const,
    ),
    [
      'notification amended',
      {
        kind: K.DispenseNotification,
        verdict: 'accepted',
        own: [dispense('new', '0003'), dispense('kept', '0003')],
        earlier: [dispense('old', '0001'), dispense('kept', '0001')],
      },
      [order(), dispense('old', '0001'), dispense('kept', '0003')],
      ['order active 0003', 'old entered-in-error', 'kept completed'],
    ],
    [
      'notification of a supply that was told of before',
      { kind: K.DispenseNotification, verdict: 'accepted', own: [dispense('new', '0001', 'supply')] },
      [order(), dispense('before', '0001', 'supply'), dispense('new', '0001', 'supply'), dispense('other', '0001')],
      ['order completed 0001', 'before entered-in-error', 'new completed', 'other completed'],
    ],
    [
      'notification refused of a supply that was told of before',
      { kind: K.DispenseNotification, verdict: 'refused', own: [dispense('new', '0001', 'supply')], answer: outcome },
      [dispense('before', '0001', 'supply'), dispense('new', '0001', 'supply')],
      ['before completed', 'new entered-in-error'],
    ],
    [
      'notification refused',
      { kind: K.DispenseNotification, verdict: 'refused', own: [dispense('new', '0001')], answer: outcome },
      [order(), dispense('new', '0001')],
      ['order active', 'new entered-in-error'],
    ],
    [
      'claim amended',
      { kind: K.DispenseClaim, verdict: 'accepted', own: [claim('new')], earlier: [claim('old')] },
      [claim('new'), claim('old')],
      ['new active', 'old cancelled'],
    ],
    [
      'claim refused',
      { kind: K.DispenseClaim, verdict: 'refused', own: [claim('new')], earlier: [claim('old')], answer: outcome },
      [claim('new'), claim('old')],
      ['new entered-in-error', 'old active'],
    ],
    [
      'return accepted, other prescriptions left alone',
      { kind: K.DispenseProposalReturn, verdict: 'accepted', own: [task('rejected')] },
      [group, order({ id: 'other', groupIdentifier: { value: 'B' } }), task('rejected')],
      ['order active 0007', 'other active', 'task rejected'],
    ],
    [
      'return refused',
      { kind: K.DispenseProposalReturn, verdict: 'refused', own: [task('rejected')], answer: outcome },
      [group, task('rejected')],
      ['order active', 'task failed'],
    ],
    [
      'withdrawal accepted',
      { kind: K.ETPWithdraw, verdict: 'accepted', own: [task('in-progress')], earlier: [dispense('old', '0001')] },
      [order({ status: 'completed' }), dispense('old', '0001'), task('in-progress')],
      ['order active 0008', 'old entered-in-error', 'task completed'],
    ],
    [
      'a question',
      { kind: K.NominatedPrescriptionReleaseRequest, verdict: 'refused', answer: outcome },
      [order()],
      ['order active'],
    ],
  ] as const)
    it(`${name} › ${expected.join(', ')}`, () => {
      expect(after(answered, stored)).eql(expected);
    });

  it('why is kept: the words of the Spine, the reason of the cancellation, and what an item said before', () => {
    const refused = effectsOf({
      ...NOTHING,
      kind: K.ParentPrescription,
      verdict: 'refused',
      own: [order()],
      answer: outcome,
    });
    expect(refused[0]?.change(order())['statusReason']).eql({
      coding: [{ system: 's', code: 'C', display: 'Said' }],
      text: 'The Spine refused it: Said',
    });
    const answer = cancelled('0001', 'cancelled');
    const [one] = effectsOf({ ...NOTHING, kind: K.CancellationRequest, verdict: 'accepted', answer, asked });
    const before = order({ extension: [{ url: 'other', valueCode: 'x' }] });
    const now = one?.change(before);
    expect(now?.['statusReason']).eql({ text: 'why' });
    expect(((now?.['extension'] ?? []) as Json[]).map(({ url }) => String(url).split('-').at(-1))).eql([
      'other',
      'PrescriptionStatusHistory',
    ]);
  });

  it('repeat dispensing goes on after an issue; the date of the last one stays until there is another', () => {
    const coding = [{ code: 'continuous-repeat-dispensing' }];
    const repeat = order({ courseOfTherapyType: { coding } });
    const dispensed = itemChange('0001', { dispensedAt: '2026-11-17T09:00:00+00:00' })(repeat);
    expect(dispensed['status']).equal('active');
    const next = itemChange('0007')(dispensed);
    const [information] = next['extension'] as Json[];
    expect(information).deep.include({ url: INFORMATION });
    expect(JSON.stringify(information)).include('2026-11-17T09:00:00+00:00').and.include('"0007"');
    const last = itemChange('0001', { isLast: true })(next);
    expect(last['status']).equal('completed');
    expect(itemChange('0008')(last)['status']).equal('active'); // withdrawn
  });
});
