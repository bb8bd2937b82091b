/** Which requests go to the Spine, and what they need. */
import { expect } from 'chai';
import { createPolicy } from '../../../src/policy/policy.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { FhirAnswer, FhirRequest } from '../../../src/rest/exchange.ts';
import { epsMessageOr, epsMessageStatus, release, trackOr } from '../../../src/rest/operations/eps.ts';
import type { Handler, Services } from '../../../src/rest/services.ts';
import { parseJson } from '../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createXmlReader } from '../../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../../src/standards/fhir/xml/write.ts';
import { client, person } from '../../support/callers.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { fixture } from '../../support/fixtures.ts';
import { isPatientType, mayNamePatients } from '../../support/policy-store.ts';

const sent: { readonly what: string; readonly isWaitedFor?: boolean }[] = [];
const BODY = { resourceType: 'OperationOutcome' };
const RAW = Buffer.from('<xml/>');
const policy = createPolicy({ isPatientType, mayNamePatients, now: () => 0 });
const DESK: Services['eps'] = {
  send: async (_asked, _payload, isWaitedFor) => {
    sent.push({ what: 'message', isWaitedFor });
    return { status: 200, body: BODY, raw: RAW };
  },
  status: async () => ({ status: 200, body: BODY }),
  track: async () => {
    sent.push({ what: 'question' });
    return { status: 200, body: BODY };
  },
};
const xml = { read: createXmlReader(testDefinitions()), write: createXmlWriter(testDefinitions()) };
const other: Handler = () => ({ status: 299, headers: {} });
const message = epsMessageOr({ right: 'messages:send' }, other);
const created = epsMessageOr({ letters: 'c' }, other);
const search = trackOr({ letters: 's' }, other);
const EVERYTHING = client('system/*.cruds');

interface Given {
  readonly handle?: Handler;
  readonly caller?: Caller;
  readonly path?: string;
  readonly body?: Buffer | string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly eps?: Services['eps'];
  readonly isProduction?: boolean;
}

async function ask(given: Given): Promise<FhirAnswer> {
  const {
    handle = message,
    caller = EVERYTHING,
    path = '$process-message',
    body = '',
    query = '',
    headers = {},
  } = given;
  const { eps, isProduction = false } = { eps: DESK, ...given };
  // These handlers look at nothing else.
  const services = { policy, xml, settings: { isProduction }, ...(eps && { eps }) } as unknown as Services;
  const request: FhirRequest = {
    caller,
    method: handle === search || handle === epsMessageStatus ? 'GET' : 'POST',
    segments: path.split('/'),
    query,
    headers: { 'content-type': 'application/fhir+json', ...headers },
    body: Buffer.from(body),
  };
  sent.length = 0;
  try {
    return await handle(services, request);
  } catch (error) {
    if (error instanceof FhirError) return { status: error.status, headers: {} };
    throw error;
  }
}

const PRESCRIBER = person('PRESCRIBER', {});
const PHARMACIST = person('PHARMACIST', {});
const ORDER = fixture('eps/prescription-order-acute.json');
const IN_XML = xml.write(parseJson(ORDER) as object);
const NOTIFICATION = fixture('eps/dispense-notification-amend.json');
const RETURN = fixture('eps/task-return.json');
const CLAIM = fixture('eps/claim-amend.json');
const PARAMETERS = fixture('eps/release-patient.json');
const NHS = { 'nhsd-asid': '1' };
const TRACKED = 'focus:identifier=5B7E20-Z99911-8C41D9';

