/** Search values of a type with protected atoms: those leave keyed hashes and no text or number. SECURITY KS-09 */
import type { Atom } from '../../standards/fhir/search/parameter.ts';
import type { SearchSink } from '../../standards/fhir/search/sink.ts';
import { DAY, dayOf, EXACT, isLowEntropy, WORD, wordsOf } from './protected-words.ts';

/** Passes on to `row` what may be kept. `isProtected`, by atom. */
export function protectedSink(row: SearchSink, isProtected: readonly boolean[], atoms: readonly Atom[]): SearchSink {
  const isSilent = atoms.map((atom, i) => isProtected[i] === true && isLowEntropy(atom));
  return {
    present: (bit) => row.present(bit),
    presentAtom: (atom) => row.presentAtom(atom),
    token(atom, system, code) {
      if (!isSilent[atom]) row.token(atom, system, code);
    },
    ofType: (atom, system, code, value) => row.ofType(atom, system, code, value),
    reference: (atom, reference) => row.reference(atom, reference),
    referenceIdentifier: (atom, system, value) => row.referenceIdentifier(atom, system, value),
    canonical: (atom, canonical) => row.canonical(atom, canonical),
    string(atom, value) {
      if (!isProtected[atom]) row.string(atom, value);
      else if (!isSilent[atom]) {
        row.ofType(atom, undefined, EXACT, value);
        for (const word of wordsOf(value)) row.ofType(atom, undefined, WORD, word);
      }
    },
    uri: (atom, value) => row.uri(atom, value),
    date(atom, low, high) {
      if (!isProtected[atom]) row.date(atom, low, high);
      else {
        const day = dayOf(low, high);
        if (day !== undefined) row.ofType(atom, undefined, DAY, day);
      }
    },
    // Numbers and what is made of several values are compared, not looked up: nothing of them is kept.
    number(atom, value) {
      if (!isProtected[atom]) row.number(atom, value);
    },
    quantity(atom, ...rest) {
      if (!isProtected[atom]) row.quantity(atom, ...rest);
    },
    tokenToken(atom, ...rest) {
      if (!isProtected[atom]) row.tokenToken(atom, ...rest);
    },
    referenceToken(atom, ...rest) {
      if (!isProtected[atom]) row.referenceToken(atom, ...rest);
    },
    tokenQuantity(atom, ...rest) {
      if (!isProtected[atom]) row.tokenQuantity(atom, ...rest);
    },
    tokenDate(atom, ...rest) {
      if (!isProtected[atom]) row.tokenDate(atom, ...rest);
    },
    tokenString(atom, ...rest) {
      if (!isProtected[atom]) row.tokenString(atom, ...rest);
    },
    tokenNumberNumber(atom, ...rest) {
      if (!isProtected[atom]) row.tokenNumberNumber(atom, ...rest);
    },
    member: (kind, reference) => row.member(kind, reference),
  };
}
