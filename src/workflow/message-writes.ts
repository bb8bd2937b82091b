/** The writes that the entries of a message come to: merged with what is stored, checked, references resolved. docs/gateway.md "Applying" */
import { OWN_NUMBERS } from '../mapping/own-numbers.ts';
import {
  DEFAULT_ELEMENTS,
  MOVES_PATIENT,
  REMOVED_ELEMENTS,
  type TransactionEntry,
} from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, TransactionWrite } from '../ports/resource-store.ts';
import { formatJson } from '../standards/fhir/json.ts';
import { badRequest, FhirError, type Issue, issue } from '../standards/fhir/outcome.ts';
import type { ApplyMessageServices } from './apply-message.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';
import { bears, tokensOf } from './criteria-tokens.ts';
import type { StoredResource } from './known-resources.ts';
import type { Lateness } from './late-messages.ts';
import { elementOf, mergeResource, withoutLate } from './merge-resource.ts';
import { listed, type Planned } from './message-entries.ts';

/** Throws `FhirError` 422 with the faults of every entry, and `ChangedMeanwhile`. */
export function buildWrites(
  services: ApplyMessageServices,
  planned: readonly Planned[],
  source: string,
  lateness: Lateness,
): TransactionWrite[] {
  const places = new Map<string, string>();
  const seen = new Set<string>();
  const repeated = new Set<TransactionEntry>();
  for (const { entry, type, id, at } of planned) {
    const path = `${type}/${id}`;
    places.set(entry.fullUrl, path);
    const isMention = entry.request.method === 'POST';
    if (seen.has(path) && isMention) repeated.add(entry);
    else if (seen.has(path)) throw badRequest(`Two entries of the message are the same ${type}`, at);
    else seen.add(path);
  }
  const issues: Issue[] = [];
  const writes = planned.flatMap((plan): TransactionWrite[] => {
    const { entry, type, id, at } = plan;
    const isConditional = plan.criteria !== undefined;
    if (repeated.has(entry) || (entry.request.method === 'POST' && plan.current)) return [];
    const resource = resolved(services, plan, places, issues);
    const checked = (result: Resource): Resource => {
      const faults = services.validate(result, type);
      if (faults.length > 0)
        throw new FhirError(
          422,
          faults.map((i) => ({ ...i, expression: (i.expression ?? [type]).map((e) => `${at} › ${e}`) })),
        );
      return result;
    };
    const change = (current: Resource | undefined): Resource => {
      if (!isConditional) return { ...checked(resource), id };
      if (plan.current && !(current && isStillMeant(current, plan.criteria as Criteria)))
        throw new ChangedMeanwhile('what the identifiers of the message found is gone');
      if (!current) return { ...checked(withSource(resource, source)), id };
      if (listed(entry, MOVES_PATIENT).length === 0) checkSamePatient(current, resource, at);
      const late = lateness.lateOf(entry);
      const said = without(resource, listed(entry, DEFAULT_ELEMENTS));
      const merged = mergeResource(
        current,
        late.size === 0 ? said : withoutLate(current, said, late),
        listed(entry, REMOVED_ELEMENTS).filter((name) => !late.has(elementOf(name))),
      );
      // A message that says nothing new makes no version; one that does is named as where it came from.
      return formatJson(merged) === formatJson(current) ? current : checked(withSource(merged, source));
    };
    try {
      if (!plan.current && (isConditional || entry.request.method === 'POST'))
        return [{ kind: 'create', resource: change(undefined), id }];
      // What changes nothing is left out before any row is locked; who changes it at this moment does so after us.
      const isKnown = plan.current && !lateness.isOutdated(entry) && lateness.lateOf(entry).size === 0;
      if (plan.current && isKnown && changesNothing(plan.current, entry, resource, change)) return [];
      return [{ kind: 'update', operation: 'update', type, id, change }];
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      issues.push(...error.issues);
      return [];
    }
  });
  if (issues.length > 0) throw new FhirError(422, issues);
  return writes;
}

/** One that was found by its id is itself. */
function isStillMeant(current: Resource, criteria: Criteria): boolean {
  const tokens = tokensOf(criteria);
  return tokens.length === 0 || tokens.some((token) => bears(current, token));
}

function changesNothing(
  current: StoredResource,
  entry: TransactionEntry,
  resource: Resource,
  change: (current: Resource) => Resource,
): boolean {
  const said = formatJson([resource, entry.extension ?? []]);
  if (current.saidBefore === said) return true;
  if (change(current.content) !== current.content) return false;
  current.saidBefore = said;
  return true;
}

function without(resource: Resource, names: readonly string[]): Resource {
  if (names.length === 0) return resource;
  const kept = Object.entries(resource).filter(([name]) => !names.includes(name));
  return Object.fromEntries(kept) as Resource; // resourceType is never among the names
}

/**
 * A number that a sender uses again for somebody else must never move a record from one patient to another. Records are
 * moved by merging patients, not by messages about them.
 */
function checkSamePatient(current: Resource, incoming: Resource, at: string): void {
  for (const name of ['subject', 'patient', 'beneficiary', 'for']) {
    const [before, after] = [current, incoming].map((r) => (r[name] as { reference?: unknown } | undefined)?.reference);
    if (before !== undefined && after !== undefined && before !== after)
      throw new FhirError(422, [
        issue(
          'business-rule',
          `Another patient has this ${incoming.resourceType}: send it under identifiers of its own`,
          `${at}.resource.${name}`,
        ),
      ]);
  }
}

/** The entry's resource with references to other entries resolved to where these are stored. */
function resolved(
  services: ApplyMessageServices,
  { entry, at }: Planned,
  places: ReadonlyMap<string, string>,
  issues: Issue[],
): Resource {
  return services.rewriteReferences(withoutOwnNumbers(entry.resource), (text, place) => {
    const found = places.get(text);
    if (found === undefined && place === 'reference' && text.startsWith('urn:uuid:'))
      issues.push(issue('not-found', 'A reference names no entry of the message', at));
    return found;
  });
}

/** The number under which we told of a resource is its id, which it has. */
function withoutOwnNumbers(resource: Resource): Resource {
  if (!Array.isArray(resource['identifier'])) return resource;
  const others = resource['identifier'].filter(({ system }) => system !== OWN_NUMBERS);
  if (others.length === resource['identifier'].length) return resource;
  const { identifier: _, ...rest } = resource;
  return others.length === 0 ? rest : { ...rest, identifier: others };
}

const withSource = (resource: Resource, source: string): Resource => {
  const { resourceType, meta, ...rest } = resource;
  return { resourceType, meta: { ...(meta as object | undefined), source }, ...rest };
};
