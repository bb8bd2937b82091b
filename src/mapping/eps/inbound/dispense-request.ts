/** What an item asks of who dispenses it. */
import { formatIso, formatIsoDate } from '../../../standards/hl7v3/date-time.ts';
import { CODE_SYSTEM, EXTENSION } from '../systems.ts';
import { odsIdentifier } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { coding, extension, type Json, present } from './fhir-parts.ts';
import {
  countOfValue,
  dateOfValue,
  decimalOf,
  findAttribute,
  findChild,
  findPath,
  instantOfValue,
  requiredAttribute,
  requiredChild,
  type V3Node,
  v3Fault,
} from './v3-node.ts';

/** Of the prescription that the item is part of. */
export interface Terms {
  readonly prescription: V3Node;
  /** From when it may be dispensed. */
  readonly effectiveTime: V3Node;
  readonly authorTime: V3Node;
}

export function dispenseRequest(lineItem: V3Node, terms: Terms, context: AnswerContext): Json {
  const { prescription } = terms;
  const preference = requiredChild(prescription, 'pertinentInformation1', 'pertinentDispensingSitePreference', 'value');
  const supply = findPath(prescription, 'component1', 'daysSupply');
  const performer = performerOf(prescription);
  return present({
    extension: [
      extension(EXTENSION.performerSiteType, { valueCoding: codingOf(preference, CODE_SYSTEM.sitePreference) }),
    ],
    numberOfRepeatsAllowed: repeatsOf(lineItem, 'high') ?? 0,
    quantity: quantityOf(requiredChild(lineItem, 'component', 'lineItemQuantity')),
    validityPeriod: validityPeriod(supply, terms, context),
    expectedSupplyDuration: supplyDuration(supply),
    performer: performer && { identifier: odsIdentifier(performer) },
  });
}

/** FHIR counts repeats from nought, V3 issues from one. */
export const repeatsOf = (node: V3Node | undefined, end: 'low' | 'high'): number | undefined => {
  const count = findPath(node, 'repeatNumber', end);
  return count && countOfValue(count) - 1;
};

/** The code of `value`, in FHIR's name of its system. */
export const codingOf = (value: V3Node, system: string): Json =>
  coding(system, requiredAttribute(value, 'code'), findAttribute(value, 'displayName'));

/** The nominated pharmacy. */
export const performerOf = (prescription: V3Node): V3Node | undefined =>
  findPath(prescription, 'performer', 'AgentOrgSDS', 'agentOrganizationSDS');

/** In the unit of the translation, which is the one people count in. */
export function quantityOf(act: V3Node): Json {
  const whole = requiredChild(act, 'quantity');
  const translation = findChild(whole, 'translation');
  const code = findAttribute(translation, 'code');
  return present({
    value: decimalOf(translation ?? whole),
    unit: findAttribute(translation, 'displayName'),
    system: code && CODE_SYSTEM.snomedCt,
    code,
  });
}

/**
 * Deviates: the time from which the prescription may be dispensed is kept where it is another than that of the signature;
 * the national gateway keeps the date alone, and that for repeat dispensing only.
 */
function validityPeriod(supply: V3Node | undefined, terms: Terms, { form }: AnswerContext): Json | undefined {
  const low = valued(findPath(supply, 'effectiveTime', 'low'));
  const high = valued(findPath(supply, 'effectiveTime', 'high'));
  const period = present({ start: low && dateOfValue(low), end: high && dateOfValue(high) });
  if (form === 'full') {
    const start = startOf(terms);
    if (start !== undefined && (low === undefined || dateOfValue(low) === start.slice(0, 10)))
      return { ...period, start };
  }
  return Object.keys(period).length === 0 ? undefined : period;
}

/** Midnight is a day. */
function startOf({ effectiveTime, authorTime }: Terms): string | undefined {
  const start = instantOfValue(effectiveTime);
  if (start === instantOfValue(authorTime)) return undefined;
  return start % 86_400_000 === 0 ? formatIsoDate(start) : formatIso(start);
}

const valued = (node: V3Node | undefined): V3Node | undefined =>
  findAttribute(node, 'value') === undefined ? undefined : node;

function supplyDuration(supply: V3Node | undefined): Json | undefined {
  const width = findPath(supply, 'expectedUseTime', 'width');
  if (width === undefined) return undefined;
  if (requiredAttribute(width, 'unit') !== 'd')
    throw v3Fault('value', width, 'The duration of the supply is not in days', '/@unit');
  return { unit: 'days', value: decimalOf(width), system: CODE_SYSTEM.ucum, code: 'd' };
}
