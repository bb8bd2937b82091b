/** Rights that are not about resources of a type, and who has them. SECURITY C1; MISSION M7 */
import type { Role } from '../ports/caller.ts';

/** Roles that a person may have; `SYSTEM` is nobody's. */
export const PERSON_ROLES: readonly Role[] = [
  'PATIENT',
  'DOCTOR',
  'PRESCRIBER',
  'PHARMACIST',
  'RECEPTIONIST',
  'STAFF',
  'OPS_AGENT',
  'OPS_MANAGER',
  'ADMIN',
];

export const RIGHTS: Readonly<Record<string, readonly Role[]>> = {
  'admin:users': ['ADMIN'],
  'admin:clients': ['ADMIN'],
  'admin:keys': ['ADMIN'],
  'admin:configuration': ['ADMIN'],
  /** Setting and removing labels of `meta.security`. SECURITY AZ-06 */
  'labels:write': ['ADMIN'],
  /** Writing down what patients consent to, and what they deny. SECURITY FA-06 */
  'consents:record': ['RECEPTIONIST'],
  'audit:read': ['ADMIN'],
  'audit:own': ['PATIENT'],
  'break-glass': ['DOCTOR', 'PRESCRIBER'],
  'break-glass:review': ['ADMIN', 'OPS_MANAGER'],
  /** States, kinds and codes of messages and jobs; no content. */
  'messages:list': ['OPS_AGENT', 'OPS_MANAGER', 'ADMIN'],
  'messages:content': ['OPS_MANAGER'],
  'messages:replay': ['OPS_AGENT', 'OPS_MANAGER'],
  'messages:correct': ['OPS_MANAGER'],
  /** `$process-message` and the doors of the dialects. */
  'messages:send': [],
  /** Putting SCRIPT messages into the mailboxes of partners. MISSION M5 */
  'script:send': ['DOCTOR', 'PRESCRIBER', 'PHARMACIST'],
  /** The daily report on controlled substances. 21 CFR 1311.150 */
  'epcs:report': ['OPS_MANAGER', 'ADMIN'],
  'jobs:read': ['OPS_AGENT', 'OPS_MANAGER', 'ADMIN'],
  'jobs:replay': ['OPS_AGENT', 'OPS_MANAGER'],
  /** Placing and lifting legal holds, each with a second person. SECURITY DP-02 */
  'holds:manage': ['ADMIN'],
  /** Asking for the erasure of a patient's record, and approving what somebody else asked for. SECURITY DP-04 */
  'erasures:manage': ['ADMIN'],
  'retention:read': ['ADMIN'],
  /** Copies of records: of one's own, and on a patient's behalf. SECURITY DP-03 */
  'subject-access:own': ['PATIENT'],
  'subject-access:others': ['ADMIN'],
  /** Stopping the processing of a patient's data, and letting it go on. SECURITY DP-05 */
  'restrictions:manage': ['ADMIN'],
  /** Saying that something in one's record is wrong, and answering those who do. SECURITY DP-05 */
  'rectifications:ask': ['PATIENT'],
  'rectifications:answer': ['ADMIN', 'DOCTOR', 'PRESCRIBER'],
  /** Sending prescriptions to the Spine, and cancelling them. MISSION M3 */
  'eps:prescribe': ['DOCTOR', 'PRESCRIBER'],
  /** Releases, notifications, claims, returns and withdrawals. */
  'eps:dispense': ['PHARMACIST'],
  /** Asking the Spine where prescriptions are. */
  'eps:track': ['DOCTOR', 'PRESCRIBER', 'PHARMACIST'],
  /** Claims to insurers and copay programmes, and taking them back. MISSION M5, M11 */
  'claims:adjudicate': ['PHARMACIST'],
  /** The scopes of the same names: a patient's own requests, prescriptions and medicines. MISSION M9 */
  'prescription:read': ['PATIENT'],
  'prescription:write': ['PATIENT'],
  /** Finding pharmacies, and nominating one. MISSION M9 */
  'pharmacy:read': ['PATIENT', 'DOCTOR', 'PRESCRIBER', 'PHARMACIST', 'RECEPTIONIST', 'STAFF'],
  'pharmacy:nominate': ['PATIENT'],
  /** Looking medicines up in the catalogue. MISSION M9 */
  'medicines:read': ['PATIENT', 'DOCTOR', 'PRESCRIBER', 'PHARMACIST', 'RECEPTIONIST', 'STAFF'],
  /** The worklist of a practice: what patients asked for. */
  'prescriptions:review': ['DOCTOR', 'PRESCRIBER', 'PHARMACIST', 'RECEPTIONIST'],
  /** A pharmacist's word on a request, before the prescriber's. */
  'prescriptions:triage': ['DOCTOR', 'PRESCRIBER', 'PHARMACIST'],
  /** Approving requests, and issuing prescriptions. */
  'prescriptions:decide': ['DOCTOR', 'PRESCRIBER'],
  /** What a pharmacy is told of a token that it is shown. MISSION M10 */
  'prescriptions:verify': ['PHARMACIST'],
  /** Handing medicines over, once. */
  'prescriptions:dispense': ['PHARMACIST'],
  /** A pharmacy's own queue and its figures. */
  'pharmacy:queue': ['PHARMACIST'],
  /** Its controlled drugs register. */
  'pharmacy:register': ['PHARMACIST'],
  /** What oneself is told, and how. MISSION M13 */
  'notifications:own': PERSON_ROLES,
  /** Finding patients and looking at their charts in the workflow APIs. MISSION M9, seed 001 */
  'patients:look-up': ['DOCTOR', 'PRESCRIBER'],
  /** Translation and checking, which look at nothing that is stored. */
  convert: ['DOCTOR', 'PRESCRIBER', 'PHARMACIST', 'OPS_AGENT', 'OPS_MANAGER', 'ADMIN'],
};
