/** FHIR to HL7 v2 and back: what a message brought goes out again as it was. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { mapFromFhir } from '../../../src/mapping/hl7v2/outbound/map-from-fhir.ts';
import type { OutboundContext } from '../../../src/mapping/hl7v2/outbound/outbound.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { formatMessage } from '../../../src/standards/hl7v2/format.ts';
import { kindOf, type Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture } from '../../standards/hl7v2/samples.ts';

const FIXTURES = new URL('../../../fixtures/hl7v2/', import.meta.url);
const OUT = new URL('out/', FIXTURES);
const MAPPING = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };
const CONTEXT: OutboundContext = {
  from: { application: 'MORTAR', facility: 'RXX' },
  to: { application: 'PAS', facility: 'RXX' },
  at: Date.UTC(2026, 2, 2, 10, 15),
  controlId: 'OUT-1',
};
const isUpdating = process.env['UPDATE_GOLDEN'] === '1';

/** Events that go out as they came. */
const SAME_KIND =
  /^(?:ADT\^(?:A01|A02|A03|A05|A08|A11|A13|A21|A28|A31|A34|A40)|SIU\^S(?:12|13|14|15|17|26)|OMP|RDE|RDS|ORU)/;

const read = (bytes: Buffer): Message => {
  const { value, issues } = parseMessage(bytes);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
};
const bundleOf = (message: Message): unknown => {
  const { value } = mapToFhir(message, MAPPING);
  return value && parseJson(formatJson(value));
};
const kindOut = (kind: string): string => (kind === 'ADT^A34' ? 'ADT^A40' : kind);
const linesOf = (message: Message): string[] => message.segments.map(({ text }) => text);

type Loose = Record<string, unknown>;

/** Resources by type, without what only the mapper knows them by. */
function contentsOf(bundle: unknown): Map<string, Loose[]> {
  const entries = (bundle as { entry: { resource: Loose }[] }).entry.map(({ resource }) => resource);
  const contents = entries.map((resource) => {
    const { identifier, contained, ...rest } = resource;
    const kept = ((identifier ?? []) as Loose[]).filter(({ system }) => system !== 'urn:ietf:rfc:3986');
    return { ...rest, identifier: kept, contained };
  });
  return Map.groupBy(
    contents.map((content) => JSON.parse(formatJson(content)) as Loose),
    ({ resourceType }) => String(resourceType),
  );
}

describe('hl7v2 › FHIR to HL7 v2', () => {
  const names = readdirSync(FIXTURES)
    .filter((file) => file.endsWith('.hl7'))
    .map((file) => file.replace('.hl7', ''));

  describe('golden', () => {
    for (const name of names) {
      const message = parseMessage(fixture(name)).value;
      const bundle = message && bundleOf(message);
      if (message === undefined || bundle === undefined || !SAME_KIND.test(kindOf(message))) continue;
      it(`${name}: ${kindOf(message)}`, () => {
        const { value, issues } = mapFromFhir(bundle, { ...CONTEXT, kind: kindOut(kindOf(message)) });
        const text = `${formatJson({ issues, segments: value === undefined ? null : linesOf(value) }, true)}\n`;
        const golden = new URL(`${name}.json`, OUT);
        if (isUpdating) writeFileSync(golden, text);
        expect(text).equal(readFileSync(golden, 'utf8'));
      });
    }
  });

  describe('there and back', () => {
    for (const [name, types] of [
      ['own-uk-a01', ['Patient', 'Encounter', 'AllergyIntolerance', 'RelatedPerson', 'Condition']],
      ['own-uk-a28-deceased', ['Patient']],
      ['own-uk-a40', ['Patient']],
      ['own-siu-s12', ['Appointment', 'Patient']],
      ['own-siu-s12-group', ['Appointment', 'Patient']],
      ['own-omp-o09-dmd', ['MedicationRequest', 'Patient']],
      ['own-rde-o11-taper', ['MedicationRequest']],
      ['own-rds-o13-partial', ['MedicationDispense']],
      ['own-rds-o13-uk', ['MedicationDispense']],
      ['own-oru-all-types', ['DiagnosticReport', 'Observation']],
      ['own-oru-specimen', ['Observation', 'Specimen']],
    ] as const)
      it(`${name}: ${types.join(', ')} come back as they were`, () => {
        const message = read(fixture(name));
        const first = bundleOf(message);
        const { value, issues } = mapFromFhir(first, { ...CONTEXT, kind: kindOf(message) });
        expect(issues.filter(isError)).eql([]);
        const [before, after] = [contentsOf(first), contentsOf(bundleOf(read(formatMessage(value as Message))))];
        for (const type of types) expect(withoutLinks(after.get(type)), type).eql(withoutLinks(before.get(type)));
      });
  });
});

/** Urls are made from the sender's application too, which is another one on the way back. */
function withoutLinks(resources: readonly Loose[] | undefined): unknown {
  return JSON.parse(JSON.stringify(resources ?? []).replaceAll(/urn:uuid:[\da-f-]{36}/g, 'urn:uuid:'));
}

