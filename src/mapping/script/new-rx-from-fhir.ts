/** A MedicationRequest and what it refers to as NewRx (reference section 13.4, "FHIR → NewRx minimum"). */
import { namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { bindToScript } from './bindings.ts';
import { allergiesToScript, evaluationsToScript, observationsToScript } from './clinical.ts';
import { compoundToScript } from './compound.ts';
import { ownersOf } from './context.ts';
import { coveragesToScript } from './coverage.ts';
import { type FullEnvelope, startMessage, type ToScriptContext } from './envelope.ts';
import { finishMessage, putBack, warning } from './finish-message.ts';
import { identifierSlices } from './identifiers.ts';
import { isInDays, medicationToScript } from './medication.ts';
import { HEADER_ROWS, NEW_RX_ROWS } from './new-rx.ts';
import { placeToScript } from './organization.ts';
import { patientToScript } from './patient.ts';
import { getAt, isObject, type Json, objectsAt, type Slices, textAt } from './place.ts';
import { prescriberToScript } from './prescriber.ts';
import { createResolve, type Resolve, resourcesOf } from './resolve.ts';
import { sigToScript } from './sig-to-script.ts';
import type { Target } from './target.ts';

/** The message as text. What is missing or too long is an issue each, and then nothing is written. */
export function mapOrderToNewRx(bundle: unknown, envelope: FullEnvelope, context: ToScriptContext): Mapped<string> {
  const orders = resourcesOf(bundle, 'MedicationRequest');
  const [order] = orders;
  if (order === undefined || orders.length > 1)
    return {
      issues: [
        issue('required', `NewRx carries one MedicationRequest; the Bundle has ${orders.length}`, 'Bundle.entry'),
      ],
    };
  const unfit = refuseOrder(order);
  if (unfit.length > 0) return { issues: unfit };
  const { message, header } = startMessage(envelope, order);
  const slices = identifierSlices(ownersOf({ ...envelope, test: false }));
  const newRx = message.child('Body').child('NewRx');
  writeParties(newRx, order, createResolve(bundle), slices);
  writeHeader(header, order, slices);
  const notes = putBack(order, message, context);
  const supply = getAt(order, 'dispenseRequest.expectedSupplyDuration');
  const warnings = [
    ...(isObject(supply) && !isInDays(supply)
      ? [warning('expectedSupplyDuration is not in days and is left out')]
      : []),
    ...notes,
  ];
  return finish(message, newRx, warnings);
}

/** An order that is none, or no longer, is not sent as one. */
function refuseOrder(order: Json): readonly Issue[] {
  const at = 'MedicationRequest';
  return [
    ...(SENT_STATUSES.has(order['status'])
      ? []
      : [issue('business-rule', 'Only an order that is active or on hold is sent', `${at}.status`)]),
    ...(SENT_INTENTS.has(order['intent'])
      ? []
      : [issue('business-rule', 'Only an order is sent, not a proposal or a plan', `${at}.intent`)]),
    ...(order['doNotPerform'] === true
      ? [issue('business-rule', 'NewRx cannot say that a drug is not to be given', `${at}.doNotPerform`)]
      : []),
  ];
}

const SENT_STATUSES: ReadonlySet<unknown> = new Set(['active', 'on-hold']);
const SENT_INTENTS: ReadonlySet<unknown> = new Set(['order', 'original-order', 'instance-order']);

function writeParties(newRx: Target, order: Json, resolve: Resolve, slices: Slices): void {
  const referred = (path: string): Json | undefined => resolve(getAt(order, path), order);
  const listed = (path: string, type: string): readonly Json[] =>
    objectsAt(order, path).flatMap((one) => {
      const resource = resolve(one, order);
      return resource?.['resourceType'] === type ? [resource] : [];
    });
  const person = (element: string, resource: Json | undefined): void => {
    if (resource) prescriberToScript(resource, resolve, slices, newRx.child(element));
  };
  const place = (element: string, kind: 'pharmacy' | 'facility', resource: Json | undefined): void => {
    if (resource) placeToScript(kind, resource, slices, newRx.child(element));
  };
  bindToScript(NEW_RX_ROWS, order, newRx);
  allergiesToScript(listed('supportingInformation', 'AllergyIntolerance'), newRx);
  coveragesToScript(listed('insurance', 'Coverage'), resolve, newRx);
  place('Facility', 'facility', referred('ext:script-facility.valueReference'));
  const patient = referred('subject');
  if (patient) patientToScript(patient, slices, newRx);
  place('Pharmacy', 'pharmacy', referred('dispenseRequest.performer'));
  person('Prescriber', referred('requester'));
  observationsToScript(listed('supportingInformation', 'Observation'), newRx);
  writeMedication(newRx.child('MedicationPrescribed'), order, referred('medicationReference'));
  evaluationsToScript(listed('detectedIssue', 'DetectedIssue'), newRx.child('MedicationPrescribed'));
  person('Supervisor', referred('ext:script-supervisor.valueReference'));
  person('FollowUpPrescriber', referred('ext:script-follow-up-prescriber.valueReference'));
}

function writeMedication(target: Target, order: Json, medication: Json | undefined): void {
  medicationToScript(order, medication ? medication['code'] : order['medicationCodeableConcept'], target);
  if (medication) compoundToScript(medication, target);
  sigToScript(objectsAt(order, 'dosageInstruction'), target);
}

function writeHeader(header: Target, order: Json, slices: Slices): void {
  bindToScript(HEADER_ROWS, order, header, slices);
  if (header.has('PrescriberOrderNumber')) return;
  // An order that no SCRIPT message brought has a number of its own, of whatever kind.
  const ofMessage = namingSystemUrl('script-message');
  const own = objectsAt(order, 'identifier').find((one) => !String(one['system']).startsWith(ofMessage));
  const number = textAt(own, 'value');
  if (number !== undefined && number.length <= ORDER_NUMBER_MAX) header.put('PrescriberOrderNumber', number);
}

const ORDER_NUMBER_MAX = 35;

/** What NewRx cannot do without, and where FHIR has it. */
const MINIMUM: readonly (readonly [script: readonly string[], fhir: string])[] = [
  [['Patient/HumanPatient/Name/LastName', 'Patient/NonHumanPatient/Name/LastName'], 'Patient.name.family'],
  [['Patient/HumanPatient/Name/FirstName', 'Patient/NonHumanPatient/Name'], 'Patient.name.given'],
  [['Patient/HumanPatient/Gender', 'Patient/NonHumanPatient/Gender'], 'Patient.gender'],
  [['Patient/HumanPatient/DateOfBirth', 'Patient/NonHumanPatient/DateOfBirth'], 'Patient.birthDate'],
  [['Patient/HumanPatient/Address', 'Patient/NonHumanPatient'], 'Patient.address'],
  [['Prescriber/NonVeterinarian/Identification/NPI', 'Prescriber/Veterinarian'], 'Practitioner.identifier (NPI)'],
  [['Prescriber/NonVeterinarian/Name', 'Prescriber/Veterinarian/Name'], 'Practitioner.name'],
  [['Prescriber/NonVeterinarian/Address', 'Prescriber/Veterinarian'], 'PractitionerRole.location.address'],
  [
    [
      'Prescriber/NonVeterinarian/CommunicationNumbers/PrimaryTelephone',
      'Prescriber/Veterinarian/CommunicationNumbers',
    ],
    'PractitionerRole.telecom (phone)',
  ],
  [['MedicationPrescribed/DrugDescription'], 'MedicationRequest.medication.text'],
  [['MedicationPrescribed/Quantity/Value'], 'MedicationRequest.dispenseRequest.quantity.value'],
  [['MedicationPrescribed/Quantity/QuantityUnitOfMeasure'], 'MedicationRequest.dispenseRequest.quantity.code'],
  [['MedicationPrescribed/WrittenDate'], 'MedicationRequest.authoredOn'],
  [['MedicationPrescribed/Substitutions'], 'MedicationRequest.substitution.allowedBoolean'],
  [['MedicationPrescribed/NumberOfRefills'], 'MedicationRequest.dispenseRequest.numberOfRepeatsAllowed'],
  [['MedicationPrescribed/Sig'], 'MedicationRequest.dosageInstruction.text'],
];

function finish(message: Target, newRx: Target, warnings: readonly Issue[]): Mapped<string> {
  const missing = MINIMUM.filter(([paths]) => !paths.some((path) => newRx.has(path))).map(([, fhir]) =>
    issue('required', `NewRx needs ${fhir}`, fhir),
  );
  return missing.length > 0 ? { issues: [...missing, ...warnings] } : finishMessage(message, warnings);
}
