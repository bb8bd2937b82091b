/** Takes the search values of a resource as they are found, and makes them columns and side rows. docs/decisions/0003-storage.md */
import type { TypeParameters } from '../standards/fhir/search/parameter.ts';
import { COMPARTMENTS, type SearchSink } from '../standards/fhir/search/sink.ts';
import { normaliseText } from '../standards/fhir/search/text.ts';
import { canonicalUnit, UCUM } from '../standards/ucum/canonical.ts';
import type { AtomKeys, Keys, Lanes } from './keys.ts';
import { PRESENT, tokenForms } from './keys.ts';
import type { SearchRow } from './row.ts';
import { canonicalForm, codeAndCanonicalForm } from './search/canonical-quantities.ts';
import { findTable } from './tables.ts';

/** Longest string kept for prefix search; a btree entry must stay under a third of a page. */
const STRING_LENGTH_MAX = 512;
/** Numbers past this are kept as the bound, so that comparison with open ends stays right. */
const DATE_BOUND = 8.64e15;

const COMPARTMENT_OF = new Map<string, number>(COMPARTMENTS.map((kind, index) => [kind, index]));

/** What the sink knows of a type. */
export interface TypeKeys {
  readonly of: TypeParameters;
  readonly atoms: readonly AtomKeys[];
  readonly mainDate: number;
  readonly patient: number;
  readonly hot: number;
  readonly multiple: readonly boolean[];
  /** By atom; undefined when the type has none. */
  readonly protected: readonly boolean[] | undefined;
}

/** One for each row. */
export class RowSink implements SearchSink {
  readonly #keys: Keys;
  readonly #type: TypeKeys;
  readonly #base: string;
  ridHi = 0;
  ridLo = 0;
  pat: Lanes | undefined;
  sd = Number.NaN;
  se = Number.NaN;
  pmHi = 0;
  pmLo = 0;
  readonly tok: number[] = [];
  readonly nh: number[] = [];
  readonly nv: number[] = [];
  readonly nw: number[] = [];
  readonly sh: number[] = [];
  readonly sv: string[] = [];
  readonly #hot: number[] = [];
  text: string | undefined;

  constructor(keys: Keys, type: TypeKeys, base: string) {
    this.#keys = keys;
    this.#type = type;
    this.#base = base;
  }

