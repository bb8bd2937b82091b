/** Code lists of SCRIPT 2017071 that are small and public (reference section 7.2). Paraphrased, not NCPDP's own text. */

export interface CodeList {
  /** Closed: another value is an error. Open: it is kept as it is, with a warning. */
  readonly closed: boolean;
  /** Code and what it means. */
  readonly codes: ReadonlyMap<string, string>;
  /** Values some senders use, and the code each is read as. */
  readonly read?: ReadonlyMap<string, string>;
}

const list = (
  closed: boolean,
  codes: Readonly<Record<string, string>>,
  read?: Readonly<Record<string, string>>,
): CodeList => ({
  closed,
  codes: new Map(Object.entries(codes)),
  ...(read && { read: new Map(Object.entries(read)) }),
});
const same = (...codes: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(codes.map((code) => [code, code]));

export const CODE_LISTS: ReadonlyMap<string, CodeList> = new Map([
  ['TransactionDomain', list(true, same('SCRIPT', 'SPECIALIZED'))],
  [
    'Qualifier',
    list(false, {
      P: 'pharmacy',
      D: 'prescriber',
      C: 'clinic',
      M: 'mailbox',
      CF: 'central fill',
      PY: 'payer',
      REMS: 'REMS administrator',
      DIRECT: 'Direct secure e-mail address',
      ZZZ: 'mutually defined',
    }),
  ],
  ['Gender', list(true, { M: 'male', F: 'female', U: 'unknown' }, { N: 'U', O: 'U' })],
  ['UrgencyIndicatorCode', list(true, { S: 'standard', X: 'expedited' })],
  ['Substitutions', list(false, { 0: 'substitution allowed', 1: 'not allowed by prescriber' })],
  [
    'CodeListQualifier',
    list(false, { 38: 'original', 40: 'remaining', 87: 'received', QS: 'quantity sufficient', CF: 'compound final' }),
  ],
  ['DiagnosisQualifier', list(false, { ABF: 'ICD-10-CM', DX: 'ICD-9-CM', LD: 'SNOMED CT' })],
  ['ClinicalInformationQualifier', list(false, { 1: 'prescriber supplied', 2: 'pharmacy inferred' })],
  [
    'PriorAuthorizationStatus',
    list(false, { A: 'approved', D: 'denied', F: 'deferred', N: 'not required', R: 'requested' }),
  ],
  [
    'DrugCoverageStatusCode',
    list(false, {
      PR: 'preferred',
      AP: 'approved',
      PA: 'prior authorisation needed',
      NF: 'non-formulary',
      NR: 'not reimbursed',
      DC: 'different copay',
      UN: 'unknown',
      ST: 'step therapy',
      SI: 'signed per DEA rules',
    }),
  ],
  [
    'DEASchedule',
    list(false, {
      C48672: 'CI',
      C48675: 'CII',
      C48676: 'CIII',
      C48677: 'CIV',
      C48679: 'CV',
      C38046: 'unspecified',
    }),
  ],
  [
    'PayerResponsibilityCode',
    list(false, { P: 'primary', S: 'secondary', T: 'tertiary', U: 'unknown', PP: 'private pay' }),
  ],
  [
    'PayerType',
    list(false, {
      A: 'Medicare A',
      B: 'Medicare B',
      C: 'Medicare C',
      D: 'Medicare D',
      E: 'Medicaid',
      F: 'managed care',
      G: 'hospice',
      H: 'commercial',
      J: 'private pay',
      K: "workers' compensation",
      L: 'discount program',
      M: 'coupon',
      N: 'voucher',
      P: 'military or VA',
      ZY: 'other',
      ZZ: 'unknown',
    }),
  ],
  ['PatientRelationship', list(false, { 1: 'cardholder', 2: 'spouse', 3: 'child', 4: 'other' })],
  [
    'Consent',
    list(false, {
      Y: 'given',
      N: 'not given',
      P: "prescriber's own prescriptions only",
      X: 'guardian gave',
      Z: 'guardian for own prescriptions only',
      TPO: 'required for payment',
    }),
  ],
  [
    'RxFillIndicator',
    list(
      false,
      same(
        'All Fill Statuses',
        'All Fill Statuses Except Transferred',
        'Dispensed And Partially Dispensed',
        'Partially Dispensed And Not Dispensed',
        'Not Dispensed And Transferred',
        'Partially Dispensed',
        'Not Dispensed',
        'Cancel All Fill Statuses',
      ),
    ),
  ],
  [
    'DoNotFill',
    list(false, {
      Y: 'keep for reference only',
      H: 'hold until the patient asks',
      E: 'covers an emergency order already phoned in',
    }),
  ],
  [
    'OrderCaptureMethod',
    list(false, {
      EP: 'by prescriber',
      VT: 'telephone',
      VI: 'in person, verbal',
      WR: 'written or fax',
      TV: 'transcribed verbal',
      OM: 'other',
    }),
  ],
  ['DeliveryRequest', list(false, same('NO DELIVERY', 'FIRST FILL DELIVERY', 'ALL FILLS DELIVERY'))],
  [
    'DeliveryLocation',
    list(false, same('HOME', 'FACILITY', 'CONTACT PATIENT FOR DELIVERY', 'AGENCY OF SERVICE', 'PROVIDER')),
  ],
  ['TreatmentIndicator', list(false, same('NEW', 'CONTINUATION', 'RESTART'))],
  ['ProphylacticOrEpisodic', list(false, same('PROPHYLACTIC', 'EPISODIC', 'BOTH'))],
  ['InjuryRelated', list(false, same('WORK', 'AUTO', 'OTHER'))],
  [
    'PrescriberCheckedREMS',
    list(false, {
      A: 'checked and done',
      B: "checked, prescriber's actions not finished",
      N: 'not checked',
    }),
  ],
  [
    'REMSPatientRiskCategory',
    list(false, {
      AFRP: 'adult female with reproductive potential',
      AFNRP: 'adult female without reproductive potential',
      AM: 'adult male',
      MC: 'male child',
      CFRP: 'female child with reproductive potential',
      CFNRP: 'female child without reproductive potential',
    }),
  ],
  [
    'OtherMedicationDateQualifier',
    list(
      false,
      same(
        'StartDate',
        'EffectiveDate',
        'ExpirationDate',
        'PeriodEnd',
        'SoldDate',
        'DeliveredOnDate',
        'DateValidated',
        'AnticipatedHealthCareFacilityDischargeDate',
        'OtherHealthCareFacilityDischargeDate',
        'TransplantDate',
        'TransplantHealthCareFacilityDischargeDateMedicare',
        'TransplantHealthCareFacilityDischargeDateNonMedicare',
      ),
    ),
  ],
  ['TransferRequest', list(true, same('ALL', 'SPECIFIC'))],
  ['TransferType', list(true, same('TRANSFER TO PHARMACY', 'TRANSFER FROM PHARMACY'))],
  ['SourceOfInformation', list(false, { P: 'patient', C: 'clinician' })],
  [
    'MessageRequestCode',
    list(false, {
      G: 'generic substitution',
      T: 'therapeutic interchange',
      P: 'prior authorisation required',
      D: 'drug use evaluation',
      S: 'script clarification',
      OS: 'out of stock',
      U: 'prescriber authorisation needed',
    }),
  ],
  ['ChangeOfPrescriptionStatusFlag', list(false, { C: 'cancel', D: 'discontinue' })],
  [
    'ServiceReasonCode',
    list(false, {
      DD: 'drug-drug interaction',
      TD: 'therapeutic duplication',
      ID: 'ingredient duplication',
      DA: 'drug-allergy conflict',
      DC: 'drug-disease, inferred',
      MC: 'drug-disease, reported',
      HD: 'high dose',
      LD: 'low dose',
      ER: 'overuse',
      LR: 'underuse',
      EX: 'excessive quantity',
      NS: 'insufficient quantity',
      MX: 'excessive duration',
      MN: 'insufficient duration',
      PG: 'pregnancy',
      NR: 'nursing',
      PA: 'age',
      SX: 'gender',
      AR: 'adverse reaction',
      PR: 'prior reaction',
      SE: 'side effect',
      AT: 'additive toxicity',
      DF: 'food interaction',
      OH: 'alcohol interaction',
      DS: 'tobacco interaction',
      DL: 'laboratory conflict',
      NF: 'non-formulary',
      NC: 'non-covered',
      PN: 'prescriber consultation',
      PS: 'product selection',
    }),
  ],
]);
