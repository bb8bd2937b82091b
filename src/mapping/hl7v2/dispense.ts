/** RXD as MedicationDispense. The official guide has no map for it: docs/hl7v2.md. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { DISPENSE_TYPE, SUBSTITUTION_DONE, systemUrl } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { localSystem } from './cursor.ts';
import { concept, quantity, words } from './data-types.ts';
import { mapDosages } from './dosage.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import type { OrderPart } from './order-groups.ts';
import type { SupplyContext } from './pharmacy.ts';
import { location } from './place.ts';
import { notesOf, productOf, supplyIdentifier } from './supply.ts';
import { readTimings } from './timing.ts';
import type { Translation } from './translation.ts';

const DRUG = 2;
const FORM = 6;
const BATCH = { lot: 18, expiry: 19, maker: 20 };
/** RXD has no dose of its own: that of RXE is in the order. */
const NO_DOSE = { low: 0, high: 0, unit: 0, sig: 15, rate: 0, rateUnit: 0 };

export function mapDispense(part: OrderPart, context: SupplyContext, to: Translation): void {
  const rxd = part.segment;
  const { order, patient, encounter, request } = context;
  const number = rxd.at(7).isValued ? ei(rxd.at(7), undefined, localSystem(to.reading, 'prescription')) : undefined;
  const prescription = rxd.at(7).at(1).text;
  const counter = rxd.at(1).text;
  const counted = prescription === '' ? undefined : { ...number, value: `${prescription}-${counter}` };
  const own = counted === undefined ? supplyIdentifier(order, 'dispense', [counter], to) : dispenseNumber(counted, to);
  const product = productOf(rxd, DRUG, FORM, BATCH);
  if (own === undefined || product === undefined) {
    const field = own === undefined ? 7 : DRUG;
    rxd
      .at(field)
      .tell(
        'error',
        'required',
        own === undefined ? 'The supply has no number by which it may be found' : 'The supply names no drug',
      );
    return;
  }
  const resource = compact({
    resourceType: 'MedicationDispense',
    contained: product.contained,
    identifier: [own, ...(number === undefined ? [] : [{ type: { text: 'Prescription number' }, ...number }])],
    status: statusOf(context),
    ...product.element,
    subject: patient.reference,
    context: encounter?.reference,
    performer: practitioners(rxd.all(10), to).map((actor) => ({ actor })),
    authorizingPrescription: request && [request],
    type: typeOf(part, context),
    quantity: quantity(rxd.at(4), rxd.at(5)),
    whenHandedOver: rxd.at(3).isValued ? rxd.at(3).dateTime : undefined,
    destination: rxd.at(13).isValued ? location(rxd.at(13), to) : undefined,
    note: notesOf(part, 9),
    dosageInstruction: dosagesOf(part),
    substitution: substitutionOf(part),
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keysOf([own]));
}

const dispenseNumber = (found: Json, to: Translation): { system?: string; value: string } => {
  const system = (found['system'] as string | undefined) ?? localSystem(to.reading, 'dispense');
  return { ...(system !== undefined && { system }), value: found['value'] as string };
};

const CANCELLED = new Set(['CA', 'CR', 'OC', 'OD', 'DR']);

/** What was handed over is completed, however much of the order is still owed. */
function statusOf({ order }: SupplyContext): string {
  const orc = order.orc.segment;
  if (CANCELLED.has(orc.at(1).text)) return 'cancelled';
  return orc.at(5).text === 'ER' ? 'entered-in-error' : 'completed';
}

/** RXD-32, else whether the order is still being supplied (IP): then this is a part of it. */
function typeOf({ segment }: OrderPart, { order }: SupplyContext): Json | undefined {
  if (segment.at(32).isValued) return concept(DISPENSE_TYPE)(segment.at(32));
  const status = order.orc.segment.field(5).value;
  const code = status === 'IP' ? 'FFP' : status === 'CM' ? 'FFC' : undefined;
  return code && { coding: [{ system: systemUrl('v3-ActCode'), code }] };
}

/** The label's words, and the route. */
function dosagesOf(part: OrderPart): readonly Json[] {
  if (part.routes.length === 0 && part.timings.length === 0 && !part.segment.at(NO_DOSE.sig).isValued) return [];
  return mapDosages(part, NO_DOSE, readTimings(part.timings), part.routes).dosages;
}

/** Table 0167: N and 0 mean that what was ordered was handed over. */
function substitutionOf({ segment }: OrderPart): Json | undefined {
  const cursor = segment.at(11);
  if (!cursor.isValued) return undefined;
  const code = cursor.text;
  if (code === 'N' || code === '0') return { wasSubstituted: false };
  if (/^[GT1-8]$/.test(code)) return compact({ wasSubstituted: true, type: concept(SUBSTITUTION_DONE)(cursor) });
  cursor.warn('code-invalid', `The code is not known${words(cursor) === undefined ? '' : ': it was left out'}`);
  return undefined;
}
