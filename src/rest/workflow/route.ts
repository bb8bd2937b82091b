/**
 * Routes of the workflow APIs: one table from which requests are routed and checked, and the OpenAPI document is made.
 * MISSION M9, M10, principle 3; SECURITY AZ-01, AU-01
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { AuditKind } from '../../ports/audit.ts';
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { StoreTransaction } from '../../ports/resource-store.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import type { PersonAnswer } from '../person-api.ts';

export interface WorkflowCall {
  /** With what `prescription:read` and the like stand for (`policy/workflow-scopes.ts`). */
  readonly caller: Caller;
  /** Throws 403 where no person asks. */
  readonly person: () => CallerUser;
  /** What the path's `:names` stand for. */
  readonly path: Readonly<Record<string, string>>;
  /** As the route's schema reads it: numbers and booleans are such. */
  readonly query: Readonly<Record<string, unknown>>;
  /** As the route's schema describes it; an empty object where there is no body. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly may: (right: string) => boolean;
  /** Address of the peer, behind trusted proxies as well. */
  readonly address: string;
  /**
   * Keeps the answer under the request's `Idempotency-Key` in the transaction that does the work, so that the same request
   * gets the same answer and is done once. Does nothing where there is no key. SECURITY RX-05
   */
  readonly keep: (tx: Pick<StoreTransaction, 'requestAnswers'>, answer: WorkflowAnswer) => Promise<void>;
}

/** A request whose body says who asks. */
export interface SignedRequest {
  readonly path: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** As they came. */
  readonly bytes: Buffer;
  readonly address: string;
}

export interface WorkflowAnswer extends PersonAnswer {
  /** What the trail is told beside: a short code of what happened, where there is more to tell than that it was done. */
  readonly rule?: string;
  /** What the trail is told beside: the type that was searched, by which words, and whose data was found. SECURITY AU-03 */
  readonly searched?: { readonly type: string; readonly query: string; readonly patientIds: readonly string[] };
}

export interface WorkflowRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/api/things/:id`; also answers with a closing slash. A route without names in a place goes before one with. */
  readonly path: string;
  /** One line for the document. */
  readonly summary: string;
  /** Which part of the document it stands in. */
  readonly tag: string;
  /** Any of these; `anonymous`: no token is needed, and one that is sent is looked at. */
  readonly rights: readonly string[] | 'anonymous';
  /**
   * Instead of by a token it is known by a signature who asks; tokens are not looked at. Its `webhook-id` is the key under
   * which the answer is kept. Throws 401. SECURITY IN-43
   */
  readonly signedBy?: (request: SignedRequest) => Promise<Caller>;
  /** Needs proof of who asks that is not older than five minutes. */
  readonly stepUp?: true;
  readonly kind: AuditKind;
  /** What the trail calls it. */
  readonly told: string;
  /** Nothing is written to the trail for an answer: it says nothing of anybody. */
  readonly isUntold?: true;
  readonly request?: {
    /** An object schema; properties that are numbers or booleans are read as such. */
    readonly query?: JsonSchema;
    /** An object schema. */
    readonly body?: JsonSchema;
    readonly bodyBytesMax?: number;
    /** Whatever is sent is not looked at: a form of somebody else's making. */
    readonly isBodyIgnored?: true;
  };
  readonly answers: Readonly<
    Record<number, { readonly about: string; readonly schema?: JsonSchema; readonly mediaType?: string }>
  >;
  /** Codes of problems that are this route's own. */
  readonly problems?: readonly string[];
  readonly handle: (call: WorkflowCall) => Promise<WorkflowAnswer>;
}
