/** Whatever the Spine answers is translated or told apart: never is anything thrown, and what is given can be sent. */
import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { restoreFromOrder } from '../../../../src/mapping/eps/inbound/restore.ts';
import {
  type SpineAnswer,
  translateDocuments,
  translateSpineAnswer,
} from '../../../../src/mapping/eps/inbound/spine-answer.ts';
import { translateTrackerAnswer } from '../../../../src/mapping/eps/inbound/tracker.ts';
import { formatJson, parseJson } from '../../../../src/standards/fhir/json.ts';
import { isError } from '../../../../src/standards/fhir/outcome.ts';
import { isElement, type XmlElement, type XmlNode } from '../../../../src/standards/xml/tree.ts';
import { writeXml } from '../../../../src/standards/xml/write.ts';
import { fixtureMessage, fixtureNames, orderNames, readFixture } from '../fixture.ts';
import { ANSWERS, answerContext, findElement, parsed, readAnswer } from './answer.ts';

const SIZES = new Map([
  ['quick', 150],
  ['ci', 1_000],
  ['long', 50_000],
]);
const RUNS = SIZES.get(process.env['TEST_SIZE'] ?? 'quick') ?? 150;
const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

const context = (form: 'national' | 'full' = 'full') =>
  answerContext({ form, checkSignature: (element) => (findElement(element, 'Signature') ? [] : ['none']) });

/** As it comes, in one form; the other ways to it share what is read. */
function check(content: Buffer | string): void {
  checkAnswer(translateSpineAnswer(content, context()));
  const { value, issues } = convertFromV3(content, context());
  expect(value === undefined).equal(issues.some(isError));
}

/** Both forms of the tree, and the text of it once. */
function checkTree(root: XmlElement): void {
  for (const form of ['national', 'full'] as const) checkAnswer(translateDocuments([root], context(form)));
  const { value, issues } = convertFromV3(writeXml(root, 'compact'), context());
  expect(value === undefined).equal(issues.some(isError));
}

