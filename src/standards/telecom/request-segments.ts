/** Segments of requests, field by field in the order in which they are written. Reference section 15 */
import { type SegmentModel, segment } from './notation.ts';

const request = (id: string, name: string, table: string): SegmentModel => segment(id, name, 'request', table);

export const REQUEST_SEGMENTS: readonly SegmentModel[] = [
  request(
    '04',
    'Insurance',
    `
    C2 302 x20 !07 Cardholder ID
    CC 312 x12 Cardholder First Name
    CD 313 x15 Cardholder Last Name
    CE 314 x3 Home Plan
    FO 524 x8 Plan ID
    C9 309 9(1) !14 Eligibility Clarification Code
    C1 301 x15 !06 Group ID
    C3 303 x3 !08 Person Code
    C6 306 9(1) !11 Patient Relationship Code
    MG 990 9(6) Other Payer BIN Number
    MH 991 x10 Other Payer Processor Control Number
    NU 356 x20 Other Payer Cardholder ID
    MJ 992 x15 Other Payer Group ID
    2A 359 x20 Medigap ID
    2B 360 x2 Medicaid Indicator
    2D 361 x1 Provider Accept Assignment Indicator
    G2 997 x1 CMS Part D Defined Qualified Facility
    N5 115 x20 Medicaid ID Number
    N6 116 x15 Medicaid Agency Number`,
  ),
  request(
    '01',
    'Patient',
    `
    CX 331 x2 Patient ID Qualifier
    CY 332 x20 Patient ID
    C4 304 date !09 Date of Birth
    C5 305 9(1) !10 Patient Gender Code
    CA 310 x12 Patient First Name
    CB 311 x15 Patient Last Name
    CM 322 x30 Patient Street Address
    CN 323 x20 Patient City Address
    CO 324 x2 Patient State/Province Address
    CP 325 x15 Patient ZIP/Postal Zone
    CQ 326 9(10) Patient Phone Number
    C7 307 9(2) !12 Place of Service
    CZ 333 x15 Employer ID
    1C 334 x1 Smoker/Non-Smoker Code
    2C 335 x1 Pregnancy Indicator
    HN 350 x80 Patient E-Mail Address
    4X 384 9(2) Patient Residence`,
  ),
  request(
    '07',
    'Claim',
    `
    EM 455 x1 Prescription/Service Reference Number Qualifier
    D2 402 9(12) !16 Prescription/Service Reference Number
    E1 436 x2 Product/Service ID Qualifier
    D7 407 x19 !21 Product/Service ID
    EN 456 9(12) Associated Prescription/Service Reference Number
    EP 457 date Associated Prescription/Service Date
    SE 458 9(2) Procedure Modifier Code Count
    rows SE
      ER 459 x2 Procedure Modifier Code
    E7 442 9(7)v999 Quantity Dispensed
    D3 403 9(2) !17 Fill Number
    D5 405 9(3) !19 Days Supply
    D6 406 9(1) !20 Compound Code
    D8 408 x1 !22 Dispense As Written/Product Selection Code
    DE 414 date !28 Date Prescription Written
    DF 415 9(2) !29 Number of Refills Authorized
    DJ 419 9(1) !33 Prescription Origin Code
    NX 354 9(1) Submission Clarification Code Count
    rows NX
      DK 420 9(2) !34 Submission Clarification Code
    ET 460 9(7)v999 Quantity Prescribed
    C8 308 9(2) !13 Other Coverage Code
    DT 429 9(1) Special Packaging Indicator
    EJ 453 x2 Originally Prescribed Product/Service ID Qualifier
    EA 445 x19 Originally Prescribed Product/Service Code
    EB 446 9(7)v999 Originally Prescribed Quantity
    CW 330 x20 Alternate ID
    EK 454 x12 Scheduled Prescription ID Number
    28 600 x2 !26 Unit of Measure
    DI 418 9(2) Level of Service
    EU 461 9(2) Prior Authorization Type Code
    EV 462 9(11) Prior Authorization Number Submitted
    EW 463 9(2) Intermediary Authorization Type ID
    EX 464 x11 Intermediary Authorization ID
    HD 343 x1 Dispensing Status
    HF 344 9(7)v999 Quantity Intended to be Dispensed
    HG 345 9(3) Days Supply Intended to be Dispensed
    NV 357 9(2) Delay Reason Code
    K5 880 x10 Transaction Reference Number
    MT 391 x1 Patient Assignment Indicator
    E2 995 x11 Route of Administration
    G1 996 x2 Compound Type
    N4 114 x20 Medicaid Subrogation Internal Control Number
    U7 147 9(2) Pharmacy Service Type`,
  ),
  request(
    '11',
    'Pricing',
    `
    D9 409 s9(6)v99 !23 Ingredient Cost Submitted
    DC 412 s9(6)v99 Dispensing Fee Submitted
    BE 477 s9(6)v99 Professional Service Fee Submitted
    DX 433 s9(6)v99 Patient Paid Amount Submitted
    E3 438 s9(6)v99 Incentive Amount Submitted
    H7 478 9(1) Other Amount Claimed Submitted Count
    rows H7 !R1
      H8 479 x2 Other Amount Claimed Submitted Qualifier
      H9 480 s9(6)v99 Other Amount Claimed Submitted
    HA 481 s9(6)v99 Flat Sales Tax Amount Submitted
    GE 482 s9(6)v99 Percentage Sales Tax Amount Submitted
    HE 483 s9(3)v9999 Percentage Sales Tax Rate Submitted
    JE 484 x2 Percentage Sales Tax Basis Submitted
    DQ 426 s9(6)v99 Usual and Customary Charge
    DU 430 s9(6)v99 Gross Amount Due
    DN 423 x2 Basis of Cost Determination
    N3 113 s9(6)v99 Medicaid Paid Amount`,
  ),
  request(
    '02',
    'Pharmacy provider',
    `
    EY 465 x2 Provider ID Qualifier
    E9 444 x15 Provider ID`,
  ),
  request(
    '03',
    'Prescriber',
    `
    EZ 466 x2 Prescriber ID Qualifier
    DB 411 x15 !25 Prescriber ID
    DR 427 x15 Prescriber Last Name
    PM 498 9(10) Prescriber Phone Number
    2E 468 x2 Primary Care Provider ID Qualifier
    DL 421 x15 Primary Care Provider ID
    4E 470 x15 Primary Care Provider Last Name
    2J 364 x12 Prescriber First Name
    2K 365 x30 Prescriber Street Address
    2M 366 x20 Prescriber City Address
    2N 367 x2 Prescriber State/Province Address
    2P 368 x15 Prescriber ZIP/Postal Zone`,
  ),
  request(
    '05',
    'Coordination of benefits / other payments',
    `
    4C 337 9(1) Coordination of Benefits/Other Payments Count
    rows 4C !P4
      5C 338 x2 Other Payer Coverage Type
      6C 339 x2 Other Payer ID Qualifier
      7C 340 x10 Other Payer ID
      E8 443 date Other Payer Date
      A7 993 x30 Internal Control Number
      HB 341 9(1) Other Payer Amount Paid Count
      rows HB !P4
        HC 342 x2 Other Payer Amount Paid Qualifier
        DV 431 s9(6)v99 Other Payer Amount Paid
      5E 471 9(2) Other Payer Reject Count
      rows 5E !P4
        6E 472 x3 Other Payer Reject Code
      NR 353 9(2) Other Payer-Patient Responsibility Amount Count
      rows NR !P4
        NP 351 x2 Other Payer-Patient Responsibility Amount Qualifier
        NQ 352 s9(8)v99 Other Payer-Patient Responsibility Amount
      MU 392 9(1) Benefit Stage Count
      rows MU !MX
        MV 393 x2 Benefit Stage Qualifier
        MW 394 s9(6)v99 Benefit Stage Amount`,
  ),
  request(
    '08',
    'DUR/PPS',
    `
    rows -
      7E 473 9(1) DUR/PPS Code Counter
      E4 439 x2 Reason for Service Code
      E5 440 x2 Professional Service Code
      E6 441 x2 Result of Service Code
      8E 474 9(2) DUR/PPS Level of Effort
      J9 475 x2 DUR Co-Agent ID Qualifier
      H6 476 x19 DUR Co-Agent ID`,
  ),
  request(
    '10',
    'Compound',
    `
    EF 450 x2 Compound Dosage Form Description Code
    EG 451 9(1) Compound Dispensing Unit Form Indicator
    EC 447 9(2) Compound Ingredient Component Count
    rows EC !P3
      RE 488 x2 Compound Product ID Qualifier
      TE 489 x19 Compound Product ID
      ED 448 9(7)v999 Compound Ingredient Quantity
      EE 449 s9(6)v99 Compound Ingredient Drug Cost
      UE 490 x2 Compound Ingredient Basis of Cost Determination
      2G 362 9(2) Compound Ingredient Modifier Code Count
      rows 2G
        2H 363 x2 Compound Ingredient Modifier Code`,
  ),
  request(
    '09',
    'Coupon',
    `
    KE 485 x2 Coupon Type
    ME 486 x15 Coupon Number
    NE 487 s9(6)v99 Coupon Value Amount`,
  ),
  request(
    '12',
    'Prior authorization',
    `
    PA 498 x1 Request Type
    PB 498 date Request Period Date-Begin
    PC 498 date Request Period Date-End
    PD 498 x2 Basis of Request
    PE 498 x12 Authorized Representative First Name
    PF 498 x15 Authorized Representative Last Name
    PG 498 x30 Authorized Representative Street Address
    PH 498 x20 Authorized Representative City Address
    PJ 498 x2 Authorized Representative State/Province Address
    PK 498 x15 Authorized Representative ZIP/Postal Zone
    PY 498 9(11) Prior Authorization Number-Assigned
    F3 503 x20 Authorization Number
    PP 498 x500 Prior Authorization Supporting Documentation`,
  ),
  request(
    '13',
    'Clinical',
    `
    VE 491 9(1) Diagnosis Code Count
    rows VE
      WE 492 x2 Diagnosis Code Qualifier
      DO 424 x15 !39 Diagnosis Code
    rows -
      XE 493 9(1) Clinical Information Counter
      ZE 494 date Measurement Date
      H1 495 9(4) Measurement Time
      H2 496 x2 Measurement Dimension
      H3 497 x2 Measurement Unit
      H4 499 x15 Measurement Value`,
  ),
  // What stands in it is not public; it is carried as it is.
  request('14', 'Additional documentation', ''),
  request(
    '15',
    'Facility',
    `
    8C 336 x10 Facility ID
    3Q 385 x30 Facility Name
    3U 386 x30 Facility Street Address
    5J 388 x20 Facility City Address
    3V 387 x2 Facility State/Province Address
    6D 389 x15 Facility ZIP/Postal Zone`,
  ),
  request(
    '16',
    'Narrative',
    `
    BM 390 x200 Narrative Message`,
  ),
  request(
    '06',
    "Workers' compensation",
    `
    DY 434 date Date of Injury
    CF 315 x30 Employer Name
    CG 316 x30 Employer Street Address
    CH 317 x20 Employer City Address
    CI 318 x2 Employer State/Province Address
    CJ 319 x15 Employer ZIP/Postal Zone
    CK 320 9(10) Employer Phone Number
    CL 321 x30 Employer Contact Name
    CR 327 x10 Carrier ID
    DZ 435 x30 Claim/Reference ID
    TR 117 x1 Billing Entity Type Indicator
    TS 118 x2 Pay To Qualifier
    TT 119 x15 Pay To ID
    TU 120 x20 Pay To Name
    TV 121 x30 Pay To Street Address
    TW 122 x20 Pay To City Address
    TX 123 x2 Pay To State/Province Address
    TY 124 x15 Pay To ZIP/Postal Zone
    TZ 125 x2 Generic Equivalent Product ID Qualifier
    UA 126 x19 Generic Equivalent Product ID`,
  ),
];
