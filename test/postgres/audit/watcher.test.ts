import { expect } from 'chai';
import type { AuditAlert, AuditEvent } from '../../../src/ports/audit.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import { type AuditWatcher, createAuditWatcher } from '../../../src/postgres/audit/watcher.ts';
import { doctor } from './audited-database.ts';

const MINUTE = 60_000;

describe('audit › alerts [AU-14]', () => {
  let at: number;
  let alerts: AuditAlert[];
  let watcher: AuditWatcher;
  beforeEach(() => {
    at = Date.UTC(2026, 4, 1);
    alerts = [];
    watcher = createAuditWatcher({
      now: () => at,
      alert: (alert) => alerts.push(alert),
      patientRidOf: (id) => `rid of ${id}`,
    });
  });
  const see = (event: Partial<AuditEvent>): void => watcher.see({ kind: 'read', caller: doctor, outcome: 0, ...event });
  const another = (id: string): Caller => ({ ...doctor, user: { ...doctor.user!, id } });
  const rules = (): string[] => alerts.map(({ rule, subject }) => `${rule} ${subject}`);

  it('[AU-14] reuse of a refresh token alerts at once, once an hour for a person', () => {
    see({ kind: 'token-reuse', outcome: 4 });
    see({ kind: 'token-reuse', outcome: 4 });
    see({ kind: 'token-reuse', outcome: 4, caller: another('user-2') });
    expect(rules()).deep.equal(['token-reuse user-1', 'token-reuse user-2']);
    at += 60 * MINUTE;
    see({ kind: 'token-reuse', outcome: 4 });
    expect(alerts).length(3);
  });

  it('[AU-14] the fifth break-glass of a day alerts, once', () => {
    for (let n = 0; n < 4; n++) see({ kind: 'break-glass' });
    see({ kind: 'break-glass', outcome: 4 });
    expect(rules()).deep.equal([]);
    see({ kind: 'break-glass' });
    see({ kind: 'break-glass' });
    expect(rules()).deep.equal(['break-glass user-1']);
    at += 24 * 60 * MINUTE;
    see({ kind: 'break-glass' });
    expect(alerts, 'a new day').length(1);
  });

  it('[AU-14] more than 200 distinct patients in an hour alert, once; the same ones again do not', () => {
    for (let n = 0; n < 200; n++) see({ targets: [{ type: 'Observation', id: 'o', patientRid: String(n) }] });
    see({ kind: 'search', patientRids: ['1', '2', '3'] });
    expect(rules()).deep.equal([]);
    see({ kind: 'search', patientRids: ['1', '1000'] });
    see({ kind: 'search', patientRids: ['1001'] });
    expect(rules()).deep.equal(['bulk-reading user-1']);
    see({ kind: 'search', caller: another('user-2'), patientRids: Array.from({ length: 5000 }, (_, n) => String(n)) });
    expect(rules()).deep.equal(['bulk-reading user-1', 'bulk-reading user-2']);
  });

  it('[AU-14] an hour later the patients are counted anew', () => {
    for (let n = 0; n < 150; n++) see({ targets: [{ type: 'Patient', id: 'x', patientRid: String(n) }] });
    at += 61 * MINUTE;
    for (let n = 150; n < 300; n++) see({ targets: [{ type: 'Patient', id: 'x', patientRid: String(n) }] });
    expect(rules()).deep.equal([]);
  });

  it('[AU-14] staff who look at their own record alert, patients who do so do not', () => {
    const staff: Caller = { ...doctor, user: { ...doctor.user!, patientIds: ['me'] } };
    const patient: Caller = { ...staff, user: { ...staff.user!, id: 'user-3', roles: ['PATIENT'] } };
    const targets = [{ type: 'Observation', id: 'o', patientRid: 'rid of me' }];
    see({ caller: patient, targets });
    see({ caller: staff, targets: [{ type: 'Patient', id: 'other', patientRid: '6' }] });
    expect(rules()).deep.equal([]);
    see({ caller: staff, targets });
    see({ caller: staff, targets });
    expect(rules()).deep.equal(['own-record user-1']);
  });

  it('[FA-08] how close other records are is looked at once a day, for staff alone, and told with a mark', async () => {
    const asked: string[] = [];
    const marks: string[] = [];
    watcher = createAuditWatcher({
      now: () => at,
      alert: (alert) => alerts.push(alert),
      patientRidOf: (id) => `rid of ${id}`,
      closenessOf: async ({ id }, rid) => {
        asked.push(`${id} ${rid}`);
        return rid === '7' ? ['family-record', 'vip-record'] : [];
      },
      mark: (rule, { user }, rid) => marks.push(`${rule} ${user?.id} ${rid}`),
    });
    const settled = () => new Promise((done) => setImmediate(done));
    const patient: Caller = { ...doctor, user: { ...doctor.user!, id: 'user-3', roles: ['PATIENT'] } };
    const targets = [{ type: 'Observation', id: 'o', patientRid: '7' }];
    for (const caller of [patient, doctor, doctor]) see({ caller, targets });
    see({ kind: 'search', patientRids: ['7', '8'] });
    see({ kind: 'create', targets: [{ type: 'Observation', id: 'o', patientRid: '9' }] });
    see({ outcome: 4, targets: [{ type: 'Observation', id: 'o', patientRid: '9' }] });
    await settled();
    expect(asked).deep.equal(['user-1 7', 'user-1 8']);
    expect(rules()).deep.equal(['family-record user-1', 'vip-record user-1']);
    expect(marks).deep.equal(['family-record user-1 7', 'vip-record user-1 7']);
    at += 24 * 60 * MINUTE;
    see({ targets });
    await settled();
    expect(marks, 'a new day').length(4);
  });

  it('[AU-14] ten failed verifications of a pharmacy within a minute alert, once', () => {
    const fail = (pharmacy: string): void => see({ kind: 'verification', outcome: 4, detail: { pharmacy } });
    for (let n = 0; n < 9; n++) fail('FA123');
    fail('FB456');
    at += 2 * MINUTE;
    fail('FA123');
    expect(rules()).deep.equal([]);
    for (let n = 0; n < 12; n++) fail('FA123');
    expect(rules()).deep.equal(['verification-failures FA123']);
  });

  it('[AU-14] a prescription that was handed over without its code alerts, once an hour for a pharmacy', () => {
    const waived = (pharmacy: string, outcome: 0 | 4 = 0): void =>
      see({ kind: 'dispense', outcome, rule: 'collection-code-waived', detail: { pharmacy } });
    see({ kind: 'dispense', outcome: 0, rule: 'collection-code-confirmed', detail: { pharmacy: 'FA123' } });
    waived('FA123', 4);
    expect(rules()).deep.equal([]);
    waived('FA123');
    waived('FA123');
    waived('FB456');
    at += 61 * MINUTE;
    waived('FA123');
    expect(rules()).deep.equal([
      'collection-code-waived FA123',
      'collection-code-waived FB456',
      'collection-code-waived FA123',
    ]);
  });

  it('[AU-14] a broken chain and a trail that cannot be written alert, once each', () => {
    watcher.chainBroken(7);
    watcher.chainBroken(7);
    watcher.sinkFailed();
    watcher.sinkFailed();
    expect(rules()).deep.equal(['chain-break seq 7', 'audit-sink-down audit']);
  });

  it('[AU-14] an alert names ids only', () => {
    see({ kind: 'token-reuse', outcome: 4 });
    expect(JSON.stringify(alerts)).not.include('Ada');
    expect(alerts[0]).deep.equal({ rule: 'token-reuse', subject: 'user-1', at, correlationId: 'request-1' });
  });
});
