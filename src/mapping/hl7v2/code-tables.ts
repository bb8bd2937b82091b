/**
 * Code tables of HL7 v2 and what they are in FHIR. Source: concept maps of HL7 Version 2 to FHIR 1.0.0; gaps filled as
 * docs/hl7v2.md says. A table is one text, `code=target`; `@` before a target names another of its systems.
 */

/** A code of FHIR, in the system it belongs to. */
export interface TargetCode {
  readonly system: string;
  readonly code: string;
}

export interface CodeTable {
  /** `0002`: codes sent without a system are of this table. */
  readonly number: string;
  readonly targets: ReadonlyMap<string, TargetCode>;
}

const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem/';

/** `v2-0131`, `v3-RoleCode`; an address as it is. */
export const systemUrl = (name: string): string => (name.includes(':') ? name : TERMINOLOGY + name);
/** The code system of a table: `0063`. */
export const tableUrl = (number: string): string => `${TERMINOLOGY}v2-${number}`;

export const SNOMED = 'http://snomed.info/sct';
const NULL_FLAVOR = 'v3-NullFlavor';

/** `systems`: the first is that of plain targets, the others of `@1`, `@2` … */
function compileTable(number: string, systems: readonly string[], text: string): CodeTable {
  const targets = text.split(/\s+/).map((row): [string, TargetCode] => {
    const [, code = '', target = '', nth = '0'] = /^([^=]+)=([^@]+)(?:@(\d))?$/.exec(row) ?? [];
    return [code, { system: systemUrl(systems[Number(nth)] ?? ''), code: target }];
  });
  return { number, targets: new Map(targets) };
}

/** A table whose codes go as they are. */
const plainTable = (number: string): CodeTable => ({ number, targets: new Map() });

