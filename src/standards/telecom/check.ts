/** The rules of D.0 for a whole transmission: header, placement, what must be there, and arithmetic. Reference 14 to 20 */

import type { Issue } from '../fhir/outcome.ts';
import { isNdc11, isNpi } from '../ncpdp/identifiers.ts';
import { checkSegment } from './check-segment.ts';
import { isDate } from './formats.ts';
import { findSegment, findValue, type TelecomMessage, type TelecomSegment, valuesOf } from './message.ts';
import { fieldName, findSegmentModel } from './model.ts';
import {
  type Balance,
  compoundCost,
  formatCents,
  grossAmountDue,
  patientPay,
  patientResponsibility,
  totalPaid,
} from './pricing.ts';
import { type TelecomPlace, type TelecomRule, telecomIssue } from './rule-issue.ts';
import { OTHER_TRANSACTIONS, type Placement, TRANSACTIONS, type TransactionModel } from './transactions.ts';

export interface CheckOptions {
  /** CCYYMMDD where the pharmacy is: no claim is of a later day. Absent: any day of the calendar. */
  readonly today?: string;
}

/** Every fault by the strict rules; `asLenientTelecom` has those of a reader that takes what it can. */
export function checkTelecom(message: TelecomMessage, options: CheckOptions = {}): readonly Issue[] {
  const { side, header, transactions } = message;
  const issues: Issue[] = [...checkHeader(message, options)];
  const model = TRANSACTIONS.get(header['A3'] ?? '');
  if (model === undefined) {
    const other = OTHER_TRANSACTIONS.get(header['A3'] ?? '');
    const what = other === undefined ? 'is no transaction code' : `is ${other}, which is not taken`;
    return [...issues, telecomIssue('transaction', { field: '103-A3' }, what, { reject: '03' })];
  }
  issues.push(...checkCount(message, model));
  const shape = model[side];
  issues.push(...checkSegments(message.transmission, shape.transmission, shape.transaction, undefined));
  for (const [index, segments] of transactions.entries()) {
    issues.push(...checkSegments(segments, shape.transaction, shape.transmission, index + 1));
    issues.push(
      ...(side === 'request' ? checkRequest(segments, model, index + 1) : checkResponse(segments, model, index + 1)),
    );
  }
  if (side === 'request') issues.push(...checkInsurance(message, model));
  return issues;
}

function checkHeader({ side, header }: TelecomMessage, { today }: CheckOptions): readonly Issue[] {
  const issues: Issue[] = [];
  const add = (rule: TelecomRule, field: string, what: string, reject: string): void => {
    issues.push(telecomIssue(rule, { field }, what, { reject }));
  };
  if (side === 'request' && !/^\d{6}$/.test(header['A1'] ?? '')) add('format', '101-A1', 'is not six digits', '01');
  if (!/^[1-4]$/.test(header['A9'] ?? '')) add('count', '109-A9', 'is not 1 to 4', 'A9');
  if (side === 'response' && !/^[AR]$/.test(header['F1'] ?? '')) add('code', '501-F1', 'is neither A nor R', 'R8');
  const provider = header['B1'] ?? '';
  if (provider === '') add('required', '201-B1', 'is missing', '05');
  else if (header['B2'] === '01' && !isNpi(provider)) add('npi', '201-B1', 'is no NPI: its check digit is wrong', '05');
  const date = header['D1'] ?? '';
  if (date === '') {
    // A response without it has been told of by its length.
    if (side === 'request') add('required', '401-D1', 'is missing', '15');
  } else if (!isDate(date)) add('date', '401-D1', 'is no date of the calendar: CCYYMMDD', '15');
  else if (today !== undefined && date > today) add('service-date', '401-D1', 'is a day to come', '82');
  return issues;
}

