/** What comes of requests that are answered later, piece by piece: part of `async-requests.ts`. */
import type {
  AsyncFile,
  AsyncPiece,
  AsyncRequests,
  AsyncState,
  AsyncStep,
  AsyncTimes,
} from '../ports/async-requests.ts';
import type { Cipher } from '../ports/cipher.ts';
import { tooCostly } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import { packBytes, unpackBytes } from './packing.ts';
import type { Pipeline } from './pools.ts';

export interface AsyncPiecesOptions {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  readonly resultBytesMax: number;
  /** The cipher of a request in one of these states; undefined when it has none. */
  readonly openKey: (id: string, states: readonly AsyncState[]) => Promise<Cipher | undefined>;
}

const PROGRESS_LENGTH_MAX = 100;
/** Bytes below which packing is not worth it. */
const PACKED_MIN = 4096;

/** Sealed bytes, their length in clear and unpacked, whether they are packed. */
type StoredPiece = [bytes: Buffer, length: number, isPacked: boolean];

const lengthOf = ({ bytes, packedFrom }: AsyncPiece): number => packedFrom ?? bytes.length;

/** Where each begins when they follow one another; from 1, as SQL counts. */
function startsOf(parts: readonly Buffer[]): readonly number[] {
  let at = 1;
  return parts.map(({ length }) => {
    at += length;
    return at - length;
  });
}

async function opened(own: Cipher, [sealed, length, isPacked]: StoredPiece, context: string): Promise<Buffer> {
  const bytes = own.open(sealed, context);
  return isPacked ? unpackBytes(bytes, length) : bytes;
}

export const valueContext = (id: string, what: string): string => `async ${id} ${what}`;
const pieceContext = (id: string, file: string, step: number, part: number): string =>
  `async ${id} ${file} ${step} ${part}`;

/** A value under the key of its request. */
export const sealValue = (own: Cipher, id: string, what: string, value: unknown): Buffer =>
  own.seal(Buffer.from(JSON.stringify(value)), valueContext(id, what));

export function createAsyncPieces(
  options: AsyncPiecesOptions,
): Pick<AsyncRequests, 'append' | 'files' | 'pack' | 'readFile' | 'readStep'> {
  const { reads, writes, resultBytesMax, openKey } = options;

  async function append(id: string, step: number, done: AsyncStep, times: AsyncTimes): Promise<boolean> {
    const own = await openKey(id, ['running']);
    if (!own) return false;
    const sealed = done.pieces.map(({ file, bytes }, part) => own.seal(bytes, pieceContext(id, file, step, part)));
    const length = done.pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
    const rows = await writes.query({
      name: 'async-append',
      // One statement: the step is kept whole, under the lock of the row. No row: too long, over, or somebody was first.
      text: `with moved as (
  update mortar.async_request
  set step = $2 + 1, is_begun = false, checkpoint = $3, progress = coalesce($4, progress), bytes = bytes + $5,
    state = case when $11::bytea is null then state else 'done' end, outcome = $11, ended_at = $12, expires_at = $13
  where id = $1 and state = 'running' and step = $2 and bytes + $5 <= $6
  returning id
), kept as (
  insert into mortar.async_piece (request_id, file, step, part, count, length, is_packed, bytes)
  select m.id, p.file, $2, p.part - 1, p.count, p.length, p.is_packed, substring($10::bytea from p.start for p.size)
  from moved m, unnest($7::text[], $8::int[], $9::int[], $15::boolean[], $16::int[], $17::int[])
    with ordinality p(file, count, length, is_packed, start, size, part)
), removed as (
  delete from mortar.async_piece p using moved m where p.request_id = m.id and p.file = $14
)
select 1 from moved`,
      values: [
        id,
        step,
        done.checkpoint === undefined ? null : sealValue(own, id, 'checkpoint', done.checkpoint),
        done.progress?.slice(0, PROGRESS_LENGTH_MAX) ?? null,
        length,
        resultBytesMax,
        done.pieces.map(({ file }) => file),
        done.pieces.map(({ count }) => count),
        done.pieces.map(lengthOf),
        // One value: in an array each would be written out in digits.
        Buffer.concat(sealed),
        done.result ? sealValue(own, id, 'outcome', done.result) : null,
        done.result ? new Date(times.endedAt) : null,
        done.result ? new Date(times.expiresAt) : null,
        done.removes ?? null,
        done.pieces.map(({ packedFrom }) => packedFrom !== undefined),
        startsOf(sealed),
        sealed.map((bytes) => bytes.length),
      ],
    });
    if (rows.length === 1) return true;
    const [row] = await writes.query({
      name: 'async-bytes',
      text: "select bytes::float8 from mortar.async_request where id = $1 and state = 'running' and step = $2",
      values: [id, step],
    });
    if (row && Number(row[0]) + length > resultBytesMax)
      throw tooCostly(`The result is larger than ${resultBytesMax} bytes: ask for less`);
    return false;
  }

  async function* readFile(id: string, file: string): AsyncIterable<Buffer> {
    const own = await translated(() => openKey(id, ['done', 'failed']));
    if (!own) return;
    const pieces = await translated(() =>
      reads.query({
        name: 'async-pieces',
        text: 'select step, part from mortar.async_piece where request_id = $1 and file = $2 order by step, part',
        values: [id, file],
      }),
    );
    for (const [step, part] of pieces as unknown as [number, number][]) {
      const [row] = await translated(() =>
        reads.query({
          name: 'async-piece',
          text: `select bytes, length, is_packed from mortar.async_piece
where request_id = $1 and file = $2 and step = $3 and part = $4`,
          values: [id, file, step, part],
        }),
      );
      if (!row) throw new Error('the result went while it was read');
      yield await opened(own, row as unknown as StoredPiece, pieceContext(id, file, step, part));
    }
  }

  async function readStep(id: string, file: string, step: number): Promise<Buffer | undefined> {
    const own = await openKey(id, ['running']);
    if (!own) return undefined;
    const rows = await reads.query({
      name: 'async-step',
      text: `select bytes, length, is_packed, part from mortar.async_piece
where request_id = $1 and file = $2 and step = $3 order by part`,
      values: [id, file, step],
    });
    const parts = rows as unknown as [...StoredPiece, number][];
    if (parts.length === 0) return undefined;
    return Buffer.concat(
      await Promise.all(
        parts.map(([bytes, length, isPacked, part]) =>
          opened(own, [bytes, length, isPacked], pieceContext(id, file, step, part)),
        ),
      ),
    );
  }

  return {
    async pack(piece) {
      if (piece.packedFrom !== undefined || piece.bytes.length < PACKED_MIN) return piece;
      return { ...piece, bytes: await packBytes(piece.bytes), packedFrom: piece.bytes.length };
    },
    readFile,
    readStep: (id, file, step) => translated(() => readStep(id, file, step)),
    append: (id, step, done, times) => translated(() => append(id, step, done, times)),

    files: (id) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'async-files',
          text: `select file, sum(length)::float8, sum(count)::float8 from mortar.async_piece
where request_id = $1 group by file order by file`,
          values: [id],
        });
        return (rows as unknown as [string, number, number][]).map(
          ([name, length, count]): AsyncFile => ({ name, length, count }),
        );
      }),
  };
}
