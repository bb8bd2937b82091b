/** The NHS's own examples: every message of the index that has an official V3 form or signing request. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { parseJson } from '../../../src/standards/fhir/json.ts';
import { textOf } from '../../../src/standards/fhir/outcome.ts';
import { canonicalise } from '../../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { isElement, type XmlElement, type XmlNode } from '../../../src/standards/xml/tree.ts';
import { contextAt } from './fixture.ts';
import { compared, readIndex } from './index-table.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

interface Case {
  readonly id: string;
  readonly kind: string;
  readonly careSetting: string;
  readonly treatment?: string;
  readonly request: string;
  readonly expected: readonly string[];
  readonly clock?: string;
}

interface Parameters {
  readonly parameter: readonly { readonly name: string; readonly valueString: string }[];
}

/** Where the published answer is not what the official service gives: how the two are compared, and why. */
const STALE: ReadonlyMap<string, { readonly compare: 'without ids' | 'structure'; readonly why: string }> = new Map([
  ['EPS-074', { compare: 'without ids', why: 'the item ids of the XML are not those of the request' }],
  ['EPS-011', { compare: 'structure', why: "the answer's digest belongs to another request" }],
  ['EPS-108', { compare: 'structure', why: "the answer's digest belongs to another request" }],
]);

/** Examples of `$prepare` outside the kind of that name. */
const PREPARED = new Set(['EPS-041', 'EPS-108']);

const DIFFERENT_REASONS =
  'Expected all MedicationDispenses to have the same value for MedicationDispense.extension:prescriptionNonDispensingReason';

const DEFAULT_CLOCK = '2022-02-01T00:00:00Z';

/** A request without a V3 form to compare with, other than those of the release, which are answers. */
const isRequest = ({ kind, request }: Case): boolean =>
  /^(?:request only|spec example|process-message (?:error|response))/.test(kind) &&
  /(?:-req\.json|Request-[A-Za-z0-9_-]*\.json|PrepareRequest-\w+\.json)$/i.test(request) &&
  !request.includes('VerifySignature');

/** What was released, as FHIR: in answers, and in requests to verify. */
const RELEASED = /(?:VerifySignature-Request|sandbox\/Release-Response)-200_OK\.json$/;

/** Rules of what is sent that released prescriptions do not keep. */
const RELEASED_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EPS-028', 'MedicationRequest.intent must be order, original-order or instance-order.'],
  ['EPS-077', 'Expected exactly one professional code. One of GMC|GMP|NMC|GPhC|HCPC|unknown. '],
]);

/** Message Bundles within others. */
function prescriptionsIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('type' in value && value.type === 'message') return [value];
  return Object.values(value).flatMap(prescriptionsIn);
}

