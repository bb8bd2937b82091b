/**
 * The element model of SCRIPT 2017071 as data (reference sections 2 to 6), made from public sources only: bindings the
 * US Department of Veterans Affairs published, and independent samples. NCPDP's schemas are copyrighted and not used.
 * Where the sources are silent a type ends in `...` or is `any`: what stands there is kept and not checked.
 * The reader, the structural checker and the writer all go by this table.
 */
import { MEDICATION_NOTATION } from './medication-matrix.ts';
import type { ModelNotation } from './notation.ts';

const START = 'ReturnReceipt?:an3 RequestReferenceNumber?:an35';
const START_URGENT = `${START} UrgencyIndicatorCode?:code.UrgencyIndicatorCode`;
const PARTIES = 'Facility? Patient:PatientOptional Pharmacy:PharmacyWithAddress Prescriber:PrescriberOptional';
const ANSWER = 'ReferenceNumber?:an35 Note?:an70';
const DENIED = 'ReasonCode*10:an3 ReferenceNumber?:an35 DenialReason?:text';
const AUTHORIZATION_PARTIES =
  'BenefitsCoordination*4 Patient Pharmacy?:PharmacyOptional Prescriber MedicationPrescribed:AuthorizationPrescribed Facility? Supervisor? Provider?:any';
const PA_START = 'RequestReferenceNumber?:an35 PAReferenceID:an35 PAPriorityIndicator?:code.UrgencyIndicatorCode';
const REMS = `RequestReferenceNumber?:an35 REMSReferenceID:an35 ${AUTHORIZATION_PARTIES}`;
const IDENTIFIERS =
  'StateLicenseNumber?:an35 MedicareNumber?:an35 MedicaidNumber?:an35 UPIN?:an35 DEANumber?:an35 HIN?:an35';

/** Section 2: the envelope. */
const ENVELOPE: ModelNotation = {
  Message: {
    attributes: [
      'DatatypesVersion!',
      'TransportVersion!',
      'TransactionVersion!',
      'StructuresVersion!',
      'ECLVersion!',
      'TransactionDomain!',
      'Version',
      'Release',
    ],
    content: 'Header Body',
  },
  /** Exactly one transaction, whose type has its name (`check.ts`). */
  Body: '...',
  Header: `To:PartyAddress From:PartyAddress MessageID:an35 RelatesToMessageID?:an35 SentTime:dateTime Security?
    SenderSoftware Mailbox? TestMessage?:n1 RxReferenceNumber?:an35 TertiaryIdentifier?:an3
    PrescriberOrderNumber?:an35 DigitalSignature? PrescriberOrderGroup?:OrderGroup RxReferenceOrderGroup?:OrderGroup`,
  PartyAddress: { attributes: ['Qualifier'], content: 'an255' },
  Security: 'UsernameToken? Sender?:SecurityParty Receiver?:SecurityParty',
  UsernameToken: 'Username?:text Password? Nonce?:SecurityText Created?:dateTime',
  Password: { attributes: ['Type'], content: 'text' },
  SecurityText: { attributes: ['EncodingType'], content: 'text' },
  SecurityParty: 'SecondaryIdentification?:text TertiaryIdentification?:text',
  SenderSoftware: 'SenderSoftwareDeveloper:an35 SenderSoftwareProduct:an35 SenderSoftwareVersionRelease:an50',
  Mailbox: 'MailboxID?:an35 DeliveredID?:an35 AdditionalTraceNumber?:an3 AcknowledgementID?:an35',
  DigitalSignature: {
    attributes: ['Version!'],
    content: `((DigestMethod:text DigestValue:text SignatureValue:text X509Data:any){1,2} | DigitalSignatureIndicator:boolean)`,
  },
  OrderGroup: 'OrderGroupNumber:an35 ItemCountInOrderGroup:n1-2 TotalCountForOrderGroup:n1-2 OrderGroupReason:text',
};

