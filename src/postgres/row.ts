/** A resource as the row and side rows of its tables. */
import type { Atom, TypeParameters } from '../standards/fhir/search/parameter.ts';
import type { Extractor } from '../standards/fhir/search/sink.ts';
import { formatConsentRules } from './consent-rules.ts';
import { containedIn, containedLanes } from './contained-tokens.ts';
import { protectedSink } from './encryption/protected-sink.ts';
import { HOT_TOKENS } from './hot-tokens.ts';
import type { Keys, Lanes } from './keys.ts';
import { repeatsQuantities } from './keys.ts';
import { pointerLanes } from './pointers.ts';
import { RowSink, type TypeKeys } from './row-sink.ts';
import { findTable } from './tables.ts';

/** Search columns and side rows of one version. */
export interface SearchRow {
  /** Lanes of `rid`. */
  readonly ridHi: number;
  readonly ridLo: number;
  /** Lanes of the patient's rid; absent = null. */
  readonly pat: Lanes | undefined;
  /** Main date, ms; NaN = null. */
  readonly sd: number;
  readonly se: number;
  readonly pmHi: number;
  readonly pmLo: number;
  /** Lanes of `tok`. */
  readonly tok: readonly number[];
  /** Lanes of `_n.h`, then its v and w (NaN = null). */
  readonly nh: readonly number[];
  readonly nv: readonly number[];
  readonly nw: readonly number[];
  readonly sh: readonly number[];
  readonly sv: readonly string[];
  /** Words, as `txt` takes them; absent: none. */
  readonly text?: string | undefined;
  /** Rules of a Consent, as `mortar.consent_rule` takes them; absent: none. */
  readonly rules?: string;
  /** Of a Consent: the patient wrote it. Not read from it, as anybody can write that. SECURITY FA-09 */
  readonly isByPatient?: boolean;
}

/** Builds rows; one per database. `baseUrl`: absolute references below it are local. */
export function createRowBuilder(options: {
  readonly keys: Keys;
  readonly parametersOf: (type: string) => TypeParameters;
  readonly extractorOf: (type: string) => Extractor;
  readonly baseUrl: string;
  /** Atoms whose values are stored encrypted. */
  readonly protectedAtomsOf?: (type: string) => readonly boolean[] | undefined;
  /** The words of a resource. */
  readonly textOf?: (resource: Readonly<Record<string, unknown>>, type: string) => string | undefined;
}): (resource: Readonly<Record<string, unknown>>, type: string, id: string, lastUpdated: number) => SearchRow {
  const types = new Map<string, TypeKeys>();
  const typeKeys = (type: string): TypeKeys => {
    const parameters = options.parametersOf(type);
    const known = types.get(type);
    if (known?.of === parameters) return known;
    const patientAtom = parameters.parameters.get(parameters.patientCodes[0] ?? '')?.atoms[0];
    const hotCode = HOT_TOKENS.get(type);
    const made: TypeKeys = {
      of: parameters,
      atoms: parameters.atoms.map((atom: Atom) => options.keys.atom(type, atom)),
      mainDate: parameters.mainDate?.index ?? -1,
      patient: parameters.singlePatient ? (patientAtom?.index ?? -1) : -1,
      hot: parameters.atoms.find((a) => a.code === hotCode)?.index ?? -1,
      multiple: parameters.atoms.map(repeatsQuantities),
      protected: options.protectedAtomsOf?.(type),
    };
    types.set(type, made);
    return made;
  };
  const build = (resource: Readonly<Record<string, unknown>>, type: string, id: string, lastUpdated: number) => {
    const keys = typeKeys(type);
    const row = new RowSink(options.keys, keys, `${options.baseUrl}/`);
    const sink = keys.protected ? protectedSink(row, keys.protected, options.parametersOf(type).atoms) : row;
    options.extractorOf(type)(resource, sink);
    const finished = row.finish(type, id, lastUpdated);
    row.text = options.textOf?.(resource, type);
    row.tok.push(...pointerLanes(resource, type, options.keys, options.baseUrl));
    const contained = containedIn(resource, (one) => findTable(one) !== undefined);
    if (contained.length > 0)
      row.tok.push(
        ...containedLanes(id, contained, options.keys, (inner, innerType, innerId) =>
          build({ ...inner, contained: undefined }, innerType, innerId, lastUpdated),
        ),
      );
    if (type !== 'Consent') return finished;
    const rules = formatConsentRules(resource, options.baseUrl);
    return rules === undefined ? finished : Object.assign(finished, { rules });
  };
  return build;
}
