import { expect } from 'chai';
import { correlationIdOf } from '../../../src/standards/fhir/request-id.ts';

const UUID = /^[0-9a-f-]{36}$/;

describe('fhir › request id', () => {
  for (const given of ['a', 'urn:uuid:6d9f_1.2-3', 'x'.repeat(64)])
    it(`${given} is taken`, () => expect(correlationIdOf({ headers: { 'x-request-id': given } })).equal(given));

  for (const given of [undefined, '', 'a b', 'x'.repeat(65), 'a\n', ['a', 'b']])
    it(`${JSON.stringify(given)} is not`, () =>
      expect(correlationIdOf({ headers: { 'x-request-id': given } })).match(UUID));
});
