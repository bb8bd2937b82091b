/** What the renderer of AuditEvents is given. */

/** The kinds of event that Mortar records; `src/ports/audit.ts` says the same of what is recorded. */
export interface AuditRecord {
  /** Id of the AuditEvent; one for each patient when there are several. */
  readonly id: string;
  /** ms UTC */
  readonly at: number;
  readonly kind: string;
  readonly outcome: number;
  readonly agent: AuditAgent;
  readonly rule?: string;
  readonly operation?: string;
  readonly correlationId?: string;
  readonly address?: string;
  readonly tokenId?: string;
  /** Code of v3-ActReason. */
  readonly purpose?: string;
  /** Resource type of a search. */
  readonly type?: string;
  readonly target?: { readonly type: string; readonly id: string; readonly versionId?: number };
  /** More than one: a page that showed several patients. */
  readonly patientIds: readonly string[];
  /** The request as it came: `Patient?name=x`. */
  readonly query?: string;
  readonly detail?: Readonly<Record<string, string>>;
  /** References of what an operation touched. */
  readonly targets?: readonly string[];
}

export interface AuditAgent {
  readonly kind: string;
  readonly name: string;
  readonly clientId?: string;
  readonly user?: {
    readonly id: string;
    readonly name: string;
    readonly roles: readonly string[];
    readonly fhirUser?: string;
    readonly organizationIds: readonly string[];
  };
}

/** Who renders: the server agent and the source of every event. */
export interface AuditServer {
  readonly name: string;
  /** `http://127.0.0.1:8080/fhir/R4` */
  readonly baseUrl: string;
}