  finish(type: string, id: string, lastUpdated: number): SearchRow {
    const { rids } = this.#keys;
    rids.lanes(id);
    this.ridHi = rids.hi;
    this.ridLo = rids.lo;
    const self = COMPARTMENT_OF.get(type);
    if (self !== undefined) this.#member(self, rids.hi, rids.lo);
    if (type === 'Patient') this.pat = { hi: rids.hi, lo: rids.lo };
    const at = Number.isNaN(this.sd) ? lastUpdated : this.sd;
    for (let i = 0; i < this.#hot.length; i += 2)
      this.#number(this.#hot[i] as number, this.#hot[i + 1] as number, at, Number.NaN);
    return this;
  }

  present(bit: number): void {
    if (bit < 32) this.pmLo |= 1 << bit;
    else this.pmHi |= 1 << (bit - 32);
  }

  presentAtom(atom: number): void {
    this.#tok(this.#atom(atom).exact, PRESENT);
  }

  token(atom: number, system: string | undefined, code: string | undefined): void {
    const domain = this.#atom(atom).value;
    if (system !== undefined && system !== '') {
      this.#tok(domain, tokenForms.system(system));
      if (code !== undefined) this.#tok(domain, tokenForms.systemAndCode(system, code));
    } else if (code !== undefined) this.#tok(domain, tokenForms.noSystem(code));
    if (code === undefined) return;
    this.#tok(domain, tokenForms.code(code));
    if (atom === this.#type.hot) this.#hot.push(this.#keys.hash.hi, this.#keys.hash.lo);
  }

  ofType(atom: number, typeSystem: string | undefined, typeCode: string, value: string): void {
    this.#tok(this.#atom(atom).exact, `${typeSystem ?? ''}\u0001${typeCode}\u0001${value}`);
  }

  reference(atom: number, reference: string): void {
    const keys = this.#atom(atom);
    if (!this.#local(reference)) {
      this.#tok(keys.value, reference);
      return;
    }
    const { hi, lo } = this.#keys.rids;
    const mask = keys.target(this.#localType);
    this.#push(hi ^ mask.hi, lo ^ mask.lo);
    if (atom === this.#type.patient && this.#localType === 'Patient') this.pat = { hi, lo };
  }

  referenceIdentifier(atom: number, system: string | undefined, value: string): void {
    const domain = this.#atom(atom).exact;
    if (system !== undefined) this.#tok(domain, tokenForms.systemAndCode(system, value));
    else this.#tok(domain, tokenForms.noSystem(value));
    this.#tok(domain, tokenForms.code(value));
  }

  canonical(atom: number, canonical: string): void {
    const domain = this.#atom(atom).value;
    this.#tok(domain, canonical);
    const bar = canonical.indexOf('|');
    if (bar > 0) this.#tok(domain, canonical.slice(0, bar));
    if (this.#local(canonical)) {
      const mask = this.#atom(atom).target(this.#localType);
      this.#push(this.#keys.rids.hi ^ mask.hi, this.#keys.rids.lo ^ mask.lo);
    }
  }

  string(atom: number, value: string): void {
    const keys = this.#atom(atom);
    this.#tok(keys.exact, value);
    this.#string(keys.plain.hi, keys.plain.lo, value);
  }

  uri(atom: number, value: string): void {
    this.#tok(this.#atom(atom).value, value);
  }

  date(atom: number, low: number, high: number): void {
    const lo = Math.max(low, -DATE_BOUND);
    const hi = Math.min(high, DATE_BOUND);
    if (atom === this.#type.mainDate) {
      this.sd = lo;
      this.se = hi;
      return;
    }
    const { plain } = this.#atom(atom);
    this.#number(plain.hi, plain.lo, lo, hi === lo ? Number.NaN : hi);
  }

  number(atom: number, value: number): void {
    const { plain } = this.#atom(atom);
    this.#number(plain.hi, plain.lo, value, Number.NaN);
  }

  quantity(
    atom: number,
    low: number,
    high: number,
    system: string | undefined,
    code: string | undefined,
    unit: string | undefined,
  ): void {
    const { plain, unit: domain } = this.#atom(atom);
    const w = high === low ? Number.NaN : high;
    this.#number(plain.hi, plain.lo, low, w);
    this.#units(domain, system, code, unit);
    if (this.#type.multiple[atom]) this.#perUnit(domain, 'v', low, w, code, unit);
    this.#canonical(domain, canonicalForm, low, high, system, code);
  }

  tokenToken(atom: number, s1: string | undefined, c1: string, s2: string | undefined, c2: string): void {
    const domain = this.#atom(atom).value;
    for (const first of pairForms(s1, c1))
      for (const second of pairForms(s2, c2)) this.#tok(domain, `${first}$${second}`);
  }

  referenceToken(atom: number, reference: string, system: string | undefined, code: string): void {
    const domain = this.#atom(atom).value;
    const target = this.#local(reference) ? this.#localId : reference;
    for (const second of pairForms(system, code)) this.#tok(domain, `${target}$${second}`);
  }

  tokenQuantity(
    atom: number,
    tokenSystem: string | undefined,
    tokenCode: string,
    low: number,
    high: number,
    system: string | undefined,
    code: string | undefined,
    unit: string | undefined,
  ): void {
    const keys = this.#atom(atom);
    const w = high === low ? Number.NaN : high;
    this.#composite(keys, tokenSystem, tokenCode, low, w);
    this.#units(keys.unit, system, code, unit);
    if (this.#type.multiple[atom]) this.#perUnit(keys.plain, tokenCode, low, w, code, unit);
    this.#canonical(keys.plain, (dimension) => codeAndCanonicalForm(tokenCode, dimension), low, high, system, code);
  }

  tokenDate(atom: number, system: string | undefined, code: string, low: number, high: number): void {
    const lo = Math.max(low, -DATE_BOUND);
    const hi = Math.min(high, DATE_BOUND);
    this.#composite(this.#atom(atom), system, code, lo, hi === lo ? Number.NaN : hi);
  }

  tokenString(atom: number, system: string | undefined, code: string, value: string): void {
    const keys = this.#atom(atom);
    if (system !== undefined) this.#tok(keys.exact, tokenForms.systemAndCode(system, code));
    const { hash } = this.#keys;
    hash.hash(keys.plain.hi, keys.plain.lo, code);
    this.#string(hash.hi, hash.lo, value);
  }

  tokenNumberNumber(atom: number, system: string | undefined, code: string, first: number, second: number): void {
    this.#composite(this.#atom(atom), system, code, first, second);
  }

  member(kind: number, reference: string): void {
    if (this.#local(reference)) this.#member(kind, this.#keys.rids.hi, this.#keys.rids.lo);
  }

  // ---- the pieces

  #localType = '';
  #localId = '';

  /** Whether a reference is to a resource here; leaves its type, id and rid behind. */
  #local(reference: string): boolean {
    const start = reference.startsWith(this.#base) ? this.#base.length : 0;
    const slash = reference.indexOf('/', start);
    if (slash < 0) return false;
    const type = reference.slice(start, slash);
    if (!findTable(type)) return false;
    let end = reference.indexOf('/', slash + 1);
    if (end < 0) end = reference.length;
    this.#localType = type;
    this.#localId = reference.slice(slash + 1, end);
    this.#keys.rids.lanes(this.#localId);
    return true;
  }

  #member(kind: number, hi: number, lo: number): void {
    const mask = this.#keys.compartment(COMPARTMENTS[kind] as (typeof COMPARTMENTS)[number]); // kind comes from us
    this.#push(hi ^ mask.hi, lo ^ mask.lo);
  }

  /** The composite's number under its code; its system as a token, so that a query can ask for both. */
  #composite(keys: AtomKeys, system: string | undefined, code: string, v: number, w: number): void {
    if (system !== undefined) this.#tok(keys.exact, tokenForms.systemAndCode(system, code));
    const { hash } = this.#keys;
    hash.hash(keys.plain.hi, keys.plain.lo, code);
    this.#number(hash.hi, hash.lo, v, w);
  }

  #units(domain: Lanes, system: string | undefined, code: string | undefined, unit: string | undefined): void {
    if (system !== undefined) this.#tok(domain, tokenForms.system(system));
    if (system !== undefined && code !== undefined) this.#tok(domain, tokenForms.systemAndCode(system, code));
    if (code !== undefined) this.#tok(domain, tokenForms.code(code));
    if (unit !== undefined && unit !== code) this.#tok(domain, tokenForms.code(unit));
  }

  /** Several quantities in one resource: the number again under each of its units, so that they are not mixed up. */
  #perUnit(
    domain: Lanes,
    prefix: string,
    v: number,
    w: number,
    code: string | undefined,
    unit: string | undefined,
  ): void {
    const { hash } = this.#keys;
    if (code !== undefined) {
      hash.hash(domain.hi, domain.lo, `${prefix}\u0001${code}`);
      this.#number(hash.hi, hash.lo, v, w);
    }
    if (unit !== undefined && unit !== code) {
      hash.hash(domain.hi, domain.lo, `${prefix}\u0001${unit}`);
      this.#number(hash.hi, hash.lo, v, w);
    }
  }

  /** The number in base units, where the unit is UCUM's. */
  #canonical(
    domain: Lanes,
    formOf: (dimension: string) => string,
    low: number,
    high: number,
    system: string | undefined,
    code: string | undefined,
  ): void {
    const unit = system === UCUM && code !== undefined ? canonicalUnit(code) : undefined;
    if (!unit) return;
    const { hash } = this.#keys;
    hash.hash(domain.hi, domain.lo, formOf(unit.dimension));
    const v = unit.of(low);
    this.#number(hash.hi, hash.lo, v, high === low ? Number.NaN : unit.of(high));
  }

  #atom(atom: number): AtomKeys {
    return this.#type.atoms[atom] as AtomKeys; // the extractor is compiled from the same list
  }

  #tok(domain: Lanes, text: string): void {
    const { hash } = this.#keys;
    hash.hash(domain.hi, domain.lo, text);
    this.#push(hash.hi, hash.lo);
  }

