/**
 * The hash domains of one database: how a search value becomes a 64-bit key, on write and in queries alike.
 * docs/decisions/0003-storage.md
 */
import type { Atom } from '../standards/fhir/search/parameter.ts';
import { COMPARTMENTS } from '../standards/fhir/search/sink.ts';
import { BlindHash, type BlindIndex } from './encryption/blind-hash.ts';
import { hashDomain, KeyedHash, toBigInt } from './hash.ts';
import { createRidCodec, type RidCodec } from './rid.ts';

export interface Lanes {
  readonly hi: number;
  readonly lo: number;
}

/** Domains of one atom of one type. */
export interface AtomKeys {
  /** `system|code`, `code`, `|code`, `system|` of tokens; url of canonical and foreign references; uri values. */
  readonly value: Lanes;
  /** Strings as written (`:exact`), identifiers of references (`:identifier`), typed identifiers (`:of-type`). */
  readonly exact: Lanes;
  /** Units of quantities: `system|code`, `code`, unit text. */
  readonly unit: Lanes;
  /** The number domain itself: what `_n.h` / `_s.h` holds for plain values. */
  readonly plain: Lanes;
  /** References: XOR mask by target type. */
  target(type: string): Lanes;
}

export interface Keys {
  readonly hash: KeyedHash;
  readonly rids: RidCodec;
  atom(resourceType: string, atom: Atom): AtomKeys;
  /** XOR mask of the tokens of what a resource contains, and the domain of the types that it contains. */
  readonly contained: Lanes;
  /** XOR mask of membership tokens: `rid(member) XOR compartment(kind)`. */
  compartment(kind: (typeof COMPARTMENTS)[number]): Lanes;
}

/** `blind`: domains of protected atoms are hashed with a key that the database does not hold (SECURITY KS-08). */
export function createKeys(key: Uint8Array, blind?: BlindIndex): Keys {
  const blindHash = blind && new BlindHash(key, blind.key);
  const hash = blindHash ?? new KeyedHash(key);
  const rids = createRidCodec(hash);
  const atoms = new Map<string, AtomKeys>();
  const compartments = new Map(COMPARTMENTS.map((kind) => [kind, hashDomain(hash, `compartment\u0001${kind}`)]));
  return {
    hash,
    rids,
    contained: hashDomain(hash, 'contained'),
    compartment: (kind) => compartments.get(kind) as Lanes, // the map holds every kind
    atom(resourceType, atom) {
      const name = `${resourceType}\u0001${atom.code}`;
      const known = atoms.get(name);
      if (known) return known;
      const targets = new Map<string, Lanes>();
      const made: AtomKeys = {
        value: hashDomain(hash, `${name}\u0001value`),
        exact: hashDomain(hash, `${name}\u0001exact`),
        unit: hashDomain(hash, `${name}\u0001unit`),
        plain: hashDomain(hash, `${name}\u0001plain`),
        target(type) {
          let mask = targets.get(type);
          if (!mask) {
            mask = hashDomain(hash, `${name}\u0001target\u0001${type}`);
            targets.set(type, mask);
          }
          return mask;
        },
      };
      if (blind?.isProtected(resourceType, atom))
        for (const domain of [made.value, made.exact, made.unit, made.plain]) blindHash?.protect(domain);
      atoms.set(name, made);
      return made;
    },
  };
}

/** Hash of a text in a domain, for queries. */
export function keyOf(keys: Keys, domain: Lanes, text: string): bigint {
  keys.hash.hash(domain.hi, domain.lo, text);
  return keys.hash.big();
}

export const lanesToBigInt = (lanes: Lanes): bigint => toBigInt(lanes.hi, lanes.lo);

/** Texts of the token forms; `\u0001` cannot occur in FHIR strings. */
export const tokenForms = {
  systemAndCode: (system: string, code: string): string => `${system}\u0001${code}`,
  code: (code: string): string => code,
  noSystem: (code: string): string => `\u0001${code}`,
  system: (system: string): string => `${system}\u0001`,
};

/** In the `exact` domain of a custom parameter's atom: it has a value. No form of a value begins like it. */
export const PRESENT = '\u0002present';

/**
 * Whether one resource can hold several quantities of this atom, so that a number must be kept with its unit. (Codings
 * may repeat all the same: they do not mix numbers up.)
 */
export const repeatsQuantities = (atom: Atom): boolean =>
  atom.leaves.some((leaf) => leaf.steps.some((step) => step.array));