/** Section 3: shared types. */
const SHARED: ModelNotation = {
  Name: 'LastName:an35 FirstName:an35 MiddleName?:an35 Suffix?:an10 Prefix?:an10',
  Address: 'AddressLine1:an40 AddressLine2?:an40 City:an35 StateProvince:text PostalCode:text CountryCode:an2',
  AddressOptional:
    'AddressLine1?:an40 AddressLine2?:an40 City?:an35 StateProvince?:text PostalCode?:text CountryCode?:an2',
  CommunicationNumbers: `PrimaryTelephone:Telephone Beeper*:Telephone ElectronicMail*:text Fax*:Telephone HomeTelephone*:Telephone
    WorkTelephone*:Telephone OtherTelephone*:Telephone DirectAddress?:an254`,
  Telephone: 'Number:n1-10 Extension?:n1-8 SupportsSMS?:yn',
  DateChoice: '(Date:date | DateTime:dateTime)',
  Coded: 'Code:an80',
  CodedQualified: 'Code:an80 Qualifier:an20',
  SigCode: 'Text:text Qualifier:text Code:text',
  Quantity: 'Value:n1-11 CodeListQualifier:code.CodeListQualifier QuantityUnitOfMeasure:Coded',
  DrugCoded: 'ProductCode?:CodedQualified Strength? DrugDBCode?:CodedQualified DEASchedule?:{Code:code.DEASchedule}',
  Strength: 'StrengthValue?:an70 StrengthForm?:Coded StrengthUnitOfMeasure?:Coded',
  Diagnosis:
    'ClinicalInformationQualifier:code.ClinicalInformationQualifier Primary:DiagnosisCode Secondary?:DiagnosisCode',
  DiagnosisCode: 'Code:an15 Qualifier:code.DiagnosisQualifier Description:text DateOfLastOfficeVisit?:DateChoice',
  DrugUseEvaluation: `ServiceReasonCode:code.ServiceReasonCode ProfessionalServiceCode?:an2 ServiceResultCode?:an2
    CoAgent?:{CoAgentCode:{Code:an80 Qualifier:an20 Description:text}} ClinicalSignificanceCode?:an2 AcknowledgementReason?:an100`,
  BenefitsCoordination: `PayerIdentification? PayerName?:an70 CardholderID?:an35 CardHolderName?:Name GroupID?:an35
    PayerResponsibilityCode?:code.PayerResponsibilityCode PatientRelationship?:code.PatientRelationship PersonCode?:n1-3
    GroupName?:an70 Address?:AddressOptional CommunicationNumbers? PBMMemberID?:an80 ResponsibleParty?:any
    PayerType?:code.PayerType`,
  BenefitsWithConsent: `PayerIdentification? PayerName?:an70 CardholderID?:an35 CardHolderName?:Name GroupID?:an35
    PayerResponsibilityCode?:code.PayerResponsibilityCode PatientRelationship?:code.PatientRelationship PersonCode?:n1-3
    GroupName?:an70 Address?:AddressOptional CommunicationNumbers? Consent:code.Consent PBMMemberID?:an80
    ResponsibleParty?:any ServiceTypeCoded?:any PayerType?:code.PayerType`,
  PayerIdentification: `PayerID?:an80 ProcessorIdentificationNumber?:an35 NAICCode?:an35 MutuallyDefined?:an35
    StandardUniqueHealthPlanIdentifier?:an35 IINNumber?:an35`,
  Observation: 'Measurement*10 ObservationNotes?:an140',
  Measurement: `VitalSign:text LOINCVersion:text Value:n1-18 UnitOfMeasure:text UCUMVersion:text
    ObservationDate:DateChoice`,
  AllergyOrAdverseEvent: '(NoKnownAllergies:yn | Allergies+)',
  Allergies: `SourceOfInformation:code.SourceOfInformation EffectiveDate?:DateChoice ExpirationDate?:DateChoice
    AdverseEvent:{Text:text Code:text} DrugProductCoded:{Code?:text Qualifier?:text Text:text}
    ReactionCoded?:any SeverityCoded?:any`,
  CompoundInformation: `FinalCompoundPharmaceuticalDosageForm:text CompoundIngredientsLotNotUsed{1,25}`,
  CompoundIngredientsLotNotUsed: `CompoundIngredient? Quantity:CompoundQuantity DrugUseEvaluation*5`,
  CompoundIngredient: `CompoundIngredientItemDescription:an105 ItemNumber?:CodedQualified Strength?
    DEASchedule?:{Code:code.DEASchedule}`,
  CompoundQuantity: 'Value:n1-14 CodeListQualifier:code.CodeListQualifier QuantityUnitOfMeasure:Coded',
  Attachment: 'AttachmentControlNumber?:text AttachmentSource:text AttachmentData:base64 MIMEType:text',
  LotNumber: 'LotNumber:an140 LotExpiration?:DateChoice',
  TimeZone: 'TimeZoneIdentifier:an3 TimeZoneDifferenceQuantity?:sn4',
  DiabeticSupply: `TestingFrequency?:n1-2 TestingFrequencyNotes?:text SupplyIndicator?:text InsulinDependent?:yn
    HasAutomatedInsulinDevice?:yn ...`,
  Wound: 'Location:any Laterality?:any Length?:any Width?:any Depth?:any',
  PatientCodifiedNote: 'Qualifier:an2 Value?:n1-2',
  OtherMedicationDateGroup:
    'OtherMedicationDate:DateChoice OtherMedicationDateQualifier:code.OtherMedicationDateQualifier',
  NeedNoLaterThan: 'NeededNoLaterThanDate:any NeededNoLaterThanReason*:an70',
};

