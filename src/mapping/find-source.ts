/** Which standard a message is of: by its media type, or by how it begins. docs/gateway.md "Trying a translation" */
import { readXml } from '../standards/xml/read.ts';

export const SOURCES = ['fhir', 'hl7v2', 'script', 'eps-v3', 'd0'] as const;
export type Source = (typeof SOURCES)[number];
export const MEDIA_TYPES: ReadonlyMap<string, Source | 'xml'> = new Map([
  ['application/fhir+json', 'fhir'],
  ['application/json', 'fhir'],
  ['application/xml', 'xml'],
  ['text/xml', 'xml'],
  ['x-application/hl7-v2+er7', 'hl7v2'],
  ['application/vnd.ncpdp.telecom', 'd0'],
  ['multipart/related', 'eps-v3'],
]);
/** Segment, group and field separator. */
const TELECOM_SEPARATORS = ['\u001E', '\u001D', '\u001C'];
/** The Spine answers in them. */
const MIME_PARTS = /^--\S/;

/** What the bytes are, by how they begin; for XML by the root element. */
export function findSource(content: Buffer): Source | undefined {
  const head = content
    .subarray(0, 4096)
    .toString('latin1')
    .replace(/^\u00EF\u00BB\u00BF/, '')
    .trimStart();
  if (/^[{[]/.test(head)) return 'fhir';
  if (/^(?:MSH|FHS|BHS)/.test(head)) return 'hl7v2';
  if (head.startsWith('<')) return findXmlSource(content);
  if (MIME_PARTS.test(head)) return 'eps-v3';
  return TELECOM_SEPARATORS.some((separator) => head.includes(separator)) ? 'd0' : undefined;
}

export const findXmlSource = (content: Buffer): Source => {
  if (MIME_PARTS.test(content.subarray(0, 64).toString('latin1'))) return 'eps-v3';
  const { value } = readXml(content);
  return value === undefined || value.name === 'Message' ? 'script' : 'eps-v3';
};