export const MARITAL_STATUS = compileTable(
  '0002',
  ['v3-MaritalStatus', NULL_FLAVOR],
  'A=L D=D M=M S=S W=W C=C G=T P=T R=T E=L N=A I=I B=U T=NAVU@1 U=UNK@1 O=OTH@1',
);
/** NHS Data Dictionary: P is separated, N not disclosed. */
export const MARITAL_STATUS_UK = compileTable(
  '0002',
  ['v3-MaritalStatus', NULL_FLAVOR],
  'S=S M=M D=D W=W P=L N=ASKU@1 8=UNK@1 9=UNK@1',
);
export const RELATIONSHIP = compileTable(
  '0063',
  ['v3-RoleCode', 'v2-0131'],
  'SEL=ONESELF SPO=SPS DOM=SIGOTHR CHD=CHILD GCH=GRNDCHILD NCH=NCHILD SCH=STPCHLD FCH=CHLDFOST DEP=DEP WRD=WRD PAR=PRN MTH=MTH FTH=FTH CGV=CGV GRD=GRD GRP=GRPRN EXF=EXT SIB=SIB BRO=BRO SIS=SIS FND=FRND OAD=OAD EME=EME ASC=ASC OWN=OWN TRA=TRA MGR=MGR NON=NON EMR=E@1 EMC=C@1 UNK=U@1 OTH=O@1',
);
export const CONTACT_ROLE = plainTable('0131');
export const PATIENT_CLASS = compileTable(
  '0004',
  ['v3-ActCode', 'v2-0004'],
  'E=EMER I=IMP O=AMB P=PRENC R=R@1 B=B@1 C=C@1 N=N@1 U=U@1 INPATIENT=IMP DAYCASE=SS D=SS W=PRENC V=AMB',
);
export const ADMISSION_TYPE = plainTable('0007');
export const HOSPITAL_SERVICE = compileTable(
  '0069',
  ['http://terminology.hl7.org/CodeSystem/service-type'],
  'MED=382 URO=222',
);
export const AMBULATORY_STATUS = compileTable('0009', ['encounter-special-arrangements'], 'A2=wheel');
export const ADMIT_SOURCE = plainTable('0023');
export const READMISSION = plainTable('0092');
export const VIP_INDICATOR = plainTable('0099');
export const DISCHARGE_DISPOSITION = plainTable('0112');
export const DIET_TYPE = plainTable('0114');
export const ENCOUNTER_PRIORITY = compileTable('0217', ['v3-ActPriority'], '1=EM 2=UR 3=EL');
export const MODE_OF_ARRIVAL = plainTable('0430');
export const PROVIDER_ROLE = compileTable(
  '0443',
  ['v3-ParticipationType', SNOMED],
  'AD=ADM AT=ATND CP=CON RP=REF PP=446050000@1 PI=40570005@1',
);
export const DIAGNOSIS_TYPE = compileTable('0052', ['diagnosis-role'], 'A=AD F=DD');
export const LANGUAGE = plainTable('0296');
export const RELIGION = compileTable(
  '0006',
  ['v3-ReligiousAffiliation'],
  'A=1007 B=1009 E=1069 J=1026 L=1028 M=1027 N=1020 P=1077 AGN=1004 ATH=1007 BAH=1008 BRE=1062 BMA=1029 BTH=1051 CHR=1013 ANG=1005 AOG=1061 BAP=1009 CRR=1079 CHS=1063 COC=1064 COG=1065 COL=1066 EOT=1068 EPI=1069 FRQ=1071 FUL=1072 JWN=1025 MOM=1027 LUT=1028 MET=1073 NAZ=1075 ORT=1036 PEN=1038 PRE=1076 PRO=1077 PRC=1078 QUA=1071 REC=1079 CAT=1041 SAA=1080 SEV=1001 UCC=1082 UNI=1052 UNU=1081 CNF=1014 DOC=1067 HSH=1020 HVA=1020 HOT=1020 JAI=1024 MOS=1023 MSH=1045 MSU=1049 NAM=1074 SHN=1046 SIK=1047 SPI=1048',
);
export const ETHNIC_GROUP = plainTable('0189');
export const CITIZENSHIP = plainTable('0171');
export const NATIONALITY = plainTable('0212');
export const IDENTIFIER_TYPE = plainTable('0203');
export const SUBSTITUTION = plainTable('0161');
/** The six rows of the official map; SNOMED CT, which the UK needs, stands beside them. */
export const ROUTE = compileTable(
  '0162',
  ['v3-RouteOfAdministration'],
  'ID=IDINJ IM=IM IV=IVINJ PO=PO SC=SQ TD=TRNSDERM',
);
export const ROUTE_SNOMED = compileTable(
  '0162',
  [SNOMED],
  'PO=26643006 IV=47625008 IM=78421000 SC=34206005 SL=37839007 PR=37161004 VG=16857009 TOP=6064005 TP=6064005 IH=447694001 NS=46713006 IN=46713006 NG=127492001 BUC=54471007 B=54471007 OP=54485002 OT=10547007 ID=372464004 TD=45890007 EP=404820008 IT=72607000',
);
export const BODY_SITE = plainTable('0550');
export const ADMINISTRATION_METHOD = compileTable(
  '0165',
  [SNOMED],
  'CH=419747000 DI=421682005 IS=421257003 SH=420606003 WA=422152000',
);

