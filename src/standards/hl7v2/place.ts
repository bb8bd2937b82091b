/** Where something stands in a message: `PID-3.4.2[2]`, the path of people, and ERL, the one of ERR-2. */

/** Numbers count from 1. */
export interface Place {
  readonly segment: string;
  /** Which of the segments of that name; absent: the first. */
  readonly occurrence?: number;
  readonly field?: number;
  readonly repetition?: number;
  readonly component?: number;
  readonly subcomponent?: number;
}

/** `PID-3.1[2]` is component 1 of the second PID-3; `NK1[2]-5` field 5 of the second NK1. */
export function formatPlace(place: Place): string {
  const { segment, occurrence = 1, field, repetition = 1, component, subcomponent } = place;
  let text = occurrence > 1 ? `${segment}[${occurrence}]` : segment;
  if (field === undefined) return text;
  text += `-${field}`;
  if (component !== undefined) text += `.${component}`;
  if (subcomponent !== undefined) text += `.${subcomponent}`;
  return repetition > 1 ? `${text}[${repetition}]` : text;
}

const PLACE =
  /^([A-Z][A-Z0-9]{2})(?:\[(\d{1,6})\])?(?:[-.](\d{1,5})(?:\[(\d{1,6})\])?(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?(?:\[(\d{1,6})\])?)?$/;

/** Paths are written in code, over and over: each is read once. */
const known = new Map<string, Place | undefined>();
const KNOWN_MAX = 10_000;

/** Reads `PID-3.1[2]`, `PID-3[2].1` and `PID.3.1`; undefined for anything else. */
export function parsePlace(text: string): Place | undefined {
  const place = known.get(text);
  if (place !== undefined) return place;
  const read = readPlace(text);
  if (known.size < KNOWN_MAX) known.set(text, read);
  return read;
}

function readPlace(text: string): Place | undefined {
  const [, segment, occurrence, field, before, component, subcomponent, after] = PLACE.exec(text) ?? [];
  if (segment === undefined) return undefined;
  const repetition = before ?? after;
  return {
    segment,
    ...(occurrence !== undefined && { occurrence: Number(occurrence) }),
    ...(field !== undefined && { field: Number(field) }),
    ...(repetition !== undefined && { repetition: Number(repetition) }),
    ...(component !== undefined && { component: Number(component) }),
    ...(subcomponent !== undefined && { subcomponent: Number(subcomponent) }),
  };
}
