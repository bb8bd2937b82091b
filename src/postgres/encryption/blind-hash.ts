/**
 * Search keys of protected elements: the store's keyed hash under a key that lies in no table, so that a copy of the
 * database does not tell whether a guessed value is in it. Each field has a domain of its own. SECURITY KS-08
 */
import type { Atom } from '../../standards/fhir/search/parameter.ts';
import { KeyedHash } from '../hash.ts';

export interface BlindIndex {
  /** 16 bytes, kept wrapped. */
  readonly key: Uint8Array;
  isProtected(resourceType: string, atom: Atom): boolean;
}

/** A keyed hash that takes the other key in protected domains. */
export class BlindHash extends KeyedHash {
  readonly #blind: KeyedHash;
  /** Low lane of a domain → its high lane. */
  readonly #domains = new Map<number, number>();

  constructor(key: Uint8Array, blindKey: Uint8Array) {
    super(key);
    this.#blind = new KeyedHash(blindKey);
  }

  protect({ hi, lo }: { readonly hi: number; readonly lo: number }): void {
    const other = this.#domains.get(lo);
    if (other !== undefined && other !== hi) throw new Error('two protected domains share a lane');
    this.#domains.set(lo, hi);
  }

  override hash(domainHi: number, domainLo: number, text: string): void {
    if (this.#domains.get(domainLo) !== domainHi) {
      super.hash(domainHi, domainLo, text);
      return;
    }
    this.#blind.hash(domainHi, domainLo, text);
    this.hi = this.#blind.hi;
    this.lo = this.#blind.lo;
  }
}
