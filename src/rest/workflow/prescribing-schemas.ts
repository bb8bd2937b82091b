/** JSON Schemas of requests, approvals and what is answered. MISSION M9; issue "shapes" */
import type { JsonSchema } from '../../standards/openapi/document.ts';

const text = (maxLength: number, minLength = 1): JsonSchema => ({ type: 'string', minLength, maxLength });
const optional = (type: string): JsonSchema => ({ type: [type, 'null'] });
export const ID: JsonSchema = {
  type: 'string',
  pattern: '^[A-Za-z0-9.-]{1,64}$',
  description: 'an id',
  examples: ['med-amoxicillin-500'],
};
const QUANTITY: JsonSchema = {
  type: ['number', 'string'],
  description: 'A number, or a number with its unit: 28, or "30 capsules"',
};
const list = (properties: JsonSchema, required: readonly string[]): JsonSchema => ({
  type: 'array',
  minItems: 1,
  maxItems: 20,
  items: { type: 'object', required, additionalProperties: false, properties },
});

const REQUESTED_ITEM = {
  medication_id: ID,
  medication_name: text(255),
  strength: text(100),
  form: text(100),
  dose: text(100),
  quantity: QUANTITY,
  instructions: text(2000),
  repeats: { type: 'integer', minimum: 0, maximum: 99 },
  is_acute: { type: 'boolean' },
};

export const REQUEST_BODY: JsonSchema = {
  type: 'object',
  required: ['items'],
  properties: {
    items: list(REQUESTED_ITEM, ['dose', 'quantity', 'instructions']),
    pharmacy_id: ID,
    notes: text(2000),
    additional_information: text(2000),
  },
};

const MEDICATIONS = list(
  {
    item_id: ID,
    medication_id: ID,
    medication_name: text(255),
    strength: text(100),
    form: text(100),
    quantity: QUANTITY,
    dosage_instructions: text(2000),
    frequency: text(100),
    refills_allowed: { type: 'integer', minimum: 0, maximum: 99 },
  },
  ['quantity', 'dosage_instructions', 'frequency'],
);

export const APPROVE_BODY: JsonSchema = {
  type: 'object',
  properties: { medications: MEDICATIONS, clinical_notes: text(2000) },
};
export const REASON_BODY: JsonSchema = {
  type: 'object',
  required: ['reason'],
  properties: { reason: text(2000, 3), clinical_notes: text(2000) },
};
export const UPDATE_BODY: JsonSchema = {
  type: 'object',
  required: ['status'],
  properties: {
    status: { enum: ['APPROVED', 'REJECTED', 'ESCALATED'] },
    medications: MEDICATIONS,
    reason: text(2000, 3),
    clinical_notes: text(2000),
  },
};
export const PROTOCOL_BODY: JsonSchema = {
  type: 'object',
  required: ['medications', 'valid_until'],
  properties: {
    medications: list(
      {
        medication_id: ID,
        medication_name: text(255),
        max_quantity: { type: 'number', exclusiveMinimum: 0, maximum: 100_000 },
      },
      ['max_quantity'],
    ),
    valid_until: { type: 'string', format: 'date' },
  },
};
export const ISSUE_BODY: JsonSchema = {
  type: 'object',
  required: ['patient_id', 'items'],
  properties: {
    patient_id: ID,
    items: list(
      {
        ...REQUESTED_ITEM,
        dosage_instructions: text(2000),
        frequency: text(100),
        refills_allowed: { type: 'integer', minimum: 0, maximum: 99 },
      },
      ['quantity'],
    ),
    pharmacy_id: ID,
    encounter_id: ID,
    notes: text(2000),
  },
};

/** Seed 001. */
export const ISSUE_V2: JsonSchema = {
  type: 'object',
  required: ['patientId', 'items'],
  properties: {
    patientId: ID,
    encounterId: ID,
    pharmacyId: ID,
    notes: text(2000),
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 20,
      items: {
        type: 'object',
        required: ['medicationId', 'dose', 'frequency', 'quantity'],
        additionalProperties: false,
        properties: {
          medicationId: ID,
          dose: text(100),
          route: text(100),
          frequency: text(100),
          duration: text(100),
          quantity: { type: ['number', 'string'] },
          instructions: text(2000),
        },
      },
    },
  },
};

export const STATUSES = ['REQUESTED', 'APPROVED', 'REJECTED', 'DISPENSED', 'CANCELLED'] as const;
export const PAGE_QUERY: JsonSchema = {
  type: 'object',
  properties: {
    status: { enum: [...STATUSES, 'ALL'] },
    limit: { type: 'integer', minimum: 1, maximum: 100 },
    cursor: { type: 'string', maxLength: 2000, description: '`next` of the page before' },
  },
};

const ITEM: JsonSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    medication_id: optional('string'),
    medication_name: { type: 'string' },
    strength: optional('string'),
    form: optional('string'),
    dose: { type: 'string' },
    quantity: optional('number'),
    instructions: optional('string'),
    repeats: { type: 'integer' },
    is_acute: { type: 'boolean' },
    prescription_id: optional('string'),
    prescription_status: optional('string'),
    approved_quantity: optional('number'),
    approved_dosage: optional('string'),
    refills_allowed: optional('integer'),
    clinical_notes: optional('string'),
    reviewer: optional('string'),
    review_date: optional('string'),
  },
};
export const PRESCRIPTION: JsonSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    request_reference: { type: 'string' },
    eps_reference: optional('string'),
    status: { enum: STATUSES },
    patient_id: { type: 'string' },
    request_date: optional('string'),
    approval_date: optional('string'),
    pharmacy_id: optional('string'),
    triage: optional('string'),
    notes: optional('string'),
    additional_information: optional('string'),
    reason: optional('string'),
    items: { type: 'array', items: ITEM },
  },
};
export const WARNINGS: JsonSchema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      type: { type: 'string' },
      message: { type: 'string' },
      code: { type: 'string' },
      severity: { enum: ['low', 'moderate', 'high'] },
      item: { type: 'integer' },
    },
  },
};
export const LIST: JsonSchema = {
  type: 'object',
  properties: {
    prescriptions: { type: 'array', items: PRESCRIPTION },
    count: { type: 'integer' },
    next: { type: 'string' },
  },
};
export const DECISION: JsonSchema = {
  type: 'object',
  required: ['success', 'message', 'request_reference', 'prescriptions_created', 'prescription_ids'],
  properties: {
    success: { type: 'boolean' },
    message: { type: 'string' },
    request_reference: { type: 'string' },
    prescriptions_created: { type: 'integer' },
    prescription_ids: { type: 'array', items: { type: 'string' } },
    interactionWarnings: WARNINGS,
  },
};

/** Codes of the rules that stop a request or an order. */
export const RULE_CODES = [
  'RX-UNKNOWN-MEDICINE',
  'RX-UNKNOWN-PHARMACY',
  'RX-INACTIVE',
  'RX-QUANTITY',
  'RX-AGE',
  'RX-CD-SUPPLY',
  'RX-CD-REPEAT',
  'RX-DUPLICATE-ITEM',
] as const;
