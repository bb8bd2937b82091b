/** Turns what node-postgres throws into what a caller may see. https://www.postgresql.org/docs/18/errcodes-appendix.html */
import { SealedValueError } from '../standards/fhir/encryption/sealed-text.ts';
import { conflict, FhirError, issue, unavailable } from '../standards/fhir/outcome.ts';

/** SQLSTATE of a Postgres error, else the system's error code (`ECONNREFUSED`), else undefined. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

export const UNIQUE_VIOLATION = '23505';
/** Serialization failure and deadlock: the same work may succeed when tried again. */
export const isRetryable = (error: unknown): boolean => ['40001', '40P01'].includes(errorCode(error) ?? '');

const CONNECTION_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'ENOTFOUND']);
const CONNECTION_TEXT = /terminat|connection (ended|error|timeout)|not queryable|client was closed|timeout exceeded/i;

/** The error to throw instead; anything unknown is returned as it is, a bug of ours. */
function toCallerError(error: unknown): unknown {
  if (error instanceof FhirError || !(error instanceof Error)) return error;
  if (error instanceof SealedValueError)
    return unavailable('Protected elements of this resource cannot be opened; an administrator must look at it', error);
  const code = errorCode(error) ?? '';
  if (code === '57014')
    return new FhirError(
      503,
      [issue('too-costly', 'The database gave up: the request took longer than is allowed. Narrow it.')],
      {
        cause: error,
        headers: { 'Retry-After': '5' },
      },
    );
  if (isRetryable(error)) return conflict('Another request changed the same resources at the same time; try again');
  if (code === '53100')
    return new FhirError(507, [issue('no-store', 'The database has no space left')], { cause: error });
  if (
    /^(08|53|57P|58)/.test(code) ||
    CONNECTION_CODES.has(code) ||
    (code === '' && CONNECTION_TEXT.test(error.message))
  )
    return unavailable('The database cannot be reached just now; try again', error);
  return error;
}

/** Runs `work` and translates its errors. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toCallerError(error);
  }
}
