/** Order control (table 0119) and order status (table 0038) as the status of a MedicationRequest. docs/hl7v2.md */

export interface OrderControl {
  /** The status it gives; `sent`: that of ORC-5, else active; `stored`: that of ORC-5, else what is stored. */
  readonly status: 'active' | 'cancelled' | 'stopped' | 'on-hold' | 'sent' | 'stored';
  /** It says what the order is; else it says only what becomes of it. */
  readonly content: boolean;
}

const CONTROLS: ReadonlyMap<string, OrderControl> = new Map(
  [
    { codes: ['', 'NW', 'XO', 'XX', 'RO', 'RU', 'PA', 'CH', 'OP', 'PY'], status: 'sent' as const, content: true },
    { codes: ['RE', 'SN', 'NA', 'NR'], status: 'stored' as const, content: true },
    { codes: ['CA', 'OC', 'CR'], status: 'cancelled' as const, content: false },
    { codes: ['DC', 'OD', 'DR', 'RP', 'RQ'], status: 'stopped' as const, content: false },
    { codes: ['HD', 'OH', 'HR'], status: 'on-hold' as const, content: false },
    { codes: ['RL', 'OE', 'OR'], status: 'active' as const, content: false },
    { codes: ['SC', 'SR', 'SS'], status: 'stored' as const, content: false },
  ].flatMap(({ codes, ...control }) => codes.map((code): [string, OrderControl] => [code, control])),
);

/** Undefined for what cannot be done with an order here. */
export const findOrderControl = (code: string): OrderControl | undefined => CONTROLS.get(code);

const STATUSES = new Map([
  ['A', 'active'],
  ['CA', 'cancelled'],
  ['CM', 'completed'],
  ['DC', 'stopped'],
  ['ER', 'entered-in-error'],
  ['HD', 'on-hold'],
  ['IP', 'active'],
  ['SC', 'active'],
  ['RP', 'stopped'],
]);

/** The status, and whether it is only a guess for an order that is not stored yet. */
export function orderStatus({ status }: OrderControl, sent: string): { status: string; isDefault: boolean } {
  if (status !== 'sent' && status !== 'stored') return { status, isDefault: false };
  const found = STATUSES.get(sent);
  return { status: found ?? 'active', isDefault: found === undefined && status === 'stored' };
}

/** The same as the status of a ServiceRequest, which knows fewer. */
export function requestStatus(control: OrderControl, sent: string): { status: string; isDefault: boolean } {
  const { status, isDefault } = orderStatus(control, sent);
  return { status: status === 'cancelled' || status === 'stopped' ? 'revoked' : status, isDefault };
}
