/** Refused handshakes in the audit trail: each with its reason, and not more of them than a minute should bring. SECURITY PK-10 */
import { randomUUID } from 'node:crypto';
import type { AuditEvent, AuditLog } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { PeerRefusal } from '../ports/peer-check.ts';

export interface PeerRefusalsOptions {
  /** Undefined while the server starts. */
  readonly audit: () => AuditLog | undefined;
  readonly now: Clock;
  readonly log: Log;
}

const MINUTE_MS = 60_000;
const MINUTE_MAX = 120;
const TEXT_MAX = 300;
/** While the server starts there is no trail yet. */
const RETRY_MS = 500;

/** Records a refusal; what is above the bound is counted in the log. */
export function createPeerRefusals({
  audit,
  now,
  log,
}: PeerRefusalsOptions): (refusal: PeerRefusal, address: string) => void {
  let minute = 0;
  let count = 0;
  const waiting: AuditEvent[] = [];
  let timer: NodeJS.Timeout | undefined;

  function tell(event: AuditEvent): void {
    const trail = audit();
    if (trail)
      return void trail
        .record(event)
        .catch((error: unknown) => log.error('a refused handshake could not be recorded', { error }));
    if (waiting.length < MINUTE_MAX) waiting.push(event);
    if (timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      for (const one of waiting.splice(0)) tell(one);
    }, RETRY_MS);
    timer.unref();
  }

  return ({ code, subject, issuer, serial }, address) => {
    const current = Math.floor(now() / MINUTE_MS);
    if (current !== minute) {
      if (count > MINUTE_MAX)
        log.warn('more handshakes were refused than the trail has', { count: count - MINUTE_MAX });
      minute = current;
      count = 0;
    }
    count += 1;
    if (count > MINUTE_MAX) return;
    const detail = Object.entries({ subject, issuer, serial }).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, text.slice(0, TEXT_MAX)] as const],
    );
    tell({
      kind: 'access-refused',
      caller: { kind: 'anonymous', name: 'tls', correlationId: randomUUID(), scopes: [], otherScopes: [], address },
      outcome: 4,
      rule: `certificate-${code}`,
      detail: Object.fromEntries(detail),
    });
  };
}
