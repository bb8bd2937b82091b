/** Every transaction but NewRx as a FHIR transaction around a Task (reference section 13.6). */
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { ScriptMessage } from '../../standards/script/message.ts';
import { type TransactionBundle, transactionBundle } from '../transaction-bundle.ts';
import { bindToFhir } from './bindings.ts';
import { mapAllergies, mapObservation, type Subject } from './clinical.ts';
import { CODE } from './codecs.ts';
import { MessageBundle, messageIdOf, referenceTo, resourceOf } from './context.ts';
import { mapCoverages } from './coverage.ts';
import { type MappedDrug, mapDrugElement } from './drug.ts';
import { ownSystem } from './identifiers.ts';
import { mappingNotes } from './mapping-notes.ts';
import { changeOrder, type DrugEntry, orderOf } from './order-effects.ts';
import { mapPlace } from './organization.ts';
import { mapPatient } from './patient.ts';
import { getAt, type Json, objectsAt, type Slices, setAt, textAt } from './place.ts';
import { mapPrescriber } from './prescriber.ts';
import { addProvenance, relatedSystem, TRANSACTION_SYSTEM } from './provenance.ts';
import { mapQuestions } from './questionnaire.ts';
import { collectResidue, writeResidue } from './residue.ts';
import { Source } from './source.ts';
import { senderSystem } from './systems.ts';
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
import { type DrugPlace, NOT_NEEDED, OUTCOMES, SUCCESSES, type TransactionRow } from './transaction-table.ts';

/** Parties whose element holds a person. */
const PEOPLE = ['Prescriber', 'Supervisor', 'FollowUpPrescriber'] as const;

export function mapTask(row: TransactionRow, message: ScriptMessage, receivedAt: number): Mapped<TransactionBundle> {
  const root = new Source(message.root);
  const header = root.find('Header');
  const transaction = new Source(message.transaction, root.taken);
  const bundle = new MessageBundle(message.header, messageIdOf(message, receivedAt));
  const slices: Slices = new Map([...bundle.slices, ...TASK_SLICES]);
  const task: Json = {
    identifier: [{ system: senderSystem('script-message', bundle.sender), value: bundle.messageId }],
    status: row.status,
    intent: 'order',
    code: { coding: [{ system: TRANSACTION_SYSTEM, code: row.kind }] },
  };
  if (header) mapHeader(header, message, task, bundle);
  const outcome = outcomeOf(row, transaction);
  bindToFhir(taskRows(row, outcome), transaction, task, slices);
  mapOutcome(row, outcome, transaction, task);
  mapAnswer(row, transaction, task);
  nameRequests(transaction, task);

  const patient = transaction.find('Patient') ? mapPatient(transaction.find('Patient'), bundle) : undefined;
  const inputs = mapParties(transaction, patient, task, bundle);
  const drugs = mapDrugs(row, outcome, transaction, patient, task, bundle);
  const input = [...inputs, ...drugs.flatMap(({ input: one }) => (one ? [one] : []))];
  if (input.length > 0) task['input'] = input;
  const questions = mapQuestions(transaction, patient?.url, bundle).map((url) => parameter('QuestionSet', url));
  const made = [...drugs.flatMap(({ output }) => (output ? [output] : [])), ...questions];
  if (made.length > 0) task['output'] = [...objectsAt(task, 'output'), ...made];
  const order = orderOf(message, bundle);
  if (order) task['focus'] = { ...(getAt(task, 'focus') as Json), type: 'MedicationRequest', identifier: order };

  const residue = collectResidue(header, transaction);
  writeResidue(residue.fragments, task);
  const entries = drugs.flatMap(({ entry }) => (entry ? [entry] : []));
  const targets = changeOrder({ row, outcome, order, task, patient, entries, transaction }, bundle);
  const identifier = objectsAt(task, 'identifier')[0] as { system: string; value: string }; // made above
  const url = bundle.addByIdentifier(resourceOf('Task', task), identifier);
  const author = objectsAt(task, 'input').find((one) => typeOf(one) === 'Prescriber');
  addProvenance(message, [url, ...targets], textAt(author, 'valueReference.reference'), receivedAt, bundle);
  const unmapped = drugs.flatMap((one) => one.unmapped);
  return {
    value: transactionBundle(bundle.entries),
    issues: [
      ...mappingNotes(residue.fragments.length, residue.dropped, unmapped, bundle.merged),
      ...ambiguous(row, transaction),
    ],
  };
}

const typeOf = (one: Json): string | undefined => textAt(one, 'type.coding[0].code');

