/** HL7 v2 → FHIR → HL7 v2 → FHIR: what the mapping reads of a message of any type goes out again, whatever it leaves out. */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { EVENTS } from '../../../src/mapping/hl7v2/events.ts';
import { isSupportedEvent, mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { isWrittenKind, mapFromFhir, WRITTEN_TYPES } from '../../../src/mapping/hl7v2/outbound/map-from-fhir.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { createMessage, formatMessage } from '../../../src/standards/hl7v2/format.ts';
import { kindOf, type Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture } from '../../standards/hl7v2/samples.ts';

const FIXTURES = new URL('../../../fixtures/hl7v2/', import.meta.url);
const MAPPING = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };

type Loose = Record<string, unknown>;
interface Contents {
  readonly entry: readonly { readonly resource: Loose }[];
}

const read = (bytes: Buffer): Message => {
  const { value, issues } = parseMessage(bytes);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
};

function bundleOf(message: Message): Contents | undefined {
  const { value } = mapToFhir(message, MAPPING);
  return value && (parseJson(formatJson(value)) as Contents);
}

/** The event's own time: elements are made of it. */
function timeOf(message: Message): number {
  const texts = [message.find('EVN')?.value(6), message.find('EVN')?.value(2), message.header.value(7)];
  const [, date, hour, minute] = /^(\d{8})(\d\d)(\d\d)/.exec(texts.find((text) => text) ?? '') ?? [];
  if (date === undefined) return MAPPING.receivedAt;
  return Date.UTC(
    Number(date.slice(0, 4)),
    Number(date.slice(4, 6)) - 1,
    Number(date.slice(6)),
    Number(hour),
    Number(minute),
  );
}

function writeAgain(message: Message, bundle: Contents) {
  const { header } = message;
  return mapFromFhir(bundle, {
    from: { application: header.value(3), facility: header.value(4) },
    to: { application: 'PARTNER', facility: 'RYY' },
    at: timeOf(message),
    controlId: header.value(10),
    kind: kindOf(message),
    version: header.value(12),
    country: header.value(17) || 'GBR',
  });
}

/** Resources by type, without what only the mapper knows them by; lists of identifiers have no order. */
function contentsOf(bundle: Contents, left: ReadonlySet<string>): Map<string, string[]> {
  const contents = new Map<string, string[]>();
  for (const { resource } of bundle.entry) {
    const type = String(resource['resourceType']);
    if (left.has(type)) continue;
    const text = JSON.stringify(canonical(JSON.parse(formatJson(resource)) as unknown, ''));
    contents.set(
      type,
      [...(contents.get(type) ?? []), text.replaceAll(/urn:uuid:[\da-f-]{36}/g, 'urn:uuid:')].toSorted(),
    );
  }
  return contents;
}

function canonical(value: unknown, name: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => canonical(item, name));
    const kept = items.filter((item) => (item as Loose | null)?.['system'] !== 'urn:ietf:rfc:3986');
    return name === 'identifier' ? kept.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    members
      // A resource that says no time of its own is booked for that of the appointment.
      .filter(([member]) => !(name === 'participant' && member === 'period'))
      // The length is that between its ends, said or not.
      .filter(([member]) => !(member === 'minutesDuration' && 'end' in value))
      // PV1-2 is required: a class that is not known is U there.
      .map(([member, inner]) => [member, member === 'class' && isUnknown(inner) ? 'unknown' : inner] as const)
      .map(([member, inner]) => [member, canonical(inner, member)] as const)
      .filter(([member, inner]) => !(member === 'identifier' && Array.isArray(inner) && inner.length === 0)),
  );
}

const isUnknown = (value: unknown): boolean => ['U', 'UNK'].includes(String((value as Loose)['code']));

