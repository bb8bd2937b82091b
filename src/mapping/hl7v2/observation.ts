/** OBX as Observation, with its NTE. Source: segment map OBX[Observation]. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { organization, practitioners } from './actors.ts';
import { BODY_SITE, INTERPRETATION, OBSERVATION_METHOD, OBSERVATION_STATUS, systemUrl } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, parseNumber, type SegmentCursor } from './cursor.ts';
import { concept, keyOfConcept, measured } from './data-types.ts';
import type { MappedEncounter } from './encounter.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { readValue } from './observation-value.ts';
import type { MappedPatient } from './patient.ts';
import type { Translation } from './translation.ts';

/** An OBX with the NTE that follow it. */
export interface ObservationGroup {
  readonly obx: SegmentCursor;
  readonly notes: SegmentCursor[];
}

/** What the observations of one report, order or visit share. */
export interface ObservationContext {
  readonly patient: MappedPatient;
  readonly encounter: MappedEncounter | undefined;
  /** What they belong to: makes them the same in the next message. */
  readonly key: Identifier;
  /** When OBX-14 does not say. */
  readonly effective?: string | undefined;
  readonly basedOn?: Json | undefined;
  readonly specimen?: Json | undefined;
  readonly partOf?: Json | undefined;
}

export interface MappedObservations {
  readonly references: readonly Json[];
  /** Documents among them, each with its title. */
  readonly attachments: readonly Json[];
}

export function groupObservations(cursors: readonly SegmentCursor[]): readonly ObservationGroup[] {
  const groups: ObservationGroup[] = [];
  let isNear = false;
  for (const cursor of cursors) {
    const { id } = cursor.segment;
    if (id === 'OBX') groups.push({ obx: cursor, notes: [] });
    else if (id === 'NTE' && isNear) groups.at(-1)?.notes.push(cursor);
    isNear = id === 'OBX' || (id === 'NTE' && isNear);
  }
  return groups;
}