function mapHeader(header: Source, { header: read }: ScriptMessage, task: Json, bundle: MessageBundle): void {
  bindToFhir(TASK_HEADER, header, task, bundle.slices);
  for (const [name, owner] of [
    ['PrescriberOrderNumber', bundle.owner],
    ['RxReferenceNumber', bundle.owners.pharmacy],
  ] as const)
    if (getAt(task, `ext:script-${name}`) !== undefined)
      setAt(task, `ext:script-${name}.valueIdentifier.system`, ownSystem(name, owner));
  if (task['groupIdentifier'] !== undefined)
    setAt(task, 'groupIdentifier.system', senderSystem('script-order-group', bundle.owner));
  if (read.relatesToMessageId !== undefined)
    task['basedOn'] = [{ identifier: { system: relatedSystem(read.to), value: read.relatesToMessageId } }];
}

/** The outcome element; where a message has several, one that refuses wins (reference section 4.3). */
function outcomeOf({ outcomeAt }: TransactionRow, transaction: Source): string | undefined {
  const names = outcomeNames(outcomeAt, transaction);
  return names.find((name) => OUTCOMES.get(name)?.isRefusal) ?? names[0];
}

const outcomeNames = (outcomeAt: string | undefined, transaction: Source): readonly string[] => {
  const parent = outcomeAt === undefined ? undefined : transaction.find(outcomeAt);
  return [...OUTCOMES.keys()].filter((name) => parent?.find(name));
};

function ambiguous({ outcomeAt, kind }: TransactionRow, transaction: Source): readonly Issue[] {
  if (outcomeNames(outcomeAt, transaction).length < 2) return [];
  const diagnostics = 'The message has two outcomes: it is read as the one that refuses';
  return [
    { severity: 'warning', code: 'business-rule', diagnostics, expression: [`Message/Body/${kind}/${outcomeAt}`] },
  ];
}

function mapOutcome(row: TransactionRow, outcome: string | undefined, transaction: Source, task: Json): void {
  if (row.outcomeAt === undefined) return;
  const at = outcome === undefined ? row.outcomeAt : `${row.outcomeAt}/${outcome}`;
  const source = transaction.find(at);
  if (outcome !== undefined) {
    const businessStatus = (task['businessStatus'] ?? {}) as Json; // bound above
    task['businessStatus'] = { coding: [{ system: OUTCOME_SYSTEM, code: outcome }], ...businessStatus };
  }
  const reasons = takeCodes(source?.all('ReasonCode') ?? []);
  if (reasons.length > 0)
    setAt(
      task,
      'statusReason.coding',
      reasons.map((code) => ({ system: REASON_SYSTEM, code })),
    );
  const known = outcome === undefined ? undefined : OUTCOMES.get(outcome);
  // Nothing that is known: a refusal where the row says so, else somebody looks at it. Never an approval.
  const status = known?.status ?? (row.status === 'rejected' ? 'rejected' : 'on-hold');
  const isNotNeeded = outcome === 'Closed' && reasons.some((code) => NOT_NEEDED.has(code));
  task['status'] = isNotNeeded ? 'completed' : status;
}

function takeCodes(sources: readonly Source[]): readonly string[] {
  const texts = sources.map(({ text }) => CODE.decode(text ?? ''));
  const read = texts.flatMap((text, at) => (typeof text === 'string' ? [{ text, source: sources[at] }] : []));
  // One that is no code keeps its place only if all stay where they are.
  if (read.length !== sources.length) return [];
  for (const { source } of read) source?.takeWhole();
  return read.map(({ text }) => text);
}

/** Status, Error, Verify. A code nobody knows is never a success. */
function mapAnswer({ kind, status }: TransactionRow, transaction: Source, task: Json): void {
  const at = answerAt(kind);
  if (at === undefined) return;
  const source = at === '' ? transaction : transaction.find(at);
  // Some senders put the code of a Verify directly under it: then it only says what it means.
  const code = (source ?? transaction).peek('Code');
  const codes = takeCodes(source?.all('Code') ?? []).map((one) => ({ system: STATUS_SYSTEM, code: one }));
  const details = at === '' ? takeCodes(transaction.all('DescriptionCode')) : [];
  const coding = [...codes, ...details.map((one) => ({ system: STATUS_DETAIL_SYSTEM, code: one }))];
  if (coding.length > 0) setAt(task, 'statusReason.coding', coding);
  const isSuccess = code !== undefined && SUCCESSES.has(code);
  task['status'] = status === 'failed' ? 'failed' : isSuccess ? 'completed' : 'on-hold';
}

function nameRequests(transaction: Source, task: Json): void {
  const details = takeCodes(transaction.all('MessageRequestSubCode'));
  if (details.length > 0) task['reasonCode'] = { coding: details.map((code) => ({ system: SUBREQUEST_SYSTEM, code })) };
}

/** An input or output: what it is by the path of its element, and the reference to it. */
const parameter = (path: string, reference: string): Json => ({
  type: { coding: [{ system: ELEMENT_SYSTEM, code: path }] },
  valueReference: { reference },
});

