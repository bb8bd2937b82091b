/** NewRx as a FHIR transaction (reference section 13). */

import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { ScriptMessage } from '../../standards/script/message.ts';
import { type TransactionBundle, transactionBundle } from '../transaction-bundle.ts';
import { type Binding, bindToFhir } from './bindings.ts';
import { mapAllergies, mapEvaluations, mapObservation } from './clinical.ts';
import { BOOLEAN_XML, codes } from './codecs.ts';
import { mapCompound } from './compound.ts';
import { MessageBundle, messageIdOf, referenceTo, resourceOf } from './context.ts';
import { mapCoverages } from './coverage.ts';
import { mapSig } from './dosage.ts';
import { ORDER_ROWS } from './identifiers.ts';
import { mappingNotes } from './mapping-notes.ts';
import { mapMedication } from './medication.ts';
import { mapPlace } from './organization.ts';
import { mapPatient } from './patient.ts';
import { getAt, isObject, type Json, objectsAt, setAt, textAt } from './place.ts';
import { mapPrescriber } from './prescriber.ts';
import { addProvenance } from './provenance.ts';
import { collectResidue, writeResidue } from './residue.ts';
import { Source } from './source.ts';
import { senderSystem } from './systems.ts';

export const HEADER_ROWS: readonly Binding[] = [
  ...ORDER_ROWS,
  ['PrescriberOrderGroup/OrderGroupNumber', 'groupIdentifier.value'],
];
export const NEW_RX_ROWS: readonly Binding[] = [
  ['UrgencyIndicatorCode', 'priority', codes({ S: 'routine', X: 'urgent' })],
  ['ProhibitRenewalRequest', 'ext:script-prohibit-renewal.valueBoolean', BOOLEAN_XML],
];

/** Every leaf has a place in a resource or is kept as residue and counted; the envelope stays with the message log. */
export function mapNewRx(message: ScriptMessage, receivedAt: number): Mapped<TransactionBundle> {
  const root = new Source(message.root);
  const header = root.find('Header');
  const transaction = root.find('Body')?.all(message.transaction.name)[0];
  const medication = transaction?.find('MedicationPrescribed');
  if (!transaction || !medication)
    return {
      issues: [issue('required', 'NewRx has no MedicationPrescribed', 'Message/Body/NewRx/MedicationPrescribed')],
    };

  const bundle = new MessageBundle(message.header, messageIdOf(message, receivedAt));
  const patient = mapPatient(transaction.find('Patient'), bundle);
  const prescriber = mapPrescriber(transaction.find('Prescriber'), bundle);
  const pharmacy = mapPlace('pharmacy', transaction.find('Pharmacy'), bundle);
  const observations = mapObservation(transaction.find('Observation'), patient, bundle);
  const allergies = mapAllergies(transaction.find('AllergyOrAdverseEvent'), patient, bundle);
  const coverages = mapCoverages(transaction.all('BenefitsCoordination'), patient, bundle);
  const evaluations = mapEvaluations(medication.all('DrugUseEvaluation'), patient, bundle);

  const order: Json = { status: 'active', intent: 'order', category: [COMMUNITY] };
  if (header) bindToFhir(HEADER_ROWS, header, order, bundle.slices);
  if (order['groupIdentifier'] !== undefined)
    setAt(order, 'groupIdentifier.system', senderSystem('script-order-group', bundle.owner));
  bindToFhir(NEW_RX_ROWS, transaction, order);
  mapMedication(medication, order);
  const compound = medication.find('CompoundInformation');
  if (compound) containCompound(compound, order);
  const sig = mapSig(medication.find('Sig'));
  if (sig.dosages.length > 0) order['dosageInstruction'] = sig.dosages;
  order['subject'] = referenceTo(patient.url);
  if (prescriber !== undefined) order['requester'] = referenceTo(prescriber);
  if (pharmacy !== undefined) setAt(order, 'dispenseRequest.performer', referenceTo(pharmacy));
  addReferences(order, 'supportingInformation', [...observations, ...allergies]);
  addReferences(order, 'insurance', coverages);
  addReferences(order, 'detectedIssue', evaluations);
  addReference(order, 'script-supervisor', mapPrescriber(transaction.find('Supervisor'), bundle));
  addReference(order, 'script-follow-up-prescriber', mapPrescriber(transaction.find('FollowUpPrescriber'), bundle));
  addReference(order, 'script-facility', mapPlace('facility', transaction.find('Facility'), bundle));
  addSignature(header, order);

  const residue = collectResidue(header, transaction);
  writeResidue(residue.fragments, order);
  const identifier = identityOf(order, bundle);
  const url = bundle.addByIdentifier(resourceOf('MedicationRequest', order), identifier, goneFrom(order));
  addProvenance(message, [url], prescriber, receivedAt, bundle);
  return {
    value: transactionBundle(bundle.entries),
    issues: [
      ...mappingNotes(residue.fragments.length, residue.dropped, sig.unmapped, bundle.merged),
      ...withoutDrug(order),
    ],
  };
}

