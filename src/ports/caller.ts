import type { ResourceScope } from '../standards/smart/scope.ts';

/** Roles of people and of the system itself. MISSION M7; SECURITY C1. */
export type Role =
  | 'PATIENT'
  | 'DOCTOR'
  | 'PRESCRIBER'
  | 'PHARMACIST'
  | 'RECEPTIONIST'
  | 'STAFF'
  | 'OPS_AGENT'
  | 'OPS_MANAGER'
  | 'ADMIN'
  | 'SYSTEM';

/** What an identity provider of the NHS vouched for when the session began. SECURITY NH-05, NH-07, NH-08 */
export interface NhsActor {
  readonly provider: 'cis2' | 'nhs-login';
  /** SDS user id of a member of staff. */
  readonly sdsUserId?: string;
  /** Role profiles that the session acts in: SDS role profile id, ODS code of its organisation, job role. */
  readonly roles: readonly { readonly id: string; readonly odsCode: string; readonly roleCode: string }[];
  /** How well a citizen's identity is proved: P9 may reach a record, P5 only ask for things. */
  readonly proofing?: 'P5' | 'P9';
}

/** By whom somebody may act for a patient, should a Consent of the patient permit it. SECURITY FA-09 */
export interface ProxyRight {
  readonly relatedPersonId: string;
  readonly patientId: string;
  /** ms UTC; `until` is the first moment after. */
  readonly from: number;
  readonly until: number;
  /** From then on it takes a Consent that the patient gave themselves; absent: never. ms UTC */
  readonly adultAt?: number;
}

/** The person on whose behalf a request is made. */
export interface CallerUser {
  readonly id: string;
  /** For the audit trail and for pages; never for a log. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** Relative reference of the person's own resource: `Practitioner/1`, `Patient/2`. */
  readonly fhirUser?: string;
  readonly practitionerId?: string;
  /** PractitionerRole resources of the person. */
  readonly practitionerRoleIds: readonly string[];
  /** Organizations of the role that is acted in, with those below them (`partOf`). SECURITY FA-02. */
  readonly organizationIds: readonly string[];
  /** Patients whose records are the person's own. */
  readonly patientIds: readonly string[];
  /** Patients whose records are open to the person in an emergency. SECURITY FA-04 */
  readonly emergencyPatientIds?: readonly string[];
  /** Those of them for whom law is the reason, so that no Consent keeps anything back. SECURITY FA-06 */
  readonly lawfulPatientIds?: readonly string[];
  /** For whom else they act. */
  readonly proxies?: readonly ProxyRight[];
  /** When the person last proved who they are, ms UTC; for step-up (LG-12). */
  readonly authTime: number;
  /** Ways in which they did: `pwd`, `otp`, `hwk` (RFC 8176). */
  readonly amr: readonly string[];
  /** Where the session is one of an identity provider of the NHS. */
  readonly nhs?: NhsActor;
  /** The session in which the person acts, for looking them up again. */
  readonly sessionId?: string;
}

/** Who asks. The first argument of every store and use-case function, so that an unchecked path does not compile. */
export interface Caller {
  /**
   * user: a person through an app or a session; client: a program for itself (backend services, the operator's commands);
   * partner: another system at a gateway; service: a part of Mortar itself; anonymous: nobody yet.
   */
  readonly kind: 'user' | 'client' | 'partner' | 'service' | 'anonymous';
  /** Stable name for logs and the change table; never a person's name: a client id, an Endpoint's id, `jobs`. */
  readonly name: string;
  /** Joins log lines, messages and jobs of one request. */
  readonly correlationId: string;
  /** What was granted; a right that no scope names does not exist. SECURITY SC-06. */
  readonly scopes: readonly ResourceScope[];
  /** Scopes that are not about resources: `openid`, `prescription:read`. */
  readonly otherScopes: readonly string[];
  readonly user?: CallerUser;
  /** Launch context of the token: an id of a Patient. */
  readonly patientId?: string;
  readonly encounterId?: string;
  readonly clientId?: string;
  /** The grant that the token hangs on; what ends it ends everything that was set up with it. */
  readonly grantId?: string;
  /** What the token is known by in the audit trail; never the token. */
  readonly tokenId?: string;
  /** Of a partner whom its certificate has named: an id of an Organization. SECURITY PK-09 */
  readonly organizationId?: string;
  /** Why: a code of v3-PurposeOfUse, such as `TREAT`. */
  readonly purpose?: string;
  /** Address of the peer. */
  readonly address?: string;
}
