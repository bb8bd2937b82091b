/** AIS, AIG, AIL and AIP: the services, things, places and people of an appointment. */
import type { Identifier } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { concept, instant, keyOfConcept, words } from './data-types.ts';
import { derivedIdentifier, withDisplay } from './entries.ts';
import { location } from './place.ts';
import { cursorsOf } from './sections.ts';
import { endAfter } from './timing.ts';
import type { Translation } from './translation.ts';

export interface Resources {
  readonly services: readonly SegmentCursor[];
  readonly others: readonly SegmentCursor[];
  /** NTE of the appointment and of its resources. */
  readonly notes: readonly SegmentCursor[];
  /** The earliest beginning, and the length of that resource. */
  readonly start: string | undefined;
  readonly minutes: number | undefined;
}

/** Where each segment keeps its beginning, length and status. */
interface Fields {
  readonly start: number;
  readonly duration: number;
  readonly unit: number;
  readonly status: number;
}
const AIS: Fields = { start: 4, duration: 7, unit: 8, status: 10 };
const AIG: Fields = { start: 8, duration: 11, unit: 12, status: 14 };
const AIL: Fields = { start: 6, duration: 9, unit: 10, status: 12 };
const FIELDS = new Map([
  ['AIS', AIS],
  ['AIG', AIG],
  ['AIL', AIL],
  ['AIP', AIL],
]);

/** Segments that were taken out (action code D) are read and left out. */
export function groupResources(to: Translation): Resources {
  const services: SegmentCursor[] = [];
  const others: SegmentCursor[] = [];
  const notes: SegmentCursor[] = [];
  let isOfPatient = false;
  for (const cursor of cursorsOf(to)) {
    const { id } = cursor.segment;
    if (id === 'PID') isOfPatient = true;
    if (id === 'RGS' || FIELDS.has(id)) isOfPatient = false;
    if (id === 'NTE' && !isOfPatient) notes.push(cursor);
    if (!FIELDS.has(id)) continue;
    const action = cursor.at(2).text;
    if (action === 'D') cursor.ignore(...Array.from({ length: 14 }, (_, index) => index + 1));
    else (id === 'AIS' ? services : others).push(cursor);
  }
  const timed = [...services, ...others].flatMap((cursor) => {
    const fields = FIELDS.get(cursor.segment.id) ?? AIS;
    const start = cursor.at(fields.start).isValued ? instant(cursor.at(fields.start)) : undefined;
    const minutes = minutesOf(cursor.at(fields.duration), cursor.at(fields.unit));
    return start === undefined ? [] : [{ start, minutes }];
  });
  const [first] = timed.toSorted((a, b) => Date.parse(a.start) - Date.parse(b.start));
  return { services, others, notes, start: first?.start, minutes: first?.minutes };
}

const MINUTES = new Map([
  ['', 1],
  ['M', 1],
  ['MIN', 1],
  ['MINUTE', 1],
  ['MINUTES', 1],
  ['H', 60],
  ['HR', 60],
  ['HOUR', 60],
  ['S', 1 / 60],
  ['SEC', 1 / 60],
  ['D', 1440],
  ['DAY', 1440],
]);

/** A length in whole minutes; undefined for none, and for a unit that is not known. */
export function minutesOf(length: Cursor, unit: Cursor): number | undefined {
  if (!length.isValued) return undefined;
  const factor = MINUTES.get(unit.at(1).text.toUpperCase());
  if (unit.at(2).isValued) unit.at(2).ignore();
  if (factor === undefined) {
    unit.at(1).warn('code-invalid', 'The unit of time is not known: the length was left out');
    return undefined;
  }
  const minutes = Math.round(Number(String(length.number ?? '')) * factor);
  return minutes > 0 && minutes < 1_000_000 ? minutes : undefined;
}

export const serviceTypes = ({ services }: Resources): readonly Json[] =>
  services.flatMap((ais) => present(ais.all(3).map(concept())));

export const resourceParticipants = ({ others }: Resources, to: Translation): readonly Json[] =>
  others.flatMap((segment) => participantsOf(segment, to));

function participantsOf(segment: SegmentCursor, to: Translation): readonly Json[] {
  const fields = FIELDS.get(segment.segment.id) ?? AIL;
  const type = segment.at(4).isValued ? concept()(segment.at(4)) : undefined;
  const sent = words(segment.at(fields.status))?.toUpperCase() ?? '';
  const shared = {
    required: 'required',
    status: PARTICIPANT_STATUS.get(sent) ?? 'accepted',
    period: periodOf(segment, fields),
  };
  return present(actorsOf(segment, to).map((actor) => compact({ type: present([type]), actor, ...shared })));
}

const PARTICIPANT_STATUS = new Map([
  ['PENDING', 'tentative'],
  ['TENTATIVE', 'tentative'],
  ['CANCELLED', 'declined'],
  ['DELETED', 'declined'],
  ['WAITLIST', 'needs-action'],
]);

function periodOf(segment: SegmentCursor, { start: from, duration, unit }: Fields): Json | undefined {
  const start = segment.at(from).isValued ? segment.at(from).dateTime : undefined;
  const minutes = minutesOf(segment.at(duration), segment.at(unit));
  if (start === undefined) return undefined;
  return compact({ start, end: minutes === undefined ? undefined : endAfter(start, { code: 'min', value: minutes }) });
}

function actorsOf(segment: SegmentCursor, to: Translation): readonly Json[] {
  const { id } = segment.segment;
  if (id === 'AIP') return practitioners(segment.all(3), to);
  if (id === 'AIL') return present(segment.all(3).map((cursor) => location(cursor, to)));
  return present([deviceOf(segment, to)]);
}

/** A thing with a code is a Device; one without is only named. */
function deviceOf(aig: SegmentCursor, to: Translation): Json | undefined {
  const sent = aig.at(3).isValued ? aig.at(3) : aig.at(4);
  const name = sent.isValued ? concept()(sent) : undefined;
  if (name === undefined) return undefined;
  const display = words(sent);
  const system = localSystem(to.reading, 'resource');
  const code = sent.at(1).value;
  const identifier: Identifier =
    system === undefined || code === undefined
      ? derivedIdentifier('Device', keyOfConcept(name))
      : { system, value: code };
  const resource = {
    resourceType: 'Device',
    identifier: [identifier],
    ...(display !== undefined && { deviceName: [{ name: display, type: 'user-friendly-name' }] }),
  };
  return withDisplay(to.entries.mention(resource, [identifier]), display);
}
