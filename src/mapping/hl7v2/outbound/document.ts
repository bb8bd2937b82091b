/** DocumentReference as TXA and OBX; the order it is about as ORC and OBR. docs/hl7v2.md "FHIR to HL7 v2" */
import { DOCUMENT_CONFIDENTIALITY, DOCUMENT_STATUS, DOCUMENT_TYPE, reverseCode } from '../code-tables.ts';
import { type Json, present } from '../compact.ts';
import { cwe, dtm, ei, identifierOf, plainIdentifier, repeated, xcn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { writeDocument } from './results.ts';
import { listOf, objectOf, referencesOf, textOf } from './source.ts';

const SENT = [
  ...['masterIdentifier', 'identifier', 'status', 'docStatus', 'type', 'subject', 'date', 'author', 'authenticator'],
  ...['relatesTo', 'description', 'securityLabel', 'content', 'context'],
];

/** The event that tells of a document as it is: T01 without content, T06 an addendum, T10 a replacement, T11 an error. */
export function documentEvent(document: Json): string {
  if (document['status'] === 'entered-in-error') return 'T11';
  const hasContent = listOf(document['content']).some(({ attachment }) =>
    ['data', 'url'].some((name) => objectOf(attachment)?.[name] !== undefined),
  );
  const [relation] = listOf(document['relatesTo']);
  if (relation?.['code'] === 'replaces') return hasContent ? 'T10' : 'T09';
  if (relation?.['code'] === 'appends') return hasContent ? 'T06' : 'T05';
  return hasContent ? 'T02' : 'T01';
}

/** Events of even number carry the content. HL7 v2.5.1 section 9.6 */
export function writeDocumentReference(document: Json, event: string, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(document, SENT);
  const number = objectOf(document['masterIdentifier']) ?? plainIdentifier(document);
  if (number === undefined)
    from.fail('A document without a number cannot be sent', 'DocumentReference.masterIdentifier');
  const attachments = present(listOf(document['content']).map(({ attachment }) => objectOf(attachment)));
  const description = textOf(document['description']);
  const titles = new Set(attachments.map(({ title }) => textOf(title)));
  const title = titles.size === 1 ? [...titles][0] : undefined;
  const context = objectOf(document['context']);
  const [relation] = listOf(document['relatesTo']);
  const target = objectOf(relation?.['target']);
  writeOrders(context, to);
  out.write('TXA', {
    1: '1',
    2: cwe(document['type'], DOCUMENT_TYPE),
    3: presentationOf(attachments[0]),
    4: dtm(objectOf(context?.['period'])?.['start']),
    6: dtm(document['date']),
    9: repeated(referencesOf(document['author']).flatMap((author) => xcn(author, from))),
    10: repeated(xcn(document['authenticator'], from)),
    12: ei(number),
    13: ei(objectOf(target?.['identifier']) ?? masterOf(from.resolve(target))),
    16: title,
    17: completionOf(document),
    18: repeated(listOf(document['securityLabel']).map((label) => cwe(label, DOCUMENT_CONFIDENTIALITY))),
    19: document['status'] === 'superseded' ? 'OB' : 'AV',
    25: repeated(description?.split('\n') ?? []),
  });
  if (Number(event.slice(1)) % 2 === 0) writeContent(attachments, title, document, to);
}

const masterOf = (document: Json | undefined): Json | undefined =>
  document && (objectOf(document['masterIdentifier']) ?? plainIdentifier(document));

/** Table 0191, which has no word for many formats: these are named as MIME does. */
const PRESENTATIONS = new Map([
  ['text/plain', 'TEXT'],
  ['application/octet-stream', 'AP'],
  ['image/*', 'IM'],
]);
function presentationOf(attachment: Json | undefined): string {
  const type = textOf(attachment?.['contentType'])?.split(';')[0] ?? 'application/octet-stream';
  return PRESENTATIONS.get(type) ?? type.split('/')[1]?.toUpperCase() ?? 'AP';
}

/** Table 0271. */
function completionOf({ docStatus, status }: Json): string | undefined {
  if (status === 'entered-in-error') return undefined;
  return docStatus === 'amended' ? 'AU' : reverseCode(DOCUMENT_STATUS, docStatus);
}

function writeOrders(context: Json | undefined, to: Outbound): void {
  const { from, out } = to;
  for (const reference of referencesOf(context?.['related'])) {
    const order = from.resolve(reference);
    if (order?.['resourceType'] !== 'ServiceRequest') continue;
    const [placed, filled] = [
      ei(identifierOf(order, 'PLAC') ?? plainIdentifier(order)),
      ei(identifierOf(order, 'FILL')),
    ];
    out.write('ORC', { 1: 'RE', 2: placed, 3: filled });
    out.write('OBR', { 1: out.next('OBR'), 2: placed, 3: filled, 4: cwe(order['code']) });
  }
}

/** Plain text as lines, anything else whole. `shared`: the title that all have, which TXA-16 says. */
function writeContent(attachments: readonly Json[], shared: string | undefined, document: Json, to: Outbound): void {
  to.out.reset('OBX');
  const status = document['docStatus'] === 'preliminary' ? 'P' : 'F';
  for (const [index, attachment] of attachments.entries()) {
    const form = withBinary(attachment, to);
    const text = index === 0 ? plainTextOf(form) : undefined;
    if (text !== undefined) writeText(text, document, status, to);
    else writeDocument({ ...form, title: form['title'] ?? shared }, status, to);
  }
}

/** The content of a Binary that the attachment names. */
function withBinary(attachment: Json, { from }: Outbound): Json {
  const url = textOf(attachment['url']);
  if (url === undefined || attachment['data'] !== undefined) return attachment;
  const binary = from.resolve({ reference: url });
  if (binary?.['resourceType'] === 'Binary')
    return {
      ...attachment,
      contentType: attachment['contentType'] ?? binary['contentType'],
      data: binary['data'],
      url: undefined,
    };
  if (!/^https?:/.test(url)) from.warn('A document that is not in the Bundle is not sent', 'DocumentReference.content');
  return attachment;
}

/** Text that comes back as it is when it is written as lines: UTF-8 without white space at its ends. */
function plainTextOf({ contentType, data }: Json): string | undefined {
  const encoded = textOf(data);
  if (encoded === undefined || !/^text\/plain(?:;|$)/.test(textOf(contentType) ?? '')) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const text = bytes.toString('utf8');
  const isSame = Buffer.from(text, 'utf8').equals(bytes) && text.trim() === text && !/[^\P{Cc}\n]/u.test(text);
  return isSame && text !== '' ? text : undefined;
}

/** A line each; a text with an empty line, which would be lost, is one. */
function writeText(text: string, document: Json, status: string, { out }: Outbound): void {
  const lines = text.split('\n');
  const rows = lines.every((line) => line !== '' && line.trim() === line) ? lines : [text];
  const name = cwe(document['type'], DOCUMENT_TYPE);
  for (const row of rows) out.write('OBX', { 1: out.next('OBX'), 2: 'TX', 3: name, 5: row, 11: status });
}
