/** The whole model of D.0: what the reader, the checker, the writer, the mapping and the documentation go by. */
import type { FieldModel, SegmentModel } from './notation.ts';
import { REQUEST_SEGMENTS } from './request-segments.ts';
import { RESPONSE_SEGMENTS } from './response-segments.ts';

export const SEGMENTS: readonly SegmentModel[] = [...REQUEST_SEGMENTS, ...RESPONSE_SEGMENTS];

const BY_ID: ReadonlyMap<string, SegmentModel> = new Map(SEGMENTS.map((model) => [model.id, model]));

/** `07`, not `AM07`. */
export const findSegmentModel = (id: string): SegmentModel | undefined => BY_ID.get(id);

/** `302-C2`, or the bare id of a field whose number is not published. */
export const fieldName = ({ number, id }: FieldModel): string => (number === '' ? id : `${number}-${id}`);
