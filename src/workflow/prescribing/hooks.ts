/** The rules of prescribing as CDS Hooks. https://cds-hooks.hl7.org/2.0/ ; hooks patient-view, order-select, order-sign */
import type { Caller } from '../../ports/caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { badValue, notFound } from '../../standards/fhir/outcome.ts';
import { ageOf, instructionsOf, listOf, medicineOf, type Node, nodeOf, numberIn, quantityOf, textIn } from './chart.ts';
import { chartOf, chartQueries, findAllOf, type Prescribing } from './desk.ts';
import { type Finding, findAll, type RuleItem } from './rules.ts';
import { PRESCRIBING_RULE } from './systems.ts';

export const HOOKS = ['patient-view', 'order-select', 'order-sign'] as const;
export type Hook = (typeof HOOKS)[number];

export interface HookService {
  readonly hook: Hook;
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly prefetch: Readonly<Record<string, string>>;
}

const PREFETCH = {
  patient: 'Patient/{{context.patientId}}',
  allergies: 'AllergyIntolerance?patient={{context.patientId}}',
  medications: 'MedicationRequest?patient={{context.patientId}}&status=active',
};

/** The discovery document's services. */
export const HOOK_SERVICES: readonly HookService[] = [
  {
    hook: 'patient-view',
    id: 'mortar-patient-view',
    title: 'Medicines of a patient',
    description: 'Allergies on record, and interactions between the medicines that a patient has.',
    prefetch: PREFETCH,
  },
  {
    hook: 'order-select',
    id: 'mortar-order-select',
    title: 'A medicine is chosen',
    description:
      'Allergies, interactions, duplicates, age, dose and controlled drugs, as soon as a medicine is chosen.',
    prefetch: PREFETCH,
  },
  {
    hook: 'order-sign',
    id: 'mortar-order-sign',
    title: 'Orders are signed',
    description: 'The same, for all that is about to be signed.',
    prefetch: PREFETCH,
  },
];

export interface Card {
  readonly uuid: string;
  readonly summary: string;
  readonly detail?: string;
  readonly indicator: 'info' | 'warning' | 'critical';
  readonly source: { readonly label: string; readonly topic: object };
}

const SUMMARY_MAX = 139;

/** Cards of a call; who calls sees no more than they may. Throws 400 where the context is not that of the hook. */
export async function answerHook(
  desk: Prescribing,
  caller: Caller,
  { hook }: HookService,
  request: Node,
  newUuid: () => string,
): Promise<{ readonly patientId: string; readonly cards: readonly Card[] }> {
  const context = nodeOf(request['context']);
  if (request['hook'] !== hook) throw badValue(`hook is ${hook} for this service`, 'hook');
  const patientId = textIn(context['patientId']);
  if (patientId === undefined) throw badValue('context.patientId is the id of a Patient', 'context.patientId');
  const catalogue = await desk.openCatalogue();
  const prefetch = nodeOf(request['prefetch']);
  const given = chartOf(prefetched(prefetch, patientId), catalogue);
  const chart =
    given ??
    chartOf(await desk.store.transaction(caller, (tx) => findAllOf(desk, tx, chartQueries(patientId))), catalogue);
  if (!chart) throw notFound('That patient');
  const chosen = hook === 'patient-view' ? [] : draftsIn(context, hook);
  const now = desk.now();
  const items: readonly RuleItem[] =
    hook === 'patient-view'
      ? chart.current.map(({ name, entry }) => ({
          name,
          ...(entry && { entry }),
          quantity: 0,
          instructions: '',
          repeats: 0,
        }))
      : chosen.map((order) => {
          const { name, entry } = medicineOf(order, catalogue);
          const repeats = numberIn(nodeOf(order['dispenseRequest'])['numberOfRepeatsAllowed']) ?? 0;
          return {
            name,
            ...(entry && { entry }),
            quantity: quantityOf(order) ?? 0,
            instructions: instructionsOf(order),
            repeats,
          };
        });
  const isView = hook === 'patient-view';
  const found = findAll({
    stage: 'order',
    now,
    age: ageOf(chart.patient, now),
    allergies: chart.allergies,
    current: isView ? [] : chart.current,
    items,
  });
  const shown = isView
    ? found.filter(({ type }) => type === 'allergy' || type === 'interaction')
    : found.filter(({ type }) => type !== 'catalogue');
  const allergies =
    isView && chart.allergies.length > 0
      ? [
          allergyCard(
            chart.allergies.map(({ substance }) => substance),
            newUuid(),
          ),
        ]
      : [];
  return { patientId, cards: [...allergies, ...shown.map((one) => cardOf(one, newUuid()))] };
}

/** What the client brings along, in the order of `chartQueries`; the patient of the context alone. */
function prefetched(prefetch: Node, patientId: string): Parameters<typeof chartOf>[0] {
  const patient = nodeOf(prefetch['patient']);
  const entries = (name: string): Resource[] =>
    listOf(nodeOf(prefetch[name])['entry']).map((one) => nodeOf(one['resource']) as Resource);
  const isWhole =
    patient['id'] === patientId && prefetch['allergies'] !== undefined && prefetch['medications'] !== undefined;
  const found = (resources: readonly Resource[]) =>
    resources.map((resource) => ({ id: String(resource['id']), versionId: 0, resource }));
  return isWhole ? [found([patient as Resource]), found(entries('allergies')), found(entries('medications'))] : [];
}

/** Draft orders of medicines: with order-select those that were just chosen. */
function draftsIn(context: Node, hook: Hook): readonly Node[] {
  const drafts = listOf(nodeOf(context['draftOrders'])['entry'])
    .map((one) => nodeOf(one['resource']))
    .filter((one) => one['resourceType'] === 'MedicationRequest');
  if (nodeOf(context['draftOrders'])['resourceType'] !== 'Bundle')
    throw badValue('context.draftOrders is a Bundle', 'context.draftOrders');
  if (hook === 'order-sign') return drafts;
  if (!Array.isArray(context['selections']))
    throw badValue('context.selections is a list of references', 'context.selections');
  const chosen = context['selections'].map(String);
  return drafts.filter(({ id }) => chosen.includes(`MedicationRequest/${String(id)}`));
}

const SOURCE = (code: string): Card['source'] => ({
  label: 'Mortar prescribing rules',
  topic: { system: PRESCRIBING_RULE, code },
});

const cardOf = ({ code, isError, severity, message }: Finding, uuid: string): Card => ({
  uuid,
  summary: message.length <= SUMMARY_MAX ? message : `${message.slice(0, SUMMARY_MAX - 1)}…`,
  ...(message.length > SUMMARY_MAX && { detail: message }),
  indicator: isError ? 'critical' : severity === 'low' ? 'info' : 'warning',
  source: SOURCE(code),
});

const allergyCard = (substances: readonly string[], uuid: string): Card => {
  const text = `Allergies on record: ${[...new Set(substances)].join(', ')}`;
  return {
    uuid,
    summary: text.length <= SUMMARY_MAX ? text : `${text.slice(0, SUMMARY_MAX - 1)}…`,
    indicator: 'info',
    source: SOURCE('RX-ALLERGY'),
  };
};
