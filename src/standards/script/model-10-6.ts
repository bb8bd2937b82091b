/** The element model of SCRIPT 10.6 as far as it is read: Status, Error and the orders (reference section 10). */
import type { ModelNotation } from './notation.ts';

const START = 'Request?:any';
const PARTIES = 'Pharmacy Prescriber Supervisor?:any Facility?:any Patient';

export const SCRIPT_10_6: ModelNotation = {
  Message: { attributes: ['version!', 'release!', 'HighestVersionSupported'], content: 'Header Body' },
  Body: '...',
  Header: `To:PartyAddress From:PartyAddress MessageID:an35 RelatesToMessageID?:an35 SentTime:dateTime Security?:any
    Mailbox?:any TestMessage?:n1 RxReferenceNumber?:an35 TertiaryIdentifier?:an3 PrescriberOrderNumber?:an35
    DigitalSignature?:any ...`,
  PartyAddress: { attributes: ['Qualifier'], content: 'an255' },
  Name: 'LastName:an35 FirstName?:an35 MiddleName?:an35 Suffix?:an10 Prefix?:an10',
  Address: 'AddressLine1?:an35 AddressLine2?:an35 City?:an35 State?:an9 ZipCode?:an11 PlaceLocationQualifier?:an3',
  CommunicationNumbers: 'Communication+:{Number:an80 Qualifier:an3}',
  DateChoice: '(Date:date | DateTime:dateTime)',
  Identification: '...',
  Pharmacy: `Identification Specialty?:an10 Pharmacist?:any StoreName:an35 Address? CommunicationNumbers`,
  Prescriber: `Identification Specialty?:an10 ClinicName?:an35 Name Address? PrescriberAgent?:any
    CommunicationNumbers?`,
  Patient: `PatientRelationship?:an1 Identification? Name Gender:code.Gender DateOfBirth?:DateChoice Address?
    CommunicationNumbers? PatientLocation?:any`,
  Medication: `DrugDescription:an105 DrugCoded? Quantity DaysSupply?:n1-3 Directions?:an140 Note?:an210 Refills?
    Substitutions?:code.Substitutions WrittenDate?:DateChoice LastFillDate?:DateChoice ...`,
  DrugCoded: `ProductCode?:an35 ProductCodeQualifier?:an3 Strength?:an70 DrugDBCode?:an35 DrugDBCodeQualifier?:an3
    FormSourceCode?:an3 FormCode?:an15 StrengthSourceCode?:an3 StrengthCode?:an15 DEASchedule?:an15`,
  Quantity: 'Value:n1-11 CodeListQualifier:code.CodeListQualifier UnitSourceCode:an3 PotencyUnitCode:an15',
  Refills: 'Qualifier:an3 Value?:n1-3',
  NewRx: `${START} ${PARTIES} MedicationPrescribed:Medication Observation?:any BenefitsCoordination*3:any`,
  RefillRequest: `${START} ${PARTIES} MedicationDispensed:Medication MedicationPrescribed?:Medication ...`,
  RefillResponse: `${START} Response:RefillAnswer ${PARTIES} MedicationPrescribed:Medication
    MedicationDispensed:Medication Observation?:any BenefitsCoordination*3:any`,
  RefillAnswer: '(Approved:any | ApprovedWithChanges:any | Denied:any | DeniedNewPrescriptionToFollow:any)',
  RxFill: `${START} FillStatus:{(Filled:any | NotFilled:any | PartialFill:any)} ${PARTIES}
    MedicationPrescribed:Medication MedicationDispensed?:Medication ...`,
  CancelRx: `${START} ${PARTIES} MedicationPrescribed:Medication ...`,
  CancelRxResponse: '...',
  Status: 'Code:an3 DescriptionCode*:an10 Description?:an70 ...',
  Error: 'Code:an3 DescriptionCode*:an10 Description?:an70',
  Verify: '...',
  GetMessage: '...',
};

export const TRANSACTIONS_10_6: readonly string[] = [
  'NewRx',
  'RefillRequest',
  'RefillResponse',
  'RxFill',
  'CancelRx',
  'CancelRxResponse',
  'Status',
  'Error',
  'Verify',
  'GetMessage',
];
