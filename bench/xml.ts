/**
 * `npm run -s bench:xml -- [--seconds S] [--json FILE]`: what an answer in XML costs beside one in JSON, from the stored
 * text to the bytes that are sent, and what reading a body costs. Microseconds, the best of rounds that take turns.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { present } from '../src/rest/present.ts';
import { formatJson, parseJson } from '../src/standards/fhir/json.ts';
import { createXmlReader } from '../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../src/standards/fhir/xml/write.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' }, json: { type: 'string' } } });
const ROUND_MS = 25;

const definitions = await loadDefinitions(join(tmpdir(), 'mortar-bench-cache'));
const xml = { read: createXmlReader(definitions), write: createXmlWriter(definitions) };

/** About 2 KB, as prescriptions are. */
const order = {
  resourceType: 'MedicationRequest',
  id: '0b3b4f60-0e3c-4a7e-8f5e-0a1b2c3d4e5f',
  meta: {
    versionId: '3',
    lastUpdated: '2026-05-01T09:00:00.000Z',
    profile: ['https://mortar.example/fhir/StructureDefinition/Mortar-MedicationRequest'],
  },
  text: {
    status: 'generated',
    div: '<div xmlns="http://www.w3.org/1999/xhtml"><p>Amoxicillin 500 mg capsules, one three times a day for seven days</p></div>',
  },
  extension: [
    {
      url: 'http://example.org/fhir/StructureDefinition/controlled',
      valueCoding: { system: 'http://example.org/schedule', code: 'none' },
    },
  ],
  identifier: [
    { system: 'https://fhir.nhs.uk/Id/prescription-order-item-number', value: 'a54219b8-f741-4c47-b662-e4f8dfa49ab6' },
  ],
  status: 'active',
  intent: 'order',
  category: [
    {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/medicationrequest-category',
          code: 'outpatient',
          display: 'Outpatient',
        },
      ],
    },
  ],
  medicationCodeableConcept: {
    coding: [{ system: 'http://snomed.info/sct', code: '39732311000001104', display: 'Amoxicillin 250mg capsules' }],
  },
  subject: { reference: 'Patient/78d3c2eb-009e-4ec8-a358-b042954aa9b2' },
  authoredOn: '2026-05-01T09:00:00+00:00',
  requester: { reference: 'PractitionerRole/56166769-c1c4-4d07-afa8-132b5dfca666', display: 'Dr A. Example' },
  groupIdentifier: { system: 'https://fhir.nhs.uk/Id/prescription-order-number', value: '0C3D5A-A83008-1EFE0Y' },
  dosageInstruction: [
    {
      text: 'One three times a day',
      timing: {
        repeat: {
          boundsDuration: { value: 7, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' },
          frequency: 3,
          period: 1,
          periodUnit: 'd',
        },
      },
      doseAndRate: [
        { doseQuantity: { value: 1, unit: 'capsule', system: 'http://snomed.info/sct', code: '428641000' } },
      ],
    },
  ],
  dispenseRequest: {
    quantity: { value: 21, unit: 'capsule', system: 'http://snomed.info/sct', code: '428641000' },
    expectedSupplyDuration: { value: 7, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' },
  },
  substitution: { allowedBoolean: false },
};
const resource = formatJson(order);
const bundle = formatJson({
  resourceType: 'Bundle',
  type: 'searchset',
  total: 50,
  entry: Array.from({ length: 50 }, (_, i) => ({
    fullUrl: `http://127.0.0.1:8080/fhir/R4/MedicationRequest/${i}`,
    resource: { ...order, id: `m-${i}` },
    search: { mode: 'match' },
  })),
});

const answerIn = (format: 'json' | 'xml', body: string) => (): void => {
  const answer = present(xml, 'GET', { status: 200, headers: {}, body }, { format, pretty: false });
  Buffer.from(String(answer.body));
};
const read = (text: string) => {
  const [asJson, asXml] = [Buffer.from(text), Buffer.from(xml.write(parseJson(text) as object))];
  return [() => void parseJson(asJson), () => void xml.read(asXml)] as const;
};

const CASES: Readonly<Record<string, readonly [json: () => void, xml: () => void]>> = {
  'resource out': [answerIn('json', resource), answerIn('xml', resource)],
  'bundle of 50 out': [answerIn('json', bundle), answerIn('xml', bundle)],
  'resource in': read(resource),
  'bundle of 50 in': read(bundle),
};

const results: Record<string, { jsonUs: number; xmlUs: number; ratio: number }> = {};
console.log(`resource ${(resource.length / 1024).toFixed(1)} KB JSON, bundle ${(bundle.length / 1024).toFixed(0)} KB`);
const rounds = Math.max(2, Math.round((Number(values.seconds) * 1000) / (ROUND_MS * 2 * Object.keys(CASES).length)));
for (const [name, runs] of Object.entries(CASES)) {
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++)
    for (const [i, run] of runs.entries()) best[i] = Math.min(best[i] ?? 0, microseconds(run));
  const [jsonUs = 0, xmlUs = 0] = best;
  results[name] = { jsonUs, xmlUs, ratio: xmlUs / jsonUs };
  console.log(
    `${name.padEnd(18)} JSON ${jsonUs.toFixed(1).padStart(9)} µs   XML ${xmlUs.toFixed(1).padStart(9)} µs   ${(xmlUs / jsonUs).toFixed(1)} times`,
  );
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));

function microseconds(run: () => void): number {
  const before = performance.now();
  let count = 0;
  while (performance.now() - before < ROUND_MS) {
    run();
    count += 1;
  }
  return ((performance.now() - before) * 1000) / count;
}
