/** HL7's own code systems are named with http; some senders write https. */

import { invalidValue } from './fault.ts';
import { isNode } from './node.ts';

const WRITTEN_WITH_HTTPS = /^https:\/\/(?=terminology\.hl7\.org\/|hl7\.org\/fhir\/CodeSystem)/;

/** Deeper than any resource; the JSON reader of the API stops sooner. */
const DEPTH_MAX = 100;

/** The value with `https` of HL7's `system`s made `http`; what has none comes back as it is. */
export function normaliseSystems(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEPTH_MAX) throw invalidValue('The content is nested too deeply.');
  if (Array.isArray(value)) return normaliseList(value, depth);
  if (!isNode(value)) return value;
  let changed: Map<string, unknown> | undefined;
  for (const name in value) {
    const member = value[name];
    const normal =
      typeof member !== 'string'
        ? normaliseSystems(member, depth + 1)
        : name === 'system'
          ? member.replace(WRITTEN_WITH_HTTPS, 'http://')
          : member;
    if (normal === member) continue;
    changed ??= new Map();
    changed.set(name, normal);
  }
  if (changed === undefined) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, changed.get(name) ?? member]));
}

function normaliseList(list: readonly unknown[], depth: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const normal = normaliseSystems(list[i], depth + 1);
    if (normal === list[i]) continue;
    copy ??= [...list];
    copy[i] = normal;
  }
  return copy ?? list;
}
