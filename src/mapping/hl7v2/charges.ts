/** BAR and DFT: the patient's account and what was charged to it. Source: segment map PID[Account]; FT1: docs/hl7v2.md. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { type MappedAdmission, mapAdmission } from './admission.ts';
import { ACCOUNT_TYPE, CHARGE_CODE } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { concept } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { cx, ei } from './identifiers.ts';
import { firstOf, segmentsOf } from './sections.ts';
import { cq } from './timing.ts';
import type { Translation } from './translation.ts';

export function mapCharges(to: Translation): void {
  const admission = mapAdmission(to);
  if (admission === undefined) return;
  const account = mapAccount(admission, to);
  for (const ft1 of segmentsOf(to, 'FT1')) mapCharge(ft1, account, admission, to);
}

/** PID-18 is the account. BAR^P05 changes it, P02 ends it. */
function mapAccount({ patient }: MappedAdmission, to: Translation): Json | undefined {
  const pid = firstOf(to, 'PID');
  const number = pid && accountNumber(pid, to);
  const keys = number === undefined ? [] : keysOf([number]);
  if (keys.length === 0) return undefined;
  const pv1 = firstOf(to, 'PV1');
  const isOver = to.message.header.value(9, 1) === 'BAR' && to.message.header.value(9, 2) === 'P02';
  const resource = compact({
    resourceType: 'Account',
    identifier: [number],
    status: isOver ? 'inactive' : 'active',
    type: pv1?.at(20).isValued ? concept(ACCOUNT_TYPE)(pv1.at(20).at(1)) : undefined,
    subject: [patient.reference],
  }) as FhirResource; // it has its resourceType
  return { reference: to.entries.store(resource, keys) };
}

const accountNumber = (pid: SegmentCursor, { reading }: Translation): Json | undefined =>
  pid.at(18).isValued ? cx(pid.at(18), { fallback: localSystem(reading, 'account') }) : undefined;

/** Table 0017: a credit takes back what was charged. */
const STATUSES = new Map([
  ['CG', 'billable'],
  ['CD', 'billed'],
  ['CR', 'aborted'],
  ['PY', 'billed'],
]);

function mapCharge(ft1: SegmentCursor, account: Json | undefined, admission: MappedAdmission, to: Translation): void {
  const { patient, encounter } = admission;
  const code = concept(CHARGE_CODE)(ft1.at(7));
  if (code === undefined) {
    ft1.at(7).warn('required', 'The charge has no code: it is left out');
    return;
  }
  const number = ft1.at(2).isValued ? ei(ft1.at(2), undefined, localSystem(to.reading, 'charge')) : undefined;
  const keys = number === undefined ? [] : keysOf([number]);
  const derived = derivedIdentifier(
    'ChargeItem',
    patient.key.system ?? '',
    patient.key.value,
    to.message.header.value(10),
    ft1.at(1).text,
  );
  const resource = compact({
    resourceType: 'ChargeItem',
    identifier: keys.length > 0 ? [number] : [derived],
    status: STATUSES.get(ft1.at(6).text) ?? 'unknown',
    code,
    subject: patient.reference,
    context: encounter?.reference,
    occurrenceDateTime: ft1.at(4).isValued ? ft1.at(4).at(1).dateTime : undefined,
    performer: practitioners(ft1.all(20), to).map((actor) => ({ actor })),
    quantity: cq(ft1.at(10)),
    enterer: practitioners(ft1.all(24), to)[0],
    enteredDate: ft1.at(5).isValued ? ft1.at(5).dateTime : undefined,
    reason: ft1.all(19).flatMap((cursor) => concept()(cursor) ?? []),
    account: account && [account],
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keys.length > 0 ? keys : [derived]);
}