/** Codes that v3 has too; the others stay of the table. */
export const INTERPRETATION = compileTable(
  '0078',
  ['v3-ObservationInterpretation'],
  '<=< >=> A=A AA=AA B=B CAR=CAR D=D DET=DET E=E EX=EX EXP=EXP H=H HH=HH HU=HU I=I IE=IE IND=IND L=L LL=LL LU=LU MS=MS N=N NCL=NCL ND=ND NEG=NEG NR=NR NS=NS POS=POS R=R RR=RR S=S SDD=SDD SYN-R=SYN-R SYN-S=SYN-S U=U UNE=UNE VS=VS W=W WR=WR',
);
export const OBSERVATION_METHOD = plainTable('0936');
export const DIAGNOSTIC_SERVICE = plainTable('0074');
export const SPECIMEN_TYPE = plainTable('0487');
export const APPOINTMENT_REASON = compileTable(
  '0276',
  [SNOMED],
  'ROUTINE=3780001 CHECKUP=866149003 FOLLOWUP=185389009 EMERGENCY=373110003',
);
export const APPOINTMENT_TYPE = plainTable('0277');
export const DOCUMENT_TYPE = plainTable('0270');
export const DOCUMENT_CONFIDENTIALITY = compileTable('0272', ['v3-Confidentiality'], 'R=R U=U V=V');
export const DISPENSE_TYPE = plainTable('0484');
export const SUBSTITUTION_DONE = plainTable('0167');
export const ACCOUNT_TYPE = plainTable('0064');
export const CHARGE_CODE = plainTable('0132');

/** Codes of required bindings: one code, no system. */
const compileCodes = (text: string): ReadonlyMap<string, string> =>
  new Map(text.split(/\s+/).map((row) => row.split('=', 2) as [string, string]));

/** Table 0001, and the numbers of the NHS Data Dictionary. */
export const SEX = compileCodes(
  'F=female M=male O=other A=other N=other U=unknown 1=male 2=female 0=unknown 9=unknown I=other',
);
export const NAME_USE = compileCodes(
  'L=official R=official D=usual M=maiden N=nickname TEMP=temp NAV=temp MSK=anonymous BAD=old NOUSE=old',
);
export const ADDRESS_USE = compileCodes('H=home B=work O=work C=temp HV=temp BA=old BI=billing');
export const ADDRESS_TYPE = compileCodes('M=postal SH=postal');
export const TELECOM_USE = compileCodes('PRN=home WPN=work PRS=mobile VHN=home ORN=home');
export const TELECOM_SYSTEM = compileCodes(
  'PH=phone FX=fax BP=pager CP=phone MD=other TDD=other TTY=other SAT=phone Internet=email X.400=email',
);
export const ALLERGY_CATEGORY = compileCodes(
  'DA=medication FA=food EA=environment PA=environment LA=environment AA=biologic',
);
export const ALLERGY_SEVERITY = compileCodes('SV=severe MO=moderate MI=mild');
export const REQUEST_PRIORITY = compileCodes('S=stat A=asap R=routine');
/** https://hl7.org/fhir/R4/valueset-subscriber-relationship.html */
export const SUBSCRIBER_RELATIONSHIP = compileCodes(
  'SEL=self SPO=spouse DOM=common CHD=child NCH=child SCH=child FCH=child PAR=parent MTH=parent FTH=parent',
);

/** Table 0085. */
export const OBSERVATION_STATUS = compileCodes(
  'F=final P=preliminary C=corrected A=amended X=cancelled D=entered-in-error W=entered-in-error R=registered I=registered S=registered O=registered B=final V=final U=final N=final',
);
/** Table 0123; Y and Z are refused elsewhere, as nobody knows whose they are. */
export const REPORT_STATUS = compileCodes(
  'O=registered I=registered S=registered P=preliminary N=preliminary R=partial A=partial C=corrected M=corrected F=final X=cancelled',
);
/** Table 0278, and words seen for its codes, in upper case. */
export const FILLER_STATUS = compileCodes(
  'PENDING=pending WAITLIST=waitlist BOOKED=booked SCHEDULED=booked CONFIRMED=booked OVERBOOK=booked STARTED=checked-in ARRIVED=arrived COMPLETE=fulfilled COMPLETED=fulfilled CANCELLED=cancelled CANCELED=cancelled DC=cancelled DISCONTINUED=cancelled DELETED=entered-in-error NOSHOW=noshow NO-SHOW=noshow',
);
/** Table 0271. */
export const DOCUMENT_STATUS = compileCodes(
  'AU=final LA=final DI=preliminary DO=preliminary IP=preliminary IN=preliminary PA=preliminary',
);

