/** What the authorisation endpoint is built from. */
import type { IncomingMessage } from 'node:http';
import type { AuthorizationRequests } from '../../ports/authorization-requests.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clients } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import type { Log } from '../../ports/log.ts';
import type { Policy } from '../../ports/policy.ts';
import type { SigningKeys } from '../../ports/signing-keys.ts';
import type { User, Users } from '../../ports/users.ts';
import type { Lifetimes } from '../oauth/issue-tokens.ts';
import type { OAuth } from '../oauth/oauth.ts';
import type { PeopleSessions } from '../people/sessions.ts';

/** A patient as a person recognises them. */
export interface PatientSummary {
  readonly id: string;
  readonly name: string;
  /** FHIR date. */
  readonly birthDate?: string;
  readonly nhsNumber?: string;
}

export interface PatientPage {
  readonly patients: readonly PatientSummary[];
  /** Where the next page begins. */
  readonly next?: string;
}

export interface EncounterSummary {
  readonly id: string;
  /** What it was: `Outpatient visit`. */
  readonly label: string;
  /** When, for people. */
  readonly period?: string;
}

/** The records that a person may see, with the person's own rights and no more. SECURITY SL-08 */
export interface Records {
  /** Those whose name or NHS number fits the text; with an empty one, whoever comes first. */
  searchPatients(user: User, text: string, cursor?: string): Promise<PatientPage>;
  /** Undefined when there is none, or the person may not see it. */
  findPatient(user: User, id: string): Promise<PatientSummary | undefined>;
  /** Newest first, at most some dozens. */
  findEncounters(user: User, patientId: string): Promise<readonly EncounterSummary[]>;
  /** Undefined when the patient has no such encounter, or the person may not see it. */
  findEncounter(user: User, patientId: string, id: string): Promise<EncounterSummary | undefined>;
}

export interface AuthorizeOptions {
  /** Public base URL of the server, without a trailing slash: `iss` of answers. */
  readonly issuer: string;
  /** FHIR base URL as links have it; launches name it. */
  readonly fhirBaseUrl: string;
  /** Other spellings of it that `aud` may have. */
  readonly otherFhirBaseUrls?: readonly string[];
  readonly clients: Pick<Clients, 'find' | 'list'>;
  readonly grants: Grants;
  /** `createAuthorizationRequests` of src/postgres/identity/authorization-requests.ts */
  readonly requests: AuthorizationRequests;
  readonly sessions: Pick<PeopleSessions, 'find' | 'isGenuine' | 'end'>;
  readonly users: Users;
  readonly keys: Pick<SigningKeys, 'published'>;
  /** The endpoints for programs, which know clients and scopes. */
  readonly oauth: Pick<OAuth, 'authenticate' | 'authenticateClient' | 'trail' | 'chooseScopes' | 'forgetTokens'>;
  readonly policy: Pick<Policy, 'allows'>;
  readonly records: Records;
  /** Seals launch handles while their request waits. */
  readonly cipher: Cipher;
  /** For the words about how long access lasts; the longest unless given. */
  readonly lifetimes?: Lifetimes;
  /** Launch context `tenant`. SECURITY ST-03 */
  readonly tenant?: string;
  /** The peer's address; that of the socket unless given. */
  readonly addressOf?: (req: IncomingMessage) => string;
  readonly now: Clock;
  readonly log: Log;
}