function checkCount({ side, header, transactions }: TelecomMessage, model: TransactionModel): readonly Issue[] {
  const stated = Number(header['A9']);
  const place = { field: '109-A9' };
  // All segments of an E1 request belong to the transmission.
  if (side === 'request' && model.request.transaction.length === 0)
    return transactions.length === 0
      ? []
      : [telecomIssue('count', place, `goes with no transaction in ${model.code}`, { reject: 'PB' })];
  if (stated > model.countMax && stated <= 4)
    return [telecomIssue('count', place, `is at most ${model.countMax} in ${model.code}`, { reject: 'PB' })];
  if (stated === transactions.length) return [];
  const what = `does not fit: ${transactions.length} transactions follow`;
  return [telecomIssue('count', place, what, { reject: 'A9' })];
}

/** Each segment known, in its place, once, with all that must be there. `elsewhere`: what belongs to the other level. */
function checkSegments(
  segments: readonly TelecomSegment[],
  here: readonly Placement[],
  elsewhere: readonly Placement[],
  transaction: number | undefined,
): readonly Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const segment of segments) {
    const place: TelecomPlace = { transaction, segment: printable(segment.id), at: segment.at };
    const model = findSegmentModel(segment.id);
    if (model === undefined) {
      const what = 'is no segment of the standard: it is kept as it is';
      issues.push(telecomIssue('unknown-segment', place, what, { severity: 'warning' }));
      continue;
    }
    if (seen.has(segment.id)) issues.push(telecomIssue('segment-repeated', place, 'stands twice'));
    seen.add(segment.id);
    if (!here.some((placement) => placement.segment === segment.id)) {
      const isOther = elsewhere.some((placement) => placement.segment === segment.id);
      const where = isOther
        ? `belongs to the ${transaction === undefined ? 'transaction' : 'transmission'}`
        : 'has no place in this transaction';
      issues.push(telecomIssue('placement', place, where));
    }
    issues.push(...checkSegment(segment, model, transaction));
  }
  for (const { segment, isMandatory } of here) {
    if (!isMandatory || seen.has(segment)) continue;
    issues.push(telecomIssue('segment-required', { transaction, segment }, 'is missing'));
  }
  return issues;
}

const printable = (id: string): string => (/^[A-Z0-9]{2}$/.test(id) ? id : '??');

function checkRequired(
  segment: TelecomSegment | undefined,
  ids: readonly string[],
  transaction: number | undefined,
): readonly Issue[] {
  const model = segment && findSegmentModel(segment.id);
  if (!segment || !model) return [];
  return ids
    .filter((id) => !segment.fields.some((field) => field.id === id && field.value.trimEnd() !== ''))
    .map((id) => {
      const known = model.fields.get(id);
      const place = { transaction, segment: segment.id, field: known ? fieldName(known) : id, at: segment.at };
      return telecomIssue('required', place, 'is missing', { reject: known?.reject ?? id });
    });
}

function checkInsurance({ transmission }: TelecomMessage, model: TransactionModel): readonly Issue[] {
  const insurance = findSegment(transmission, '04');
  if (!insurance || model.code === 'B2') return [];
  return checkRequired(insurance, ['C2'], undefined);
}

function checkRequest(
  segments: readonly TelecomSegment[],
  model: TransactionModel,
  transaction: number,
): readonly Issue[] {
  const claim = findSegment(segments, '07');
  const pricing = findSegment(segments, '11');
  const cob = findSegment(segments, '05');
  const issues = [
    ...checkRequired(claim, model.request.claimFields, transaction),
    ...checkProducts(segments, transaction),
  ];
  if (model.code !== 'B2') issues.push(...checkRequired(pricing, ['DU'], transaction));
  const coverage = findValue(claim, 'C8');
  if (coverage !== undefined && NEEDS_COB.has(coverage) && cob === undefined) {
    const place = { transaction, segment: '07', field: '308-C8' };
    const what = 'tells of other coverage, and AM05 is missing';
    issues.push(telecomIssue('other-coverage', place, what, { reject: '13' }));
  }
  const gross = grossAmountDue(pricing);
  const isBilledRest = coverage === '08' && gross?.stated === patientResponsibility(cob);
  if (gross && gross.stated !== gross.computed && !isBilledRest)
    issues.push(
      unbalanced('gross-amount', { transaction, segment: '11', field: '430-DU' }, gross, 'the sum of its parts', 'R9'),
    );
  const compound = compoundCost(segments);
  if (compound && compound.stated !== compound.computed)
    issues.push(
      unbalanced('compound-cost', { transaction, segment: '11', field: '409-D9' }, compound, 'the sum of 449-EE', '23'),
    );
  return issues;
}

