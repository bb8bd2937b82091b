/** A pharmacy's queue: pages with counts, live changes, figures. MISSION M10; seed 002 */
import type { Caller } from '../../ports/caller.ts';
import type { QueueCounts, QueueRank, QueueStatus } from '../../ports/dispense-queue.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import type { Condition } from '../../standards/fhir/search/request.ts';
import { type FoundTask, readTask } from '../../workflow/dispensing/find-task.ts';
import { startOfDay } from '../../workflow/dispensing/opening-hours.ts';
import { createCallerCounts } from '../../workflow/dispensing/queue-counts.ts';
import { queueItem } from '../../workflow/dispensing/queue-item.ts';
import { createQueuePatients } from '../../workflow/dispensing/queue-patients.ts';
import { type DispensingParts, PHARMACY_CODE, TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

const TAG = 'Pharmacy';
const DAY_MS = 24 * 60 * 60_000;
const DAYS_OF: Readonly<Record<string, number>> = { today: 0, week: 6, month: 29 };
const COUNT = 50;
const REPORT_DAYS_MAX = 366;

/** Told of changes of a pharmacy's queue. */
export interface QueueEvents {
  /** Ends when the reader goes, or the server stops. */
  follow(pharmacyId: string, countsOf: () => Promise<QueueCounts>): AsyncIterable<Buffer>;
}

export function createQueueRoutes(parts: DispensingParts & { readonly events: QueueEvents }): readonly WorkflowRoute[] {
  const { visible, searchOf, tokens, pharmacies, queue, attempts, events, timeZone, now } = parts;
  const counts = createCallerCounts(parts);
  const rules = { isCodeNeeded: parts.collection.isNeeded, photos: parts.photos };
  const patientsOf = createQueuePatients(parts);

  async function list({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const text = (of: string): string | undefined => query[of] as string | undefined; // as the schema says
    const pharmacy = await pharmacies.actingFor(caller, text('pharmacy_code'));
    const priority = text('priority') ?? 'all';
    const range = text('date_range');
    const asked = text('patient_search')?.trim();
    const after = text('after');
    const at = now();
    const patientIds = asked ? await patientsOf(caller, pharmacy.id, asked) : undefined;
    const page = await queue.page({
      pharmacyId: pharmacy.id,
      status: (text('status') ?? 'pending') as QueueStatus, // as the schema says
      count: (query['page_size'] as number | undefined) ?? COUNT,
      ...(priority !== 'all' && { rank: priority as QueueRank }), // as the schema says
      ...(range !== undefined && { since: startOfDay(at - (DAYS_OF[range] ?? 0) * DAY_MS, timeZone) }),
      ...(patientIds && { patientIds }),
      ...(after !== undefined && { after }),
      askers: counts.askersOf(caller),
    });
    const [stats, found] = await Promise.all([
      counts.visibleCounts(caller, page).then(statsOf),
      tasksOf(caller, page.taskIds),
    ]);
    const asking = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    );
    return {
      status: 200,
      json: {
        success: true,
        count: priority === 'all' ? stats.total : stats[priority as QueueRank],
        stats,
        prescriptions: found.map((one) => queueItem(one, at, rules)),
        ...(page.next !== undefined && { next: page.next }),
      },
      detail: { pharmacy: pharmacy.id },
      searched: {
        type: 'Task',
        query: `api/pharmacy/queue?${asking}`,
        patientIds: [...new Set(found.map(({ patientId }) => patientId))],
      },
    };
  }

  /** What the caller may see of them, in their order. The route tells the trail. */
  async function tasksOf(caller: Caller, taskIds: readonly string[]): Promise<readonly FoundTask[]> {
    if (taskIds.length === 0) return [];
    const request = searchOf('Task', `_count=${taskIds.length}`);
    const conditions: readonly Condition[] = [...request.conditions, { kind: 'id', ids: taskIds }];
    const { matches } = await visible.search(caller, { ...request, conditions, count: taskIds.length });
    const found = new Map(matches.map((version) => [version.id, version]));
    return taskIds.flatMap((id) => {
      const version = found.get(id);
      const read = version && readTask(version, tokens);
      return read ? [read] : [];
    });
  }

  async function analytics({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const text = (of: string): string | undefined => query[of] as string | undefined; // as the schema says
    const pharmacy = await pharmacies.actingFor(caller, text('pharmacy_code'));
    const { from, until } = rangeOf(text('from'), text('to'), now());
    const hidden = await counts.hidden(caller, pharmacy.id);
    const [times, tried, pending] = await Promise.all([
      queue.times(pharmacy.id, from, until, hidden),
      attempts.countAt(pharmacy.id, from, until),
      counts.open(caller, pharmacy.id),
    ]);
    return {
      status: 200,
      json: {
        pharmacy: { id: pharmacy.id, name: pharmacy.name },
        from: new Date(from).toISOString(),
        to: new Date(until).toISOString(),
        volume: { issued: times.issued, dispensed: times.dispensed, expired: times.expired, pending: statsOf(pending) },
        approval_to_dispense: {
          mean_minutes: minutes(times.meanMs),
          median_minutes: minutes(times.medianMs),
        },
        verification: {
          attempts: tried.verifications,
          failures: tried.failures,
          reasons: tried.reasons,
          suspicious: tried.suspicious.map(({ tokenId, count }) => ({ prescription_id: tokenId, failures: count })),
        },
      },
      detail: { pharmacy: pharmacy.id },
    };
  }

  const ofPharmacy = { pharmacy_code: PHARMACY_CODE };
  return [
    {
      method: 'GET',
      path: '/api/pharmacy/queue',
      summary: 'What the pharmacy has to dispense, has dispensed, or is too late for',
      tag: TAG,
      rights: ['pharmacy:queue'],
      kind: 'search',
      told: 'pharmacy-queue',
      request: {
        query: {
          type: 'object',
          properties: {
            status: { enum: ['pending', 'dispensed', 'expired'] },
            priority: { enum: ['all', 'controlled', 'high_risk', 'routine'] },
            date_range: { enum: ['today', 'week', 'month'] },
            patient_search: TEXT(100),
            page_size: { type: 'integer', minimum: 1, maximum: 200 },
            after: TEXT(200),
            ...ofPharmacy,
          },
        },
      },
      answers: {
        200: {
          about: 'A page, with counts; `next` is the `after` of the page that follows',
          schema: { type: 'object' },
        },
      },
      problems: ['pharmacy'],
      handle: list,
    },
    {
      method: 'GET',
      path: '/api/pharmacy/queue/events',
      summary: 'Server-sent events: the counts at once, and whenever the queue changes',
      tag: TAG,
      rights: ['pharmacy:queue'],
      kind: 'read',
      told: 'pharmacy-queue-events',
      request: { query: { type: 'object', properties: ofPharmacy } },
      answers: { 200: { about: 'text/event-stream', mediaType: 'text/event-stream' } },
      problems: ['pharmacy'],
      async handle({ caller, query }) {
        const pharmacy = await pharmacies.actingFor(caller, query['pharmacy_code'] as string | undefined);
        return {
          status: 200,
          stream: events.follow(pharmacy.id, () => counts.open(caller, pharmacy.id)),
          mediaType: 'text/event-stream; charset=utf-8',
          headers: { 'X-Accel-Buffering': 'no' },
          detail: { pharmacy: pharmacy.id },
        };
      },
    },
    {
      method: 'GET',
      path: '/api/pharmacy/analytics',
      summary: 'Volume, time from approval to dispensing, failed verifications',
      tag: TAG,
      rights: ['pharmacy:queue'],
      kind: 'operation',
      told: 'pharmacy-analytics',
      request: {
        query: {
          type: 'object',
          properties: {
            from: { type: 'string', format: 'date' },
            to: { type: 'string', format: 'date' },
            ...ofPharmacy,
          },
        },
      },
      answers: {
        200: { about: 'Figures of at most 366 days; of the last 30 unless said', schema: { type: 'object' } },
      },
      problems: ['pharmacy'],
      handle: analytics,
    },
  ];
}

/** Days in UTC, the last one included. Throws 400 for a range that is none, or too long. */
export function rangeOf(
  from: string | undefined,
  to: string | undefined,
  at: number,
): { readonly from: number; readonly until: number } {
  const today = Math.floor(at / DAY_MS) * DAY_MS;
  const last = to === undefined ? today : Date.parse(`${to}T00:00:00Z`);
  const first = from === undefined ? last - 29 * DAY_MS : Date.parse(`${from}T00:00:00Z`);
  if (Number.isNaN(first) || Number.isNaN(last) || first > last)
    throw badValue('from and to are days, in that order', 'from');
  if (last - first >= REPORT_DAYS_MAX * DAY_MS)
    throw badValue(`At most ${REPORT_DAYS_MAX} days are reported at once`, 'from');
  return { from: first, until: last + DAY_MS };
}

const statsOf = ({ controlled, high_risk, routine }: QueueCounts) => ({
  total: controlled + high_risk + routine,
  routine,
  controlled,
  high_risk,
});

const minutes = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms / 6000) / 10);
