/** Account as PID-18 and PV1-20, ChargeItem as FT1. docs/hl7v2.md "FHIR to HL7 v2" */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import { ACCOUNT_TYPE, CHARGE_CODE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { asComponent, cwe, cx, dtm, ei, isOwnKey, repeated, xcn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';

const ACCOUNT_SENT = ['identifier', 'status', 'type', 'subject'];

/** Fields of PID and PV1 that say whose account it is. */
export interface AccountFields {
  readonly number: FieldInput;
  readonly kind: FieldInput;
}

/** Of the one account of the message; nothing where it has none. */
export function accountFields({ from }: Outbound): AccountFields {
  const [account, another] = from.all('Account');
  if (another !== undefined) from.fail('A message is about one account', 'Account');
  if (account === undefined) return { number: undefined, kind: undefined };
  from.tellUnsent(account, ACCOUNT_SENT);
  const identifier = listOf(account['identifier']).find((one) => !isOwnKey(one));
  const kind = cwe(account['type'], ACCOUNT_TYPE);
  return { number: identifier && cx(identifier), kind: kind && [asComponent(kind)] };
}

const CHARGE_SENT = [
  ...['identifier', 'status', 'code', 'subject', 'context', 'occurrenceDateTime', 'performer', 'quantity', 'enterer'],
  ...['enteredDate', 'reason', 'account'],
];

/** Table 0017: what was taken back is a credit. */
const TYPES = new Map([
  ['billable', 'CG'],
  ['billed', 'CD'],
  ['aborted', 'CR'],
  ['entered-in-error', 'CR'],
]);

export function writeCharge(charge: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(charge, CHARGE_SENT);
  const type = TYPES.get(textOf(charge['status']) ?? '');
  const code = cwe(charge['code'], CHARGE_CODE);
  if (type === undefined) from.fail('A charge of this status is not sent', 'ChargeItem.status');
  if (code === undefined) from.fail('A charge names what it is for', 'ChargeItem.code');
  const quantity = objectOf(charge['quantity']);
  const count = textOf(quantity?.['value']);
  out.write('FT1', {
    1: out.next('FT1'),
    2: ei(listOf(charge['identifier']).find((one) => !isOwnKey(one))),
    4: dtm(charge['occurrenceDateTime']),
    5: dtm(charge['enteredDate']),
    6: type,
    7: code,
    10: count === undefined ? undefined : [count, textOf(quantity?.['code']) ?? textOf(quantity?.['unit'])],
    19: repeated(listOf(charge['reason']).map((reason) => cwe(reason))),
    20: repeated(listOf(charge['performer']).flatMap(({ actor }) => xcn(actor, from))),
    24: repeated(xcn(charge['enterer'], from)),
  });
}
