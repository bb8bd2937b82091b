/** Paging positions as opaque text, signed so that only positions this server gave out are taken. */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { badValue } from '../../standards/fhir/outcome.ts';

const LINK_LIFETIME_MS = 60 * 60 * 1000;

export interface Cursors {
  /** `scope` binds the position to its query, so that it cannot be used with another. */
  format(scope: string, position: unknown): string;
  /** Throws 400 for a text that was altered, belongs to another query or is over an hour old. */
  parse(scope: string, cursor: string): unknown;
}

export function createCursors(key: Uint8Array, now: () => number): Cursors {
  const secret = createSecretKey(key);
  const mac = (scope: string, body: string): string =>
    createHmac('sha256', secret).update(scope).update('\u0000').update(body).digest('base64url');
  return {
    format(scope, position) {
      const body = Buffer.from(JSON.stringify([now(), position])).toString('base64url');
      return `${body}.${mac(scope, body)}`;
    },
    parse(scope, cursor) {
      const dot = cursor.indexOf('.');
      const body = cursor.slice(0, dot);
      // The texts are compared: of base64 several texts can stand for the same bytes.
      const given = Buffer.from(cursor.slice(dot + 1));
      const expected = Buffer.from(mac(scope, body));
      if (dot < 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
        throw badValue('_cursor was not made for this query: follow the links of the first page instead');
      const [made, position] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [number, unknown]; // ours: signed
      if (now() - made > LINK_LIFETIME_MS) throw badValue('This page link is over an hour old: run the search again');
      return position;
    },
  };
}
