/** The invariants of the official definitions, in compact form. https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint */

export interface Constraint {
  /** `pat-1`; with the path it is of, it names the rule. */
  readonly key: string;
  readonly severity: 'error' | 'warning';
  /** The rule in words. */
  readonly human: string;
  /** FHIRPath; absent where the rule is in words alone. */
  readonly expression?: string;
}

export interface RawConstraint {
  key: string;
  severity: string;
  human: string;
  expression?: string;
}
interface RawConstrained {
  path?: string;
  constraint?: RawConstraint[];
  type?: { code?: string; profile?: string[] }[];
}
interface RawProfile {
  resourceType?: string;
  kind?: string;
  derivation?: string;
  fhirVersion?: string;
  url?: string;
  snapshot?: { element: RawConstrained[] };
}

/** Every element and every extension inherits these: they belong to the types Element and Extension. */
const INHERITED = new Set(['ele-1', 'ext-1']);

/** The constraints of an element, and of the profile its type is narrowed to (`SimpleQuantity`). */
export function constraintsOf(
  { constraint = [], type = [] }: RawConstrained,
  ofProfiles: ReadonlyMap<string, readonly Constraint[]> = new Map(),
): { readonly constraints?: readonly Constraint[] } {
  const narrowed = type.length === 1 ? (type[0]?.profile ?? []).flatMap((url) => ofProfiles.get(url) ?? []) : [];
  const constraints = [...constraint.filter(({ key }) => !INHERITED.has(key)).map(compact), ...narrowed];
  return constraints.length === 0 ? {} : { constraints };
}

const compact = ({ key, severity, human, expression }: RawConstraint): Constraint => ({
  key,
  severity: severity === 'warning' ? 'warning' : 'error',
  human,
  ...(expression !== undefined && { expression }),
});

/** The data types that are profiles of others (`SimpleQuantity`): canonical → the constraints they add. */
export function readTypeProfiles(
  bundles: readonly { readonly entry: readonly { readonly resource: unknown }[] }[],
): ReadonlyMap<string, readonly Constraint[]> {
  const found = new Map<string, readonly Constraint[]>();
  for (const { entry } of bundles)
    for (const { resource } of entry) {
      const raw = resource as RawProfile; // the pinned definitions package
      if (raw.resourceType !== 'StructureDefinition' || raw.kind !== 'complex-type' || raw.derivation !== 'constraint')
        continue;
      const [root] = raw.snapshot?.element ?? [];
      const own = (root?.constraint ?? []).filter(({ key }) => !INHERITED.has(key) && key !== 'qty-3').map(compact);
      if (raw.url !== undefined && own.length > 0) found.set(raw.url, own);
    }
  return found;
}
