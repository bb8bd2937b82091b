/** ClaimResponses and CoverageEligibilityResponses as one transmission of a payer. Reference section 21 */
import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { TelecomMessage } from '../../standards/telecom/message.ts';
import { findSegmentModel } from '../../standards/telecom/model.ts';
import { REJECT_SYSTEM } from '../../standards/telecom/rule-issue.ts';
import { type Json, objectsAt, textAt } from '../script/place.ts';
import { fromFieldExtensions } from './carriers.ts';
import { headerFields, headerValue } from './header-leaves.ts';
import { assemble } from './paths.ts';
import { handedIn } from './resolve.ts';
import { CATEGORIES } from './response-to-fhir.ts';
import { ADJUDICATION, TELECOM_FIELD } from './systems.ts';
import { DECIMAL } from './values.ts';

const RESPONSES: ReadonlySet<unknown> = new Set(['ClaimResponse', 'CoverageEligibilityResponse']);
const OF_TRANSMISSION: ReadonlySet<string> = new Set(['20', '25', '29']);
const RESPONSES_MAX = 4;

/** Status of 112-AN for an answer that was not made from one of D.0. */
const STATUSES: ReadonlyMap<unknown, string> = new Map([
  ['complete', 'P'],
  ['queued', 'C'],
  ['error', 'R'],
  ['partial', 'P'],
]);

export function responseFromFhir(payload: unknown): Mapped<TelecomMessage> {
  const responses = handedIn(payload).all.filter(({ resourceType }) => RESPONSES.has(resourceType));
  if (responses.length === 0 || responses.length > RESPONSES_MAX)
    return { issues: [issue('structure', `${responses.length} responses: a transmission has 1 to ${RESPONSES_MAX}`)] };
  const issues: Issue[] = [];
  const all = responses.map(valuesOfResponse);
  const [first = new Map<string, string>()] = all;
  const isShared = (path: string): boolean => path.startsWith('H/') || OF_TRANSMISSION.has(path.slice(0, 2));
  const header: Record<string, string> = {};
  for (const field of headerFields('response')) {
    const text = first.get(`H/${field.id}`);
    const value = text === undefined ? undefined : headerValue(field, text);
    if (value !== undefined) header[field.id] = value;
  }
  const of = (values: ReadonlyMap<string, string>, shared: boolean) =>
    assemble(new Map([...values].filter(([path]) => !path.startsWith('H/') && isShared(path) === shared)));
  const transmission = of(first, true);
  const transactions = all.map((values) => of(values, false));
  for (const path of [...transmission.refused, ...transactions.flatMap(({ refused }) => refused)])
    issues.push(issue('value', 'does not fit the format of its field', path.replaceAll(/[^\w/[\]!+]/g, '?')));
  const isEligibility = responses.some(({ resourceType }) => resourceType === 'CoverageEligibilityResponse');
  const code = textAt(responses[0], 'ext:telecom-transaction.valueCoding.code') ?? (isEligibility ? 'E1' : 'B1');
  const value: TelecomMessage = {
    side: 'response',
    header: { F1: 'A', ...header, A2: 'D0', A3: code, A9: String(responses.length) },
    transmission: transmission.segments,
    transactions: transactions.map(({ segments }) => segments),
  };
  return { value, issues };
}

function valuesOfResponse(response: Json): ReadonlyMap<string, string> {
  const values = new Map<string, string>(fromFieldExtensions(response));
  const authorization = textAt(response, 'preAuthRef');
  if (authorization !== undefined) values.set('21/F3', authorization);
  for (const { category, amount } of objectsAt(response, 'item[0].adjudication')) {
    const id = fieldOf(category);
    const text = DECIMAL.encode((amount as Json | undefined)?.['value']);
    if (id !== undefined && text !== undefined) values.set(`23/${id}`, text);
  }
  if (values.has('21/AN')) return values;
  const rejects = objectsAt(response, 'error').flatMap((error) =>
    objectsAt(error, 'code.coding').filter(({ system }) => system === REJECT_SYSTEM),
  );
  values.set('21/AN', rejects.length > 0 ? 'R' : (STATUSES.get(response['outcome']) ?? 'R'));
  for (const [index, { code }] of rejects.entries()) values.set(`21/FB[${index}]/FB`, String(code));
  return values;
}

function fieldOf(category: unknown): string | undefined {
  for (const { system, code } of objectsAt(category, 'coding')) {
    if (system === ADJUDICATION) return [...CATEGORIES].find(([, known]) => known === code)?.[0];
    const id = typeof code === 'string' ? code.split('-').at(-1) : undefined;
    if (system === TELECOM_FIELD && id !== undefined && findSegmentModel('23')?.fields.has(id)) return id;
  }
  return undefined;
}
