/** A Task and what it refers to as the transaction it is about: the way back of `task.ts`. */
import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { bindToScript } from './bindings.ts';
import { allergiesToScript, observationsToScript } from './clinical.ts';
import { ownersOf } from './context.ts';
import { coveragesToScript } from './coverage.ts';
import { drugElementToScript } from './drug.ts';
import { type FullEnvelope, startMessage, type ToScriptContext } from './envelope.ts';
import { finishMessage, putBack } from './finish-message.ts';
import { identifierSlices } from './identifiers.ts';
import { placeToScript } from './organization.ts';
import { patientToScript } from './patient.ts';
import { getAt, type Json, objectsAt, type Slices, textAt } from './place.ts';
import { prescriberToScript } from './prescriber.ts';
import { TRANSACTION_SYSTEM } from './provenance.ts';
import { createResolve, type Resolve, resourcesOf } from './resolve.ts';
import type { Target } from './target.ts';
import {
  answerAt,
  ELEMENT_SYSTEM,
  OUTCOME_SYSTEM,
  REASON_SYSTEM,
  STATUS_DETAIL_SYSTEM,
  STATUS_SYSTEM,
  SUBREQUEST_SYSTEM,
  TASK_HEADER,
  TASK_SLICES,
  taskRows,
} from './task-rows.ts';
import { OUTCOMES, ROWS, type TransactionRow } from './transaction-table.ts';

/** The Task of a Bundle that is a transaction, and which one. */
export function findTransactionTask(
  bundle: unknown,
): { readonly task: Json; readonly row: TransactionRow } | undefined {
  for (const task of resourcesOf(bundle, 'Task')) {
    const row = ROWS.get(codesOf(task, 'code.coding', TRANSACTION_SYSTEM)[0] ?? '');
    if (row) return { task, row };
  }
  return undefined;
}

export function mapTaskToScript(
  { task, row }: { readonly task: Json; readonly row: TransactionRow },
  bundle: unknown,
  envelope: FullEnvelope,
  context: ToScriptContext,
): Mapped<string> {
  const outcome = codesOf(task, 'businessStatus.coding', OUTCOME_SYSTEM)[0];
  const unfit = refuseOutcome(row, outcome);
  if (unfit) return { issues: [unfit] };
  const { message, header } = startMessage(envelope, task);
  const slices: Slices = new Map([...identifierSlices(ownersOf({ ...envelope, test: false })), ...TASK_SLICES]);
  bindToScript(TASK_HEADER, task, header, slices);
  const transaction = message.child('Body').child(row.kind);
  transaction.keep = true;
  bindToScript(taskRows(row, outcome), task, transaction, slices);
  writeOutcome(row, outcome, task, transaction);
  writeAnswer(row, task, transaction);
  for (const code of codesOf(task, 'reasonCode.coding', SUBREQUEST_SYSTEM))
    transaction.add('MessageRequestSubCode', code);
  writeParts(task, createResolve(bundle), slices, transaction);
  return finishMessage(message, putBack(task, message, context));
}

const codesOf = (json: unknown, path: string, system: string): readonly string[] =>
  objectsAt(json, path).flatMap((one) => (one['system'] === system ? (textAt(one, 'code') ?? []) : []));

/** An outcome that nobody knows is not sent as one that is. */
function refuseOutcome({ outcomeAt, kind }: TransactionRow, outcome: string | undefined): Issue | undefined {
  if (outcome === undefined || (outcomeAt !== undefined && OUTCOMES.has(outcome))) return undefined;
  return issue('business-rule', `${kind} has no such outcome`, 'Task.businessStatus');
}

function writeOutcome(row: TransactionRow, outcome: string | undefined, task: Json, transaction: Target): void {
  if (row.outcomeAt === undefined) return;
  const at = outcome === undefined ? row.outcomeAt : `${row.outcomeAt}/${outcome}`;
  const target = transaction.at(at.split('/'));
  // An approval may say nothing more, and a denial by its kind may not either: the element itself is the answer.
  if (outcome !== undefined || row.kind === 'NewRxResponseDenied') target.keep = true;
  for (const code of codesOf(task, 'statusReason.coding', REASON_SYSTEM)) target.add('ReasonCode', code);
}

function writeAnswer({ kind }: TransactionRow, task: Json, transaction: Target): void {
  const at = answerAt(kind);
  if (at === undefined) return;
  const target = at === '' ? transaction : transaction.child(at);
  for (const code of codesOf(task, 'statusReason.coding', STATUS_SYSTEM)) target.add('Code', code);
  for (const code of codesOf(task, 'statusReason.coding', STATUS_DETAIL_SYSTEM)) target.add('DescriptionCode', code);
}

type WritePart = (
  resource: Json,
  at: readonly string[],
  transaction: Target,
  task: Json,
  resolve: Resolve,
  slices: Slices,
) => void;

/** By the type of the resource an input or output refers to. */
const PARTS: ReadonlyMap<string, WritePart> = new Map<string, WritePart>([
  ['PractitionerRole', person],
  ['Practitioner', person],
  [
    'Organization',
    (resource, at, transaction, _task, _resolve, slices) =>
      placeToScript(at[0] === 'Facility' ? 'facility' : 'pharmacy', resource, slices, transaction.at(at)),
  ],
  ['MedicationRequest', drug],
  ['MedicationDispense', drug],
]);

function person(
  resource: Json,
  at: readonly string[],
  transaction: Target,
  _task: Json,
  resolve: Resolve,
  slices: Slices,
): void {
  prescriberToScript(resource, resolve, slices, transaction.at(at));
}

function drug(resource: Json, at: readonly string[], transaction: Target, task: Json, resolve: Resolve): void {
  const isContained = objectsAt(task, 'contained').includes(resource);
  drugElementToScript(resource, isContained ? task : resource, resolve, transaction.at(at));
}

function writeParts(task: Json, resolve: Resolve, slices: Slices, transaction: Target): void {
  const patient = resolve(task['for'], task);
  if (patient) patientToScript(patient, slices, transaction);
  const parts = [...objectsAt(task, 'input'), ...objectsAt(task, 'output')].flatMap((one) => {
    const path = codesOf(one, 'type.coding', ELEMENT_SYSTEM)[0];
    const resource = resolve(getAt(one, 'valueReference'), task);
    return path === undefined || !PATH.test(path) || !resource ? [] : [{ path, resource }];
  });
  const named = (name: string): readonly Json[] =>
    parts.flatMap(({ path, resource }) => (path === name ? [resource] : []));
  for (const { path, resource } of parts)
    PARTS.get(String(resource['resourceType']))?.(resource, path.split('/'), transaction, task, resolve, slices);
  allergiesToScript(named('AllergyOrAdverseEvent'), transaction);
  observationsToScript(named('Observation'), transaction);
  const coverages = objectsAt(task, 'insurance').flatMap((one): readonly Json[] => {
    const found = resolve(one, task);
    return found?.['resourceType'] === 'Coverage' ? [found] : [];
  });
  coveragesToScript(coverages, resolve, transaction);
}

/** Of one or two names with their numbers. */
const PATH = /^[A-Z]\w{0,63}(?:\[\d{1,3}\])?(?:\/[A-Z]\w{0,63}(?:\[\d{1,3}\])?)?$/;
