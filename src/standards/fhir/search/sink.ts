/** What an extractor reports while it walks a resource once. `atom` is `Atom.index`. Instants are ms UTC. */

/** Compartments in the order of `member`'s number. */
export const COMPARTMENTS = ['Device', 'Encounter', 'Patient', 'Practitioner', 'RelatedPerson'] as const;

export interface SearchSink {
  /** The parameter with this presence bit has a value. May be called more than once. */
  present(bit: number): void;
  /** A custom parameter, which has no bit, has a value. May be called more than once. */
  presentAtom(atom: number): void;
  /** Coding, CodeableConcept.coding, Identifier, ContactPoint, code, boolean, string, id. */
  token(atom: number, system: string | undefined, code: string | undefined): void;
  /** Identifier with a type, for `:of-type`; called beside `token`. */
  ofType(atom: number, typeSystem: string | undefined, typeCode: string, value: string): void;
  /** Reference.reference as it stands in the resource (relative, absolute, `urn:`); fragments `#x` are not reported. */
  reference(atom: number, reference: string): void;
  /** Reference.identifier, for `:identifier`. */
  referenceIdentifier(atom: number, system: string | undefined, value: string): void;
  /** A canonical or uri leaf of a reference parameter, `url|version` as it stands. */
  canonical(atom: number, canonical: string): void;
  /** One text (name part, address line …) as it stands; the sink normalises. */
  string(atom: number, value: string): void;
  uri(atom: number, value: string): void;
  /** Closed range in ms; an open end is -Infinity / Infinity. */
  date(atom: number, low: number, high: number): void;
  number(atom: number, value: number): void;
  /** `low` = `high` for a Quantity; a Range gives both, an absent end is -Infinity / Infinity. */
  quantity(
    atom: number,
    low: number,
    high: number,
    system: string | undefined,
    code: string | undefined,
    unit: string | undefined,
  ): void;
  tokenToken(atom: number, s1: string | undefined, c1: string, s2: string | undefined, c2: string): void;
  referenceToken(atom: number, reference: string, system: string | undefined, code: string): void;
  tokenQuantity(
    atom: number,
    tokenSystem: string | undefined,
    tokenCode: string,
    low: number,
    high: number,
    system: string | undefined,
    code: string | undefined,
    unit: string | undefined,
  ): void;
  tokenDate(atom: number, system: string | undefined, code: string, low: number, high: number): void;
  tokenString(atom: number, system: string | undefined, code: string, value: string): void;
  tokenNumberNumber(atom: number, system: string | undefined, code: string, first: number, second: number): void;
  /** A reference that makes the resource a member of the compartment `COMPARTMENTS[kind]`; type already checked. */
  member(kind: number, reference: string): void;
}

const nothing = (): void => undefined;

/** Hears nothing: for a sink that takes a few of the calls. */
export const DEAF_SINK: SearchSink = {
  present: nothing,
  presentAtom: nothing,
  token: nothing,
  ofType: nothing,
  reference: nothing,
  referenceIdentifier: nothing,
  canonical: nothing,
  string: nothing,
  uri: nothing,
  date: nothing,
  number: nothing,
  quantity: nothing,
  tokenToken: nothing,
  referenceToken: nothing,
  tokenQuantity: nothing,
  tokenDate: nothing,
  tokenString: nothing,
  tokenNumberNumber: nothing,
  member: nothing,
};

/** Walks a resource once and reports every search value. Compiled per type. */
export type Extractor = (resource: Readonly<Record<string, unknown>>, sink: SearchSink) => void;
