/** A search of the tracker: which parameters it takes, what is asked of the Spine, and which Tasks of the answer fit. */

import type { Issue } from '../../../standards/fhir/outcome.ts';
import { formatDate } from '../../../standards/hl7v3/date-time.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { finding } from '../fault.ts';
import { isNode, type Node } from '../node.ts';
import { CODE_SYSTEM, ID_SYSTEM } from '../systems.ts';

interface Parameter {
  /** Of its values; a date has none. */
  readonly system?: string;
  /** What a code means that arrived otherwise than it was written. */
  readonly mend?: (code: string) => string;
  /** What of a Task it must equal. */
  readonly valueOf: (task: Node) => unknown;
}

const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((parent, name) => {
    if (Array.isArray(parent)) return typeof name === 'number' ? parent[name] : undefined;
    return isNode(parent) ? parent[String(name)] : undefined;
  }, value);

const AUTHORED_ON = 'authored-on';

/** The check character may be `+`, which a query that does not escape it says as a space; no order number has a space. */
const ORDER: Parameter = {
  system: ID_SYSTEM.orderNumber,
  mend: (number) => number.replace(/ $/, '+'),
  valueOf: (task) => at(task, 'focus', 'identifier', 'value'),
};

const PARAMETERS: ReadonlyMap<string, Parameter> = new Map<string, Parameter>([
  ['focus:identifier', ORDER],
  ['identifier', ORDER],
  ['patient:identifier', { system: ID_SYSTEM.nhsNumber, valueOf: (task) => at(task, 'for', 'identifier', 'value') }],
  [
    'business-status',
    { system: CODE_SYSTEM.taskBusinessStatus, valueOf: (task) => at(task, 'businessStatus', 'coding', 0, 'code') },
  ],
  [AUTHORED_ON, { valueOf: (task) => at(task, 'authoredOn') }],
]);

/** Without one of them the search would be of everybody. */
const NEEDED = ['focus:identifier', 'identifier', 'patient:identifier'];

export type TrackerParameters = ReadonlyMap<string, readonly string[]>;

/** What the national gateway finds wrong with the parameters, in its words. Those it does not know are left aside. */
export function validateTrackerQuery(parameters: TrackerParameters): readonly Issue[] {
  const issues: Issue[] = [];
  if (!NEEDED.some((name) => parameters.has(name)))
    issues.push(
      finding('invalid', `At least one of the following query parameters must be provided: ${NEEDED.join(', ')}.`),
    );
  for (const [name, values] of parameters) {
    const parameter = PARAMETERS.get(name);
    if (parameter === undefined) continue;
    if (name !== AUTHORED_ON && values.length > 1)
      issues.push(finding('invalid', 'Invalid combination of query parameters.'));
    for (const value of values) issues.push(...validateValue(name, value, parameter));
  }
  return issues;
}

const DATE = /^(eq|le|ge)(\d{4}-\d{2}-\d{2})$/;

function validateValue(name: string, value: string, { system }: Parameter): readonly Issue[] {
  const given = systemOf(value);
  if (system !== undefined) {
    if (given === undefined || given === system) return [];
    return [finding('value', `Query parameter ${name} must have system ${system} if specified.`)];
  }
  if (given !== undefined) return [finding('value', `Query parameter ${name} must not have a system specified.`)];
  if (dateOf(value) !== undefined) return [];
  const pattern = '/(eq|le|ge)\\d{4}-\\d{2}-\\d{2}/';
  return [finding('invalid', `Value for date param ${AUTHORED_ON} should match pattern ${pattern}.`)];
}

const systemOf = (value: string): string | undefined =>
  value.includes('|') ? value.slice(0, value.indexOf('|')) : undefined;

function codeOf(value: string, { mend }: Parameter): string {
  const code = value.slice(value.indexOf('|') + 1);
  return mend === undefined ? code : mend(code);
}

type Comparison = readonly [prefix: string, date: string];

/** A day that some calendar has. */
function dateOf(value: string): Comparison | undefined {
  const [, prefix, date] = DATE.exec(value) ?? [];
  if (prefix === undefined || date === undefined) return undefined;
  const instant = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(instant) && new Date(instant).getUTCDate() === Number(date.slice(8))
    ? [prefix, date]
    : undefined;
}

export interface TrackerRequest {
  readonly service: 'nhs111itemsummary' | 'nhs111itemdetails';
  readonly query: Readonly<Record<string, string>>;
}

/** What is asked of the Spine: one prescription in detail, or a patient's in summary. Of a query that is valid. */
export function trackerRequest(parameters: TrackerParameters): TrackerRequest {
  const firstOf = (name: string): string | undefined => {
    const [value] = parameters.get(name) ?? [];
    const parameter = PARAMETERS.get(name);
    return value === undefined || parameter === undefined ? undefined : codeOf(value, parameter);
  };
  const prescriptionId = firstOf('focus:identifier') ?? firstOf('identifier');
  if (prescriptionId !== undefined)
    return { service: 'nhs111itemdetails', query: { prescriptionId, issueNumber: '1' } };
  const dates = (parameters.get(AUTHORED_ON) ?? []).map(dateOf).filter((date) => date !== undefined);
  const found = (prefix: string): string | undefined => dates.find(([own]) => own === 'eq' || own === prefix)?.[1];
  const entries: readonly (readonly [string, string | undefined])[] = [
    ['nhsNumber', firstOf('patient:identifier')],
    ['prescriptionStatus', firstOf('business-status')],
    ['earliestDate', compact(found('ge'))],
    ['latestDate', compact(found('le'))],
  ];
  const query = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
  return { service: 'nhs111itemsummary', query };
}

const compact = (date: string | undefined): string | undefined =>
  date === undefined ? undefined : formatDate(Date.parse(`${date}T00:00:00Z`));

/** The Bundle with the Tasks that every parameter fits, and their number. What is told beside them stays. */
export function filterTasks(bundle: FhirResource, parameters: TrackerParameters): FhirResource {
  const entries = bundle['entry'];
  if (bundle.resourceType !== 'Bundle' || !Array.isArray(entries)) return bundle;
  const isTask = (entry: unknown): boolean => at(entry, 'resource', 'resourceType') === 'Task';
  const entry = entries.filter((one) => !isTask(one) || fits(at(one, 'resource') as Node, parameters));
  return { ...bundle, total: entry.filter(isTask).length, entry };
}

const fits = (task: Node, parameters: TrackerParameters): boolean =>
  [...parameters].every(([name, values]) => {
    const parameter = PARAMETERS.get(name);
    if (parameter === undefined) return true;
    const actual = parameter.valueOf(task);
    return values.every((value) =>
      name === AUTHORED_ON ? fitsDate(actual, dateOf(value)) : actual === codeOf(value, parameter),
    );
  });

function fitsDate(actual: unknown, comparison: Comparison | undefined): boolean {
  if (typeof actual !== 'string' || comparison === undefined) return false;
  const [prefix, date] = comparison;
  const day = actual.slice(0, 10);
  if (prefix === 'ge') return day >= date;
  return prefix === 'le' ? day <= date : day === date;
}
