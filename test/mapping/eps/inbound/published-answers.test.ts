/** The NHS's own examples of answers: every one of the index that comes of a V3 message or of the tracker. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { AnswerContext } from '../../../../src/mapping/eps/inbound/context.ts';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { translateSpineAnswer } from '../../../../src/mapping/eps/inbound/spine-answer.ts';
import { translateTrackerAnswer } from '../../../../src/mapping/eps/inbound/tracker.ts';
import { signedInfo } from '../../../../src/mapping/eps/signed-info.ts';
import { parseJson } from '../../../../src/standards/fhir/json.ts';
import type { XmlElement } from '../../../../src/standards/xml/tree.ts';
import { compared, notCompared, readIndex } from '../index-table.ts';
import { answerContext, comparable, expectSame, findElement, parsed, sent, strippedTree } from './answer.ts';
import { acknowledgement, cancellationAnswer, type FhirBundle, releaseReject } from './v3-of-fhir.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

interface Case {
  readonly id: string;
  readonly kind: string;
  readonly request: string;
  readonly expected: readonly string[];
}

interface Expected {
  readonly statusCode: number;
  readonly body: unknown;
}

/** The context in which the official answers were made. */
const officialContext = (changes: Partial<AnswerContext> = {}): AnswerContext =>
  answerContext({ now: Date.parse('2022-02-01T00:00:00Z'), form: 'national', baseUrl: 'example.com/eps', ...changes });

/** With the one certificate authority of the index trusted, the second release has a signature that is not. */
const UNTRUSTED = new Set(['FIX-006']);

type Read = (path: string) => string;
type Check = (entry: Case, read: Read) => void;

const CHECKS: readonly (readonly [kind: RegExp, check: Check])[] = [
  [/^spine-response -> FHIR$/, checkAnswer],
  [/^PrescriptionReleaseResponse -> Parameters$/, checkAnswer],
  [/^tracker response -> Task Bundle$/, checkTracker],
  [/^signature verification$/, checkSigned],
  [/^process-message (?:response|error)$/, checkProcessMessage],
  [/^spec example: errors(?:\/prescription-order-update|\/release)?$/, checkSpecError],
];

/** Examples that no answer of the Spine brings about, and why. */
const NOT_OURS: ReadonlyMap<string, string> = new Map([
  ['EPS-002', "the gateway's own refusal: compared in ../published-examples.test.ts"],
  ['EPS-015', 'written by hand, with resources that no CancellationResponse has'],
  ['EPS-103', 'written by hand, of an older version of the answer'],
]);

function publishedAnswers(folder: string): void {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const { cases } = JSON.parse(read('index.json')) as { cases: readonly Case[] };
  readIndex(cases);
  for (const [id, why] of NOT_OURS) notCompared(id, why);
  const table = new Map<string, { passed: number; of: number }>();
  for (const entry of cases) {
    const check = entry.request.endsWith('-res.json')
      ? checkSpecError
      : CHECKS.find(([kind]) => kind.test(entry.kind))?.[1];
    if (check === undefined || NOT_OURS.has(entry.id)) continue;
    const row = table.get(entry.kind) ?? { passed: 0, of: 0 };
    table.set(entry.kind, row);
    row.of += 1;
    it(`${entry.id} › ${entry.kind} › ${entry.request}`, () => {
      compared(entry.id, () => check(entry, read));
      row.passed += 1;
    });
  }

  it('are all there', () => {
    expect([...table.values()].reduce((sum, { of }) => sum + of, 0)).equal(26);
  });

  after(() => {
    console.log('\n      Published EPS answers: kind, passed, of');
    for (const [kind, { passed, of }] of table) console.log(`        ${kind.padEnd(45)} ${passed} of ${of}`);
    for (const [id, why] of NOT_OURS) console.log(`        left out ${id}: ${why}`);
  });
}