/** Published requests that the official service refuses too, and with which words. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['EPS-002', DIFFERENT_REASONS],
  ['EPS-084', DIFFERENT_REASONS],
  ['EPS-095', 'Expected exactly one professional code. One of GMC|GMP|NMC|GPhC|HCPC|unknown. '],
]);

describe('mapping › eps › published examples', () => {
  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedExamples(join(SAMPLES, 'eps/examples'));
});

function publishedExamples(folder: string): void {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const { cases } = JSON.parse(read('index.json')) as { cases: readonly Case[] };
  readIndex(cases);
  const passed: string[] = [];
  const failed: string[] = [];

  const run = (entry: Case, operation: string, check: () => void): void => {
    it(`${entry.id} › ${operation}`, () => {
      const line = `${entry.id.padEnd(8)} ${operation.padEnd(8)} ${entry.kind} (${entry.careSetting}${entry.treatment ? `, ${entry.treatment}` : ''})`;
      failed.push(line);
      compared(entry.id, check);
      failed.pop();
      passed.push(
        line +
          (STALE.has(entry.id) ? ` [compared by ${STALE.get(entry.id)?.compare}: ${STALE.get(entry.id)?.why}]` : ''),
      );
    });
  };

  for (const entry of cases) {
    const prepared = entry.kind.startsWith('prepare ->') || PREPARED.has(entry.id);
    const converted = /^(?:convert|validator error)/.test(entry.kind) && entry.expected.length > 0;
    if (prepared) run(entry, '$prepare', () => checkPrepare(entry, read));
    else if (converted) run(entry, '$convert', () => checkConvert(entry, read));
  }

  for (const entry of cases.filter(isRequest)) {
    const fault = REFUSED.get(entry.id);
    it(`${entry.id} › request ${fault === undefined ? 'is translated' : `is refused: ${fault}`}`, () => {
      compared(entry.id, () => {
        const { value, issues } = convertToV3(parseJson(read(entry.request)), contextAt(DEFAULT_CLOCK));
        expect(issues.map(textOf)).deep.equal(fault === undefined ? [] : [fault]);
        expect(value === undefined).equal(fault !== undefined);
      });
    });
  }

  for (const entry of cases.filter(({ request }) => RELEASED.test(request)))
    it(`${entry.id} › each prescription of a release is translated back, and told apart where it is wrong`, () => {
      compared(entry.id, () => {
        const found = prescriptionsIn(parseJson(read(entry.request)));
        expect(found).not.empty;
        const faults = found.flatMap((bundle) => convertToV3(bundle, contextAt(DEFAULT_CLOCK)).issues.map(textOf));
        expect([...new Set(faults)]).deep.equal([RELEASED_FAULTS.get(entry.id) ?? []].flat());
      });
    });

  it('are all there', () => {
    expect(passed.length + failed.length).at.least(69);
  });

  after(() => {
    console.log(`\n      Published EPS examples: ${passed.length} pass, ${failed.length} do not`);
    for (const line of passed) console.log(`        pass ${line}`);
    for (const line of failed) console.log(`        FAIL ${line}`);
  });
}

type Read = (path: string) => string;

function checkPrepare({ id, request, expected }: Case, read: Read): void {
  const answer: unknown = JSON.parse(read(expected[0] ?? ''));
  const payload = parseJson(read(request));
  if (!isParameters(answer)) {
    expect(prepare(payload, contextAt(DEFAULT_CLOCK)).issues).deep.equal(issuesOf(answer));
    return;
  }
  const clock = parameterOf(answer, 'timestamp');
  const sha1 = parameterOf(answer, 'algorithm') === 'RS1';
  const context = contextAt(clock, { applicationId: 'a', sha1ApplicationIds: new Set(sha1 ? ['a'] : []) });
  const { value, issues } = prepare(payload, context);
  expect(issues).deep.equal([]);
  if (STALE.has(id)) expect(value).deep.equal({ ...answer, parameter: withDigestOf(value, answer) });
  else expect(value).deep.equal(answer);
}

/** The published parameters with our digest, which must be one of the same form. */
function withDigestOf(value: unknown, answer: Parameters): Parameters['parameter'] {
  const ours = isParameters(value) ? parameterOf(value, 'digest') : '';
  const shape = (digest: string): string => signedInfoOf(digest).replace(/(?<=<DigestValue>)[^<]+/, '');
  expect(shape(ours)).equal(shape(parameterOf(answer, 'digest')));
  return answer.parameter.map((parameter) =>
    parameter.name === 'digest' ? { ...parameter, valueString: ours } : parameter,
  );
}

const signedInfoOf = (digest: string): string => Buffer.from(digest, 'base64').toString();

function checkConvert({ id, kind, request, expected, clock }: Case, read: Read): void {
  const { value, issues } = convertToV3(parseJson(read(request)), contextAt(clock ?? DEFAULT_CLOCK));
  // A file of findings tells what the rules say before the bare translation, which the other file is of.
  const path = expected.find((name) => name.endsWith('.validation.json')) ?? expected[0] ?? '';
  if (path.endsWith('.json')) {
    expect(value).equal(undefined);
    expect(issues).deep.equal(issuesOf(JSON.parse(read(path))));
    return;
  }
  expect(issues).deep.equal([]);
  // Release requests have random ids.
  const masked = STALE.get(id)?.compare === 'without ids' || kind.includes('ReleaseRequest');
  expect(comparable(value ?? '', masked)).equal(comparable(read(path), masked));
  if (!masked) expect(`${value}\n`).equal(read(path));
}

/** Exclusive canonical form without white space between elements, and without the values of root where ids are masked. */
function comparable(xml: string, masked: boolean): string {
  const { value } = readXml(xml);
  expect(value).not.equal(undefined);
  return value === undefined ? '' : canonicalise(stripped(value, masked));
}

const stripped = (element: XmlElement, masked: boolean): XmlElement => ({
  ...element,
  attributes:
    masked && element.name === 'id' && element.attributes.length === 1
      ? element.attributes.map((attribute) => ({ ...attribute, value: '' }))
      : element.attributes,
  children: element.children.flatMap((child): XmlNode[] =>
    isElement(child) ? [stripped(child, masked)] : child.trim() === '' ? [] : [child],
  ),
});

const isParameters = (value: unknown): value is Parameters =>
  typeof value === 'object' && value !== null && 'parameter' in value;

const parameterOf = ({ parameter }: Parameters, name: string): string =>
  parameter.find((p) => p.name === name)?.valueString ?? '';

/** Of an OperationOutcome, or of a list of issues. */
const issuesOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'issue' in value ? value.issue : value;