describe('hl7v2 › FHIR to HL7 v2, the message it makes', () => {
  const patient = { resourceType: 'Patient', identifier: [{ system: 'https://x.example/mrn', value: '7' }] };
  const of = (...resources: object[]): unknown => ({
    resourceType: 'Bundle',
    type: 'collection',
    entry: resources.map((resource, n) => ({ fullUrl: `urn:test:${n}`, resource })),
  });
  const kindFor = (...resources: object[]): string | undefined => {
    const { value } = mapFromFhir(of(...resources), CONTEXT);
    return value && kindOf(value);
  };

  for (const [status, code, kind] of [
    ['planned', 'IMP', 'ADT^A05'],
    ['in-progress', 'IMP', 'ADT^A01'],
    ['in-progress', 'EMER', 'ADT^A04'],
    ['onleave', 'IMP', 'ADT^A21'],
    ['finished', 'IMP', 'ADT^A03'],
    ['cancelled', 'IMP', 'ADT^A11'],
    ['entered-in-error', 'IMP', 'ADT^A23'],
  ])
    it(`a visit that is ${status} (${code}) is ${kind}`, () =>
      expect(kindFor(patient, { resourceType: 'Encounter', status, class: { code } })).equal(kind));

  for (const [status, kind] of [
    ['booked', 'SIU^S12'],
    ['arrived', 'SIU^S14'],
    ['cancelled', 'SIU^S15'],
    ['entered-in-error', 'SIU^S17'],
    ['noshow', 'SIU^S26'],
  ])
    it(`an appointment that is ${status} is ${kind}`, () => {
      const participant = [{ actor: { reference: 'urn:test:0' }, status: 'accepted' }];
      const appointment = { resourceType: 'Appointment', identifier: [{ value: '1' }], status, participant };
      expect(kindFor(patient, appointment)).equal(kind);
    });

  it('a patient alone is A31, one that is out of use A29, one that gave way A40', () => {
    expect(kindFor(patient)).equal('ADT^A31');
    expect(kindFor({ ...patient, active: false })).equal('ADT^A29');
    const link = [{ type: 'replaced-by', other: { reference: 'urn:test:0' } }];
    expect(kindFor(patient, { ...patient, active: false, link })).equal('ADT^A40');
  });

  it('a system that is no name travels as an address', () => {
    const { value } = mapFromFhir(of(patient), CONTEXT);
    expect(value?.value('PID-3.4.2')).equal('https://x.example/mrn');
    expect(value?.value('PID-3.4.3')).equal('URI');
  });

  it('before version 2.5 timings are a TQ', () => {
    const { value } = mapFromFhir(bundleOf(read(fixture('own-rde-o11-taper'))), { ...CONTEXT, version: '2.4' });
    expect(value?.find('TQ1')).equal(undefined);
    expect(value?.value('RXE-1.2')).equal('QD');
  });

  it('text cannot break out of its field', () => {
    const name = [{ family: 'A|B^C~D\\E&F\rPID|9', given: ['x\u000b\u001c'] }];
    const { value } = mapFromFhir(of({ ...patient, name }), CONTEXT);
    const back = read(formatMessage(value as Message));
    expect(back.all('PID').length).equal(1);
    expect(back.value('PID-5.1').replaceAll(/\s/g, '')).equal('A|B^C~D\\E&FPID|9');
  });

  it('what has no place is told, and what is missing refused', () => {
    const { issues } = mapFromFhir(of({ ...patient, photo: [{ title: 'x' }] }, { resourceType: 'Flag' }), CONTEXT);
    expect(issues.map((i) => i.expression?.[0])).eql(['Patient.photo', 'Flag']);
    for (const content of [undefined, 'x', [], {}, of(), of({ resourceType: 'Encounter' }), of(patient, patient)])
      expect(mapFromFhir(content, CONTEXT).value, JSON.stringify(content)).equal(undefined);
  });

  it('anything is written or refused, and nothing is thrown', () => {
    const types = [
      'Patient',
      'Encounter',
      'Appointment',
      'MedicationRequest',
      'MedicationDispense',
      'DiagnosticReport',
      'Observation',
    ];
    const elements = [
      'identifier',
      'name',
      'status',
      'participant',
      'dosageInstruction',
      'result',
      'link',
      'subject',
      'valueQuantity',
      'class',
    ];
    const names = [
      'reference',
      'value',
      'coding',
      'code',
      'system',
      'actor',
      'other',
      'type',
      'text',
      'family',
      'given',
      'repeat',
    ];
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constant('urn:test:0'));
    const inner = fc.dictionary(fc.constantFrom(...names), fc.oneof(leaf, fc.array(leaf)));
    const outer = fc.dictionary(fc.constantFrom(...names), fc.oneof(leaf, inner, fc.array(inner)));
    const value = fc.oneof(leaf, outer, fc.array(fc.oneof(leaf, outer)));
    const resource = fc
      .tuple(fc.constantFrom(...types), fc.dictionary(fc.constantFrom(...elements), value))
      .map(([resourceType, rest]) => ({ ...rest, resourceType }));
    fc.assert(
      fc.property(fc.array(resource, { maxLength: 4 }), (resources) => {
        const { value, issues } = mapFromFhir(of(patient, ...resources), CONTEXT);
        if (value === undefined) expect(issues.some(isError)).equal(true);
        else expect(parseMessage(formatMessage(value)).value).not.equal(undefined);
      }),
      { numRuns: 500 },
    );
  });
});
