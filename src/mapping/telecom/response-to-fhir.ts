/** Answers of payers as ClaimResponse and CoverageEligibilityResponse. Reference section 21 */
import { extensionUrl } from '../../standards/fhir/canonical.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { findSegment, findValue, type TelecomMessage, type TelecomSegment } from '../../standards/telecom/message.ts';
import { fieldName, findSegmentModel } from '../../standards/telecom/model.ts';
import { readOutcomes, type TransactionOutcome } from '../../standards/telecom/outcome.ts';
import { findRejectCode } from '../../standards/telecom/reject-codes.ts';
import { readRows } from '../../standards/telecom/rows.ts';
import { REJECT_SYSTEM } from '../../standards/telecom/rule-issue.ts';
import type { Json } from '../script/place.ts';
import {
  type FhirResource,
  nameUrl,
  type TransactionBundle,
  type TransactionEntry,
  transactionBundle,
} from '../transaction-bundle.ts';
import { fieldExtensions } from './carriers.ts';
import { headerLeaves } from './header-leaves.ts';
import { type Leaf, leavesOf } from './paths.ts';
import type { TelecomToFhirContext } from './request-to-fhir.ts';
import {
  ADJUDICATION,
  CLAIM_TYPE,
  COVERAGE_CLASS,
  REASON_FOR_SERVICE,
  TELECOM_FIELD,
  TELECOM_TRANSACTION,
} from './systems.ts';
import { DECIMAL, NOT_NAMED } from './values.ts';

const ANSWERED_TRANSACTION = extensionUrl('telecom-transaction');

/** What is answered, where it is known: references as FHIR has them. */
export interface AskedFor {
  readonly claim?: string;
  readonly patient?: string;
  readonly insurer?: Json;
}

export interface ResponseContext extends TelecomToFhirContext {
  /** One for each transaction. */
  readonly asked?: readonly AskedFor[];
}

/** Amounts that FHIR has a category for; all others stand under the number of their field. */
export const CATEGORIES: ReadonlyMap<string, string> = new Map([
  ['F9', 'benefit'],
  ['FI', 'copay'],
  ['FH', 'deductible'],
]);

export function responseToFhir(message: TelecomMessage, context: ResponseContext): Mapped<TransactionBundle> {
  const shared = [...headerLeaves(message.header, 'response'), ...leavesOf(message.transmission)];
  const groups = message.transactions.length === 0 ? [[]] : message.transactions;
  const outcomes = readOutcomes(message, groups.length);
  const issues: Issue[] = [];
  const entries = groups.flatMap((group, index) => {
    const outcome = outcomes[index] ?? { kind: 'unclear' };
    if (outcome.kind === 'unclear') issues.push(unclear(index + 1));
    const leaves = [...shared, ...leavesOf(group)];
    const asked = context.asked?.[index] ?? {};
    return message.header['A3'] === 'E1'
      ? eligibilityEntries(message, group, leaves, outcome, asked, context, index)
      : claimEntries(message, group, leaves, outcome, asked, context, index);
  });
  return { value: transactionBundle(entries), issues };
}

const unclear = (transaction: number): Issue => ({
  severity: 'warning',
  code: 'business-rule',
  diagnostics: 'The status of the answer is not clear: it is taken as not paid',
  expression: [`Transaction[${transaction}].AM21.112-AN`],
});

const OUTCOMES: Readonly<Record<TransactionOutcome['kind'], 'complete' | 'error' | 'queued'>> = {
  paid: 'complete',
  approved: 'complete',
  captured: 'queued',
  deferred: 'queued',
  rejected: 'error',
  unclear: 'error',
};

const referenceOr = (reference: string | undefined): Json =>
  reference === undefined ? { display: NOT_NAMED } : { reference };

/** The same answer makes the same resources. */
const urlOf = (type: string, message: TelecomMessage, group: readonly TelecomSegment[], ...words: string[]): string =>
  nameUrl(
    type,
    JSON.stringify([message.header, group.map(({ id, fields }) => [id, fields.map((f) => [f.id, f.value])])]),
    ...words,
  );