/** Observations in their order. A document among them is handed back, unless `keepDocuments` makes it an observation. */
export function mapObservations(
  groups: readonly ObservationGroup[],
  context: ObservationContext,
  to: Translation,
): MappedObservations {
  const seen = new Map<string, number>();
  const references: Json[] = [];
  const attachments: Json[] = [];
  for (const group of groups) {
    const code = codeOfObservation(group.obx);
    const read = readValue(group.obx);
    if (read.attachment !== undefined) {
      group.obx.ignore(4, 11);
      attachments.push(compact({ ...read.attachment, title: titleOf(code) }) as Json); // it has a content type
      continue;
    }
    const name = `${keyOfConcept(code)} ${group.obx.at(4).text}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    references.push(mapObservation(group, { code, element: read.element, name, count }, context, to));
  }
  return { references, attachments };
}

const titleOf = (code: Json): unknown =>
  code['text'] ?? ((code['coding'] ?? []) as readonly Json[]).find((coding) => coding['display'])?.['display'];

interface Read {
  readonly code: Json;
  readonly element: Readonly<Record<string, unknown>>;
  readonly name: string;
  readonly count: number;
}

function mapObservation(group: ObservationGroup, read: Read, context: ObservationContext, to: Translation): Json {
  const { obx } = group;
  const number = obx.at(21).isValued ? ei(obx.at(21), undefined, localSystem(to.reading, 'observation')) : undefined;
  const keys = number === undefined ? [] : keysOf([number]);
  const { system = '', value } = context.key;
  const derived = derivedIdentifier('Observation', system, value, read.name, String(read.count));
  const status = statusOf(obx);
  const hasValue = Object.keys(read.element).length > 0;
  const resource = compact({
    resourceType: 'Observation',
    identifier: keys.length > 0 ? [number] : [derived],
    basedOn: context.basedOn && [context.basedOn],
    partOf: context.partOf && [context.partOf],
    status,
    category: categoryOf(context),
    code: read.code,
    subject: context.patient.reference,
    encounter: context.encounter?.reference,
    effectiveDateTime: obx.at(14).isValued ? obx.at(14).dateTime : context.effective,
    performer: [...practitioners(obx.all(16), to), ...laboratoryOf(obx, to)],
    ...read.element,
    dataAbsentReason: hasValue || status === 'registered' ? undefined : absentReason(obx),
    interpretation: present(obx.all(8).map(concept(INTERPRETATION))),
    note: noteOf(group.notes),
    bodySite: obx.at(20).isValued ? concept(BODY_SITE)(obx.at(20)) : undefined,
    method: obx.at(17).isValued ? concept(OBSERVATION_METHOD)(obx.at(17)) : undefined,
    specimen: context.specimen,
    device: deviceOf(obx),
    referenceRange: rangeOf(obx),
  }) as FhirResource; // it has its resourceType
  // A result that says null has no value any more.
  const removed = hasValue ? [] : VALUES;
  return { reference: to.entries.store(resource, keys.length > 0 ? keys : [derived], { removed }) };
}

const VALUES = [
  ...['Quantity', 'String', 'CodeableConcept', 'Range', 'Ratio', 'DateTime', 'Time', 'Period'].map((t) => `value${t}`),
  'component',
];

/** OBX-3; before version 2.5 often without a system. A result without a name is still a result. */
export const codeOfObservation = (obx: SegmentCursor): Json => concept()(obx.at(3)) ?? { text: 'Not named' };

const categoryOf = ({ specimen, basedOn }: ObservationContext): readonly Json[] =>
  specimen === undefined && basedOn === undefined
    ? []
    : [{ coding: [{ system: systemUrl('observation-category'), code: 'laboratory' }] }];

function statusOf(obx: SegmentCursor): string {
  const status = obx.at(11);
  const found = OBSERVATION_STATUS.get(status.text);
  if (found !== undefined) return found;
  if (status.text !== '') status.warn('code-invalid', 'The status of the result is not known');
  return 'unknown';
}

function absentReason(obx: SegmentCursor): Json {
  if (obx.field(5).isNull) obx.ignore(5);
  if (obx.field(5).raw === '') obx.ignore(2);
  const code = obx.field(11).value === 'N' ? 'not-asked' : 'unknown';
  return { coding: [{ system: systemUrl('data-absent-reason'), code }] };
}

/** OBX-23 is the laboratory, OBX-15 its number before version 2.4. */
function laboratoryOf(obx: SegmentCursor, to: Translation): readonly Json[] {
  if (obx.at(23).isValued) return present([organization(obx.at(23), to)]);
  const id = obx.at(15).isValued ? concept()(obx.at(15)) : undefined;
  const display = id?.['text'] ?? titleOf(id ?? {});
  return typeof display === 'string' ? [{ display }] : [];
}

function deviceOf(obx: SegmentCursor): Json | undefined {
  const identifier = obx.at(18).isValued ? ei(obx.at(18), undefined, localSystem(obx.reading, 'device')) : undefined;
  return identifier && { type: 'Device', identifier };
}

/** Consecutive NTE are one note. */
export function noteOf(notes: readonly SegmentCursor[]): readonly Json[] {
  const text = noteText(notes);
  return text === undefined ? [] : [{ text }];
}

export const noteText = (notes: readonly SegmentCursor[]): string | undefined =>
  notes.flatMap((nte) => present(nte.all(3).map((cursor) => cursor.value))).join('\n') || undefined;

/** `45-84`, `<5`, `>=60`: as it was sent, and as numbers where it is some. */
function rangeOf(obx: SegmentCursor): readonly Json[] {
  const cursor = obx.at(7);
  const text = cursor.isValued ? cursor.value : undefined;
  if (text === undefined) return [];
  return [compact({ ...endsOf(text, obx.at(6)), text }) as Json]; // the text is there
}

function endsOf(text: string, unit: Cursor): Readonly<Record<string, unknown>> {
  const [, from, until] = /^(-?[\d.]+)\s*-\s*(-?[\d.]+)$/.exec(text) ?? [];
  const [, sign, one] = /^([<>])=?\s*(-?[\d.]+)$/.exec(text) ?? [];
  const [low, high] = [
    parseNumber(from ?? (sign === '>' ? one : '') ?? ''),
    parseNumber(until ?? (sign === '<' ? one : '') ?? ''),
  ];
  if (low !== undefined && high !== undefined && Number(String(low)) > Number(String(high))) return {};
  return {
    low: low === undefined ? undefined : measured(low, unit),
    high: high === undefined ? undefined : measured(high, unit),
  };
}
