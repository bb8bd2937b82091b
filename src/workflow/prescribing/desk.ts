/** What the use cases of prescribing share: their ports, and how they look things up in one transaction. */
import type { Clock } from '../../ports/clock.ts';
import type { PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type {
  Criteria,
  Resource,
  ResourceStore,
  StoreTransaction,
  TransactionWrite,
} from '../../ports/resource-store.ts';
import { namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { NoticeCode } from '../notices/kinds.ts';
import type { Catalogue, OpenCatalogue } from './catalogue/catalogue.ts';
import type { Money } from './catalogue/entry.ts';
import { ageOf, allergiesOf, currentMedicine, isOrder } from './chart.ts';
import type { EpsOrders } from './eps-orders.ts';
import { type Item, rulesBroken, toRuleItem } from './items.ts';
import { type CurrentMedicine, type Finding, findAll, type Stage } from './rules.ts';
import { type IdentifierSystems, NOTICE_CATEGORY, TASK_CODE } from './systems.ts';

export interface Prescribing {
  /** Audited. */
  readonly store: Pick<ResourceStore, 'transaction' | 'search' | 'newId'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly openCatalogue: OpenCatalogue;
  readonly tokens: PrescriptionTokens;
  /** Where a Spine is configured. */
  readonly eps?: EpsOrders | undefined;
  readonly systems: IdentifierSystems;
  /** What costs so much or more by the catalogue is of high value. */
  readonly highValueFrom?: Money | undefined;
  readonly now: Clock;
}

/** Writes with what is done as the transaction ends. */
export type Keep<T> = (tx: Pick<StoreTransaction, 'requestAnswers'>, answer: T) => Promise<void>;

const CURRENT_MAX = 200;

/** The current resources that match each query, as far as the caller of the transaction sees them; all in one go. */
export async function findAllOf(
  { searchOf }: { readonly searchOf: (type: string, query: string) => Pick<SearchRequest, 'conditions'> },
  tx: Pick<StoreTransaction, 'findCurrent'>,
  queries: readonly (readonly [type: string, query: string])[],
): Promise<readonly (readonly Found[])[]> {
  const criteria = queries.map(([type, query]): Criteria => ({ type, conditions: searchOf(type, query).conditions }));
  const found = await tx.findCurrent(criteria, CURRENT_MAX);
  return found.map(
    (versions) =>
      versions.map(({ content, versionId, id }) => ({ id, versionId, resource: parseJson(content) as Resource })), // stored text was checked
  );
}

export interface Found {
  readonly id: string;
  readonly versionId: number;
  readonly resource: Resource;
}

export const idQuery = (...ids: readonly string[]): string => `_id=${ids.map(encodeURIComponent).join(',')}`;

/** Queries for what the rules need to know of a patient. */
export const chartQueries = (patientId: string): readonly (readonly [string, string])[] => [
  ['Patient', idQuery(patientId)],
  ['AllergyIntolerance', `patient=${encodeURIComponent(patientId)}`],
  [
    'MedicationRequest',
    `patient=${encodeURIComponent(patientId)}&status=active&intent=order,original-order,reflex-order,filler-order,instance-order`,
  ],
];

/** A name that nothing bears: whoever orders for a patient holds it until they are through. */
const CHART = namingSystemUrl('chart');

/**
 * What `chartQueries` finds, and `more`, with nobody else ordering for the patient until the transaction ends: of two who do
 * at the same moment the second sees what the first has ordered. They share no transaction either.
 */
export async function findLockedChart(
  desk: Pick<Prescribing, 'searchOf'>,
  tx: Pick<StoreTransaction, 'findCurrent' | 'lockIdentity'>,
  patientId: string,
  more: readonly (readonly [type: string, query: string])[],
): Promise<readonly (readonly Found[])[]> {
  const { conditions } = desk.searchOf('Patient', `identifier=${CHART}|${encodeURIComponent(patientId)}`);
  const [, found] = await Promise.all([
    tx.lockIdentity([{ type: 'Patient', conditions }]),
    findAllOf(desk, tx, [...chartQueries(patientId), ...more]),
  ]);
  return found;
}

export interface Chart {
  readonly patient: Resource;
  readonly allergies: ReturnType<typeof allergiesOf>;
  readonly current: readonly CurrentMedicine[];
}

/** What `chartQueries` found; undefined where the patient is not there, or not to be seen. */
export function chartOf(found: readonly (readonly Found[])[], catalogue: Catalogue): Chart | undefined {
  const [patients = [], allergies = [], orders = []] = found;
  const patient = patients[0]?.resource;
  if (!patient) return undefined;
  return {
    patient,
    allergies: allergiesOf(allergies.map(({ resource }) => resource)),
    current: orders
      .map(({ resource }) => resource)
      .filter(isOrder)
      .map((order) => currentMedicine(order, catalogue)),
  };
}

/** What the rules find, where none of it stops what is asked for. Throws 422 with every rule that does. */
export function judge(
  stage: Stage,
  items: readonly Item[],
  { patient, allergies, current }: Chart,
  now: number,
  list = 'items',
): readonly Finding[] {
  const found = findAll({ stage, now, age: ageOf(patient, now), allergies, current, items: items.map(toRuleItem) });
  const errors = found.filter(({ isError }) => isError);
  if (errors.length > 0)
    throw rulesBroken(errors.map(({ code, message, index }) => ({ code, message, at: `${list}[${index}]` })));
  return found;
}

/** As seed 001 has them, with what else is known. */
export const warningJson = ({ type, code, severity, message, index }: Finding): object => ({
  type,
  message,
  code,
  severity,
  item: index,
});

/** Somebody else was faster: 409 with the code of the rule, whatever the version was. */
export function raced(error: unknown): unknown {
  if (error instanceof FhirError && error.status === 412)
    return new FhirError(
      409,
      [{ ...stateIssue, diagnostics: 'Somebody else has decided on this just now: look at it again' }],
      { cause: error },
    );
  return error;
}
const stateIssue = {
  severity: 'error',
  code: 'conflict',
  details: { coding: [{ system: 'https://mortar-fhir.org/CodeSystem/prescribing-rule', code: 'RX-STATE' }] },
} as const;

/** A message to be read in the app. */
export const notice = (
  kind: NoticeCode,
  patientId: string,
  recipient: string,
  text: string,
  at: number,
  about: string,
): Resource => ({
  resourceType: 'Communication',
  status: 'completed',
  category: [{ coding: [{ system: NOTICE_CATEGORY, code: kind }] }],
  subject: { reference: `Patient/${patientId}` },
  about: [{ reference: about }],
  recipient: [{ reference: recipient }],
  sent: new Date(at).toISOString(),
  payload: [{ contentString: text }],
});

export const REQUEST_TASK = `code=${TASK_CODE}|prescription-request`;

export const changed = (found: Found, change: (resource: Resource) => Resource): TransactionWrite => ({
  kind: 'update',
  operation: 'update',
  type: found.resource.resourceType,
  id: found.id,
  ifMatch: found.versionId,
  change: () => change(found.resource),
});

export const created = (resource: Resource): TransactionWrite => ({
  kind: 'create',
  id: String(resource['id']),
  resource,
});
