/** ORC with OBR as ServiceRequest; ORM with RXO as MedicationRequest. Source: segment maps ORC and OBR[ServiceRequest]. */
import { issue } from '../../standards/fhir/outcome.ts';
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { organization, practitioner, practitionerRole } from './actors.ts';
import { mapAdmission } from './admission.ts';
import { BODY_SITE, REQUEST_PRIORITY } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { codeOf, concept, words } from './data-types.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { mapObservations, noteOf } from './observation.ts';
import { orderNumbers, requesterOf } from './order-numbers.ts';
import { groupObservationOrders, type ObservationOrder } from './order-observations.ts';
import { findOrderControl, requestStatus } from './order-status.ts';
import { mapMedicationOrders } from './pharmacy.ts';
import { location } from './place.ts';
import { segmentsOf, tellAbout } from './sections.ts';
import { mapSpecimen } from './specimen.ts';
import type { Translation } from './translation.ts';

export function mapOrders(to: Translation): void {
  const admission = mapAdmission(to);
  if (admission === undefined) return;
  const { orders } = groupObservationOrders(to);
  if (orders.length === 0 && to.message.find('ORC') === undefined)
    to.reading.issues.push(issue('structure', 'The message has neither ORC nor OBR', 'ORC'));
  for (const order of orders) mapRequest(order, admission, to);
  const withDrugs = mapMedicationOrders(admission, to);
  const described = new Set([...orders.map(({ orc }) => orc?.segment), ...withDrugs]);
  for (const orc of segmentsOf(to, 'ORC'))
    if (!described.has(orc.segment))
      tellAbout(
        orc,
        to.reading,
        'error',
        'not-supported',
        'An order of this kind is not mapped: it has neither OBR nor RXO',
      );
}

type Admission = NonNullable<ReturnType<typeof mapAdmission>>;

function mapRequest(order: ObservationOrder, { patient, encounter }: Admission, to: Translation): void {
  const { orc, obr } = order;
  const numbers = orderNumbers(orc, obr, to);
  const identifiers = present([numbers.placed, numbers.filled]);
  const keys = keysOf(identifiers).slice(0, 1);
  const [key] = keys;
  if (key === undefined) {
    obr.at(2).tell('error', 'required', 'The order has no number by which it may be found');
    return;
  }
  if (to.entries.has('ServiceRequest', key)) {
    obr.at(2).tell('error', 'duplicate', 'Two orders of the message have the same number');
    return;
  }
  const control = findOrderControl(orc?.at(1).text ?? '');
  if (control === undefined) {
    orc?.at(1).tell('error', 'not-supported', 'This order control code is not taken');
    return;
  }
  const code = concept()(obr.at(4));
  const { status, isDefault } = requestStatus(control, orc?.at(5).text ?? '');
  const content = control.content ? contentOf(order, { patient, encounter }, key, to) : {};
  const resource = compact({
    resourceType: 'ServiceRequest',
    identifier: identifiers,
    requisition: orc?.at(4).isValued ? ei(orc.at(4), 'PGN', localSystem(to.reading, 'order')) : undefined,
    status,
    intent: obr.at(11).text === 'G' ? 'reflex-order' : 'order',
    code,
    subject: patient.reference,
    encounter: encounter?.reference,
    ...content,
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keys, { defaults: isDefault ? ['status'] : [] });
}

function contentOf(order: ObservationOrder, { patient, encounter }: Admission, key: Identifier, to: Translation): Json {
  const { orc, obr } = order;
  const specimens = order.specimens.map(({ spm }) => mapSpecimen(spm, patient, key, to));
  const groups = [...order.observations, ...order.specimens.flatMap(({ observations }) => observations)];
  const { references } = mapObservations(groups, { patient, encounter, key, effective: to.eventTime }, to);
  const priority = [obr.at(5), obr.at(27).at(6)].find((cursor) => cursor.isValued);
  const isNew = ['NW', '', 'OP'].includes(orc?.field(1).value ?? '');
  const diagnoses = order.diagnoses.flatMap((dg1) => concept()(dg1.at(3)) ?? []);
  return {
    priority: priority === undefined ? undefined : codeOf(REQUEST_PRIORITY)(priority),
    occurrenceDateTime: occurrenceOf(order),
    authoredOn: isNew && orc?.at(9).isValued ? orc.at(9).dateTime : undefined,
    requester: requesterInPlace(order, to),
    performer: present([obr.at(34).isValued ? practitioner(obr.at(34).at(1), to) : undefined]),
    reasonCode: [...obr.all(31).flatMap((cursor) => concept()(cursor) ?? []), ...diagnoses],
    supportingInfo: references,
    specimen: specimens,
    bodySite: present([bodySiteOf(obr)]),
    locationReference: orc?.at(13).isValued ? present([location(orc.at(13), to)]) : [],
    note: [
      ...obr
        .all(13)
        .flatMap((cursor) => words(cursor) ?? [])
        .map((text) => ({ text })),
      ...noteOf(order.notes),
    ],
  };
}

/** When it is to be done: OBR-36, else OBR-6, else the start of the timing in OBR-27. */
function occurrenceOf({ obr }: ObservationOrder): string | undefined {
  const found = [obr.at(36), obr.at(27).at(4), obr.at(6), obr.at(7)].find((cursor) => cursor.isValued);
  return found?.dateTime;
}

const bodySiteOf = (obr: SegmentCursor): Json | undefined =>
  obr.at(15).at(4).isValued ? concept(BODY_SITE)(obr.at(15).at(4)) : undefined;

function requesterInPlace(order: ObservationOrder, to: Translation): Json | undefined {
  const person = requesterOf(order, to);
  const place = order.orc?.at(21).isValued ? organization(order.orc.at(21), to) : undefined;
  if (person?.['reference'] === undefined || place?.['reference'] === undefined) return person ?? place;
  return practitionerRole(person, place, {}, to);
}
