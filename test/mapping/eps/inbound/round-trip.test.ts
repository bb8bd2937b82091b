/** FHIR to V3 to FHIR to V3: what a prescriber sent is what a pharmacy can send on, to the letter of the V3. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { convertToV3 } from '../../../../src/mapping/eps/convert.ts';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { readMessageBundle } from '../../../../src/mapping/eps/message-bundle.ts';
import { isNode } from '../../../../src/mapping/eps/node.ts';
import { parentPrescription } from '../../../../src/mapping/eps/parent-prescription.ts';
import { signedInfo } from '../../../../src/mapping/eps/signed-info.ts';
import { formatJson, parseJson } from '../../../../src/standards/fhir/json.ts';
import type { XmlElement } from '../../../../src/standards/xml/tree.ts';
import { contextAt, fixtureMessage, fixtureNames, orderNames } from '../fixture.ts';
import { answerContext, comparable, findElement, parsed, strippedTree } from './answer.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

function checkRoundTrip(order: unknown, clock: string): void {
  const { value: xml, issues } = convertToV3(order, contextAt(clock));
  expect(issues).deep.equal([]);
  const first = parsed(xml ?? '');
  const answer = convertFromV3(xml ?? '', answerContext());
  expect(answer.issues).deep.equal([]);
  expect(isNode(answer.value)).equal(true);
  // The rules would refuse what is released: they are for new orders.
  const second = parentPrescription(readMessageBundle(answer.value ?? {}), Date.parse(clock));
  expect(comparable(second.message)).equal(comparable(findElement(first, 'ParentPrescription')));
}

describe('mapping › eps › inbound › round trip', () => {
  for (const name of orderNames) it(name, () => checkRoundTrip(fixtureMessage(name), '2026-11-16T09:41:30Z'));

  if (SAMPLES === undefined) it('published orders need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedOrders(join(SAMPLES, 'eps/examples'));
});

/** Requests go through the rules a second time, and their whole wrapper must be the same. */
function checkRequest(request: unknown, clock: string): void {
  const first = convertToV3(request, contextAt(clock));
  expect(first.issues).deep.equal([]);
  const { value, issues } = convertFromV3(first.value ?? '', answerContext({ now: Date.parse(clock) }));
  expect(issues).deep.equal([]);
  const again = convertToV3(parseJson(formatJson(value)), contextAt(clock));
  expect(again.issues).deep.equal([]);
  expect(again.value).equal(first.value);
}

/** Kinds that are translated back, but for orders, which have rules of their own. */
const REQUESTS = /-> (?:CancellationRequest|\w+ReleaseRequest|DispenseProposalReturn|ETPWithdraw)$/;

/** Published examples that are of such a kind, though the index calls them otherwise. */
const ALSO = /^spec example: (?:dispensing\/(?:release|return|withdraw)|prescribing\/prescription-order-update)$/;

describe('mapping › eps › inbound › requests there and back', () => {
  for (const name of fixtureNames.filter((one) => /^(?:release|task)-|-update$/.test(one)))
    it(name, () => checkRequest(fixtureMessage(name), '2026-11-16T09:41:30Z'));

  if (SAMPLES === undefined) it('published requests need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedRequests(join(SAMPLES, 'eps/examples'));
});

function publishedRequests(folder: string): void {
  const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { cases: readonly Case[] };
  const requests = cases.filter(
    ({ kind, request }) => REQUESTS.test(kind) || ALSO.test(kind) || /Return-Request/.test(request),
  );
  let passed = 0;
  for (const { id, request, clock } of requests)
    it(`${id} › ${request}`, () => {
      checkRequest(parseJson(readFileSync(join(folder, request))), clock ?? '2022-02-01T00:00:00Z');
      passed += 1;
    });
  it('are all there', () => expect(passed).at.least(15));
  after(() => console.log(`\n      Published EPS requests there and back: ${passed} pass, of ${requests.length}`));
}

describe('mapping › eps › inbound › truly signed prescriptions', () => {
  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else trulySigned(join(SAMPLES, 'eps/examples/fixtures'));
});

/** What the Spine released, or would: signed by people with cards of their own. */
function trulySigned(folder: string): void {
  const files = [
    'release-responses/release_success.xml',
    'release-responses/repeat_dispensing_release_success.xml',
    'signed-prescriptions/ValidSignature.xml',
    'signed-prescriptions/SignatureIsInvalid.xml',
  ];
  for (const file of files)
    it(`${file} › keeps its digest through FHIR and back`, () => {
      // Files that are cut out of a message have lost the namespace it declares.
      const xml = readFileSync(join(folder, file), 'utf8').replace(
        /^(\s*)<ParentPrescription /,
        '$1<ParentPrescription xmlns="urn:hl7-org:v3" ',
      );
      const element = findElement(parsed(xml), 'ParentPrescription');
      expect(element).not.equal(undefined);
      const { value } = convertFromV3(comparable(element), answerContext());
      const again = parentPrescription(readMessageBundle(value ?? {}), 0);
      const claimed = comparable(strippedTree(findElement(element, 'SignedInfo') as XmlElement));
      expect(signedInfo(again, claimed.includes('rsa-sha256') ? 'RS256' : 'RS1')).equal(claimed);
    });
}

interface Case {
  readonly id: string;
  readonly kind: string;
  readonly request: string;
  readonly clock?: string;
}

function publishedOrders(folder: string): void {
  const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { cases: readonly Case[] };
  const orders = cases.filter(
    ({ kind, request }) =>
      /order -> Parent|^prepare ->|^spec example: (?:prepare|prescribing.prescription-order)$/.test(kind) &&
      /\.json$/.test(request),
  );
  let passed = 0;
  for (const { id, request, clock } of orders)
    it(`${id} › ${request}`, () => {
      checkRoundTrip(parseJson(readFileSync(join(folder, request))), clock ?? '2022-02-01T00:00:00Z');
      passed += 1;
    });
  it('are all there', () => expect(passed).at.least(40));
  after(() => console.log(`\n      Published EPS orders there and back: ${passed} pass, of ${orders.length}`));
}
