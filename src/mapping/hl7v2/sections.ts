/** A message about several patients, or of several entries, as sections of it that are read one by one. */
import type { Segment } from '../../standards/hl7v2/segment.ts';
import { type Reading, SegmentCursor } from './cursor.ts';
import type { Translation } from './translation.ts';

/** What the maps read of a message, or of a section of it. */
export interface Segments {
  readonly header: Segment;
  readonly segments: readonly Segment[];
  find(id: string, occurrence?: number): Segment | undefined;
  all(id: string): readonly Segment[];
}

function sectionOf({ header }: Segments, segments: readonly Segment[]): Segments {
  const byId = Map.groupBy(segments, ({ id }) => id);
  return {
    header,
    segments,
    find: (id, occurrence = 1) => byId.get(id)?.[occurrence - 1],
    all: (id) => byId.get(id) ?? [],
  };
}

/** One translation for each segment `id` with what follows it; what stands before the first is of each of them. */
export function sectionsFrom(to: Translation, id: string): readonly Translation[] {
  const { segments } = to.message;
  const starts = segments.flatMap((segment, index) => (segment.id === id ? [index] : []));
  const head = segments.slice(0, starts[0] ?? 0);
  return starts.map((start, n) => ({
    ...to,
    message: sectionOf(to.message, [...head, ...segments.slice(start, starts[n + 1])]),
  }));
}

/** The segments of the section, as they came. */
export const cursorsOf = ({ message, reading }: Translation): readonly SegmentCursor[] =>
  message.segments.map((segment) => new SegmentCursor(segment, reading));

export const segmentsOf = ({ message, reading }: Translation, id: string): readonly SegmentCursor[] =>
  message.all(id).map((segment) => new SegmentCursor(segment, reading));

export const firstOf = ({ message, reading }: Translation, id: string): SegmentCursor | undefined => {
  const segment = message.find(id);
  return segment && new SegmentCursor(segment, reading);
};

/** Where a segment stands, as issues name it: `RXE`, `RXE[2]`. */
export const placeOf = ({ segment: { id, occurrence } }: SegmentCursor): string =>
  occurrence > 1 ? `${id}[${occurrence}]` : id;

export function tellAbout(
  segment: SegmentCursor,
  reading: Reading,
  severity: 'error' | 'warning',
  code: 'structure' | 'required' | 'not-supported' | 'business-rule',
  diagnostics: string,
): void {
  reading.issues.push({ severity, code, diagnostics, expression: [placeOf(segment)] });
}