function common(
  message: TelecomMessage,
  outcome: TransactionOutcome,
  asked: AskedFor,
  { receivedAt }: ResponseContext,
) {
  const { insurer = { display: NOT_NAMED }, patient } = asked;
  return {
    status: 'active',
    patient: referenceOr(patient),
    created: new Date(receivedAt).toISOString(),
    insurer,
    outcome: OUTCOMES[outcome.kind],
    ...(outcome.kind === 'rejected' && outcome.message !== '' && { disposition: withoutControls(outcome.message) }),
    ...errorsOf(outcome),
    transaction: {
      url: ANSWERED_TRANSACTION,
      valueCoding: { system: TELECOM_TRANSACTION, code: withoutControls(message.header['A3'] ?? '') },
    },
  };
}

/** FHIR texts have no control characters; the field itself is kept whole in its extension. */
const withoutControls = (text: string): string => text.replaceAll(/[^ -~]/g, '?').trim();

const printable = (value: string | undefined): string | undefined => {
  const text = withoutControls(value ?? '');
  return text === '' ? undefined : text;
};

function errorsOf(outcome: TransactionOutcome): Json {
  if (outcome.kind === 'unclear') return { error: [{ code: { text: 'The status of the answer is not clear' } }] };
  if (outcome.kind !== 'rejected') return {};
  const error = outcome.codes.map(withoutControls).map((code) => {
    const display = findRejectCode(code)?.meaning;
    return { code: { coding: [{ system: REJECT_SYSTEM, code, ...(display !== undefined && { display }) }] } };
  });
  return error.length === 0 ? { error: [{ code: { text: 'Rejected without a code' } }] } : { error };
}

function claimEntries(
  message: TelecomMessage,
  group: readonly TelecomSegment[],
  leaves: readonly Leaf[],
  outcome: TransactionOutcome,
  asked: AskedFor,
  context: ResponseContext,
  index: number,
): readonly TransactionEntry[] {
  const amounts = leaves.filter(isAmount);
  const carried = leaves.filter((leaf) => !isAmount(leaf) && leaf.path !== '21/F3');
  const authorization = leaves.find(({ path, model }) => path === '21/F3' && model)?.text;
  const { transaction, ...rest } = common(message, outcome, asked, context);
  const adjudication = amounts.map(({ text, model }) => ({
    category: { coding: [categoryOf(model)] },
    amount: { value: DECIMAL.decode(text), currency: 'USD' },
  }));
  const benefit = amounts.find(({ path }) => path === '23/F9');
  const response: Json = {
    resourceType: 'ClaimResponse',
    ...rest,
    extension: [...fieldExtensions(carried), transaction],
    type: { coding: [{ system: CLAIM_TYPE, code: 'pharmacy' }] },
    use: 'claim',
    ...(asked.claim !== undefined && { request: { reference: asked.claim } }),
    ...(authorization !== undefined && { preAuthRef: authorization }),
    ...(adjudication.length > 0 && { item: [{ itemSequence: 1, adjudication }] }),
    ...(benefit && {
      total: [
        {
          category: { coding: [{ system: ADJUDICATION, code: 'benefit' }] },
          amount: { value: DECIMAL.decode(benefit.text), currency: 'USD' },
        },
      ],
    }),
  };
  const url = urlOf('ClaimResponse', message, group, String(index));
  return [post(url, response), ...alertEntries(message, group, asked), ...otherPayerEntries(message, group, asked)];
}

const isAmount = ({ path, model }: Leaf): boolean =>
  model !== undefined && path === `23/${model.id}` && model.format.kind === 'signed' && model.format.decimals === 2;

function categoryOf(model: Leaf['model']): Json {
  if (!model) return {};
  const known = CATEGORIES.get(model.id);
  return known === undefined
    ? { system: TELECOM_FIELD, code: fieldName(model), display: model.name }
    : { system: ADJUDICATION, code: known };
}

const post = (fullUrl: string, resource: Json): TransactionEntry => ({
  fullUrl,
  resource: resource as FhirResource, // each has its type
  request: { method: 'POST', url: String(resource['resourceType']) },
});

