import type { IncomingMessage } from 'node:http';
import type { Caller } from './caller.ts';

/**
 * Turns the credentials of a request into a caller, once, before anything of its body is read (SECURITY IN-02, ST-11).
 * Throws `FhirError` 401 (with `WWW-Authenticate`) or 400 (credentials in the query, or two of them).
 */
export type Authenticate = (req: IncomingMessage, correlationId: string) => Promise<Caller>;
