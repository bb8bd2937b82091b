/**
 * Paging positions as sealed text: they hold the values that a page was sorted by, and stand in URLs. Only positions that
 * this server gave out are taken.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey } from 'node:crypto';
import { NONCE_BYTES, nextNonce } from '../../standards/fhir/encryption/nonces.ts';
import { badValue } from '../../standards/fhir/outcome.ts';

const LINK_LIFETIME_MS = 60 * 60 * 1000;
const ALGORITHM = 'aes-256-gcm';
const TAG_BYTES = 16;

export interface Cursors {
  /** `scope` binds the position to its query, so that it cannot be used with another. */
  format(scope: string, position: unknown): string;
  /** Throws 400 for a text that was altered, belongs to another query or is over an hour old. */
  parse(scope: string, cursor: string): unknown;
}

export function createCursors(key: Uint8Array, now: () => number): Cursors {
  const secret = createSecretKey(createHash('sha256').update('paging link\u0000').update(key).digest());

  /** Undefined unless it was sealed here for this scope. */
  function open(scope: string, cursor: string): string | undefined {
    const sealed = Buffer.from(cursor, 'base64url');
    // Of base64 several texts can stand for the same bytes.
    if (sealed.length <= NONCE_BYTES + TAG_BYTES || sealed.toString('base64url') !== cursor) return undefined;
    const decipher = createDecipheriv(ALGORITHM, secret, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(scope));
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString();
    } catch {
      return undefined; // the tag does not fit
    }
  }

  return {
    format(scope, position) {
      const nonce = nextNonce();
      const cipher = createCipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(scope));
      const body = Buffer.concat([cipher.update(JSON.stringify([now(), position])), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    parse(scope, cursor) {
      const text = open(scope, cursor);
      if (text === undefined)
        throw badValue('_cursor was not made for this query: follow the links of the first page instead');
      const [made, position] = JSON.parse(text) as [number, unknown]; // ours: sealed
      if (now() - made > LINK_LIFETIME_MS) throw badValue('This page link is over an hour old: run the search again');
      return position;
    },
  };
}
