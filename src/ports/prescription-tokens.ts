/** Signed tokens of prescriptions. `src/workflow/dispensing/tokens.ts` implements it. MISSION M10; SECURITY RX-01, RX-03 */

/** What is decided of a prescription as it is approved, and what is asked at the counter goes by. `high_value`: by the catalogue's cost. */
export type PrescriptionKind = 'controlled' | 'high_risk' | 'high_value';

/** One item of one prescription, as the token says it. Texts are as people read them. */
export interface TokenSubject {
  /** Id of the order, a MedicationRequest. */
  readonly prescriptionId: string;
  /** Id of the Patient. */
  readonly patientId: string;
  /** The patient's name. */
  readonly patient: string;
  /** `1983-11-02` */
  readonly birthDate?: string;
  /** The patient's health number; empty where there is none. */
  readonly hpn: string;
  readonly medication: string;
  readonly strength?: string;
  readonly dosage: string;
  readonly frequency: string;
  /** `28 tablets` */
  readonly quantity?: string;
  /** The prescriber's name. */
  readonly prescriber: string;
  readonly pharmacy: TokenPharmacy;
  /** ms UTC */
  readonly issuedAt: number;
  /** ms UTC; 30 days after `issuedAt` unless given, and never later; 28 for a controlled drug. */
  readonly expiresAt?: number;
  /** Controlled drug: lives 28 days at most. */
  readonly isControlled?: boolean;
  /** Sealed with the token: who holds its Task cannot take them away. */
  readonly kinds?: readonly PrescriptionKind[];
  /** Which issue of how many, for a prescription that repeats. */
  readonly issue?: { readonly number: number; readonly of: number };
}

export interface TokenPharmacy {
  readonly name: string;
  /** `PHB-PH-000123`, or what else the pharmacy is known by. */
  readonly code: string;
  readonly address: string;
  readonly city: string;
  readonly postcode: string;
  readonly phone: string;
}

/** What existing scanners read, member by member. */
export interface TokenPayload {
  readonly type: 'PHB_PRESCRIPTION';
  /** `PHB-RX-00000123` */
  readonly id: string;
  /** UUID */
  readonly nonce: string;
  readonly hpn: string;
  readonly medication: string;
  readonly patient: string;
  readonly prescriber: string;
  readonly dosage: string;
  readonly frequency: string;
  readonly pharmacy: TokenPharmacy;
  /** ISO 8601, UTC */
  readonly issued: string;
  readonly expiry: string;
}

export interface PrescriptionToken {
  readonly tokenId: string;
  /** UUID; whoever holds it holds the token. */
  readonly nonce: string;
  /** Compact JWS, ES256. */
  readonly token: string;
  readonly payload: TokenPayload;
  /** HMAC-SHA256 over the canonical payload, hex. */
  readonly signature: string;
  /** ms UTC */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** As it was approved; none of tokens that were made before kinds were kept. */
  readonly kinds: readonly PrescriptionKind[];
}

export interface MintedToken extends PrescriptionToken {
  /** The token, encrypted, for the queue's Task to carry: `queueTask` writes it. */
  readonly sealed: string;
}

export interface PrescriptionTokens {
  /** A new token. It is worth nothing until a Task that carries it is stored (`src/workflow/dispensing/queue-entry.ts`). */
  mint(subject: TokenSubject): Promise<MintedToken>;
  /** The token that a queue's Task carries; undefined where it carries none, or one of another Task. */
  open(task: Readonly<Record<string, unknown>>): PrescriptionToken | undefined;
}