describe('rest › operations › eps', () => {
  for (const [name, given, status, gone] of [
    ['an order by a prescriber', { body: ORDER, caller: PRESCRIBER }, 200, 1],
    ['an order by a pharmacist', { body: ORDER, caller: PHARMACIST }, 403, 0],
    ['a notification by a pharmacist', { body: NOTIFICATION, caller: PHARMACIST }, 200, 1],
    ['a notification by a prescriber', { body: NOTIFICATION, caller: PRESCRIBER }, 403, 0],
    ['another message by a prescriber', { body: '{"resourceType":"Bundle"}', caller: PRESCRIBER }, 403, 0],
    ['another message by who may send', { body: '{"resourceType":"Bundle"}' }, 299, 0],
    ['what is no JSON', { body: '{' }, 299, 0],
    ['an order without a Spine', { body: ORDER, eps: undefined }, 299, 0],
    ['an order without a Spine, by a prescriber', { body: ORDER, eps: undefined, caller: PRESCRIBER }, 403, 0],
    ['a return', { handle: created, path: 'Task', body: RETURN, caller: PHARMACIST }, 200, 1],
    ['a return by a prescriber', { handle: created, path: 'Task', body: RETURN, caller: PRESCRIBER }, 403, 0],
    [
      'another Task by a pharmacist',
      { handle: created, path: 'Task', body: '{"resourceType":"Task"}', caller: PHARMACIST },
      403,
      0,
    ],
    ['another Task', { handle: created, path: 'Task', body: '{"resourceType":"Task"}' }, 299, 0],
    ['a claim', { handle: created, path: 'Claim', body: CLAIM, caller: PHARMACIST }, 200, 1],
    ['a release by create', { handle: created, path: 'Task', body: PARAMETERS }, 299, 0],
    ['a release', { handle: release, path: 'Task/$release', body: PARAMETERS, caller: PHARMACIST }, 200, 1],
    ['a release of another type', { handle: release, path: 'Task/$release', body: RETURN }, 400, 0],
    ['a release without a Spine', { handle: release, path: 'Task/$release', body: PARAMETERS, eps: undefined }, 501, 0],
    ['a search', { handle: search, path: 'Task' }, 299, 0],
    ['a search with a header of the NHS alone', { handle: search, path: 'Task', headers: NHS }, 299, 0],
    ['a search by prescription alone', { handle: search, path: 'Task', query: TRACKED }, 299, 0],
    ['a search by prescription with a header', { handle: search, path: 'Task', query: TRACKED, headers: NHS }, 200, 1],
    [
      'a search by patient with a header',
      { handle: search, path: 'Task', query: 'patient%3Aidentifier=9990000034', headers: NHS },
      200,
      1,
    ],
    [
      'the same without a Spine',
      { handle: search, path: 'Task', query: TRACKED, headers: NHS, eps: undefined },
      299,
      0,
    ],
    [
      'the same by a receptionist',
      { handle: search, path: 'Task', query: TRACKED, headers: NHS, caller: person('RECEPTIONIST', {}) },
      403,
      0,
    ],
    [
      'the state of a message without a Spine',
      { handle: epsMessageStatus, path: '$eps-message', eps: undefined },
      501,
      0,
    ],
    ['XML', { body: '<Bundle/>', headers: { 'content-type': 'application/xml' } }, 299, 0],
    ['an order that says it is XML', { body: ORDER, headers: { 'content-type': 'application/xml' } }, 299, 0],
    ['an order in XML', { body: IN_XML, headers: { 'content-type': 'application/fhir+xml' } }, 200, 1],
  ] as const)
    it(`[AZ-01] ${name}: ${status}, ${gone === 0 ? 'nothing is sent' : 'sent'}`, async () => {
      expect(await ask(given)).property('status', status);
      expect(sent).lengthOf(gone);
    });

  it('is waited for unless the client prefers not to', async () => {
    await ask({ body: ORDER });
    expect(sent).eql([{ what: 'message', isWaitedFor: true }]);
    await ask({ body: ORDER, headers: { prefer: 'return=minimal, respond-async' } });
    expect(sent).eql([{ what: 'message', isWaitedFor: false }]);
  });

  it('the words of the Spine itself are not for production', async () => {
    const headers = { 'x-raw-response': '' };
    expect(await ask({ body: ORDER, headers })).include({ status: 200, body: '<xml/>' });
    expect(await ask({ body: ORDER, headers, isProduction: true })).property('status', 403);
    expect(sent).eql([]);
  });
});
