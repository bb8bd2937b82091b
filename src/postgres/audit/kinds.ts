/** Numbers of the kinds of event in `audit.entry`. Append only. */
import type { AuditKind } from '../../ports/audit.ts';

const KINDS: readonly AuditKind[] = [
  'create',
  'read',
  'vread',
  'update',
  'patch',
  'delete',
  'search',
  'history',
  'operation',
  'export',
  'import',
  'message-in',
  'message-out',
  'login',
  'logout',
  'mfa',
  'token',
  'token-revoked',
  'token-reuse',
  'consent',
  'break-glass',
  'configuration',
  'user',
  'client',
  'key',
  'audit-read',
  'signature',
  'verification',
  'dispense',
  'start',
  'stop',
  'access-refused',
  'alert',
];

const NUMBERS = new Map(KINDS.map((kind, number) => [kind, number]));

/** The number of a kind. */
export function kindNumber(kind: AuditKind): number {
  const number = NUMBERS.get(kind);
  if (number === undefined) throw new Error(`no number for audit kind ${kind}`);
  return number;
}

export const findKind = (number: number): AuditKind | undefined => KINDS[number];

export const isAuditKind = (text: string): text is AuditKind => NUMBERS.has(text as AuditKind);