/** Other coverage codes that say what another payer has done. */
const NEEDS_COB: ReadonlySet<string> = new Set(['02', '03', '04', '08']);

const unbalanced = (
  rule: TelecomRule,
  place: TelecomPlace,
  { stated, computed }: Balance,
  of: string,
  reject: string,
): Issue => {
  const difference = formatCents(stated > computed ? stated - computed : computed - stated);
  const side = stated > computed ? 'more' : 'less';
  return telecomIssue(rule, place, `is ${difference} ${side} than ${of}`, { reject });
};

/** Product codes that say they are an NDC are one. */
function checkProducts(segments: readonly TelecomSegment[], transaction: number): readonly Issue[] {
  const issues: Issue[] = [];
  const add = (segment: string, field: string, reject: string): void => {
    const what = 'is no NDC of eleven digits without hyphens';
    issues.push(telecomIssue('ndc', { transaction, segment, field }, what, { reject }));
  };
  const claim = findSegment(segments, '07');
  const product = findValue(claim, 'D7');
  if (findValue(claim, 'E1') === '03' && product !== undefined && !isNdc11(product)) add('07', '407-D7', '21');
  const compound = findSegment(segments, '10');
  const qualifiers = valuesOf(compound, 'RE');
  for (const [index, value] of valuesOf(compound, 'TE').entries())
    if (qualifiers[index] === '03' && !isNdc11(value)) add('10', '489-TE', 'TE');
  return issues;
}

function checkResponse(
  segments: readonly TelecomSegment[],
  model: TransactionModel,
  transaction: number,
): readonly Issue[] {
  const status = findSegment(segments, '21');
  const pricing = findSegment(segments, '23');
  const issues = [...checkRequired(status, ['AN'], transaction)];
  const code = findValue(status, 'AN') ?? '';
  const rejects = valuesOf(status, 'FB');
  const place = { transaction, segment: '21', field: '112-AN' };
  if (rejects.length > 0 && code !== 'R')
    issues.push(telecomIssue('paid-with-reject', place, 'is not R, and reject codes follow: nothing is paid'));
  if (rejects.length === 0 && code === 'R')
    issues.push(telecomIssue('reject-without-code', place, 'is R, and no reject code says why'));
  const isBilling = model.code === 'B1' || model.code === 'B3';
  if (isBilling && (code === 'P' || code === 'D')) {
    for (const segment of ['22', '23'])
      if (!findSegment(segments, segment))
        issues.push(telecomIssue('segment-required', { transaction, segment }, 'is missing from a paid claim'));
    issues.push(...checkRequired(pricing, ['F5', 'F9'], transaction));
  }
  issues.push(...checkRequired(findSegment(segments, '22'), ['EM', 'D2'], transaction));
  const paid = totalPaid(pricing);
  if (paid && paid.stated !== paid.computed)
    issues.push(
      unbalanced('total-paid', { transaction, segment: '23', field: '509-F9' }, paid, 'what its parts make', 'R9'),
    );
  const patient = patientPay(pricing);
  if (patient && patient.stated !== patient.computed)
    issues.push(
      unbalanced('patient-pay', { transaction, segment: '23', field: '505-F5' }, patient, 'the sum of its parts', 'R9'),
    );
  return issues;
}
