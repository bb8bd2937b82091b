/** DiagnosticReport with its Observations and Specimens as ORC, OBR, OBX, NTE and SPM. */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import {
  BODY_SITE,
  DIAGNOSTIC_SERVICE,
  INTERPRETATION,
  OBSERVATION_METHOD,
  OBSERVATION_STATUS,
  REPORT_STATUS,
  reverseCode,
  SPECIMEN_TYPE,
} from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { codesOf } from './encounter.ts';
import { amount, cwe, dtm, ei, identifierOf, isOwnKey, repeated, xcn, xon } from './fields.ts';
import { noteText, writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';

const SENT = [
  ...[
    'identifier',
    'basedOn',
    'status',
    'category',
    'code',
    'subject',
    'encounter',
    'effectiveDateTime',
    'effectivePeriod',
  ],
  ...['issued', 'performer', 'resultsInterpreter', 'specimen', 'result', 'conclusion', 'presentedForm'],
];

const references = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export function writeReport(report: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(report, SENT);
  const order = from.resolve(references(report['basedOn'])[0]);
  const placed = ei(identifierOf(report, 'PLAC') ?? identifierOf(order, 'PLAC'));
  const filled = ei(identifierOf(report, 'FILL') ?? identifierOf(order, 'FILL'));
  const period = objectOf(report['effectivePeriod']);
  const requester = repeated(xcn(order?.['requester'], from));
  const status =
    reverseCode(REPORT_STATUS, report['status']) ??
    (report['status'] === 'entered-in-error' ? 'X' : report['status'] === 'amended' ? 'C' : undefined);
  if (placed === undefined && filled === undefined)
    from.fail('A report without a number cannot be sent', 'DiagnosticReport.identifier');
  out.reset('OBX');
  out.write('ORC', { 1: 'RE', 2: placed, 3: filled, 12: requester });
  out.write('OBR', {
    1: out.next('OBR'),
    2: placed,
    3: filled,
    4: cwe(report['code']),
    7: dtm(report['effectiveDateTime'] ?? period?.['start']),
    8: dtm(period?.['end']),
    16: requester,
    22: dtm(report['issued']),
    24: cwe(listOf(report['category'])[0], DIAGNOSTIC_SERVICE),
    25: status,
    32: interpreterOf(report, to),
  });
  writeNotes(textOf(report['conclusion']), out);
  for (const reference of references(report['result'])) writeObservation(from.resolve(reference), to);
  for (const form of listOf(report['presentedForm'])) writeDocument(form, status, to);
  for (const reference of references(report['specimen'])) writeSpecimen(from.resolve(reference), to);
}

/** NDL: the person is one component. */
function interpreterOf(report: Json, { from }: Outbound): FieldInput {
  const people = references(report['resultsInterpreter']).flatMap((reference) => xcn(reference, from));
  return repeated(
    people.map((person) => [person.slice(0, 6).map((part) => (typeof part === 'string' ? part : undefined))]),
  );
}

const OBSERVATION_SENT = [
  ...[
    'identifier',
    'basedOn',
    'partOf',
    'status',
    'category',
    'code',
    'subject',
    'encounter',
    'effectiveDateTime',
    'performer',
  ],
  ...[
    'valueQuantity',
    'valueString',
    'valueCodeableConcept',
    'valueDateTime',
    'valueTime',
    'valuePeriod',
    'valueRange',
    'valueRatio',
  ],
  ...[
    'valueInteger',
    'valueBoolean',
    'component',
    'dataAbsentReason',
    'interpretation',
    'note',
    'bodySite',
    'method',
    'specimen',
    'device',
    'referenceRange',
  ],
];

function writeObservation(observation: Json | undefined, to: Outbound): void {
  const { from, out } = to;
  if (observation === undefined) {
    from.warn('A result that is not in the Bundle is not sent', 'DiagnosticReport.result');
    return;
  }
  from.tellUnsent(observation, OBSERVATION_SENT);
  const { type, value, unit } = observedValue(observation, to);
  const [range] = listOf(observation['referenceRange']);
  const performers = references(observation['performer']);
  const people = performers.filter((reference) => from.resolve(reference)?.['resourceType'] !== 'Organization');
  const number = listOf(observation['identifier']).find((identifier) => !isOwnKey(identifier));
  const status = statusOf(observation);
  out.write('OBX', {
    1: out.next('OBX'),
    2: type,
    3: cwe(observation['code']),
    5: value,
    6: unit,
    7: rangeOf(range),
    8: repeated(listOf(observation['interpretation']).map((item) => cwe(item, INTERPRETATION))),
    11: status,
    14: dtm(observation['effectiveDateTime']),
    16: repeated(people.flatMap((reference) => xcn(reference, from))),
    17: cwe(observation['method'], OBSERVATION_METHOD),
    18: ei(objectOf(objectOf(observation['device'])?.['identifier'])),
    20: cwe(observation['bodySite'], BODY_SITE),
    21: ei(number),
    23: performers.map((reference) => xon(reference, from)).find((found) => found !== undefined),
  });
  writeNotes(noteText(observation['note']), out);
}

/** Table 0085. N: it was not asked for, and has no value. */
function statusOf(observation: Json): string | undefined {
  const { status } = observation;
  const [reason] = codesOf([observation['dataAbsentReason']]);
  if (status === 'final' && reason === 'not-asked') return 'N';
  return status === 'entered-in-error' ? 'D' : reverseCode(OBSERVATION_STATUS, status);
}

interface Value {
  readonly type: string | undefined;
  readonly value: FieldInput;
  readonly unit?: FieldInput;
}

function observedValue(observation: Json, { from, version }: Outbound): Value {
  const quantity = objectOf(observation['valueQuantity']);
  const { value, unit } = amount(quantity);
  const comparator = textOf(quantity?.['comparator']);
  if (value !== undefined)
    return comparator === undefined ? { type: 'NM', value, unit } : { type: 'SN', value: [comparator, value], unit };
  const text = textOf(observation['valueString']);
  // Newlines are escaped where they stand.
  if (text !== undefined) return { type: text.includes('\n') || text.length > 200 ? 'TX' : 'ST', value: text };
  const code = cwe(observation['valueCodeableConcept']);
  if (code !== undefined) return { type: version < 250 ? 'CE' : 'CWE', value: { repeat: [code] } };
  const date = dtm(observation['valueDateTime']);
  if (date !== undefined) return { type: date.length <= 8 ? 'DT' : version < 260 ? 'TS' : 'DTM', value: date };
  const time = textOf(observation['valueTime']);
  if (time !== undefined) return { type: 'TM', value: time.replaceAll(':', '') };
  return (
    rangedValue(observation) ??
    plainValue(observation) ??
    componentsOf(observation, version) ??
    absentValue(observation, from)
  );
}

function rangedValue(observation: Json): Value | undefined {
  const period = objectOf(observation['valuePeriod']);
  if (period !== undefined) return { type: 'DR', value: [dtm(period['start']), dtm(period['end'])] };
  const range = objectOf(observation['valueRange']);
  const [low, high] = [amount(range?.['low']), amount(range?.['high'])];
  if (range !== undefined) return { type: 'NR', value: [low.value, high.value], unit: low.unit ?? high.unit };
  const ratio = objectOf(observation['valueRatio']);
  const [above, below] = [amount(ratio?.['numerator']), amount(ratio?.['denominator'])];
  return ratio && { type: 'SN', value: [undefined, above.value, ':', below.value], unit: above.unit };
}

function plainValue(observation: Json): Value | undefined {
  const number = textOf(observation['valueInteger']);
  if (number !== undefined) return { type: 'NM', value: number };
  const truth = observation['valueBoolean'];
  return typeof truth === 'boolean' ? { type: 'ID', value: truth ? 'Y' : 'N' } : undefined;
}

/** Several codes of one question; other components have no place in one OBX. */
function componentsOf(observation: Json, version: number): Value | undefined {
  const codes = listOf(observation['component']).map((component) => cwe(component['valueCodeableConcept']));
  return codes.length > 0 && codes.every((code) => code !== undefined)
    ? { type: version < 250 ? 'CE' : 'CWE', value: repeated(codes) }
    : undefined;
}

function absentValue(observation: Json, from: Outbound['from']): Value {
  if (observation['component'] !== undefined)
    from.warn('Components with values of their own are not sent', 'Observation.component');
  return { type: undefined, value: observation['dataAbsentReason'] === undefined ? undefined : null };
}

function rangeOf(range: Json | undefined): string | undefined {
  const [low, high] = [amount(range?.['low']).value, amount(range?.['high']).value];
  const numbers =
    low !== undefined && high !== undefined
      ? `${low}-${high}`
      : low !== undefined
        ? `>${low}`
        : high === undefined
          ? undefined
          : `<${high}`;
  return textOf(range?.['text']) ?? numbers;
}

/** ED: the content travels; a document that is only named is a pointer. */
export function writeDocument(form: Json, status: string | undefined, { out }: Outbound): void {
  const [kind, subtype] = (textOf(form['contentType']) ?? 'application/octet-stream').split('/');
  const [data, url] = [textOf(form['data']), textOf(form['url'])];
  const title = textOf(form['title']) ?? 'Document';
  if (data === undefined && url === undefined) return;
  out.write('OBX', {
    1: out.next('OBX'),
    2: data === undefined ? 'RP' : 'ED',
    3: ['PDF', title, 'L'],
    5: data === undefined ? [url, undefined, kind, subtype] : [undefined, kind, subtype, 'Base64', data],
    11: status ?? 'F',
  });
}

function writeSpecimen(specimen: Json | undefined, { from, out }: Outbound): void {
  if (specimen === undefined) return;
  from.tellUnsent(specimen, [
    'identifier',
    'accessionIdentifier',
    'status',
    'type',
    'subject',
    'receivedTime',
    'parent',
    'collection',
    'container',
    'condition',
    'note',
  ]);
  const collection = objectOf(specimen['collection']);
  const period = objectOf(collection?.['collectedPeriod']);
  const [container] = listOf(specimen['container']);
  const quantity = objectOf(collection?.['quantity']);
  const volume = textOf(quantity?.['value']);
  const numbers = ['PLAC', 'FILL'].map((type) => flat(ei(identifierOf(specimen, type))));
  const isRejected = specimen['status'] === 'unsatisfactory';
  const conditions = repeated(listOf(specimen['condition']).map((item) => cwe(item)));
  const collected = dtm(collection?.['collectedDateTime'] ?? period?.['start']);
  out.write('SPM', {
    1: out.next('SPM'),
    2: numbers.some((number) => number !== undefined) ? numbers : undefined,
    4: cwe(specimen['type'], SPECIMEN_TYPE),
    6: cwe(container?.['additiveCodeableConcept']),
    7: cwe(collection?.['method']),
    8: cwe(collection?.['bodySite']),
    12: volume === undefined ? undefined : [volume, textOf(quantity?.['code']) ?? textOf(quantity?.['unit'])],
    14: repeated(listOf(specimen['note']).map((note) => textOf(note['text']))),
    17: collected === undefined ? undefined : [collected, dtm(period?.['end'])],
    18: dtm(specimen['receivedTime']),
    20: specimen['status'] === 'available' ? 'Y' : specimen['status'] === 'unavailable' ? 'N' : undefined,
    21: isRejected ? conditions : undefined,
    24: isRejected ? undefined : conditions,
    27: cwe(container?.['type']),
  });
}

/** An EI inside a component: its parts are subcomponents. */
const flat = (number: ReturnType<typeof ei>): readonly string[] | undefined =>
  number?.map((part) => (typeof part === 'string' ? part : ''));
