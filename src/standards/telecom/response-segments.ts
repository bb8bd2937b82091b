/** Segments of responses, field by field in the order in which they are written. Reference section 15 */
import { type SegmentModel, segment } from './notation.ts';

const response = (id: string, name: string, table: string): SegmentModel => segment(id, name, 'response', table);

export const RESPONSE_SEGMENTS: readonly SegmentModel[] = [
  response(
    '20',
    'Response message',
    `
    F4 504 x200 Message`,
  ),
  response(
    '25',
    'Response insurance',
    `
    C1 301 x15 Group ID
    FO 524 x8 Plan ID
    2F 545 x10 Network Reimbursement ID
    J7 568 x2 Payer ID Qualifier
    J8 569 x10 Payer ID
    N5 115 x20 Medicaid ID Number
    N6 116 x15 Medicaid Agency Number
    C2 302 x20 Cardholder ID`,
  ),
  response(
    '29',
    'Response patient',
    `
    CA 310 x12 Patient First Name
    CB 311 x15 Patient Last Name
    C4 304 date Date of Birth`,
  ),
  response(
    '21',
    'Response status',
    `
    AN 112 x1 Transaction Response Status
    F3 503 x20 Authorization Number
    FA 510 9(2) Reject Count
    rows FA
      FB 511 x3 Reject Code
      4F 546 9(2) Reject Field Occurrence Indicator
    5F 547 9(1) Approved Message Code Count
    rows 5F
      6F 548 x3 Approved Message Code
    UF 130 9(2) Additional Message Information Count
    rows UF
      UH 132 x2 Additional Message Information Qualifier
      FQ 526 x200 Additional Message Information
      UG 131 x1 Additional Message Information Continuity
    7F 549 x2 Help Desk Phone Number Qualifier
    8F 550 x18 Help Desk Phone Number
    K5 880 x10 Transaction Reference Number
    A7 993 x30 Internal Control Number
    MA 987 x255 URL`,
  ),
  response(
    '22',
    'Response claim',
    `
    EM 455 x1 Prescription/Service Reference Number Qualifier
    D2 402 9(12) Prescription/Service Reference Number
    9F 551 9(1) Preferred Product Count
    rows 9F
      AP 552 x2 Preferred Product ID Qualifier
      AR 553 x19 Preferred Product ID
      AS 554 s9(6)v99 Preferred Product Incentive
      AT 555 s9(6)v99 Preferred Product Cost Share Incentive
      AU 556 x40 Preferred Product Description
    N4 114 x20 Medicaid Subrogation Internal Control Number`,
  ),
  response(
    '23',
    'Response pricing',
    `
    F5 505 s9(6)v99 Patient Pay Amount
    F6 506 s9(6)v99 Ingredient Cost Paid
    F7 507 s9(6)v99 Dispensing Fee Paid
    AV 557 x1 Tax Exempt Indicator
    AW 558 s9(6)v99 Flat Sales Tax Amount Paid
    AX 559 s9(6)v99 Percentage Sales Tax Amount Paid
    AY 560 s9(3)v9999 Percentage Sales Tax Rate Paid
    AZ 561 x2 Percentage Sales Tax Basis Paid
    FL 521 s9(6)v99 Incentive Amount Paid
    J1 562 s9(6)v99 Professional Service Fee Paid
    J2 563 9(1) Other Amount Paid Count
    rows J2
      J3 564 x2 Other Amount Paid Qualifier
      J4 565 s9(6)v99 Other Amount Paid
    J5 566 s9(6)v99 Other Payer Amount Recognized
    F9 509 s9(6)v99 Total Amount Paid
    FM 522 9(2) Basis of Reimbursement Determination
    FN 523 s9(6)v99 Amount Attributed to Sales Tax
    FC 512 s9(6)v99 Accumulated Deductible Amount
    FD 513 s9(6)v99 Remaining Deductible Amount
    FE 514 s9(6)v99 Remaining Benefit Amount
    FH 517 s9(6)v99 Amount Applied to Periodic Deductible
    FI 518 s9(6)v99 Amount of Copay
    FK 520 s9(6)v99 Amount Exceeding Periodic Benefit Maximum
    HH 346 x2 Basis of Calculation-Dispensing Fee
    HJ 347 x2 Basis of Calculation-Copay
    HK 348 x2 Basis of Calculation-Flat Sales Tax
    HM 349 x2 Basis of Calculation-Percentage Sales Tax
    NZ 571 s9(6)v99 Amount Attributed to Processor Fee
    EQ 575 s9(6)v99 Patient Sales Tax Amount
    2Y 574 s9(6)v99 Plan Sales Tax Amount
    4U 572 s9(6)v99 Amount of Coinsurance
    4V 573 x2 Basis of Calculation-Coinsurance
    MU 392 9(1) Benefit Stage Count
    rows MU !MX
      MV 393 x2 Benefit Stage Qualifier
      MW 394 s9(6)v99 Benefit Stage Amount
    G3 577 s9(6)v99 Estimated Generic Savings
    UC 128 s9(6)v99 Spending Account Amount Remaining
    UD 129 s9(6)v99 Health Plan-Funded Assistance Amount
    UJ 133 s9(6)v99 Amount Attributed to Provider Network Selection
    UK 134 s9(6)v99 Amount Attributed to Product Selection/Brand Drug
    UM 135 s9(6)v99 Amount Attributed to Product Selection/Non-Preferred Formulary Selection
    UN 136 s9(6)v99 Amount Attributed to Product Selection/Brand Non-Preferred Formulary Selection
    UP 137 s9(6)v99 Amount Attributed to Coverage Gap
    U8 148 s9(6)v99 Ingredient Cost Contracted/Reimbursable Amount
    U9 149 s9(6)v99 Dispensing Fee Contracted/Reimbursable Amount`,
  ),
  response(
    '24',
    'Response DUR/PPS',
    `
    rows -
      J6 567 9(1) DUR/PPS Response Code Counter
      E4 439 x2 Reason for Service Code
      FS 528 x1 Clinical Significance Code
      FT 529 9(1) Other Pharmacy Indicator
      FU 530 date Previous Date of Fill
      FV 531 9(7)v999 Quantity of Previous Fill
      FW 532 x1 Database Indicator
      FX 533 9(1) Other Prescriber Indicator
      FY 544 x30 DUR Free Text Message
      NS 570 x100 DUR Additional Text`,
  ),
  response(
    '26',
    'Response prior authorization',
    `
    PR 498 date Prior Authorization Processed Date
    PS 498 date Prior Authorization Effective Date
    PT 498 date Prior Authorization Expiration Date
    RA 498 9(7)v999 Prior Authorization Quantity
    RB 498 s9(6)v99 Prior Authorization Dollars Authorized
    PW 498 9(2) Prior Authorization Number of Refills Authorized
    PX 498 9(7)v999 Prior Authorization Quantity Accumulated
    PY 498 9(11) Prior Authorization Number-Assigned`,
  ),
  response(
    '27',
    'Response insurance additional information',
    `
    UR 139 9(1) Medicare Part D Coverage Code
    UQ 138 x20 CMS Low Income Cost Sharing Level
    U1 240 x8 Contract Number
    FF 926 x10 Formulary ID
    U6 757 x15 Benefit ID
    US 140 date Next Medicare Part D Effective Date
    UT 141 date Next Medicare Part D Termination Date`,
  ),
  response(
    '28',
    'Response coordination of benefits / other payers',
    `
    NT 355 9(1) Other Payer ID Count
    rows NT
      5C 338 x2 Other Payer Coverage Type
      6C 339 x2 Other Payer ID Qualifier
      7C 340 x10 Other Payer ID
      MH 991 x10 Other Payer Processor Control Number
      NU 356 x20 Other Payer Cardholder ID
      MJ 992 x15 Other Payer Group ID
      UV 142 x3 Other Payer Person Code
      UB 127 x18 Other Payer Help Desk Phone Number
      UW 143 9(1) Other Payer Patient Relationship Code
      UX 144 date Other Payer Benefit Effective Date
      UY 145 date Other Payer Benefit Termination Date`,
  ),
];