function mapParties(source: Source, patient: Subject | undefined, task: Json, bundle: MessageBundle): readonly Json[] {
  const inputs: Json[] = [];
  const add = (path: string, url: string | undefined): void => {
    if (url !== undefined) inputs.push(parameter(path, url));
  };
  if (patient) task['for'] = referenceTo(patient.url);
  for (const name of PEOPLE) add(name, mapPrescriber(source.find(name), bundle));
  source.all('Pharmacy').forEach((one, at) => {
    add(at === 0 ? 'Pharmacy' : `Pharmacy[${at + 1}]`, mapPlace('pharmacy', one, bundle));
  });
  add('Facility', mapPlace('facility', source.find('Facility'), bundle));
  if (patient) {
    for (const url of mapObservation(source.find('Observation'), patient, bundle)) add('Observation', url);
    for (const url of mapAllergies(source.find('AllergyOrAdverseEvent'), patient, bundle))
      add('AllergyOrAdverseEvent', url);
    const coverages = mapCoverages(source.all('BenefitsCoordination'), patient, bundle);
    if (coverages.length > 0) task['insurance'] = coverages.map(referenceTo);
  }
  const named = (name: string): string | undefined =>
    textAt(
      inputs.find((one) => typeOf(one) === name),
      'valueReference.reference',
    );
  const [prescriber, pharmacy] = [named('Prescriber'), named('Pharmacy')];
  const isFromPrescriber = bundle.owner === bundle.sender;
  const [requester, owner] = isFromPrescriber ? [prescriber, pharmacy] : [pharmacy, prescriber];
  if (requester !== undefined) task['requester'] = referenceTo(requester);
  if (owner !== undefined) task['owner'] = referenceTo(owner);
  return inputs;
}

interface PlacedDrug {
  readonly input?: Json;
  readonly output?: Json;
  readonly entry?: DrugEntry;
  readonly unmapped: readonly string[];
}

function mapDrugs(
  row: TransactionRow,
  outcome: string | undefined,
  transaction: Source,
  patient: Subject | undefined,
  task: Json,
  bundle: MessageBundle,
): readonly PlacedDrug[] {
  if (patient === undefined) return [];
  const contained: Json[] = [];
  const isRefused = outcome !== undefined && OUTCOMES.get(outcome)?.isRefusal === true;
  const isFilled = outcome === 'Dispensed' || outcome === 'PartiallyDispensed' || row.kind === 'RxHistoryResponse';
  const placed = row.drugs.flatMap((place) =>
    sourcesAt(transaction, place.element).map(({ source, path }, index): PlacedDrug => {
      // What is refused is nothing anybody fills, and what was not dispensed is no dispense: both are only told.
      const isEntry =
        (place.meant === 'order' && outcome !== undefined && !isRefused && outcome !== 'Validated') ||
        (place.meant === 'supplied' && isFilled);
      const meant: DrugPlace = isEntry || place.meant !== 'order' ? place : { ...place, meant: 'echo' };
      const number = contained.length + 1;
      const drug = mapDrugElement(source, meant, patient, bundle, isEntry ? 'compound' : `compound-${number}`);
      if (isEntry) return { ...entryOf(drug, place, path, index, patient, bundle), unmapped: drug.unmapped };
      const resourceType = place.as === 'request' ? 'MedicationRequest' : 'MedicationDispense';
      if (drug.compound) contained.push(drug.compound);
      contained.push({ resourceType, id: `drug-${number}`, ...drug.json });
      return { input: parameter(path, `#drug-${number}`), unmapped: drug.unmapped };
    }),
  );
  if (contained.length > 0) task['contained'] = contained;
  return placed;
}

function entryOf(
  { json, compound }: MappedDrug,
  { as }: DrugPlace,
  path: string,
  index: number,
  patient: Subject,
  bundle: MessageBundle,
): { readonly output: Json; readonly entry: DrugEntry } {
  const resourceType = as === 'request' ? 'MedicationRequest' : 'MedicationDispense';
  const identifier = {
    system: senderSystem('script-message', bundle.sender),
    value: index === 0 ? bundle.messageId : `${bundle.messageId}/${index + 1}`,
  };
  const content: Json = {
    identifier: [identifier],
    ...(compound && { contained: [compound] }),
    ...json,
    subject: referenceTo(patient.url),
  };
  const entry: DrugEntry = { resourceType, content, identifier, url: bundle.urlOf(resourceType, identifier) };
  return { output: parameter(path, entry.url), entry };
}

/** All elements at a path of one or two names, with their numbered paths. */
function sourcesAt(transaction: Source, path: string): readonly { readonly source: Source; readonly path: string }[] {
  const [first = '', second] = path.split('/');
  return transaction.all(first).flatMap((source, at) => {
    const place = at === 0 ? first : `${first}[${at + 1}]`;
    if (second === undefined) return [{ source, path: place }];
    const inner = source.find(second);
    return inner ? [{ source: inner, path: `${place}/${second}` }] : [];
  });
}
