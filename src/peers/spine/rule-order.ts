/** A new prescription. eps/REFERENCE sections 7, 9.6 and 10. */
import { prescribeError, Refusal, type SpineError } from './errors.ts';
import type { Issue, Prescription } from './prescription.ts';
import type { Order } from './read-order.ts';
import type { Ruling, World } from './rules.ts';
import { checkSignature } from './signature.ts';
import { addMonths, DAY_MS } from './time.ts';
import { canonicalise } from './xml.ts';

const EXPIRY_MONTHS = 6;
const ERD_EXPIRY_MONTHS = 12;
/** An issue of a repeat dispensing prescription is ready so long before the one before it is used up. */
const LEAD_DAYS = 7;
const DAYS = 28;

export function ruleOrder(order: Order, { book, settings, signatures, now }: World): Ruling {
  const errors: SpineError[] = [];
  if (settings.deceased.includes(order.nhsNumber)) errors.push(prescribeError('0001'));
  if (book.find(order.id, now) !== undefined || book.hasUuid(order.uuid)) errors.push(prescribeError('0002'));
  else if (order.items.some(({ id }) => book.hasItem(id))) errors.push(prescribeError('5008'));
  const finding = checkSignature(order.node, order.signedAt, signatures);
  if (finding?.kind === 'absent') errors.push(prescribeError('0003'));
  if (finding?.kind === 'bad')
    errors.push(prescribeError('9999', `Unable to process message. Digital signature: ${finding.why}`));
  if (errors.length > 0) throw new Refusal(errors);
  return { changed: [toPrescription(order, now)], document: canonicalise(order.node), reply: { kind: 'accepted' } };
}

function toPrescription(order: Order, now: number): Prescription {
  return {
    id: order.id,
    uuid: order.uuid,
    messageId: order.messageId,
    nhsNumber: order.nhsNumber,
    treatment: order.treatment,
    nominated: order.nominated ?? null,
    issuedAt: order.issuedAt,
    prescriber: { odsCode: order.author.odsCode, name: order.author.name, phone: order.phone },
    author: order.author.xml,
    items: order.items,
    issues: Array.from({ length: order.repeats }, (_, index) => toIssue(order, index + 1)),
    pending: [],
    receivedAt: now,
    changedAt: now,
  };
}

function toIssue(order: Order, number: number): Issue {
  const { issuedAt, days = DAYS } = order;
  const lead = number === 1 ? 0 : ((number - 1) * days - LEAD_DAYS) * DAY_MS;
  return {
    number,
    // Time makes it ready at once where its day has come.
    status: number === 1 ? '9001' : '9000',
    items: Object.fromEntries(order.items.map(({ id }) => [id, '0007' as const])),
    availableFrom: issuedAt + Math.max(0, lead),
    expiresAt: addMonths(issuedAt, order.treatment === '0003' ? ERD_EXPIRY_MONTHS : EXPIRY_MONTHS),
    notifications: [],
    claims: [],
  };
}