/** What an order may have. */
const ELEMENTS = [
  'contained',
  'priority',
  'medicationCodeableConcept',
  'medicationReference',
  'supportingInformation',
  'authoredOn',
  'requester',
  'reasonCode',
  'groupIdentifier',
  'insurance',
  'note',
  'dosageInstruction',
  'dispenseRequest',
  'substitution',
  'detectedIssue',
];

/** NewRx says the whole order: sent again under its number, nothing of what it said before may stay beside it. */
const goneFrom = (order: Json): readonly string[] => [
  'extension',
  ...ELEMENTS.filter((name) => order[name] === undefined),
];

const COMMUNITY: Json = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/medicationrequest-category', code: 'community' }],
};

function containCompound(source: Source, order: Json): void {
  const { medicationCodeableConcept: drug, ...rest } = order;
  const medication = mapCompound(source, drug as Json, getAt(rest, 'dispenseRequest.quantity')); // mapMedication made it
  delete order['medicationCodeableConcept'];
  order['contained'] = [medication];
  order['medicationReference'] = { reference: '#compound' };
}

function addReferences(order: Json, name: string, urls: readonly string[]): void {
  if (urls.length > 0) order[name] = urls.map(referenceTo);
}

function addReference(order: Json, extension: string, url: string | undefined): void {
  if (url !== undefined) setAt(order, `ext:${extension}.valueReference`, referenceTo(url));
}

/** The signature itself is kept as it came: what it covers is not public, so that it is never called verified. */
function addSignature(header: Source | undefined, order: Json): void {
  const signature = header?.find('DigitalSignature');
  if (!signature) return;
  const indicator = signature.peek('DigitalSignatureIndicator');
  const at = 'ext:script-epcs-signature';
  setAt(order, `${at}.sub:present.valueBoolean`, indicator === undefined || BOOLEAN_XML.decode(indicator) === true);
  setAt(order, `${at}.sub:verified.valueBoolean`, false);
  setAt(order, `${at}.sub:indicator.valueBoolean`, indicator !== undefined);
}

/** The prescriber's number of the order; without one the message is the order. */
function identityOf(order: Json, bundle: MessageBundle): { readonly system: string; readonly value: string } {
  const place = 'identifier:PrescriberOrderNumber';
  const system = textAt(order, `${place}.system`, bundle.slices);
  const value = textAt(order, `${place}.value`, bundle.slices);
  if (system !== undefined && value !== undefined) return { system, value };
  const identifier = { system: senderSystem('script-message', bundle.sender), value: bundle.messageId };
  order['identifier'] = [...objectsAt(order, 'identifier'), identifier];
  return identifier;
}

function withoutDrug(order: Json): readonly Issue[] {
  const drug = order['medicationCodeableConcept'] ?? getAt(order, 'contained[0].code');
  if (isObject(drug) && Object.keys(drug).length > 0) return [];
  return [issue('required', 'The drug has neither description nor code', `${DRUG}/DrugDescription`)];
}

const DRUG = 'Message/Body/NewRx/MedicationPrescribed';
