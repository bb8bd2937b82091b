/** The control characters of a transmission (Telecommunication D.0; reference section 14). */
export const FIELD_SEPARATOR = '\u001C';
export const GROUP_SEPARATOR = '\u001D';
export const SEGMENT_SEPARATOR = '\u001E';
/** Some carriers wrap a transmission in them; they are no part of it. */
export const START_OF_TEXT = '\u0002';
export const END_OF_TEXT = '\u0003';
