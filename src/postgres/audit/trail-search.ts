/**
 * FHIR searches and reads of AuditEvents: those of the trail, rendered, merged with those that clients have stored, in
 * the order of time. SECURITY AU-02, AU-13
 */
import type { Caller } from '../../ports/caller.ts';
import type { SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import type { AuditServer } from '../../standards/fhir/audit-event/record.ts';
import { eventCount, renderAuditEvent } from '../../standards/fhir/audit-event/render.ts';
import { type Issue, notFound, tooCostly } from '../../standards/fhir/outcome.ts';
import type { SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { SearchRequest, SortKey } from '../../standards/fhir/search/request.ts';
import type { RidCodec } from '../rid.ts';
import type { Cursors } from '../search/cursor.ts';
import type { AuditEventSource } from './audited-store.ts';
import { parseEventId } from './event-id.ts';
import { translateConditions, translateSort } from './trail-conditions.ts';
import type { TrailPart, TrailPosition } from './trail-filter.ts';
import type { TrailEntry, TrailReader } from './trail-reader.ts';

export interface TrailSearchOptions {
  readonly reader: TrailReader;
  readonly rids: RidCodec;
  readonly cursors: Cursors;
  readonly server: AuditServer;
  readonly pageSizeDefault: number;
  /** The search parameter `AuditEvent.date`. */
  readonly dateParameter: SearchParameter;
  /** Whether the policy lets this caller read the trail. */
  readonly mayRead: (caller: Caller) => boolean;
  readonly now: () => number;
}

/** Where a page goes on: in the trail, and among what is stored. */
interface Position {
  readonly trail: TrailPosition | null | 'end';
  readonly stored: string | null | 'end';
  /** Instant of the first page. */
  readonly until: number;
}

interface Candidate {
  readonly at: number;
  readonly version: StoredVersion;
  /** The position of the next event of the trail; absent: one that is stored. */
  readonly trail?: TrailPosition;
}

const OFFSET_MAX = 1000;

export function createTrailSearch(options: TrailSearchOptions): AuditEventSource {
  const { reader, rids, cursors, mayRead, now } = options;
  return {
    owns: (id) => parseEventId(id) !== undefined,

    async read(caller, id) {
      const event = mayRead(caller) ? parseEventId(id) : undefined;
      const parts: TrailPart[] = event ? [{ kind: 'ids', ids: [event] }] : [];
      const [entry] = event
        ? await reader.find({ parts, position: undefined, descending: true, until: event.at, count: 1 })
        : [];
      const version = entry && eventsOf(options, entry).find((one) => one.version.id === id)?.version;
      if (!version) throw notFound(`AuditEvent/${id}`);
      return version;
    },

    async search(caller, request, stored) {
      if (!mayRead(caller)) return stored(request);
      const translated = translateConditions(request.conditions, rids);
      const order = translateSort(request.sort);
      if (translated.kind === 'unsupported') return withoutTrail(stored, request, translated.name);
      if (!order) return withoutTrail(stored, request, '_sort');
      const { parts, patients, events } = translated;
      const scope = `audit ${caller.name} ${request.applied.map(([n, v]) => `${n}=${v}`).join('&')}`;
      const position = request.cursor === undefined ? undefined : (cursors.parse(scope, request.cursor) as Position); // signed
      const until = position?.until ?? now();
      const size = request.summary === 'count' ? 0 : (request.count ?? options.pageSizeDefault);
      const offset = position ? 0 : request.offset;
      if (offset > OFFSET_MAX)
        throw tooCostly(`_offset is limited to ${OFFSET_MAX} here: follow the next links instead`);
      const wanted = size === 0 ? 0 : size + offset;
      const sort: readonly SortKey[] =
        request.sort.length > 0 ? request.sort : [{ by: options.dateParameter, descending: true }];
      const { cursor: _cursor, ...uncut } = request;
      const storedOf = (count: number): Promise<SearchPage> =>
        stored({
          ...uncut,
          sort,
          offset: 0,
          count,
          ...(typeof position?.stored === 'string' && { cursor: position.stored }),
        });
      const storedPage = position?.stored === 'end' ? EMPTY : await storedOf(wanted);
      const entries =
        position?.trail === 'end' || wanted === 0
          ? []
          : await reader.find({ parts, position: position?.trail ?? undefined, until, ...order, count: wanted + 1 });
      const found = entries.flatMap((entry) => eventsOf(options, entry, position?.trail));
      const shown = found.filter(
        ({ version: { id, patientRid } }) =>
          (!patients || patientRid === undefined || patients.has(patientRid)) &&
          (!events || events.has(id) || events.has(id.replace(/-\d{1,2}$/, ''))),
      );
      const { taken, ofStored, trailAt } = merge(shown, storedPage.matches, wanted, sort[0] as SortKey); // never empty
      const next: Position = {
        trail: trailAt ?? (entries.length > wanted ? afterLast(found) : 'end'),
        stored: await storedEnd(position, storedPage, ofStored, storedOf),
        until,
      };
      const isLast = next.trail === 'end' && next.stored === 'end';
      const page = taken.slice(offset);
      const total = await totalOf(
        request,
        storedPage,
        parts,
        until,
        patients !== undefined,
        !position && isLast && size > 0 ? taken.length : undefined,
      );
      return {
        matches: page,
        included: storedPage.included,
        issues: storedPage.issues,
        ...(total !== undefined && { total }),
        ...(!isLast && wanted > 0 && { next: cursors.format(scope, next) }),
      };
    },
  };

  async function totalOf(
    request: SearchRequest,
    stored: SearchPage,
    parts: readonly TrailPart[],
    until: number,
    each: boolean,
    whole: number | undefined,
  ): Promise<number | undefined> {
    if (whole !== undefined) return whole;
    const isAsked = request.summary === 'count' || request.count === 0 || request.total !== 'none';
    if (!isAsked || stored.total === undefined) return undefined;
    return stored.total + (await reader.count(parts, until, each));
  }
}

const EMPTY: SearchPage = { matches: [], included: [], issues: [], total: 0 };

/** The events of one entry, from the position's number on. */
function eventsOf(options: TrailSearchOptions, entry: TrailEntry, position: Position['trail'] = null): Candidate[] {
  const { record, id, patientRids } = entry;
  const count = eventCount(patientRids.length);
  const isCut = position !== null && position !== 'end' && position.at === record.at && position.id === id;
  const from = isCut ? position.n : 0;
  return Array.from({ length: Math.max(0, count - from) }, (_, i) => {
    const n = from + i;
    const event = renderAuditEvent(record, n, options.server);
    const patientRid = patientRids.length <= 100 ? patientRids[n] : undefined;
    return {
      at: record.at,
      trail: { at: record.at, id, n },
      version: {
        type: 'AuditEvent',
        id: event['id'] as string, // rendered with one
        versionId: 1,
        lastUpdated: record.at,
        operation: 'create',
        content: JSON.stringify(event),
        ...(patientRid !== undefined && { patientRid }),
      },
    };
  });
}

/** Past all events of the last entry that was looked at. */
function afterLast(found: readonly Candidate[]): TrailPosition | 'end' {
  const last = found.at(-1)?.trail;
  return last ? { ...last, n: last.n + 1 } : 'end';
}

/** Takes from both, in the order asked for; on a tie the trail comes first. */
function merge(
  trail: readonly Candidate[],
  stored: readonly StoredVersion[],
  wanted: number,
  sort: SortKey,
): { readonly taken: StoredVersion[]; readonly ofStored: number; readonly trailAt: TrailPosition | undefined } {
  const taken: StoredVersion[] = [];
  let [t, s] = [0, 0];
  while (taken.length < wanted && (t < trail.length || s < stored.length)) {
    const [ours, theirs] = [trail[t], stored[s]];
    const first =
      ours && theirs
        ? sort.descending
          ? ours.at >= timeOf(theirs, sort)
          : ours.at <= timeOf(theirs, sort)
        : ours !== undefined;
    if (first) t += 1;
    else s += 1;
    taken.push(first ? (ours as Candidate).version : (theirs as StoredVersion)); // one of them is there
  }
  return { taken, ofStored: s, trailAt: trail[t]?.trail };
}

function timeOf(version: StoredVersion, { by }: SortKey): number {
  if (by === '_lastUpdated') return version.lastUpdated;
  const { recorded } = JSON.parse(version.content) as { recorded?: string };
  const at = Date.parse(recorded ?? '');
  return Number.isNaN(at) ? version.lastUpdated : at;
}

/** Where what is stored goes on after so many of its page were taken. */
async function storedEnd(
  position: Position | undefined,
  page: SearchPage,
  taken: number,
  again: (count: number) => Promise<SearchPage>,
): Promise<Position['stored']> {
  if (position?.stored === 'end') return 'end';
  if (taken === page.matches.length) return page.next ?? 'end';
  if (taken === 0) return position?.stored ?? null;
  return (await again(taken)).next ?? 'end';
}

/** Only what clients have stored, and a word that the trail has no answer to this. */
async function withoutTrail(
  stored: (request: SearchRequest) => Promise<SearchPage>,
  request: SearchRequest,
  name: string,
): Promise<SearchPage> {
  const page = await stored(request);
  const issue: Issue = {
    severity: 'warning',
    code: 'not-supported',
    diagnostics: `${name}: the server's own trail cannot be searched so; only AuditEvents that clients have stored are found`,
  };
  return { ...page, issues: [...page.issues, issue] };
}
