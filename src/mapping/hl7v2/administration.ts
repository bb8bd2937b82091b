/** RXA as MedicationAdministration. The official guide has no map for it outside vaccines: docs/hl7v2.md. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { compact, type Json } from './compact.ts';
import { concept, period, quantity } from './data-types.ts';
import { routeOf } from './dosage.ts';
import { keysOf } from './entries.ts';
import { mapObservations } from './observation.ts';
import type { OrderPart } from './order-groups.ts';
import type { SupplyContext } from './pharmacy.ts';
import { notesOf, productOf, supplyIdentifier } from './supply.ts';
import type { Translation } from './translation.ts';

const DRUG = 5;
const FORM = 8;
const BATCH = { lot: 15, expiry: 16, maker: 17 };
/** RXA-6: the amount is not known. */
const UNKNOWN_AMOUNT = '999';

export function mapAdministration(part: OrderPart, context: SupplyContext, to: Translation): void {
  const rxa = part.segment;
  const { order, patient, encounter, request } = context;
  const identifier = supplyIdentifier(order, 'administration', [rxa.at(1).text, rxa.at(2).text].filter(Boolean), to);
  const product = productOf(rxa, DRUG, FORM, BATCH);
  const effective = effectiveOf(part, to);
  if (identifier === undefined || product === undefined || effective === undefined) {
    const place = identifier === undefined ? order.orc.segment.at(2) : rxa.at(product === undefined ? DRUG : 3);
    place.tell('error', 'required', 'What was given has no number, no drug or no time');
    return;
  }
  const { references } = mapObservations(
    part.observations,
    { patient, encounter, key: identifier, effective: to.eventTime },
    to,
  );
  const status = statusOf(part);
  const resource = compact({
    resourceType: 'MedicationAdministration',
    contained: product.contained,
    identifier: [identifier],
    status,
    statusReason: status === 'not-done' ? rxa.all(18).flatMap((cursor) => concept()(cursor) ?? []) : [],
    ...product.element,
    subject: patient.reference,
    context: encounter?.reference,
    supportingInformation: references,
    ...effective,
    performer: practitioners(rxa.all(10), to).map((actor) => ({ actor })),
    reasonCode: rxa.all(19).flatMap((cursor) => concept()(cursor) ?? []),
    request,
    note: [...notesOf(part, 9), ...(rxa.field(20).value === 'PA' ? [{ text: 'Partially administered' }] : [])],
    dosage: dosageOf(part, status),
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keysOf([identifier]));
}

/** Tables 0322 and 0323. */
const COMPLETION = new Map([
  ['', 'completed'],
  ['CP', 'completed'],
  ['PA', 'completed'],
  ['RE', 'not-done'],
  ['NA', 'not-done'],
]);

function statusOf({ segment }: OrderPart): string {
  const completion = segment.at(20);
  const found = COMPLETION.get(completion.text);
  if (segment.at(21).text === 'D') return 'entered-in-error';
  if (found === undefined) completion.warn('code-invalid', 'The completion status is not known');
  return found ?? 'unknown';
}

function effectiveOf({ segment }: OrderPart, to: Translation): Json | undefined {
  const [start, end] = [segment.at(3), segment.at(4)];
  if (!start.isValued) return to.eventTime === undefined ? undefined : { effectiveDateTime: to.eventTime };
  if (!end.isValued || end.text === start.text) return compact({ effectiveDateTime: start.dateTime });
  return compact({ effectivePeriod: period(start, end) });
}

/** A dose that was not given is none. A dosage has a dose or a rate (mad-1). */
function dosageOf(part: OrderPart, status: string): Json | undefined {
  const { segment } = part;
  const amount = segment.at(6);
  const isKnown = amount.text !== UNKNOWN_AMOUNT && status !== 'not-done';
  const dose = isKnown ? quantity(amount, segment.at(7)) : undefined;
  return dose && { ...routeOf(part.routes), dose };
}
