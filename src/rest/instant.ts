/** Milliseconds since 1970 as a FHIR instant: `2026-05-01T09:00:00.000Z`. */
export const iso = (ms: number): string => new Date(ms).toISOString();