/** Sections 3.1 to 3.3: people and places. */
const PEOPLE: ModelNotation = {
  Patient: '(HumanPatient | NonHumanPatient)',
  PatientOptional: '(HumanPatient:HumanPatientOptional | NonHumanPatient)',
  HumanPatient: `Identification?:PatientIdentification Name FormerName?:Name Gender:code.Gender DateOfBirth:DateChoice
    Address CommunicationNumbers? PatientLocation? LanguageNameCode?:an3 PregnancyIndicator?:yn SubstanceUse*:any
    AlternateContact?:any GestationalAge?:n2 HospiceIndicator?:yn`,
  HumanPatientOptional: `Identification?:PatientIdentification Name FormerName?:Name Gender:code.Gender
    DateOfBirth:DateChoice Address?:AddressOptional CommunicationNumbers? PatientLocation? LanguageNameCode?:an3
    PregnancyIndicator?:yn SubstanceUse*:any AlternateContact?:any GestationalAge?:n2 HospiceIndicator?:yn`,
  PatientIdentification: `MedicareNumber?:an35 MedicaidNumber?:an35 MedicalRecordIdentificationNumberEHR?:an35
    PatientAccountNumber?:an35 SocialSecurity?:an35 MutuallyDefined?:an35 REMSPatientID?:an35`,
  PatientLocation: 'FacilityUnit?:an35 Bed?:an10 Room?:an10',
  NonHumanPatient: `Name:{LastName:an35 FirstName?:an35 MiddleName?:an35 Suffix?:an10 Prefix?:an10}
    Gender:code.Gender DateOfBirth:DateChoice Address?:AddressOptional CommunicationNumbers? Species:{Text:text Code:text}
    AlternateContact?:any`,
  Prescriber: '(NonVeterinarian | Veterinarian)',
  PrescriberOptional: '(NonVeterinarian:NonVeterinarianOptional | Veterinarian)',
  NonVeterinarian: `Identification:PrescriberIdentification Specialty?:an10 PracticeLocation? Name FormerName?:Name
    Address PrescriberAgent? CommunicationNumbers PrescriberPlaceOfService?:n2`,
  NonVeterinarianOptional: `Identification:PrescriberIdentification Specialty?:an10 PracticeLocation? Name
    FormerName?:Name Address?:AddressOptional PrescriberAgent? CommunicationNumbers PrescriberPlaceOfService?:n2`,
  Veterinarian: `Identification:{StateLicenseNumber:an35 DEANumber?:an35 StateControlSubstanceNumber?:an35}
    Specialty:an10 PracticeLocation? Name FormerName?:Name Address?:AddressOptional PrescriberAgent? CommunicationNumbers
    PrescriberPlaceOfService?:n2`,
  PrescriberIdentification: `${IDENTIFIERS} SocialSecurity?:an35 NPI:an35 CertificateToPrescribe?:an35
    Data2000WaiverID?:an35 MutuallyDefined?:an35 REMSHealthcareProviderEnrollmentID?:an35
    StateControlSubstanceNumber?:an35`,
  AnyIdentification: `${IDENTIFIERS} SocialSecurity?:an35 NPI?:an35 CertificateToPrescribe?:an35 Data2000WaiverID?:an35
    MutuallyDefined?:an35 REMSHealthcareProviderEnrollmentID?:an35 StateControlSubstanceNumber?:an35`,
  PracticeLocation: 'Identification?:PlaceIdentification BusinessName?:an70',
  PlaceIdentification: `NCPDPID?:an35 StateLicenseNumber?:an35 MedicareNumber?:an35 MedicaidNumber?:an35 UPIN?:an35
    FacilityID?:an35 DEANumber?:an35 HIN?:an35 NPI?:an35 MutuallyDefined?:an35
    REMSHealthcareSettingEnrollmentID?:an35`,
  PrescriberAgent: 'Name ...',
  Supervisor: '(NonVeterinarian:SupervisorPerson | Veterinarian)',
  SupervisorPerson: `Identification:AnyIdentification Specialty?:an10 PracticeLocation? Name FormerName?:Name
    Address?:AddressOptional CommunicationNumbers? PrescriberPlaceOfService?:n2`,
  Pharmacist: 'Identification?:AnyIdentification Name ...',
  Pharmacy: `Identification:PharmacyIdentification Specialty?:an10 Pharmacist? BusinessName:an70
    Address?:AddressOptional CommunicationNumbers`,
  PharmacyWithAddress: `Identification:PharmacyIdentification Specialty?:an10 Pharmacist? BusinessName:an70
    Address CommunicationNumbers`,
  PharmacyOptional: `Identification:PharmacyIdentification Specialty?:an10 Pharmacist? BusinessName?:an70
    Address?:AddressOptional CommunicationNumbers?`,
  PharmacyInTransfer: `Identification:PharmacyIdentification Specialty?:an10 BusinessName?:an70 Address
    CommunicationNumbers TransferType:code.TransferType`,
  PharmacyIdentification: `NCPDPID:an35 StateLicenseNumber?:an35 MedicareNumber?:an35 MedicaidNumber?:an35 UPIN?:an35
    DEANumber?:an35 HIN?:an35 NPI:an35 MutuallyDefined?:an35`,
  Facility: `Identification:PlaceIdentification FacilityName?:an70 Address?:AddressOptional CommunicationNumbers?`,
};

