/** TXA with its OBX as DocumentReference. Source: message map MDM_T02; what it leaves open is in docs/hl7v2.md. */
import type { FhirResource } from '../transaction-bundle.ts';
import { odsOrganization, practitioners } from './actors.ts';
import { type MappedAdmission, mapAdmission } from './admission.ts';
import { DOCUMENT_CONFIDENTIALITY, DOCUMENT_STATUS, DOCUMENT_TYPE } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { localSystem, SegmentCursor } from './cursor.ts';
import { codeOf, concept, instant, wordsOf } from './data-types.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { codeOfObservation, groupObservations, noteText, type ObservationGroup } from './observation.ts';
import { contentTypeOf, readValue } from './observation-value.ts';
import { orderNumbers, orderReference } from './order-numbers.ts';
import { groupObservationOrders } from './order-observations.ts';
import { cursorsOf, firstOf } from './sections.ts';
import type { Translation } from './translation.ts';

export function mapDocument(to: Translation): void {
  const txa = firstOf(to, 'TXA');
  const admission = mapAdmission(to);
  if (txa === undefined || admission === undefined) return;
  const number = ei(txa.at(12), undefined, localSystem(to.reading, 'document'));
  const keys = number === undefined ? [] : keysOf([number]);
  if (number === undefined || keys.length === 0) {
    txa.at(12).tell('error', 'required', 'The document has no number by which it may be found');
    return;
  }
  const isError = event(to) === 'T11';
  const resource = compact({
    resourceType: 'DocumentReference',
    masterIdentifier: number,
    identifier: [number],
    status: isError ? 'entered-in-error' : availabilityOf(txa),
    docStatus: isError ? 'entered-in-error' : statusOf(txa),
    type: concept(DOCUMENT_TYPE)(txa.at(2)),
    subject: admission.patient.reference,
    date: dateOf(txa),
    author: practitioners([...txa.all(9), ...txa.all(5)], to),
    authenticator: practitioners(txa.all(10), to)[0] ?? practitioners(txa.all(22), to)[0],
    custodian: odsOrganization(new SegmentCursor(to.message.header, to.reading).at(4), to),
    relatesTo: relatesTo(txa, to),
    description: present(txa.all(25).map((cursor) => cursor.value)).join('\n'),
    securityLabel: present(txa.all(18).map(concept(DOCUMENT_CONFIDENTIALITY))),
    content: contentOf(txa, to).map((attachment) => ({ attachment })),
    context: contextOf(txa, admission, to),
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keys);
}

const event = ({ message }: Translation): string => message.header.value(9, 2);

const CANCELLED = new Set(['CA', 'OB', 'UN']);
const availabilityOf = (txa: SegmentCursor): string => (CANCELLED.has(txa.at(19).text) ? 'superseded' : 'current');

const statusOf = (txa: SegmentCursor): string | undefined =>
  txa.at(17).isValued ? codeOf(DOCUMENT_STATUS)(txa.at(17)) : undefined;

/** When it was made, else when it was written out. */
function dateOf(txa: SegmentCursor): string | undefined {
  const sent = [txa.at(6), txa.at(7), txa.at(4)].find((cursor) => cursor.isValued);
  return sent && instant(sent);
}

const RELATIONS = new Map([
  ['T05', 'appends'],
  ['T06', 'appends'],
  ['T09', 'replaces'],
  ['T10', 'replaces'],
]);

/** TXA-13 is the document before; it is named and not made. */
function relatesTo(txa: SegmentCursor, to: Translation): readonly Json[] {
  const code = RELATIONS.get(event(to));
  const parent = txa.at(13).isValued ? ei(txa.at(13), undefined, localSystem(to.reading, 'document')) : undefined;
  if (parent === undefined) return [];
  return [{ code: code ?? 'transforms', target: { type: 'DocumentReference', identifier: parent } }];
}

/** Documents as they are; lines of text are one document. Without either, what the notification says of it. */
function contentOf(txa: SegmentCursor, to: Translation): readonly Json[] {
  const title = txa.at(16).isValued ? txa.at(16).value : txa.at(25).value;
  const lines: string[] = [];
  const attachments: Json[] = [];
  for (const { obx, notes } of observationsOf(to)) {
    const read = readValue(obx);
    const name = codeOfObservation(obx);
    obx.ignore(1, 2, 4, 11);
    if (read.attachment !== undefined)
      attachments.push(compact({ ...read.attachment, title: title ?? wordsOf(name) }) as Json); // it has a content type
    else lines.push(...textsOf(read.element), ...present([noteText(notes)]));
  }
  const contentType = contentTypeOf('', txa.at(3).text.toLowerCase());
  const text = lines.join('\n');
  if (text !== '')
    attachments.unshift(
      compact({ contentType: 'text/plain', data: Buffer.from(text, 'utf8').toString('base64'), title }) as Json,
    );
  if (attachments.length > 0) return attachments;
  return [compact({ contentType, title: title ?? 'Document' }) as Json];
}

/** Those of the document, not of an order before it. */
function observationsOf(to: Translation): readonly ObservationGroup[] {
  const cursors = cursorsOf(to);
  return groupObservations(cursors.slice(cursors.findIndex(({ segment }) => segment.id === 'TXA')));
}

/** What a person reads, whatever its type. */
function textsOf(element: Readonly<Record<string, unknown>>): readonly string[] {
  const { valueString, valueCodeableConcept, valueQuantity, valueDateTime, valueTime } = element;
  if (typeof valueString === 'string') return [valueString];
  const code = valueCodeableConcept as Json | undefined;
  const [coding] = (code?.['coding'] ?? []) as readonly Json[];
  const quantity = valueQuantity as Json | undefined;
  const measured = quantity && [quantity['comparator'], quantity['value'], quantity['unit']];
  const found = code?.['text'] ?? coding?.['display'] ?? coding?.['code'] ?? valueDateTime ?? valueTime;
  const words = measured?.filter((part) => part !== undefined).join(' ') ?? found;
  return words === undefined ? [] : [String(words)];
}

function contextOf(txa: SegmentCursor, { patient, encounter }: MappedAdmission, to: Translation): Json | undefined {
  const related = groupObservationOrders(to).orders.map(({ orc, obr }) =>
    orderReference(orderNumbers(orc, obr, to), { code: concept()(obr.at(4)) }, patient, to),
  );
  const start = txa.at(4).isValued ? txa.at(4).dateTime : undefined;
  return compact({
    encounter: encounter && [encounter.reference],
    period: start === undefined ? undefined : { start },
    related: present(related),
  });
}