function checkAnswer(entry: Case, read: Read): void {
  const { id, request, expected } = entry;
  const { statusCode, body } = JSON.parse(read(expected[0] ?? '')) as Expected;
  const checkSignature = () => (UNTRUSTED.has(id) ? ['Certificate not trusted'] : []);
  const answer = translateSpineAnswer(read(request), officialContext({ checkSignature }));
  expect(answer.status).equal(statusCode);
  expectSame(sent(answer.body), body);
  expect(answer.returns.map(({ name }) => name)).deep.equal(UNTRUSTED.has(id) ? ['DispenseProposalReturn'] : []);
  checkFullForm(entry, read);
}

/** Members in which the full form may differ from what the national gateway answers: each is a `Deviates:` of the code. */
const DEVIATIONS = [
  'MedicationRequest.authoredOn',
  'MedicationRequest.category',
  'MedicationRequest.dispenseRequest.validityPeriod',
  'MedicationRequest.extension',
  'Practitioner.identifier',
];

/** `Resource.member` of what differs, ids aside. */
function differences(a: unknown, b: unknown, path = '', found = new Set<string>()): ReadonlySet<string> {
  const type = (a as { resourceType?: string } | undefined)?.resourceType;
  const here = type ?? path;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    if (a !== b && !/^urn:uuid:00000000|^00000000/.test(String(a))) found.add(path);
    return found;
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return found.add(path);
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const step = Array.isArray(a) ? here : `${here}.${name}`;
    differences((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name], step, found);
  }
  return found;
}

function checkFullForm({ request }: Case, read: Read): void {
  const [national, full] = (['national', 'full'] as const).map((form) =>
    sent(translateSpineAnswer(read(request), officialContext({ form })).body),
  );
  const members = [...differences(national, full)].map((path) =>
    path.replace(/^(MedicationRequest\.(?:category|extension)|Practitioner\.identifier).*/, '$1'),
  );
  expect([...new Set(members)].filter((member) => !DEVIATIONS.includes(member))).deep.equal([]);
}

function checkTracker({ request, expected }: Case, read: Read): void {
  const { status, body } = translateTrackerAnswer(parseJson(read(request)), officialContext());
  expect(status).equal(200);
  expectSame(sent(body), JSON.parse(read(expected[0] ?? '')));
}

/**
 * What is signed can be told from the message as it came: the digest in its signature is the one we compute, but for the
 * example whose signature belongs to another. Certificates are no business of the translation.
 */
function checkSigned({ request, expected }: Case, read: Read): void {
  const { errors } = JSON.parse(read(expected[0] ?? '')) as { errors: readonly string[] };
  // The files are cut out of messages that declare the namespace further up.
  const xml = read(request).replace('<ParentPrescription ', '<ParentPrescription xmlns="urn:hl7-org:v3" ');
  const message = strippedTree(parsed(xml));
  const prescription = findElement(message, 'pertinentPrescription') as XmlElement;
  const recordTarget = findElement(message, 'recordTarget') as XmlElement;
  const claimed = comparable(findElement(message, 'SignedInfo'));
  const algorithm = claimed.includes('rsa-sha256') ? 'RS256' : 'RS1';
  const matches = signedInfo({ prescription, recordTarget }, algorithm) === claimed;
  expect(matches).equal(!errors.includes("Signature doesn't match prescription"));
  // The translation reads each of them, signed well or not.
  expect(convertFromV3(xml, officialContext({ form: 'full' })).value).property('type', 'message');
}

const withoutTime = (body: unknown): object => {
  const { meta: _, ...others } = body as { meta?: unknown };
  return others;
};

/** The answer to a request that the Spine took, or refused with the code that gives this text. */
function checkProcessMessage({ expected }: Case, read: Read): void {
  const body = JSON.parse(read(expected[0] ?? '')) as OutcomeLike;
  const issue = body.issue?.[0];
  const display = issue?.details?.coding?.[0]?.display;
  const xml = display === undefined ? acknowledgement('AA') : acknowledgement('AE', '5000', display);
  const answer = translateSpineAnswer(xml, officialContext());
  expect(answer.status).equal(display === undefined ? 200 : 400);
  expect(withoutTime(sent(answer.body))).deep.equal(withoutTime(body));
}

