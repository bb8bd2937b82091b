/** The daily audit of controlled-substance prescriptions: yesterday's report, in the log and in the trail. 21 CFR 1311.150, .215 */
import { serviceCaller } from '../policy/service-caller.ts';
import type { AuditLog } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { EpcsArchive } from '../ports/epcs.ts';
import type { Log } from '../ports/log.ts';
import type { JobSet } from './runner.ts';

export interface EpcsJobsOptions {
  readonly archive: Pick<EpcsArchive, 'report'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly now: Clock;
  readonly log: Log;
}

const CALLER = serviceCaller('jobs');
const DAY_MS = 86_400_000;

export function createEpcsJobs({ archive, audit, now, log }: EpcsJobsOptions): JobSet {
  const kind = 'epcs-report';
  return {
    handlers: [
      {
        kind,
        attemptsMax: 5,
        delayMs: 60_000,
        delayMaxMs: 60 * 60 * 1000,
        async run() {
          const day = new Date(now() - DAY_MS).toISOString().slice(0, 10);
          const { counts, damaged, incidents } = await archive.report(day);
          const isWell = damaged.length === 0 && incidents.length === 0;
          const found = { day, kinds: counts.length, damaged: damaged.length, incidents: incidents.length };
          await audit.record({
            kind: 'operation',
            caller: CALLER,
            outcome: isWell ? 0 : 4,
            operation: 'epcs-daily-report',
            query: `day=${day} damaged=${damaged.length} incidents=${incidents.length}`,
          });
          // Incidents are reported within one business day (21 CFR 1311.150(c)).
          if (isWell) log.info('controlled substances: the daily report is clear', found);
          else log.warn('controlled substances: the daily report names incidents', found);
        },
      },
    ],
    schedules: [{ name: kind, everyMs: DAY_MS, job: { kind, dedupe: 'one', payload: {} } }],
  };
}
