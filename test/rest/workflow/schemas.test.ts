import { expect } from 'chai';
import { createSchemas } from '../../../src/rest/workflow/schemas.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import type { JsonSchema } from '../../../src/standards/openapi/document.ts';

const faults = (schema: JsonSchema, value: unknown): readonly string[] => {
  try {
    createSchemas().body(schema)(value);
    return [];
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return error.issues.map(({ diagnostics, expression }) => `${expression?.[0] ?? ''}: ${diagnostics}`);
  }
};

const of = (schema: JsonSchema): JsonSchema => ({ type: 'object', properties: { at: schema } });

const CASES: readonly (readonly [schema: JsonSchema, value: unknown, said: string])[] = [
  [{ type: 'string' }, 1, 'must be string'],
  [{ type: ['string', 'number'] }, true, 'must be string or number'],
  [{ type: 'array', minItems: 1 }, [], 'must have 1 or more entries'],
  [{ type: 'array', maxItems: 1 }, [1, 2], 'must have 1 entries at most'],
  [{ type: 'array', uniqueItems: true }, [1, 1], 'must not have an entry twice'],
  [{ type: 'string', minLength: 1 }, '', 'must not be empty'],
  [{ type: 'string', minLength: 3 }, 'ab', 'must have 3 or more characters'],
  [{ type: 'string', maxLength: 2 }, 'abc', 'must have 2 characters at most'],
  [{ type: 'number', minimum: 2 }, 1, 'must be 2 or more'],
  [{ type: 'number', maximum: 2 }, 3, 'must be 2 or less'],
  [{ type: 'number', exclusiveMinimum: 0 }, 0, 'must be more than 0'],
  [{ type: 'number', exclusiveMaximum: 9 }, 9, 'must be less than 9'],
  [{ type: 'string', format: 'date' }, '1.2.2026', 'must be a date like 2026-11-22'],
  [{ type: 'string', format: 'date-time' }, '2026-11-22', 'must be a time like 2026-11-22T08:30:00Z'],
  [
    { type: 'string', pattern: '^[A-Z]{3}$', description: 'a code', examples: ['ABC'] },
    'ab',
    'must be a code like ABC',
  ],
  [{ type: 'string', pattern: '^[A-Z]{3}$' }, 'ab', 'must be as /openapi.json describes it'],
  [{ type: 'string', enum: ['one', 'two'] }, 'three', 'must be one of: one, two'],
  [{ type: 'number', multipleOf: 2 }, 3, 'must be as /openapi.json describes it'],
];

describe('requests by the schemas of their routes', () => {
  for (const [schema, value, said] of CASES)
    it(said, () => {
      expect(faults(of(schema), { at: value })).eql([`at: at ${said}`]);
    });

  it('what is missing and what is too much are named', () => {
    const schema = { ...of({ type: 'string' }), required: ['at'] };
    expect(faults(schema, { att: 1 })).eql([
      'at: at is missing',
      'att: The request has no member of the name given here: see /openapi.json',
    ]);
  });

  it('of alternatives one fault is told: which they are', () => {
    const text = { type: 'string' };
    const properties = { token: text, payload: text, signature: text };
    const anyOf = [{ required: ['token'] }, { required: ['payload', 'signature'] }];
    expect(faults({ type: 'object', properties, anyOf }, {})).eql([
      ': The request must have token, or payload and signature',
    ]);
  });

  it('never the value that was sent', () => {
    expect(faults(of({ type: 'string', enum: ['one'] }), { at: 'of a patient' }).join()).not.includes('patient');
  });
});
