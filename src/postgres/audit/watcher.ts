/**
 * Watches events as they are recorded and raises alerts within moments, each once for its subject and time. What it
 * remembers is this process's own and bounded: counts start anew with the process. SECURITY AU-14
 */
import type { AuditAlert, AuditEvent } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AuditWatch } from './log.ts';

export interface WatcherOptions {
  readonly now: Clock;
  /** Takes an alert on; it must not throw. */
  readonly alert: (alert: AuditAlert) => void;
  /** The patient's rid as a decimal. */
  readonly patientRidOf: (patientId: string) => string;
}

export interface AuditWatcher extends AuditWatch {
  /** For the chainer. */
  chainBroken(seq: number): void;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const BREAK_GLASS_MAX = 5;
const PATIENTS_MAX = 200;
const FAILURES_MAX = 10;
/** Subjects that one rule remembers; the one not heard of for longest is forgotten first. */
const SUBJECTS_MAX = 10_000;

const READS = new Set(['read', 'vread', 'search', 'history', 'operation', 'export']);

export function createAuditWatcher({ now, alert, patientRidOf }: WatcherOptions): AuditWatcher {
  const raised = createWindows<true>(() => true);
  const glass = createWindows<Counter>(() => ({ count: 0 }));
  const failures = createWindows<Counter>(() => ({ count: 0 }));
  const patients = createWindows<Set<string>>(() => new Set());

  /** Once for the rule and subject within the time. */
  function raise(rule: AuditAlert['rule'], subject: string, withinMs: number, more: Partial<AuditAlert> = {}): void {
    const at = now();
    const key = `${rule} ${subject}`;
    if (raised.find(key, at) !== undefined) return;
    raised.open(key, at, withinMs);
    alert({ rule, subject, at, ...more });
  }

  function see(event: AuditEvent): void {
    const { kind, outcome, caller } = event;
    const { correlationId } = caller;
    const subject = caller.user?.id ?? caller.clientId ?? caller.name;
    if (kind === 'token-reuse') raise('token-reuse', subject, HOUR_MS, { correlationId });
    if (kind === 'break-glass' && outcome === 0) {
      const counter = glass.open(subject, now(), DAY_MS);
      counter.count += 1;
      if (counter.count >= BREAK_GLASS_MAX)
        raise('break-glass', subject, DAY_MS, { correlationId, count: counter.count });
    }
    if (kind === 'verification' && outcome !== 0) {
      const pharmacy = event.detail?.['pharmacy'] ?? caller.user?.organizationIds[0] ?? subject;
      const counter = failures.open(pharmacy, now(), MINUTE_MS);
      counter.count += 1;
      if (counter.count >= FAILURES_MAX)
        raise('verification-failures', pharmacy, MINUTE_MS, { correlationId, count: counter.count });
    }
    if (outcome === 0 && caller.user && READS.has(kind)) seeReading(event, caller.user.id);
  }

  function seeReading({ caller, targets = [], patientRids = [] }: AuditEvent, userId: string): void {
    const { correlationId } = caller;
    const seen = patients.open(userId, now(), HOUR_MS);
    for (const rid of patientRids) if (seen.size <= PATIENTS_MAX) seen.add(rid);
    for (const { patientRid } of targets)
      if (patientRid !== undefined && seen.size <= PATIENTS_MAX) seen.add(patientRid);
    if (seen.size > PATIENTS_MAX) raise('bulk-reading', userId, HOUR_MS, { correlationId, count: seen.size });
    const isStaff = caller.user?.roles.some((role) => role !== 'PATIENT') === true;
    const own = caller.user?.patientIds ?? [];
    if (!isStaff || own.length === 0) return;
    const rids = own.map(patientRidOf);
    if (rids.some((rid) => patientRids.includes(rid) || targets.some(({ patientRid }) => patientRid === rid)))
      raise('own-record', userId, DAY_MS, { correlationId });
  }

  return {
    see,
    sinkFailed: () => raise('audit-sink-down', 'audit', MINUTE_MS),
    chainBroken: (seq) => raise('chain-break', `seq ${seq}`, DAY_MS),
  };
}

interface Counter {
  count: number;
}

interface Windows<V> {
  find(key: string, at: number): V | undefined;
  /** The open window's value, or a new window that lasts so long. */
  open(key: string, at: number, lastsMs: number): V;
}

/** Values by subject, each for a time that begins with its first. */
function createWindows<V>(make: () => V): Windows<V> {
  const windows = new Map<string, { readonly value: V; readonly until: number }>();
  const find = (key: string, at: number): V | undefined => {
    const window = windows.get(key);
    return window && at < window.until ? window.value : undefined;
  };
  return {
    find,
    open(key, at, lastsMs) {
      const known = find(key, at);
      const window = known === undefined ? { value: make(), until: at + lastsMs } : windows.get(key);
      windows.delete(key); // to the end of the order
      if (window) windows.set(key, window);
      if (windows.size > SUBJECTS_MAX) {
        const [oldest] = windows.keys();
        if (oldest !== undefined) windows.delete(oldest);
      }
      return (window as { readonly value: V }).value; // known or made
    },
  };
}
