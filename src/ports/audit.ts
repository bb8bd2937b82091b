/** The audit trail. `src/postgres/audit/` implements it. SECURITY D; DESIGN 6a. */
import type { Caller } from './caller.ts';

/** What happened: RESTful interactions by their FHIR names, and security events. */
export type AuditKind =
  | 'create'
  | 'read'
  | 'vread'
  | 'update'
  | 'patch'
  | 'delete'
  | 'search'
  | 'history'
  | 'operation'
  | 'export'
  | 'import'
  | 'message-in'
  | 'message-out'
  | 'login'
  | 'logout'
  | 'mfa'
  | 'token'
  | 'token-revoked'
  | 'token-reuse'
  | 'consent'
  | 'break-glass'
  | 'configuration'
  | 'user'
  | 'client'
  | 'key'
  | 'audit-read'
  | 'signature'
  | 'verification'
  | 'dispense'
  | 'start'
  | 'stop'
  /** No credentials, wrong ones, or a request that no rule allows and that reached no resource. */
  | 'access-refused'
  /** Somebody looked at a record that is close to them, or at one that is guarded: for whoever reviews. */
  | 'alert';

export interface AuditTarget {
  readonly type: string;
  readonly id: string;
  readonly versionId?: number;
  /** `pat` of the row: the patient's rid as a decimal. */
  readonly patientRid?: string;
}

export interface AuditEvent {
  readonly kind: AuditKind;
  readonly caller: Caller;
  /** 0 success, 4 the client's fault or refused, 8 the server's fault, 12 a major one. */
  readonly outcome: 0 | 4 | 8 | 12;
  /** The rule that refused, or a short code of what happened; no patient's value. */
  readonly rule?: string;
  /** Operation's name, of `operation`. */
  readonly operation?: string;
  readonly targets?: readonly AuditTarget[];
  /** Resource type of a search, or of what has no target. */
  readonly type?: string;
  /** Patients whose data a search or a history showed: their rids as decimals. */
  readonly patientRids?: readonly string[];
  /** The same by their ids. */
  readonly patientIds?: readonly string[];
  /** The raw request, `Patient?name=x`. Kept encrypted: it may name a person. */
  readonly query?: string;
  /** Patient's id of the launch context or of the search, when no target says it. */
  readonly patientId?: string;
  /** Codes and ids only. */
  readonly detail?: Readonly<Record<string, string>>;
}

export interface AuditLog {
  /** Resolves when the event is durable; rejects when it cannot be written: then the request fails with 503 (AU-06). */
  record(event: AuditEvent): Promise<void>;
}

/** Signs what leaves the machine: checkpoints and tombstones. SECURITY AU-08, KS-03 */
export interface CheckpointKey {
  /** Of the key that signs now. */
  readonly keyId: string;
  sign(bytes: Buffer): Buffer;
  /** False for a key that is not known. */
  verify(keyId: string, bytes: Buffer, signature: Buffer): boolean;
}

/** What somebody should look at soon. SECURITY AU-14 */
export interface AuditAlert {
  readonly rule:
    | 'token-reuse'
    | 'break-glass'
    | 'bulk-reading'
    | 'own-record'
    | 'family-record'
    | 'vip-record'
    | 'verification-failures'
    | 'collection-code-waived'
    | 'chain-break'
    | 'audit-sink-down';
  /** Whom it is about, by an id; never a person's name. */
  readonly subject: string;
  /** ms UTC */
  readonly at: number;
  readonly correlationId?: string;
  readonly count?: number;
}

/** What makes a record one that somebody had better not look at without need. SECURITY FA-08 */
export type Closeness = 'own-record' | 'family-record' | 'vip-record';

/** Which entries of the trail are asked for. */
export interface TrailQuery {
  /** ms UTC, inclusive. */
  readonly from?: number;
  /** ms UTC, exclusive. */
  readonly until?: number;
  readonly kinds?: readonly string[];
  readonly outcome?: number;
  readonly type?: string;
  /** Of a resource of `type`. */
  readonly id?: string;
  readonly patientId?: string;
  readonly userId?: string;
  /** `Practitioner/1` */
  readonly fhirUser?: string;
  readonly clientId?: string;
}

/** One entry for people who examine the trail. */
export interface AuditRow {
  readonly id: string;
  /** ms UTC */
  readonly at: number;
  readonly kind: string;
  readonly outcome: number;
  readonly callerKind: string;
  readonly caller: string;
  readonly userId?: string;
  readonly userName?: string;
  readonly roles?: readonly string[];
  readonly fhirUser?: string;
  readonly clientId?: string;
  readonly type?: string;
  readonly target?: string;
  readonly patientIds: readonly string[];
  readonly query?: string;
  readonly rule?: string;
  readonly operation?: string;
  readonly purpose?: string;
  readonly address?: string;
  readonly correlationId?: string;
}

export interface AuditRowPage {
  readonly rows: readonly AuditRow[];
  readonly next?: string;
}

/** What a patient learns of one look at their record. SECURITY AU-13 */
export interface RecordVisit {
  /** ms UTC */
  readonly at: number;
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  readonly name: string;
  readonly roles: readonly string[];
  readonly organizationIds: readonly string[];
  readonly purpose?: string;
}

/** The trail as people read it, newest first. */
export interface AuditRows {
  list(query: TrailQuery, count: number, cursor?: string): Promise<AuditRowPage>;
  entriesOfPatient(
    patientId: string,
    count: number,
    cursor?: string,
  ): Promise<{ readonly visits: readonly RecordVisit[]; readonly next?: string }>;
}
