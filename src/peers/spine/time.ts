/** Times of V3: `YYYYMMDDHHmmss` and `YYYYMMDD`, in UTC. */
import { refuse, type SpineError } from './errors.ts';

/** ms UTC. Refuses with `error` what is absent or no time. */
export function readInstant(text: string | undefined, error: SpineError): number {
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00'] =
    /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?$/.exec(text ?? '') ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const at = Date.parse(iso);
  // Date takes 31 April for 1 May; a time that does not come back as it was is none.
  return Number.isNaN(at) || new Date(at).toISOString() !== iso ? refuse(error) : at;
}

export const formatInstant = (at: number): string => new Date(at).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');

export const DAY_MS = 86_400_000;

/** The same day so many months later; the last of that month where it has no such day. */
export function addMonths(at: number, months: number): number {
  const from = new Date(at);
  const day = Math.min(
    from.getUTCDate(),
    new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months + 1, 0)).getUTCDate(),
  );
  return Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + months, day) + (at % DAY_MS);
}