/** What a message only refers to: the order of a supply is told of by a message of its own. */
const REFERRED = new Map([['RDS', new Set(['MedicationRequest', 'Medication'])]]);
/** Without these a message breaks its standard; it is read, and goes out with them. */
const REQUIRED = new Set([
  ...['ORC-1', 'TQ1-1', 'OBR-4', 'OBX-3', 'RXA-1', 'RXA-2', 'RXD-1', 'RXG-1'],
  // What became of the order, and a TQ1 that says nothing else.
  ...['ORC-5', 'TQ1-3'],
  // A visit without a number and a time is not stored, and its class is that of its orders.
  'PV1-44',
]);
const NOTHING: ReadonlySet<string> = new Set();

/** Undefined where the message says nothing, or what it says is refused on its way in or out, and told. */
function comesBack(message: Message): { before: Map<string, string[]>; after: Map<string, string[]> } | undefined {
  const bundle = bundleOf(message);
  if (bundle === undefined) return undefined;
  const { value, issues } = writeAgain(message, bundle);
  if (value === undefined) {
    expect(issues.some(isError)).equal(true);
    return undefined;
  }
  const left = REFERRED.get(kindOf(message).slice(0, 3)) ?? NOTHING;
  const back = bundleOf(read(formatMessage(value)));
  return { before: contentsOf(bundle, left), after: back === undefined ? new Map() : contentsOf(back, left) };
}

describe('hl7v2 › there and back', () => {
  const messages = readdirSync(FIXTURES)
    .filter((file) => /^own-.*\.hl7$/.test(file))
    .map((file) => ({ name: file.slice(0, -4), message: parseMessage(fixture(file.slice(0, -4))).value }))
    .flatMap(({ name, message }) => (message && isSupportedEvent(kindOf(message)) ? [{ name, message }] : []));
  const written = messages.filter(({ message }) => isWrittenKind(kindOf(message)));

  it('every type that is read is written, and has a message of ours', () => {
    const types = new Set([...EVENTS.keys()].map((kind) => kind.slice(0, 3)));
    expect(types).eql(new Set(WRITTEN_TYPES));
    expect(new Set(written.map(({ message }) => kindOf(message).slice(0, 3)))).eql(types);
  });

  /** These say that something was merged already, or of whom nothing else is known: nothing is left to be told. */
  const silent = new Set(['own-uk-a40-same']);

  for (const { name, message } of written) {
    it(`${name}: ${kindOf(message)} comes back as it was`, () => {
      const { before, after } = comesBack(message) ?? {};
      if (silent.has(name)) expect(before).equal(undefined);
      else expect(after).eql(before);
    });

    it(`${name}: and without any one of its fields`, () => {
      for (const [at, segment] of message.segments.entries()) {
        if (segment.id === 'MSH') continue;
        for (let n = 1; n <= segment.fieldCount; n++) {
          if (segment.field(n).isEmpty || REQUIRED.has(`${segment.id}-${n}`)) continue;
          const { before, after } = comesBack(without(message, [{ at, n }])) ?? {};
          expect(after, `without ${segment.id}-${n}`).eql(before);
        }
      }
    });
  }

  it('and without any several', () => {
    const one = fc.constantFrom(...written).chain(({ message }) => {
      const places = message.segments.flatMap((segment, at) =>
        Array.from({ length: segment.fieldCount }, (_, n) => ({ at, n: n + 1 })).filter(
          ({ n }) => segment.id !== 'MSH' && !REQUIRED.has(`${segment.id}-${n}`),
        ),
      );
      return fc
        .subarray(places, { minLength: 1, maxLength: Math.min(12, places.length) })
        .map((gone) => without(message, gone));
    });
    fc.assert(
      fc.property(one, (message) => {
        const { before, after } = comesBack(message) ?? {};
        expect(after, message.segments.map(({ text }) => text).join('\n')).eql(before);
      }),
      { numRuns: 500 },
    );
  });
});

function without(message: Message, gone: readonly { readonly at: number; readonly n: number }[]): Message {
  const texts = message.segments.map(({ text }) => text.split(message.encoding.field));
  for (const { at, n } of gone) if (texts[at]?.[n] !== undefined) texts[at][n] = '';
  return createMessage(
    texts.map((fields) => fields.join(message.encoding.field)),
    message.encoding,
  );
}