/** Section 6: directions for use. Repeated names with modifiers between them: document order carries the meaning. */
const SIG: ModelNotation = {
  Sig: `SigText:an1000 CodeSystem?:{SNOMEDVersion?:text FMTVersion?:text}
    (Instruction (MultipleInstructionModifier:text Instruction)*49)? IndicationForUse*:any MaximumDoseRestriction*50:any
    ClarifyingFreeText?:an255`,
  Instruction: `(InstructionIndicator:text | AdministrationIndicator:text | DoseAdministration)
    (TimingAndDuration | MultipleTimingModifier:text)*`,
  DoseAdministration: `DoseDeliveryMethod:SigCode DoseDeliveryMethodModifier?:any
    (Dosage:SigDosage | DoseCalculation:any | DoseAmount:any)? DoseClarifyingFreeText?:text Vehicle?:any
    RouteOfAdministration?:SigCode RouteOfAdministrationClarifyingFreeText?:text SiteOfAdministration?:any
    SiteOfAdministrationClarifyingFreeText?:text`,
  SigDosage: `DoseQuantity:n1-11 DoseUnitOfMeasure:SigCode
    (DoseRangeModifier:text DoseQuantity:n1-11 DoseUnitOfMeasure:SigCode)?`,
  TimingAndDuration: `(AdministrationTiming:any | Frequency | Interval | RateOfAdministration |
    TimingClarifyingFreeText:text | Duration | DurationTrigger:any | StopIndicator:SigCode)`,
  Frequency: `FrequencyNumericValue:n1-11 (VariableFrequencyModifier:text FrequencyNumericValue:n1-11)?
    FrequencyUnits:SigCode`,
  Interval: `IntervalNumericValue:n1-11 (VariableIntervalModifier:text IntervalNumericValue:n1-11)?
    IntervalUnits:SigCode`,
  RateOfAdministration: 'RateOfAdministration:n1-11 RateUnitOfMeasure:SigCode TimePeriodBasis:SigCode',
  Duration: 'DurationNumericValue:n1-11 DurationText:SigCode',
};