/** Table 0396 and names seen for its entries, in upper case. */
const CODE_SYSTEMS = new Map<string, string>(
  [
    'LN http://loinc.org',
    'SCT SNOMED SNOMED-CT SNOMEDCT SCT2 99DMD DMD DM+D http://snomed.info/sct',
    'RXNORM RXN http://www.nlm.nih.gov/research/umls/rxnorm',
    'UCUM http://unitsofmeasure.org',
    'ISO+ ANS+ http://terminology.hl7.org/CodeSystem/v2-iso-plus',
    'I10 ICD10 ICD-10 http://hl7.org/fhir/sid/icd-10',
    'I10C ICD-10-CM http://hl7.org/fhir/sid/icd-10-cm',
    'I9 I9C ICD9 http://hl7.org/fhir/sid/icd-9-cm',
    'I10P http://www.cms.gov/Medicare/Coding/ICD10',
    'OPCS4 OPCS-4 https://fhir.hl7.org.uk/Id/opcs-4',
    'NDC http://hl7.org/fhir/sid/ndc',
    'CVX http://hl7.org/fhir/sid/cvx',
    'MVX http://terminology.hl7.org/CodeSystem/MVX',
    'C4 CPT CPTM http://www.ama-assn.org/go/cpt',
    'HCPCS HPC http://terminology.hl7.org/CodeSystem/HCPCS',
    'ATC WC http://www.whocc.no/atc',
    'DCM http://dicom.nema.org/resources/ontology/DCM',
    'MDC urn:iso:std:iso:11073:10101',
    'IC2 ICPC http://hl7.org/fhir/sid/icpc-2',
    'NCI NCIT http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl',
    'ISO3166_1 ISO3166-1 urn:iso:std:iso:3166',
    'ISO639 ISO639-1 urn:ietf:bcp:47',
    'CDCREC urn:oid:2.16.840.1.113883.6.238',
    'UNII http://fdasis.nlm.nih.gov',
    'FDDC http://terminology.hl7.org/CodeSystem/FDDC',
    'READ READ2 RCTV2 http://read.info/readv2',
    'CTV3 http://read.info/ctv3',
    'EMIS https://fhir.hl7.org.uk/Id/emis-drug-codes',
  ].flatMap((row) => {
    const words = row.split(' ');
    const url = words.pop() as string;
    return words.map((name): [string, string] => [name, url]);
  }),
);

/** The URI of a coding system named as in table 0396, or by its URI; undefined for local and unknown names. */
export function codeSystemUri(name: string): string | undefined {
  const upper = name.toUpperCase();
  const [, number] = /^(?:HL7|V2-?)(\d{4})$/.exec(upper) ?? [];
  if (number !== undefined) return tableUrl(number);
  return CODE_SYSTEMS.get(upper) ?? (/^(?:https?:\/\/|urn:)\S+$/.test(name) ? name : undefined);
}

const SYSTEM_NAMES = new Map([...CODE_SYSTEMS].toReversed().map(([name, url]) => [url, name]));

/** The way back: `SCT`, `HL70203`, a sender's own name; the URI itself where there is no name. */
export function codeSystemName(uri: string): string {
  const [, number] = /\/CodeSystem\/v2-(\d{4})$/.exec(uri) ?? [];
  if (number !== undefined) return `HL7${number}`;
  const [, local] = /^urn:v2:[^:]*:(.+)$/.exec(uri) ?? [];
  return SYSTEM_NAMES.get(uri) ?? local ?? uri;
}

/** The code of a table that stands for a coding of FHIR; the first, where several do. */
export function reverseTable({ targets }: CodeTable, coding: Readonly<Record<string, unknown>>): string | undefined {
  for (const [code, target] of targets)
    if (target.code === coding['code'] && target.system === coding['system']) return code;
  return undefined;
}

/** The first code that means this, of a required binding. */
export function reverseCode(codes: ReadonlyMap<string, string>, value: unknown): string | undefined {
  for (const [code, target] of codes) if (target === value) return code;
  return undefined;
}
