/** Checks of EPS messages that send nothing. */
import { expect } from 'chai';
import type { FhirAnswer, FhirRequest } from '../../../src/rest/exchange.ts';
import {
  doseToTextOperation,
  validateOperation,
  verifySignatureOperation,
} from '../../../src/rest/operations/eps-checks.ts';
import type { Handler, Services } from '../../../src/rest/services.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { client } from '../../support/callers.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { fixture } from '../../support/fixtures.ts';

const validate = createValidator(testDefinitions());
type Judge = NonNullable<Services['judgePrescriptions']>;

async function ask(handle: Handler, body: unknown, judge?: Judge): Promise<FhirAnswer> {
  const request: FhirRequest = {
    caller: client('system/*.cruds'),
    method: 'POST',
    segments: ['$check'],
    query: '',
    headers: { 'content-type': 'application/fhir+json' },
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
  };
  // These handlers look at nothing else.
  const services = {
    validate,
    now: () => Date.parse('2026-11-16T10:00:00Z'),
    settings: { epsToAsid: '567456789789' },
    ...(judge && { judgePrescriptions: judge }),
  } as unknown as Services;
  try {
    return await handle(services, request);
  } catch (error) {
    if (error instanceof FhirError) return { status: error.status, headers: {}, body: JSON.stringify(error.issues) };
    throw error;
  }
}

const order = fixture('eps/prescription-order-repeat-dispensing-signed.json');
const bundle = JSON.parse(order.toString()) as Record<string, unknown>;
const changed = (from: string, to: string): Buffer => Buffer.from(order.toString().replaceAll(from, to));
const good: Judge = async () => [{ severity: 'information', code: 'informational', diagnostics: 'Signature is valid' }];
const bad: Judge = async () => [{ severity: 'error', code: 'security', diagnostics: 'Signature is invalid' }];
const many = (count: number) => ({
  resourceType: 'Bundle',
  type: 'searchset',
  entry: Array.from({ length: count }, () => ({ resource: bundle })),
});

describe('rest › operations › eps checks', () => {
  for (const [name, handle, body, judge, status, said] of [
    ['$validate › a good order', validateOperation, order, undefined, 200, '"informational"'],
    ['$validate › not R4', validateOperation, changed('"intent":', '"intention":'), undefined, 400, 'intention'],
    [
      '$validate › R4, and not what EPS takes',
      validateOperation,
      changed('"status": "active"', '"status": "stopped"'),
      undefined,
      400,
      'MedicationRequest.status must be active.',
    ],
    ['$validate › not of EPS', validateOperation, { resourceType: 'Patient' }, undefined, 200, '"informational"'],
    ['$validate › no resource', validateOperation, [], undefined, 400, '"error"'],
    ['$dose-to-text › nothing dosed', doseToTextOperation, { resourceType: 'Patient' }, undefined, 400, 'Dosages'],
    [
      '$dose-to-text › words',
      doseToTextOperation,
      { resourceType: 'MedicationRequest', dosageInstruction: [{ text: 'as before' }] },
      undefined,
      200,
      'as before',
    ],
    ['$verify-signature › good', verifySignatureOperation, order, good, 200, '"informational"'],
    ['$verify-signature › bad', verifySignatureOperation, order, bad, 200, 'Signature is invalid'],
    ['$verify-signature › nobody is believed', verifySignatureOperation, order, undefined, 200, 'EPS_SIGNER_CA_FILE'],
    ['$verify-signature › each of several', verifySignatureOperation, many(2), bad, 200, '"name":"1"'],
    ['$verify-signature › too many', verifySignatureOperation, many(51), good, 400, 'At most 50'],
    [
      '$verify-signature › another type',
      verifySignatureOperation,
      { resourceType: 'Task' },
      good,
      400,
      'Expected Bundle',
    ],
    [
      '$verify-signature › no prescription',
      verifySignatureOperation,
      { resourceType: 'Bundle', type: 'message' },
      good,
      200,
      'not a prescription order',
    ],
  ] as const)
    it(`${name}: ${status}`, async () => {
      const answer = await ask(handle, body, judge);
      expect(answer.status, String(answer.body)).equal(status);
      expect(answer.body).include(said);
    });
});
