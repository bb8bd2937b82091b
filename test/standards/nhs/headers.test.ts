import { expect } from 'chai';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { checkNhsHeaders, echoedNhsHeaders } from '../../../src/standards/nhs/headers.ts';

const SESSION = { roles: [{ id: '555254240100', odsCode: 'A83008' }] };
const RIGHT = {
  'nhsd-session-urid': '555254240100',
  'x-request-id': '60E0B220-8136-4CA5-AE46-1D97EF59D068',
  'x-correlation-id': '11C46F5F-CDEF-4865-94B2-0EE0EDCC26DA',
  'nhsd-end-user-organisation-ods': 'A83008',
};

const check = (headers: Record<string, string | undefined>): FhirError | object => {
  try {
    return checkNhsHeaders(headers, SESSION);
  } catch (error) {
    if (error instanceof FhirError) return error;
    throw error;
  }
};

describe('headers of the NHS', () => {
  it('[NH-07] those of a session in its role are read', () => {
    expect(check(RIGHT)).deep.equal({
      requestId: RIGHT['x-request-id'],
      correlationId: RIGHT['x-correlation-id'],
      roleProfileId: '555254240100',
      odsCode: 'A83008',
    });
    expect(check({ ...RIGHT, 'x-correlation-id': undefined, 'nhsd-end-user-organisation-ods': undefined })).deep.equal({
      requestId: RIGHT['x-request-id'],
      roleProfileId: '555254240100',
      odsCode: 'A83008',
    });
  });

  for (const [name, value, status, code] of [
    ['x-request-id', undefined, 400, 'MISSING_FIELD'],
    ['x-request-id', '', 400, 'MISSING_FIELD'],
    ['x-request-id', 'not-a-uuid', 400, 'MISSING_FIELD'],
    [
      'x-request-id',
      '60E0B220-8136-4CA5-AE46-1D97EF59D068, 60E0B220-8136-4CA5-AE46-1D97EF59D068',
      400,
      'MISSING_FIELD',
    ],
    ['x-correlation-id', 'two words', 400, 'INVALID_VALUE'],
    ['x-correlation-id', 'x'.repeat(129), 400, 'INVALID_VALUE'],
    ['nhsd-session-urid', undefined, 400, 'MISSING_VALUE'],
    ['nhsd-session-urid', '55525424010', 400, 'INVALID_VALUE'],
    ['nhsd-session-urid', '5552542401OO', 400, 'INVALID_VALUE'],
    ['nhsd-session-urid', '555254240101', 403, undefined],
    ['nhsd-end-user-organisation-ods', 'a83008', 400, 'INVALID_VALUE'],
    ['nhsd-end-user-organisation-ods', 'A83009', 403, undefined],
  ] as const)
    it(`[NH-07] ${name} ${value === undefined ? 'is missing' : JSON.stringify(value.slice(0, 40))}: ${status}`, () => {
      const error = check({ ...RIGHT, [name]: value }) as FhirError;
      expect(error.status).equal(status);
      expect(error.issues[0]?.details?.coding[0]?.code).equal(code);
      expect(error.issues).length(1);
    });

  it('[NH-07] everything that is wrong is said at once', () => {
    expect((check({}) as FhirError).issues.map(({ diagnostics }) => diagnostics)).deep.equal([
      'X-Request-ID header missing or malformed',
      "Missing value in header 'NHSD-Session-URID'",
    ]);
  });

  it('[NH-07] what is well formed is echoed, and nothing else', () => {
    expect(echoedNhsHeaders(RIGHT)).deep.equal({
      'X-Request-ID': RIGHT['x-request-id'],
      'X-Correlation-ID': RIGHT['x-correlation-id'],
    });
    expect(echoedNhsHeaders({ 'x-request-id': '<script>', 'x-correlation-id': 'a\u0000b' })).deep.equal({});
  });
});