  #push(hi: number, lo: number): void {
    const { tok } = this;
    for (let i = 0; i < tok.length; i += 2) if (tok[i + 1] === lo && tok[i] === hi) return;
    tok.push(hi, lo);
  }

  #number(hi: number, lo: number, v: number, w: number): void {
    const { nh, nv, nw } = this;
    for (let i = 0; i < nv.length; i++)
      if (nh[2 * i + 1] === lo && nh[2 * i] === hi && nv[i] === v && Object.is(nw[i], w)) return;
    nh.push(hi, lo);
    nv.push(v);
    nw.push(w);
  }

  #string(hi: number, lo: number, value: string): void {
    const text = normaliseText(value).slice(0, STRING_LENGTH_MAX);
    const { sh, sv } = this;
    for (let i = 0; i < sv.length; i++) if (sv[i] === text && sh[2 * i] === hi && sh[2 * i + 1] === lo) return;
    sh.push(hi, lo);
    sv.push(text);
  }
}

/** The forms under which a component of a token pair may be asked for. */
export function pairForms(system: string | undefined, code: string): readonly string[] {
  return system === undefined || system === ''
    ? [tokenForms.code(code), tokenForms.noSystem(code)]
    : [tokenForms.code(code), tokenForms.systemAndCode(system, code)];
}
