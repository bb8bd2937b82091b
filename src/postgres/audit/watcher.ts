/**
 * Watches events as they are recorded and raises alerts within moments, each once for its subject and time. What it
 * remembers is this process's own and bounded: counts start anew with the process. SECURITY AU-14
 */
import type { AuditAlert, AuditEvent, Closeness } from '../../ports/audit.ts';
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AuditWatch } from './log.ts';

export interface WatcherOptions {
  readonly now: Clock;
  /** Takes an alert on; it must not throw. */
  readonly alert: (alert: AuditAlert) => void;
  /** The patient's rid as a decimal. */
  readonly patientRidOf: (patientId: string) => string;
  /** How close a record is to a member of staff; it must not throw. SECURITY FA-08 */
  readonly closenessOf?: (user: CallerUser, patientRid: string) => Promise<readonly Closeness[]>;
  /** Puts an alert about a record into the trail; it must not throw. */
  readonly mark?: (rule: Closeness, caller: Caller, patientRid: string) => void;
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

/** Records that are looked at at once. */
const LOOKING_MAX = 1000;

const READS = new Set(['read', 'vread', 'search', 'history', 'operation', 'export']);

export function createAuditWatcher(options: WatcherOptions): AuditWatcher {
  const { now, alert, patientRidOf, closenessOf, mark } = options;
  const raised = createWindows<true>(() => true);
  const glass = createWindows<Counter>(() => ({ count: 0 }));
  const failures = createWindows<Counter>(() => ({ count: 0 }));
  const patients = createWindows<Set<string>>(() => new Set());
  const looked = createWindows<true>(() => true);
  let looking = 0;

  /** Once for the rule and subject within the time. */
  function raise(rule: AuditAlert['rule'], subject: string, withinMs: number, more: Partial<AuditAlert> = {}): void {
    const at = now();
    const key = `${rule} ${subject}`;
    if (raised.find(key, at) !== undefined) return;
    raised.open(key, at, withinMs);
    alert({ rule, subject, at, ...more });
  }

  /** Looks once a day at each record that a member of staff reads. Of more than wait, bulk reading has told. */
  function lookAt(caller: Caller, user: CallerUser, rid: string): void {
    const key = `${user.id} ${rid}`;
    if (looked.find(key, now()) || looking >= LOOKING_MAX || !closenessOf) return;
    looked.open(key, now(), DAY_MS);
    looking += 1;
    void closenessOf(user, rid)
      .then((found) => {
        for (const rule of found) raiseAbout(rule, caller, user, rid);
      })
      .finally(() => {
        looking -= 1;
      });
  }

  /** Once a day for a person and record, with a mark in the trail. */
  function raiseAbout(rule: Closeness, caller: Caller, user: CallerUser, rid: string): void {
    const key = `${rule} ${user.id} ${rid}`;
    if (raised.find(key, now()) !== undefined) return;
    raised.open(key, now(), DAY_MS);
    alert({ rule, subject: user.id, at: now(), correlationId: caller.correlationId });
    mark?.(rule, caller, rid);
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
    if (kind === 'dispense' && outcome === 0 && event.rule === 'collection-code-waived')
      raise('collection-code-waived', event.detail?.['pharmacy'] ?? subject, HOUR_MS, { correlationId });
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
    const { user } = caller;
    if (!user?.roles.some((role) => role !== 'PATIENT')) return;
    const own = new Set(user.patientIds.map(patientRidOf));
    const read = new Set([...patientRids, ...targets.flatMap(({ patientRid }) => patientRid ?? [])]);
    for (const rid of read)
      if (own.has(rid)) raiseAbout('own-record', caller, user, rid);
      else lookAt(caller, user, rid);
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