function checkAnswer({ kind, status, body, issues, returns }: SpineAnswer): void {
  expect(status).oneOf([200, 202, 400, 403, 500]);
  expect(status === 500 && kind !== 'transport').equal(kind === 'unknown');
  expect(body.resourceType).oneOf(['OperationOutcome', 'Parameters', 'Bundle']);
  if (kind === 'unknown') expect(issues.some(isError)).equal(true);
  // What is absent is left out: nothing is undefined, empty or no number.
  expect(/:(?:null|""|NaN)|undefined|\[object/.exec(formatJson(body))?.[0]).equal(undefined);
  for (const { message } of returns) expect(writeXml(message, 'compact')).contain('<DispenseProposalReturn');
}

type Mutation = (element: XmlElement, strange: string) => readonly XmlNode[];

const STRANGE: readonly string[] = [
  '',
  ' ',
  '0',
  '-1',
  '99999999999999999999',
  '1e5',
  '.5',
  '20260230',
  '20261316250000',
  '99991231235959-1400',
  '<medication>a</medication>CD: b',
  ']]>&amp;"',
  'NaN',
  '\u{1F600}',
  'AR',
  '0004',
  '__proto__',
];

const renamed = (element: XmlElement, name: string): XmlElement => ({ ...element, name });
const withValues = (element: XmlElement, value: string): XmlElement => ({
  ...element,
  attributes: element.attributes.map((attribute) => ({ ...attribute, value })),
});

/** What may become of an element. */
const MUTATIONS: readonly Mutation[] = [
  () => [],
  (element) => [element, element],
  (element, strange) => [withValues(element, strange)],
  (element) => [{ ...element, attributes: [] }],
  (element) => [{ ...element, children: element.children.slice(0, element.children.length / 2) }],
  (element, strange) => [{ ...element, children: [strange] }],
  (element) => [{ ...element, namespace: 'urn:other', prefix: '' }],
  (element) => [renamed(element, 'other')],
  (element) => [renamed(element, 'ParentPrescription')],
  (element) => [{ ...element, children: element.children.toReversed() }],
  (element) => [element, withValues(element, '0001')],
  (_, strange) => [strange],
];

interface Step {
  readonly place: number;
  readonly mutation: number;
  readonly strange: number;
}

const steps = fc.array(
  fc.record({
    place: fc.nat(),
    mutation: fc.nat(MUTATIONS.length - 1),
    strange: fc.nat(STRANGE.length - 1),
  }),
  { minLength: 1, maxLength: 3 },
);

/** No word of them is a member of every object: those are frozen here, and cannot be made by assignment. */
const UNIT = fc.constantFrom('a', 'é', '1', ' ', '"', '😀');

const countOf = (element: XmlElement): number =>
  element.children.reduce((sum, child) => sum + (isElement(child) ? countOf(child) : 0), 1);

/** The element of that number in document order replaced; the root stays. */
function replaced(root: XmlElement, place: number, mutate: (element: XmlElement) => readonly XmlNode[]): XmlElement {
  let n = -1;
  const visit = (element: XmlElement): readonly XmlNode[] => {
    n += 1;
    if (n === place) return n === 0 ? [root] : mutate(element);
    return [{ ...element, children: element.children.flatMap((child) => (isElement(child) ? visit(child) : [child])) }];
  };
  const [result] = visit(root);
  return result !== undefined && isElement(result) ? result : root;
}

const mutated = (root: XmlElement, changes: readonly Step[]): XmlElement =>
  changes.reduce((tree, { place, mutation, strange }) => {
    const mutate = MUTATIONS[mutation] ?? (() => []);
    return replaced(tree, place % countOf(tree), (element) => mutate(element, STRANGE[strange] ?? ''));
  }, root);

/** The last document of an answer: its message. */
const messageIn = (content: string): XmlElement => {
  const start = content.lastIndexOf('<?xml');
  const end = start + content.slice(Math.max(start, 0)).search(/\n\s*----=_MIME/);
  return parsed(content.slice(Math.max(start, 0), end < start ? undefined : end));
};

const documents: ReadonlyMap<string, string> = new Map([
  ...readdirSync(ANSWERS)
    .filter((name) => name.endsWith('.xml'))
    .map((name): [string, string] => [name, readAnswer(name)]),
  ...fixtureNames.map((name): [string, string] => [name, readFixture(`${name}.v3.xml`)]),
]);

describe('mapping › eps › inbound › every answer', () => {
  for (const [name, content] of documents)
    it(`${name}, changed at random (${RUNS})`, function () {
      this.timeout(600_000);
      const root = messageIn(content);
      fc.assert(
        fc.property(steps, (changes) => checkTree(mutated(root, changes))),
        { numRuns: RUNS },
      );
    });

  it('every element of a release taken out, or there twice, alone', function () {
    this.timeout(120_000);
    const root = messageIn(readAnswer('release-patient.xml'));
    for (let place = 1; place < countOf(root); place++)
      for (const mutation of [0, 1]) checkTree(mutated(root, [{ place, mutation, strange: 0 }]));
  });

  it('cut off anywhere', () => {
    const content = readAnswer('cancellation-cancelled.xml');
    for (let end = 0; end < content.length; end += 97) check(content.slice(0, end));
  });

  it(`any bytes at all (${RUNS})`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(Buffer.from(bytes))),
      { numRuns: RUNS },
    );
    const words = fc.constantFrom(
      '<',
      '>',
      '--x',
      '--x--',
      '\n',
      '<?xml version="1.0"?>',
      '<a/>',
      ': ',
      'Content-Id: x',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (parts) => check(parts.join(''))),
      { numRuns: RUNS },
    );
  });

  it(`any answer of the tracker (${RUNS})`, () => {
    const names = [
      'statusCode',
      'prescriptions',
      'A',
      'prescriptionStatus',
      'lineItems',
      'repeatInstance',
      '__proto__',
    ];
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, '', '0', 'Dispensed', '20261116', 'Acute Prescription'),
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
      ),
    })).value;
    fc.assert(
      fc.property(json, (answer) => {
        const { status, body } = translateTrackerAnswer(answer, context());
        expect([status, body.resourceType].join()).oneOf([
          '200,Bundle',
          '200,OperationOutcome',
          '500,OperationOutcome',
        ]);
      }),
      { numRuns: RUNS },
    );
    for (const name of ['tracker-summary', 'tracker-details']) {
      const text = readAnswer(`${name}.json`);
      for (const word of text.matchAll(/"[^"]*"/g))
        translateTrackerAnswer(parseJson(text.replace(word[0], '"?"')), context());
    }
  });

  it(`any order to restore from (${RUNS})`, () => {
    const [name = ''] = orderNames;
    const bundle = convertFromV3(readFixture(`${name}.v3.xml`), context()).value;
    const order = fixtureMessage(name) as { entry: unknown[] };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: UNIT }), fc.nat(order.entry.length - 1), (value, place) => {
        if (bundle === undefined) throw new Error('there is no bundle');
        expect(restoreFromOrder(bundle, value)).equal(bundle);
        const entry = order.entry.map((one, n) => (n === place ? value : one));
        expect(restoreFromOrder(bundle, { ...order, entry }).resourceType).equal('Bundle');
      }),
      { numRuns: RUNS },
    );
  });

  if (SAMPLES === undefined) it('published answers need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else
    it(`published answers, changed at random (${Math.ceil(RUNS / 3)} times each)`, function () {
      this.timeout(1_800_000);
      const folder = join(SAMPLES, 'eps/examples/fixtures');
      for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (!/(?:responses|prescriptions).*\.xml$/.test(path)) continue;
        const content = readFileSync(join(folder, path), 'utf8');
        check(content);
        const root = messageIn(content.replace('<ParentPrescription ', '<ParentPrescription xmlns="urn:hl7-org:v3" '));
        fc.assert(
          fc.property(steps, (changes) => checkTree(mutated(root, changes))),
          { numRuns: Math.ceil(RUNS / 3) },
        );
      }
    });
});