/** Section 4.2: transactions. The type's name is the element's. */
const TRANSACTION_NOTATION: ModelNotation = {
  NewRx: `MessageRequestCode?:an3 ${START_URGENT} AllergyOrAdverseEvent? BenefitsCoordination*4 Facility? Patient Pharmacy?
    Prescriber Observation? MedicationPrescribed:NewRxMedication Supervisor? ProhibitRenewalRequest?:boolean
    FollowUpPrescriber?:PrescriberOptional`,
  NewRxRequest: `${START_URGENT} Facility? Patient:PatientOptional Pharmacy:PharmacyWithAddress Prescriber
    MedicationRequested:NewRxRequested Note?:an210`,
  NewRxResponseDenied: `${START_URGENT} Response:{ReasonCode*10:an3 ReferenceNumber?:an35 DenialReason?:text
    Denied?:{${DENIED}}} Facility? Patient:PatientOptional Pharmacy:PharmacyOptional Prescriber:PrescriberOptional
    MedicationRequested:NewRxRequested Note?:an210 FollowUpPrescriber?:PrescriberOptional`,
  RxChangeRequest: `MessageRequestCode:code.MessageRequestCode MessageRequestSubCode*10:an3 ${START_URGENT}
    FollowUpRequest?:n1 AllergyOrAdverseEvent? BenefitsCoordination*4 Facility? Patient:PatientOptional
    Pharmacy Prescriber:PrescriberOptional Observation?
    MedicationPrescribed:ChangeRequestPrescribed MedicationRequested*9:ChangeRequestRequested Supervisor?
    ChangeReasonText?:an260 FollowUpPrescriber?:PrescriberOptional`,
  RxChangeResponse: `MessageRequestCode:code.MessageRequestCode MessageRequestSubCode*10:an3 ${START_URGENT}
    Response:{(Approved:{${ANSWER}} | ApprovedWithChanges:{${ANSWER}} | Denied:{${DENIED}} | Validated)}
    AllergyOrAdverseEvent? Facility? Patient:PatientOptional Pharmacy Prescriber:PrescriberOptional
    Observation? Supervisor? MedicationPrescribed?:ChangeResponsePrescribed FollowUpPrescriber?:PrescriberOptional`,
  Validated: `ReasonCode*10:an3 ReferenceNumber?:an35 Identification?:AnyIdentification Supervisor? Note?:an70
    Date?:any Specialty?:an10`,
  RxRenewalRequest: `${START_URGENT} FollowUpRequest?:n1 BenefitsCoordination*4 ${PARTIES} Observation?
    MedicationDispensed:RenewalDispensed MedicationPrescribed?:AnyMedication Supervisor?
    FollowUpPrescriber?:PrescriberOptional`,
  RxRenewalResponse: `${START_URGENT}
    Response:{(Approved:{${ANSWER}} | ApprovedWithChanges:{${ANSWER}} | Replace:{${ANSWER}} | Denied:{${DENIED}}
    | DeniedNewPrescriptionToFollow:{${ANSWER}})}
    AllergyOrAdverseEvent? Facility? Patient:PatientOptional Pharmacy Prescriber:PrescriberOptional
    Observation? Supervisor? MedicationResponse:RenewalResponded FollowUpPrescriber?:PrescriberOptional`,
  CancelRx: `MessageRequestCode?:an3 ${START_URGENT} ChangeOfPrescriptionStatusFlag?:code.ChangeOfPrescriptionStatusFlag
    Facility? Patient:PatientOptional Pharmacy? Prescriber:PrescriberOptional
    MedicationPrescribed:CancelPrescribed Supervisor?`,
  CancelRxResponse: `MessageRequestCode?:an3 ${START_URGENT}
    ChangeOfPrescriptionStatusFlag?:code.ChangeOfPrescriptionStatusFlag
    Response:{(Approved:{${ANSWER}} | Denied:{${DENIED} Pharmacy?:PharmacyOptional})}`,
  RxFill: `${START} Facility? FillStatus Patient:PatientOptional Pharmacy Prescriber:PrescriberOptional
    MedicationDispensed?:FillDispensed MedicationPrescribed?:AnyMedication Supervisor?`,
  FillStatus: `(Dispensed:{${ANSWER} ReasonCode*:an3} | PartiallyDispensed:{ReferenceNumber?:an35 ReasonCode*:an3 Note?:an70}
    | NotDispensed:{${ANSWER} ReasonCode*:an3} | Transferred:{${ANSWER}})`,
  RxFillIndicatorChange: `${START} RxFillIndicator:code.RxFillIndicator`,
  RxTransferRequest: `${START} Patient Pharmacy{2}:PharmacyInTransfer Prescriber?:PrescriberOptional Pharmacist?
    MedicationTransferRequested?:AnyMedication TransferRequest:code.TransferRequest
    FollowUpPrescriber?:PrescriberOptional`,
  RxTransferResponse: `${START} Response:{(Approved:{${ANSWER}} | Denied:{${DENIED}})} BenefitsCoordination*4 Patient
    Pharmacy{2}:PharmacyInTransfer Pharmacist? MedicationTransferred*300 TransferRequest:code.TransferRequest
    FollowUpPrescriber?:PrescriberOptional`,
  MedicationTransferred: `MedicationDispensed*300:AnyMedication MedicationPrescribed:TransferPrescribed
    PrescriptionPreviouslyFilled:yn Attachment*`,
  RxTransferConfirm: `${START} Patient Pharmacy{2}:PharmacyInTransfer Pharmacist RxFillConfirmIndicator:yn
    TransferRequest:code.TransferRequest FollowUpPrescriber?:PrescriberOptional`,
  Recertification: `${START} FollowUpRequest?:n1 AllergyOrAdverseEvent? BenefitsCoordination*4 ${PARTIES} Observation?
    MedicationDispensed?:AnyMedication MedicationPrescribed:AnyMedication Supervisor?`,
  Resupply: `${START_URGENT} FollowUpRequest?:n1 AllergyOrAdverseEvent? BenefitsCoordination*4 ${PARTIES} Observation?
    MedicationDispensed?:AnyMedication MedicationPrescribed:AnyMedication Supervisor?`,
  DrugAdministration: `${START} Facility? Patient:PatientOptional Pharmacy?:PharmacyOptional
    Prescriber:PrescriberOptional DrugAdministrationRequest:any MedicationPrescribed:AnyMedication Supervisor?`,
  RxHistoryRequest: `BenefitsCoordination*4:BenefitsWithConsent Facility? Patient:PatientOptional
    Pharmacy?:PharmacyOptional Prescriber?:PrescriberOptional
    RequestedDates PDMPStatesRequested?:any RequestorRole?:any`,
  RxHistoryResponse: `Response:{(Approved:{ReasonCode*10:an3 ${ANSWER}} | Denied:{${DENIED}})}
    BenefitsCoordination{1,4}:BenefitsWithConsent Facility? Patient:PatientOptional Pharmacy?:PharmacyOptional
    Prescriber?:PrescriberOptional
    (MedicationDispensed{1,300}:HistoryDispensed | MedicationDispensedAdministered{1,300}:AnyMedication
    | MedicationPrescribed{1,300}:AnyMedication)?
    RequestedDates Scores*:any PDMPStatesResponded?:any`,
  RequestedDates: 'StartDate:DateChoice EndDate:DateChoice',
  GetMessage: START,
  PasswordChange: 'Request:{OldPassword:text NewPassword:text}',
  Status: `Code:an3 DescriptionCode*10:an10 Description?:an70 PrescriptionDeliveryMethod?:text`,
  Error: 'Code:an3 DescriptionCode*10:an10 Description?:an70',
  Verify: `(VerifyStatus:{Code:an3 Description?:an70 PrescriptionDeliveryMethod?:text} | Code:an3)?
    DescriptionCode*10:an10 Description?:an70`,
};