const SEVERITIES: ReadonlyMap<string, string> = new Map([
  ['1', 'high'],
  ['2', 'moderate'],
  ['3', 'low'],
]);

/** Alerts of the payer on the use of the drug (AM24). */
function alertEntries(
  message: TelecomMessage,
  group: readonly TelecomSegment[],
  asked: AskedFor,
): readonly TransactionEntry[] {
  const segment = findSegment(group, '24');
  const model = findSegmentModel('24');
  if (!segment || !model) return [];
  return (readRows(segment, model).rows.get('J6') ?? []).map((row, index) => {
    const value = (id: string): string | undefined => printable(row.fields.get(id)?.value);
    const severity = SEVERITIES.get(value('FS') ?? '');
    const words = [value('FY'), value('NS')].filter((text) => text !== undefined);
    return post(urlOf('DetectedIssue', message, group, String(index)), {
      resourceType: 'DetectedIssue',
      status: 'final',
      ...(asked.patient !== undefined && { patient: { reference: asked.patient } }),
      ...(value('E4') && { code: { coding: [{ system: REASON_FOR_SERVICE, code: value('E4') }] } }),
      ...(severity !== undefined && { severity }),
      ...(words.length > 0 && { detail: words.join(' ') }),
    });
  });
}

/** Payers the answer names (AM28): drafts, until somebody has verified them. */
function otherPayerEntries(
  message: TelecomMessage,
  group: readonly TelecomSegment[],
  asked: AskedFor,
): readonly TransactionEntry[] {
  return otherPayers(group).map((payer, index) =>
    post(urlOf('Coverage', message, group, String(index)), {
      resourceType: 'Coverage',
      status: 'draft',
      beneficiary: referenceOr(asked.patient),
      payor: [{ display: payer.bin ?? NOT_NAMED }],
      ...(payer.cardholder !== undefined && { subscriberId: payer.cardholder }),
      ...(payer.person !== undefined && { dependent: payer.person }),
      class: [
        ['rxbin', payer.bin],
        ['rxpcn', payer.pcn],
        ['rxgroup', payer.group],
      ].flatMap(([code, value]) =>
        value === undefined ? [] : [{ type: { coding: [{ system: COVERAGE_CLASS, code }] }, value }],
      ),
    }),
  );
}

export interface OtherPayer {
  readonly bin?: string | undefined;
  readonly pcn?: string | undefined;
  readonly cardholder?: string | undefined;
  readonly group?: string | undefined;
  readonly person?: string | undefined;
}

/** AM28, row by row. */
function otherPayers(group: readonly TelecomSegment[]): readonly OtherPayer[] {
  const segment = findSegment(group, '28');
  const model = findSegmentModel('28');
  if (!segment || !model) return [];
  return (readRows(segment, model).rows.get('5C') ?? []).map((row) => {
    const value = (id: string): string | undefined => printable(row.fields.get(id)?.value);
    return {
      bin: value('6C') === '03' ? value('7C') : undefined,
      pcn: value('MH'),
      cardholder: value('NU'),
      group: value('MJ'),
      person: value('UV'),
    };
  });
}

function eligibilityEntries(
  message: TelecomMessage,
  group: readonly TelecomSegment[],
  leaves: readonly Leaf[],
  outcome: TransactionOutcome,
  asked: AskedFor,
  context: ResponseContext,
  index: number,
): readonly TransactionEntry[] {
  const { transaction, ...rest } = common(message, outcome, asked, context);
  const coverages = otherPayerEntries(message, group, asked);
  const authorization = findValue(findSegment(group, '21'), 'F3');
  const insurance = coverages.map(({ fullUrl }) => ({
    coverage: { reference: fullUrl },
    inforce: outcome.kind === 'approved',
  }));
  const response: Json = {
    resourceType: 'CoverageEligibilityResponse',
    ...rest,
    extension: [...fieldExtensions(leaves), transaction],
    purpose: ['discovery'],
    request: referenceOr(asked.claim),
    ...(authorization !== undefined && { preAuthRef: authorization }),
    ...(insurance.length > 0 && { insurance }),
  };
  return [...coverages, post(urlOf('CoverageEligibilityResponse', message, group, String(index)), response)];
}
