/** What the routes of pharmacies are made from. MISSION M10 */
import type { AuditLog } from '../../ports/audit.ts';
import type { DispenseQueue } from '../../ports/dispense-queue.ts';
import type { ControlledRegister, TokenAttempts } from '../../ports/dispensing.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Policy } from '../../ports/policy.ts';
import type { PrescriptionKeys } from '../../ports/prescription-keys.ts';
import type { PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import type { CollectionDesk } from '../../workflow/dispensing/collection-code.ts';
import type { Pharmacies } from '../../workflow/dispensing/pharmacies.ts';
import type { PhotoRules } from '../../workflow/dispensing/photo.ts';
import type { RateLimits } from '../rate-limit.ts';

export interface DispensingParts {
  /** Audited. */
  readonly store: ResourceStore;
  /** Not audited: what is shown of it the routes tell themselves. */
  readonly visible: Pick<ResourceStore, 'search'>;
  /** Not audited: for looking tokens up, and photos. */
  readonly plain: Pick<ResourceStore, 'search' | 'read'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tokens: PrescriptionTokens;
  readonly keys: PrescriptionKeys;
  readonly pharmacies: Pharmacies;
  readonly queue: DispenseQueue;
  readonly policy: Pick<Policy, 'filterFor'>;
  readonly attempts: TokenAttempts;
  readonly register: ControlledRegister;
  readonly collection: CollectionDesk;
  readonly photos: PhotoRules;
  readonly limits: RateLimits;
  readonly audit: AuditLog;
  /** How clients reach the server, and the issuer of tokens. */
  readonly url: string;
  readonly identityTypes: readonly string[];
  /** Zone in which days begin. */
  readonly timeZone: string;
  /** What else is to be done of an order that was dispensed. */
  readonly jobsOf?: (order: Readonly<Record<string, unknown>>, taskId: string) => readonly NewJob[];
  readonly now: () => number;
}

const text = (maxLength: number, more: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  ...more,
});

/** `PHB-PH-000123`, an ODS code. */
export const PHARMACY_CODE = text(64);
export const TOKEN_ID = {
  type: 'string',
  pattern: '^PHB-RX-[0-9]{8}$',
  description: 'the number of a prescription',
  examples: ['PHB-RX-12345678'],
};
/** As the patient has it from the text message. */
export const COLLECTION_CODE = {
  type: 'string',
  pattern: '^[0-9]{6}$',
  description: 'a code of six digits',
  examples: ['012345'],
};
/** A text that says something. */
export const SAID = (maxLength: number, example: string): JsonSchema =>
  text(maxLength, { pattern: '\\S', description: 'a text that is not blank,', examples: [example] });
export const TEXT = text;
