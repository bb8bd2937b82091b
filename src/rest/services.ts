/** What the handlers are given. Built once by `server.ts`. */
import type { AuditLog } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { CustomParameterDesk } from '../ports/custom-parameters.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog } from '../ports/message-log.ts';
import type { Policy } from '../ports/policy.ts';
import type { Resource, ResourceStore } from '../ports/resource-store.ts';
import type { OfficialTerminology } from '../ports/terminology.ts';
import type { Definitions } from '../standards/fhir/definitions.ts';
import type { Issue } from '../standards/fhir/outcome.ts';
import type { ApplyPathPatch } from '../standards/fhir/path-patch/apply.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import type { SearchParameters } from '../standards/fhir/search/parameter.ts';
import type { FhirXmlReader } from '../standards/fhir/xml/read.ts';
import type { FhirXmlWriter } from '../standards/fhir/xml/write.ts';
import type { ClaimDesk } from '../workflow/adjudication/desk.ts';
import type { JudgePrescriptions } from '../workflow/eps/check-signatures.ts';
import type { EpsDesk } from '../workflow/eps/desk.ts';
import type { SubscriptionDesk } from '../workflow/subscriptions/desk.ts';
import type { AsyncDesk } from './async-desk.ts';
import type { FhirAnswer, FhirRequest } from './exchange.ts';
import type { BulkDesk } from './operations/export.ts';

export interface RestSettings {
  /** `http://127.0.0.1:8080/fhir/R4`; every link, Location and fullUrl starts with it. */
  readonly baseUrl: string;
  readonly searchHandling: 'strict' | 'lenient';
  /** Most that one conditional delete deletes: 1 unless it may delete several. */
  readonly conditionalDeleteMax: number;
  readonly pageSizeDefault: number;
  readonly pageSizeMax: number;
  readonly bodyBytesMax: number;
  readonly bundleBytesMax: number;
  readonly importBytesMax: number;
  readonly bundleEntriesMax: number;
  /** IANA name of the zone in which HL7 v2 times without an offset are read. */
  readonly messageTimeZone: string;
  readonly epsToAsid: string;
  readonly isProduction: boolean;
  /** Whether `$graphql` answers questions about its schema. SECURITY CP-16 */
  readonly isGraphqlSchemaShown?: boolean;
  readonly softwareVersion: string;
  /** Endpoints of the authorisation server: `authorize`, `token` … SECURITY SD-07 */
  readonly oauthUris?: Readonly<Record<string, string>>;
}

export interface Services {
  readonly store: ResourceStore;
  /** The same without entries of the trail: whoever reads it records one for all that they read, by `audit`. */
  readonly unaudited: Pick<ResourceStore, 'read' | 'search' | 'metas'>;
  readonly audit: AuditLog;
  readonly messages: MessageLog;
  /** For handlers whose content decides which right it needs; the route's own is asked before. */
  readonly policy: Policy;
  /** Where a Spine is configured. */
  readonly eps?: EpsDesk;
  /** Where a payer is configured. */
  readonly claims?: ClaimDesk;
  /** Where posted search parameters stand. */
  readonly customParameters?: CustomParameterDesk;
  /** Who takes much at once. */
  readonly bulk?: BulkDesk;
  /** Who is told of changes. */
  readonly subscriptions?: SubscriptionDesk;
  /** Where authorities of signers are configured. */
  readonly judgePrescriptions?: JudgePrescriptions;
  /** Requests that are answered later, where there are jobs. */
  readonly later?: AsyncDesk;
  readonly definitions: Definitions;
  readonly parameters: SearchParameters;
  /** What refuses a resource. */
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  /** The same, with warnings and what is worth knowing. */
  readonly examine: (resource: unknown, expectedType?: string, profiles?: readonly string[]) => readonly Issue[];
  /** Structure alone: for a bundle without its resources. */
  readonly validateStructure: (resource: unknown, expectedType?: string) => readonly Issue[];
  /** Which profiles are known here. */
  readonly profiles: { find(canonical: string): object | undefined; faultOf(canonical: string): string | undefined };
  /** `_summary` and `_elements` on one resource. */
  readonly subset: (resource: Resource, options: Subset) => Resource;
  /** FHIR XML, which is read to what JSON would be and written from it. */
  readonly xml: { readonly read: FhirXmlReader; readonly write: FhirXmlWriter };
  /** Code systems, value sets and maps that R4 publishes. */
  readonly terminology: OfficialTerminology;
  readonly applyPathPatch: ApplyPathPatch;
  /** Replaces references; returns the same resource when nothing changes. */
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
  readonly settings: RestSettings;
  /**
   * The published CapabilityStatement with the custom parameters of the moment, without what else is one server's own; the
   * same object while nothing changes.
   */
  readonly capability: () => Readonly<Record<string, unknown>>;
  readonly now: Clock;
  readonly log: Log;
}

export interface Subset {
  readonly summary?: 'true' | 'text' | 'data' | 'count' | 'false';
  readonly elements?: readonly string[];
}

export type Handler = (services: Services, request: FhirRequest) => Promise<FhirAnswer> | FhirAnswer;
