/** Plain FHIR values. */
export type Json = Readonly<Record<string, unknown>>;

/** Without the members that hold nothing; undefined when none is left. */
export function compact(value: Readonly<Record<string, unknown>>): Json | undefined {
  const result: Record<string, unknown> = {};
  let isEmpty = true;
  for (const name in value) {
    const member = value[name];
    if (member === undefined || member === '' || (Array.isArray(member) && member.length === 0)) continue;
    result[name] = member;
    isEmpty = false;
  }
  return isEmpty ? undefined : result;
}

/** Those of a list that are something. */
export const present = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);
