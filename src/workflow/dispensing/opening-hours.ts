/**
 * Whether a pharmacy is open, by the `availableTime` and `notAvailable` of its HealthcareService, in the zone where it is;
 * times that go past midnight belong to the day on which they begin. https://hl7.org/fhir/R4/healthcareservice.html
 */
import type { Node } from './pharmacies.ts';

export interface OpeningTime {
  /** `mon` to `sun` */
  readonly days: readonly string[];
  readonly isAllDay: boolean;
  /** `09:00` */
  readonly open?: string;
  readonly close?: string;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_MINUTES = 24 * 60;

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated

export const openingTimes = (service: Node): readonly OpeningTime[] =>
  listOf(service['availableTime']).map((time) => ({
    days: (time['daysOfWeek'] as readonly string[] | undefined) ?? DAYS,
    isAllDay: time['allDay'] === true,
    ...(typeof time['availableStartTime'] === 'string' && { open: time['availableStartTime'].slice(0, 5) }),
    ...(typeof time['availableEndTime'] === 'string' && { close: time['availableEndTime'].slice(0, 5) }),
  }));

/** Undefined where the service says nothing of its hours. `at`: ms UTC. */
export function isOpen(service: Node, at: number, timeZone: string): boolean | undefined {
  const times = openingTimes(service);
  if (times.length === 0) return undefined;
  const local = localTime(at, timeZone);
  if (listOf(service['notAvailable']).some(({ during }) => isWithin(during as Node | undefined, local.date)))
    return false;
  const yesterday = (local.day + 6) % 7;
  return times.some(({ days, isAllDay, open = '00:00', close = '24:00' }) => {
    const [from, until] = [minutesOf(open), minutesOf(close)];
    const isToday = days.includes(DAYS[local.day] ?? '');
    const isFromYesterday = days.includes(DAYS[yesterday] ?? '');
    if (isAllDay) return isToday;
    if (from < until) return isToday && from <= local.minutes && local.minutes < until;
    return (isToday && from <= local.minutes) || (isFromYesterday && local.minutes < until);
  });
}

function isWithin(period: Node | undefined, date: string): boolean {
  const [start, end] = [String(period?.['start'] ?? ''), String(period?.['end'] ?? '')];
  if (start === '' && end === '') return false;
  return (start === '' || start.slice(0, 10) <= date) && (end === '' || date <= end.slice(0, 10));
}

function minutesOf(time: string): number {
  const [hours = '0', minutes = '0'] = time.split(':');
  return Math.min(Number(hours) * 60 + Number(minutes), DAY_MINUTES);
}

interface LocalTime {
  /** 0: Sunday. */
  readonly day: number;
  readonly minutes: number;
  /** `2026-03-29` */
  readonly date: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What clocks in the zone show. */
export function localTime(at: number, timeZone: string): LocalTime {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en-CA', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    });
  formats.set(timeZone, format);
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const date = `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`;
  return {
    day: new Date(`${date}T00:00:00Z`).getUTCDay(),
    minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
    date,
  };
}

/** By zone and minute. */
const starts = new Map<string, number>();
const STARTS_MAX = 100;
const MINUTE_MS = 60_000;

/** When the day began in the zone that it is at that time, ms UTC; also on days of 23 or 25 hours. */
export function startOfDay(at: number, timeZone: string): number {
  // No zone's day begins within a minute.
  const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS;
  const key = `${minute} ${timeZone}`;
  const known = starts.get(key);
  if (known !== undefined) return known;
  if (starts.size >= STARTS_MAX) starts.clear();
  const start = findStartOfDay(minute, timeZone);
  starts.set(key, start);
  return start;
}

function findStartOfDay(at: number, timeZone: string): number {
  const { date } = localTime(at, timeZone);
  let low = at - 26 * 60 * 60_000;
  let high = at;
  // The first minute that bears today's date.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (localTime(middle, timeZone).date < date) low = middle;
    else high = middle;
  }
  return high;
}
