/** What NHS login says of a citizen. https://nhsconnect.github.io/nhslogin/ SECURITY NH-08 */
import type { Claims } from './cis2-claims.ts';
import { isNhsNumber } from './identifiers.ts';

/** P9: identity proved, may reach their record; P5: known to the demographics service, may ask for things; P0: neither. */
export type ProofingLevel = 'P0' | 'P5' | 'P9';

const LEVELS: readonly ProofingLevel[] = ['P0', 'P5', 'P9'];
const CREDENTIALS = ['Cp.Cd', 'Cp.Ck', 'Cm'] as const;

/** The vectors of trust that are asked for: a level or a higher one, each with two factors. RFC 8485 */
export const vectorsFor = (lowest: 'P5' | 'P9'): readonly string[] =>
  LEVELS.filter((level) => level >= lowest)
    .toReversed()
    .flatMap((level) => CREDENTIALS.map((credentials) => `${level}.${credentials}`));

/** The vector that the ID token names, when it is one of those asked for. */
export function vectorOf({ vot }: Claims, asked: readonly string[]): string | undefined {
  return typeof vot === 'string' && asked.includes(vot) ? vot : undefined;
}

/** The lower of what the vector and `identity_proofing_level` say; undefined when either is unknown. */
export function proofingOf(vector: string, level: unknown): ProofingLevel | undefined {
  const both = [LEVELS.findIndex((one) => vector.startsWith(`${one}.`)), (LEVELS as readonly unknown[]).indexOf(level)];
  return LEVELS[Math.min(...both)];
}

/** By what a citizen is found. */
export interface CitizenClaims {
  readonly nhsNumber: string;
  /** `1984-02-29` */
  readonly birthDate: string;
  readonly family: string;
}

/** Undefined unless all three are there and well formed. */
export function readCitizen(claims: Claims): CitizenClaims | undefined {
  const { nhs_number: nhsNumber, birthdate: birthDate, family_name: family } = claims;
  if (!isNhsNumber(nhsNumber) || typeof birthDate !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(birthDate))
    return undefined;
  return typeof family === 'string' && nameKey(family) !== '' ? { nhsNumber, birthDate, family } : undefined;
}

interface PatientRecord {
  readonly active?: boolean;
  readonly birthDate?: string;
  readonly deceasedBoolean?: boolean;
  readonly deceasedDateTime?: string;
  readonly name?: readonly { readonly family?: string; readonly use?: string }[];
  readonly link?: readonly { readonly type?: string }[];
}

const NAMES_OF_NOW: ReadonlySet<string | undefined> = new Set([undefined, 'official', 'usual']);

/**
 * Whether a record with the citizen's NHS number is theirs: the same whole date of birth, and the same family name, in
 * whatever letters and accents. A record that was replaced, is not in use, or is of somebody who has died is nobody's.
 */
export function isTheirRecord(patient: PatientRecord, { birthDate, family }: CitizenClaims): boolean {
  const isInUse =
    patient.active !== false &&
    patient.deceasedBoolean !== true &&
    patient.deceasedDateTime === undefined &&
    !(patient.link ?? []).some(({ type }) => type === 'replaced-by');
  const names = (patient.name ?? []).filter(({ use }) => NAMES_OF_NOW.has(use));
  return (
    isInUse &&
    patient.birthDate === birthDate &&
    names.some((name) => name.family !== undefined && nameKey(name.family) === nameKey(family))
  );
}

/** A name without case, accents, spaces and punctuation. */
const nameKey = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^\p{L}]/gu, '');
