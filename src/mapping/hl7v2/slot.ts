/** SIU S23 and S24: time that is blocked, or free again, for a place, a person or a thing. docs/hl7v2.md */
import type { FhirResource } from '../transaction-bundle.ts';
import { compact, type Json } from './compact.ts';
import type { SegmentCursor } from './cursor.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { noteText } from './observation.ts';
import { groupResources, minutesOf, resourceParticipants } from './scheduled-resources.ts';
import { endAfter } from './timing.ts';
import type { Translation } from './translation.ts';

/** A Slot for each resource, on its Schedule. */
export function mapBlockedTime(sch: SegmentCursor, numbers: readonly Json[], to: Translation): void {
  const [key] = keysOf(numbers);
  const resources = groupResources(to);
  const actors = resourceParticipants(resources, to);
  const { start } = resources;
  const minutes = resources.minutes ?? minutesOf(sch.at(9), sch.at(10));
  const end =
    start === undefined || minutes === undefined ? undefined : endAfter(start, { code: 'min', value: minutes });
  if (key === undefined || end === undefined || actors.length === 0) {
    sch
      .at(1)
      .tell('error', 'required', 'Blocked time needs a number, a beginning, a length and a place, person or thing');
    return;
  }
  for (const { actor } of actors) {
    const { reference, display } = actor as Json;
    const schedule = derivedIdentifier('Schedule', String(reference ?? display));
    const on = to.entries.mention({ resourceType: 'Schedule', identifier: [schedule], actor: [actor] }, [schedule]);
    const slot = derivedIdentifier('Slot', key.system ?? '', key.value, schedule.value);
    const resource = compact({
      resourceType: 'Slot',
      identifier: [slot, ...numbers],
      schedule: on,
      status: to.message.header.value(9, 2) === 'S24' ? 'free' : 'busy-unavailable',
      start,
      end,
      comment: noteText(resources.notes),
    }) as FhirResource; // it has its resourceType
    to.entries.store(resource, [slot]);
  }
}
