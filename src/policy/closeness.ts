/**
 * How close a record is to somebody: of their family, or of a person who draws attention. Names and addresses are compared
 * as keyed hashes; none is kept as it is written. SECURITY FA-08
 */
import { createHmac } from 'node:crypto';

/** What is looked at of a Patient or a Practitioner. */
export interface Portrait {
  readonly name?: readonly { readonly family?: string; readonly text?: string; readonly period?: unknown }[];
  readonly address?: readonly { readonly line?: readonly string[]; readonly postalCode?: string }[];
  readonly meta?: { readonly security?: readonly { readonly code?: string }[] };
  readonly extension?: readonly {
    readonly url?: string;
    readonly valueCodeableConcept?: { readonly coding?: readonly { readonly code?: string }[] };
  }[];
}

/** Hashes by which two people of one household or family are found alike. */
export type Marks = ReadonlySet<string>;

/** `VIP` of v3-PatientImportance, `CEL` (celebrity) of v3-ActCode. */
const GUARDED = new Set(['VIP', 'CEL']);
const IMPORTANCE = 'http://hl7.org/fhir/StructureDefinition/patient-importance';

/** The marks of one person, from all resources that are them. Two who share one share an address, or a name at a postcode. */
export function marksOf(portraits: readonly Portrait[], key: Buffer): Marks {
  const mark = (...parts: readonly string[]): string =>
    createHmac('sha256', key).update(parts.join('\u0001')).digest('base64url');
  const addresses = portraits.flatMap(({ address = [] }) => address);
  const codes = addresses.flatMap(({ postalCode }) => normal(postalCode));
  const surnames = portraits.flatMap(({ name = [] }) =>
    name.flatMap(({ family, text }) => normal(family ?? lastWord(text))),
  );
  return new Set([
    ...addresses.flatMap(({ line = [], postalCode }) => {
      const [first] = normal(line[0]);
      const [code] = normal(postalCode);
      return first === undefined || code === undefined ? [] : [mark('address', first, code)];
    }),
    ...surnames.flatMap((surname) => codes.map((code) => mark('name', surname, code))),
  ]);
}

/** Whether a record is marked as one of a person who draws attention. */
export function isGuarded({ meta, extension = [] }: Portrait): boolean {
  const labels = (meta?.security ?? []).map(({ code }) => code);
  const importance = extension
    .filter(({ url }) => url === IMPORTANCE)
    .flatMap(({ valueCodeableConcept }) => (valueCodeableConcept?.coding ?? []).map(({ code }) => code));
  return [...labels, ...importance].some((code) => code !== undefined && GUARDED.has(code));
}

const lastWord = (text: string | undefined): string | undefined => text?.trim().split(/\s+/).at(-1);

/** Letters and digits alone, without accents and case; none: nothing to compare. */
function normal(text: string | undefined): readonly string[] {
  const plain = (text ?? '')
    .normalize('NFKD')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .toUpperCase();
  return plain === '' ? [] : [plain];
}
