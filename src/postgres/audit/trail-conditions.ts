/** Conditions of a FHIR search for AuditEvent as parts of a search of the trail. */
import { kindsWhere } from '../../standards/fhir/audit-event/patterns.ts';
import type { Coding } from '../../standards/fhir/outcome.ts';
import type { Condition, ReferenceValue, SortKey, TokenValue } from '../../standards/fhir/search/request.ts';
import type { RidCodec } from '../rid.ts';
import { findTable } from '../tables.ts';
import { parseEventId } from './event-id.ts';
import { isAuditKind, kindNumber } from './kinds.ts';
import type { AgentPart, TrailPart } from './trail-filter.ts';

export type TranslatedConditions =
  | {
      readonly kind: 'parts';
      readonly parts: readonly TrailPart[];
      /** Only events of these patients are shown of an entry with several. */
      readonly patients: ReadonlySet<string> | undefined;
      /** Only these events of an entry with several: id of the entry → numbers. */
      readonly events: ReadonlySet<string> | undefined;
    }
  /** The trail cannot be searched so. */
  | { readonly kind: 'unsupported'; readonly name: string };

/** All of them, or the name of the first that the trail has no answer to. */
export function translateConditions(conditions: readonly Condition[], rids: RidCodec): TranslatedConditions {
  const parts: TrailPart[] = [];
  let patients: Set<string> | undefined;
  let events: Set<string> | undefined;
  for (const condition of conditions) {
    const part = translate(condition, rids);
    if (!part) return { kind: 'unsupported', name: nameOf(condition) };
    parts.push(part);
    if (part.kind === 'patients') patients = intersection(patients, part.rids);
    if (condition.kind === 'id') events = intersection(events, condition.ids);
  }
  return { kind: 'parts', parts, patients, events };
}

const intersection = (known: Set<string> | undefined, more: readonly string[]): Set<string> =>
  new Set(known ? more.filter((one) => known.has(one)) : more);

const nameOf = (condition: Condition): string => ('parameter' in condition ? condition.parameter.code : condition.kind);

function translate(condition: Condition, rids: RidCodec): TrailPart | undefined {
  switch (condition.kind) {
    case 'id':
      return { kind: 'ids', ids: condition.ids.flatMap((id) => parseEventId(id) ?? []) };
    case 'last-updated':
    case 'date': {
      if (condition.kind === 'date' && condition.parameter.code !== 'date') return undefined;
      return condition.values.some(({ prefix }) => prefix === 'ap')
        ? undefined
        : { kind: 'time', ranges: condition.values };
    }
    case 'token':
      return tokenPart(condition.parameter.code, condition.values, condition.modifier === 'not');
    case 'reference':
      return referencePart(condition.parameter.code, condition.values, rids);
    case 'compartment':
      if (condition.compartment === 'Patient') return { kind: 'patients', rids: [String(rids.rid(condition.id))] };
      return { kind: 'agents', agents: [{ by: 'fhir_user', value: `${condition.compartment}/${condition.id}` }] };
    default:
      return undefined;
  }
}

const matches = (coding: Coding, { system, code }: TokenValue): boolean =>
  (system === undefined || system === (coding.system ?? '')) && (code === undefined || code === coding.code);

const OUTCOMES = [0, 4, 8, 12];

function tokenPart(code: string, values: readonly TokenValue[], isNot: boolean): TrailPart | undefined {
  if (code === 'outcome') {
    const fits = (outcome: number): boolean =>
      values.some((value) =>
        matches({ system: 'http://hl7.org/fhir/audit-event-outcome', code: String(outcome) }, value),
      );
    return { kind: 'outcomes', codes: OUTCOMES.filter((outcome) => fits(outcome) !== isNot) };
  }
  const codingsOf = CODINGS.get(code);
  if (!codingsOf) return undefined;
  const kinds = kindsWhere((pattern) => {
    const fits = codingsOf(pattern).some((coding) => values.some((value) => matches(coding, value)));
    return fits !== isNot;
  });
  return { kind: 'kinds', numbers: kinds.filter(isAuditKind).map(kindNumber) };
}

type Codings = (pattern: Parameters<Parameters<typeof kindsWhere>[0]>[0]) => readonly Coding[];
const CODINGS = new Map<string, Codings>([
  ['action', ({ action }) => [{ system: 'http://hl7.org/fhir/audit-event-action', code: action }]],
  ['type', ({ type }) => [type]],
  ['subtype', ({ subtype }) => subtype],
]);

function referencePart(code: string, values: readonly ReferenceValue[], rids: RidCodec): TrailPart | undefined {
  const local = values.flatMap((value) => ('id' in value ? [value] : []));
  switch (code) {
    case 'patient':
      return {
        kind: 'patients',
        rids: local.flatMap(({ id, type }) => (type === undefined || type === 'Patient' ? String(rids.rid(id)) : [])),
      };
    case 'agent': {
      const agents = local.map(
        ({ id, type }): AgentPart =>
          type === undefined ? { by: 'fhir_user_id', value: id } : { by: 'fhir_user', value: `${type}/${id}` },
      );
      return { kind: 'agents', agents };
    }
    case 'entity':
      if (local.some(({ type }) => type === 'Patient')) {
        // A patient is an entity of everything that showed their data.
        return local.every(({ type }) => type === 'Patient')
          ? { kind: 'patients', rids: local.map(({ id }) => String(rids.rid(id))) }
          : undefined;
      }
      return {
        kind: 'targets',
        targets: local.map(({ id, type }) => ({
          type: type === undefined ? undefined : (findTable(type)?.number ?? -1),
          rid: String(rids.rid(id)),
        })),
      };
    default:
      return undefined;
  }
}

/** Whether the trail can give this order, and which way. Newest first unless another is asked for. */
export function translateSort(sort: readonly SortKey[]): { readonly descending: boolean } | undefined {
  const [key, ...more] = sort;
  if (!key) return { descending: true };
  const byTime = key.by === '_lastUpdated' || (typeof key.by !== 'string' && key.by.code === 'date');
  return byTime && more.length === 0 ? { descending: key.descending } : undefined;
}