interface OutcomeLike {
  readonly resourceType: string;
  readonly issue?: readonly {
    readonly details?: { readonly coding?: readonly { code: string; display?: string }[] };
  }[];
}

/** Results of which the published example has another status than the gateway gives, or a type of organisation: edited by hand. */
const EDITED: ReadonlyMap<string, string> = new Map([
  ['R-0004', 'completed'],
  ['R-0006', 'cancelled'],
  ['R-0007', 'unknown'],
]);

/** There is no V3 to these: it is made of them, in a second way, and translated. */
function checkSpecError({ request, kind }: Case, read: Read): void {
  const body = JSON.parse(read(request)) as OutcomeLike & FhirBundle & { readonly contained?: readonly unknown[] };
  const coding = body.issue?.[0]?.details?.coding?.[0];
  if (body.resourceType === 'Bundle') checkCancellation(body);
  else if (coding === undefined) checkOutcome(acknowledgement('AA'), body, 200);
  else if (kind.endsWith('/release')) {
    const [other] = body.contained ?? [];
    checkOutcome(releaseReject(other === undefined ? '0003' : '0004', other), body, 400);
  } else checkOutcome(cancellationAnswer(undefined, coding.code.slice(2), coding.display ?? ''), body, 400);
}

function checkOutcome(xml: string, body: unknown, status: number): void {
  const answer = translateSpineAnswer(xml, officialContext());
  expect(answer.status).equal(status);
  const actual = withoutTime(sent(answer.body)) as { contained?: { id: string }[] };
  const expected = JSON.stringify(withoutTime(body));
  const madeId = actual.contained?.[0]?.id;
  const theirs = /"id":"([^"]+)"/.exec(expected)?.[1];
  expect(actual).deep.equal(
    JSON.parse(madeId === undefined || theirs === undefined ? expected : expected.replaceAll(theirs, madeId)),
  );
}

function checkCancellation(bundle: FhirBundle): void {
  const request = bundle.entry.find(({ resource }) => resource['resourceType'] === 'MedicationRequest')?.resource;
  const history = JSON.stringify(request);
  const [, result = '', display = ''] = /"code":"(R-\d{4})","display":"([^"]+)"/.exec(history) ?? [];
  const answer = translateSpineAnswer(
    cancellationAnswer(bundle, result.slice(2), display),
    officialContext({ baseUrl: 'undefined' }),
  );
  expect(answer.status).equal(400);
  const ids = new Map<string, string>();
  const made = sent(answer.body) as FhirBundle;
  made.entry.forEach(({ fullUrl }, n) => void ids.set(bundle.entry[n]?.fullUrl ?? '', fullUrl));
  let expected = JSON.stringify(withoutType(bundle));
  for (const [theirs, ours] of ids)
    expected = expected.replaceAll(theirs.replace('urn:uuid:', ''), ours.replace('urn:uuid:', ''));
  if (EDITED.has(result)) expected = expected.replace('"status":"active"', `"status":"${EDITED.get(result)}"`);
  expect(made).deep.equal(JSON.parse(expected));
}

/** One of the examples says of its pharmacy that it is one, which V3 does not. */
const withoutType = (bundle: FhirBundle): FhirBundle => ({
  ...bundle,
  entry: bundle.entry.map(({ fullUrl, resource }) => {
    const { type: _, ...others } = resource;
    return { fullUrl, resource: resource['resourceType'] === 'Organization' ? others : resource };
  }),
});

describe('mapping › eps › inbound › published answers', () => {
  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedAnswers(join(SAMPLES, 'eps/examples'));
});
