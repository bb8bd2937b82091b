import { expect } from 'chai';
import { createEpcsJobs } from '../../src/jobs/epcs-jobs.ts';
import type { AuditEvent } from '../../src/ports/audit.ts';
import type { EpcsReport } from '../../src/ports/epcs.ts';

const NOW = Date.UTC(2026, 3, 20, 1);

describe('jobs › epcs', () => {
  for (const [title, report, level, outcome] of [
    ['a day that is clear', { damaged: [], incidents: [] }, 'info', 0],
    ['an incident', { damaged: [], incidents: ['x'] }, 'warn', 4],
    ['a record that was changed', { damaged: ['x'], incidents: [] }, 'warn', 4],
  ] as const)
    it(`${title}: told as ${level}, and in the trail`, async () => {
      const told: string[] = [];
      const recorded: AuditEvent[] = [];
      const note = (name: string) => (): void => void told.push(name);
      const days: string[] = [];
      const { handlers, schedules } = createEpcsJobs({
        archive: {
          async report(day): Promise<EpcsReport> {
            days.push(day);
            return { day, counts: [], ...report };
          },
        },
        audit: { record: async (event) => void recorded.push(event) },
        now: () => NOW,
        log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      });
      expect(schedules.map(({ everyMs }) => everyMs)).eql([86_400_000]);
      const job = { id: '1', kind: 'epcs-report', payload: {}, attempt: 1, fence: 1 };
      await handlers[0]?.run(job, new AbortController().signal);
      expect([days, told, recorded.map((event) => event.outcome)]).eql([['2026-04-19'], [level], [outcome]]);
    });
});
