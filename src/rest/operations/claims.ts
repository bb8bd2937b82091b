/** `POST /Claim/$adjudicate`: the claim to the insurer and to the drug's copay programme. docs/ncpdp-telecom.md */
import { Decimal, formatJson } from '../../standards/fhir/json.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Submitted } from '../../workflow/adjudication/desk.ts';
import { parseBody } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

const REQUEST_ID = /^[\w-]{1,64}$/;

/** 200 with Parameters; 202 where no payer has answered yet and the case is taken up later. */
export async function adjudicateClaim(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { claims } = services;
  if (claims === undefined) throw NO_PAYER();
  checkContentType(request.headers, RESOURCE_TYPES);
  const payload = parseBody(services, request);
  const requestId = request.headers['x-request-id'];
  if (requestId !== undefined && !REQUEST_ID.test(requestId)) throw new FhirError(400, [BAD_REQUEST_ID]);
  const submitted = await claims.submit(request.caller, payload, requestId);
  return {
    status: submitted.result.kind === 'open' ? 202 : 200,
    headers: {},
    body: formatJson({ resourceType: 'Parameters', parameter: parametersOf(submitted) }),
  };
}

/** `POST /CoverageEligibilityRequest/$submit`. https://hl7.org/fhir/R4/coverageeligibilityrequest-operation-submit.html */
export async function submitEligibility(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { claims } = services;
  if (claims === undefined) throw NO_PAYER();
  checkContentType(request.headers, RESOURCE_TYPES);
  return {
    status: 200,
    headers: {},
    body: formatJson(await claims.askEligibility(request.caller, parseBody(services, request))),
  };
}

function parametersOf({ result, resources }: Submitted): readonly unknown[] {
  const money = (name: string, amount: string): unknown => ({
    name,
    valueMoney: { value: new Decimal(amount), currency: 'USD' },
  });
  const texts = (name: string, values: readonly string[]): readonly unknown[] =>
    values.map((valueString) => ({ name, valueString }));
  const own = ((): readonly unknown[] => {
    switch (result.kind) {
      case 'paid':
        return [
          money('patient-pay', result.patientPay),
          money('primary-pays', result.primaryPays),
          money('programme-pays', result.programmePays),
          money('saved', result.saved),
          ...texts('note', result.notes),
        ];
      case 'rejected':
        return [...texts('reject', result.codes), ...texts('action', result.actions), ...texts('note', result.notes)];
      case 'pending':
        return texts('note', [result.status]);
      case 'reversed':
        return texts('note', [result.why]);
      case 'open':
        return texts('note', [`the ${result.role} payer has not answered: ${result.why}`]);
      case 'stuck':
        return texts('note', [`the ${result.role} payer will not take the claim back: ${result.codes.join(' ')}`]);
    }
  })();
  return [
    { name: 'outcome', valueCode: result.kind },
    ...own,
    ...resources.map((resource) => ({ name: 'return', resource })),
  ];
}

const BAD_REQUEST_ID = issue('value', 'X-Request-ID is 1 to 64 letters, digits, - and _');
const NO_PAYER = (): FhirError =>
  new FhirError(501, [issue('not-supported', 'No payer is configured here: the operator sets TELECOM_URL')]);