/** Section 4.4: electronic prior authorisation and REMS. */
const AUTHORIZATION: ModelNotation = {
  PAInitiationRequest: `${PA_START} ${AUTHORIZATION_PARTIES}`,
  PAInitiationResponse: `${PA_START.replace('PAReferenceID', 'PAReferenceID?')} ${AUTHORIZATION_PARTIES}
    Response:PAResponseChoice`,
  PARequest: `${PA_START} ${AUTHORIZATION_PARTIES} Attachment? Request:PARequestChoice`,
  PAAppealRequest: `${PA_START} ${AUTHORIZATION_PARTIES} Attachment? Request:{PACaseID:text PANote?:an2000 ...}`,
  PAResponse: `${PA_START} ${AUTHORIZATION_PARTIES} Attachment? Response:PAResponseChoice`,
  PAAppealResponse: `${PA_START} ${AUTHORIZATION_PARTIES} Attachment? Response:PAResponseChoice`,
  PACancelRequest: `${PA_START} ${AUTHORIZATION_PARTIES}
    Request:{PACaseID:text CancelReasonCode?:an3 IsPatientNotified?:yn PANote?:an2000}`,
  PACancelResponse: `${PA_START}
    Response:{ReferenceNumber?:an35 PACaseID:text ResponseStatus:{(Approved:any | Denied:any)}}`,
  PAResponseChoice: `ResponseStatus:{(Open:PAOpen | Closed:PAClosed | Approved:PADecided | Denied:PADecided
    | PartiallyDenied:PADecided | InProcess:PAInProcess)}`,
  PAOpen: `PACaseID:text ExpiringPACaseID?:text ExpirationDate?:DateChoice DeadlineForReply:DateChoice QuestionSet
    PANote?:an2000 ...`,
  PAClosed: `PACaseID?:text ReasonCode{1,10}:an3 AuthorizationNumber?:text AuthorizationDetail*5:any
    AuthorizationPeriod? PANote?:an2000 PAProcessor?:any`,
  PADecided: `PACaseID:text AuthorizationNumber?:text AuthorizationDetail*5:any AuthorizationPeriod? Appeal? ...`,
  PAInProcess: 'PACaseID:text ExpectedResponseDate?:DateChoice PANote?:an2000',
  AuthorizationPeriod: 'EffectiveDate?:DateChoice ExpirationDate?:DateChoice',
  Appeal: 'IsEAppealSupported:yn ExpirationDate?:DateChoice PANote?:an2000 ...',
  PARequestChoice: '(SolicitedModel:PASolicited | UnSolicitedModel:{QuestionSet?})',
  PASolicited: 'PACaseID:text DeadlineForReply:DateChoice QuestionSet',
  QuestionSet: 'Header:QuestionSetHeader Question+',
  QuestionSetHeader: `QuestionSetID:an70 QuestionSetTitle:an70 QuestionSetDescription:an2000
    QuestionSetContactCommunicationNumber:CommunicationNumbers AttachementRequired:yn AttachmentNotes?:text
    QuestionSetComment?:text`,
  Question: `QuestionID:an35 SequenceNumber:n1-3 QuestionLevel?:text QuestionText:an2000 CodedReference*:any
    DefaultNextQuestionID?:text QuestionType:{(Select:QuestionSelect | Date:any | Numeric:any | FreeText:any)}`,
  QuestionSelect: `SelectMultiple:yn Choice{2,999}:QuestionChoice Answer*:any`,
  QuestionChoice: `ChoiceID:text SequenceNumber:n1-3 ChoiceText:text AdditionalFreeTextIndicator:an2 CodedReference*:any
    NextQuestionID?:text`,
  REMSInitiationRequest: REMS,
  REMSInitiationResponse: `${REMS} Response:REMSResponseChoice`,
  REMSRequest: `${REMS} Attachment? Request:{SolicitedModel:{REMSCaseID:text DeadlineForReply?:DateChoice QuestionSet? ...}}`,
  REMSResponse: `${REMS} Attachment? Response:REMSResponseChoice`,
  REMSResponseChoice: `ResponseStatus:{(Open:any | Closed:any | Approved:REMSApproved | Denied:any | InProcess:any)}`,
  REMSApproved: `REMSCaseID:text REMSAuthorizationNumber?:an140 AuthorizationPeriod? ...`,
};

export const SCRIPT_2017071: ModelNotation = {
  ...ENVELOPE,
  ...SHARED,
  ...PEOPLE,
  ...SIG,
  ...MEDICATION_NOTATION,
  ...TRANSACTION_NOTATION,
  ...AUTHORIZATION,
};

/** What a Body may hold, besides those that are known by name only (`transactions.ts`). */
export const TRANSACTIONS_2017071: readonly string[] = [
  ...Object.keys(TRANSACTION_NOTATION).filter(
    (name) => !['Validated', 'FillStatus', 'MedicationTransferred', 'RequestedDates'].includes(name),
  ),
  'PAInitiationRequest',
  'PAInitiationResponse',
  'PARequest',
  'PAResponse',
  'PAAppealRequest',
  'PAAppealResponse',
  'PACancelRequest',
  'PACancelResponse',
  'REMSInitiationRequest',
  'REMSInitiationResponse',
  'REMSRequest',
  'REMSResponse',
];
