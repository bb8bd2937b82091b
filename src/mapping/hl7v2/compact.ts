/** Plain FHIR values. */
export type Json = Readonly<Record<string, unknown>>;

/** Without the members that hold nothing; undefined when none is left. */
export function compact(value: Readonly<Record<string, unknown>>): Json | undefined {
  const entries = Object.entries(value).filter(
    ([, member]) => member !== undefined && member !== '' && !(Array.isArray(member) && member.length === 0),
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Those of a list that are something. */
export const present = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);
