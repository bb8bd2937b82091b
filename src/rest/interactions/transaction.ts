/** transaction: all entries or none. https://hl7.org/fhir/R4/http.html#trules */
import { EPS_TYPES, recogniseEps } from '../../mapping/eps/recognise.ts';
import type { Criteria, StoreTransaction } from '../../ports/resource-store.ts';
import { badRequest, badValue, FhirError, issue, notSupported } from '../../standards/fhir/outcome.ts';
import { isId, parseReference } from '../../standards/fhir/reference.ts';
import { mapInTurns } from '../../standards/turns.ts';
import { bundleAnswer } from '../answers.ts';
import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { type BundleEntry, readEntries } from './bundle-entry.ts';
import type { BundleSource } from './bundle-source.ts';
import { answersOf } from './transaction-answers.ts';
import { type Planned, type References, writeEntries } from './transaction-writes.ts';

export async function transaction(services: Services, request: FhirRequest, source: BundleSource): Promise<FhirAnswer> {
  const entries = readEntries(services, source);
  const planned = entries.filter((e) => e.method !== 'GET' && e.method !== 'HEAD').map((e) => planEntry(services, e));
  const byReference = mayHoldQuestionMark(request.body)
    ? await conditionalReferences(services, entries)
    : new Map<string, Criteria>();
  const conditional = [...planned.flatMap((p) => p.criteria ?? []), ...byReference.values()];
  const representation = parsePrefer(request.headers).return === 'representation';
  const answers = await services.store.transaction(request.caller, async (tx) => {
    if (conditional.length > 0) await tx.lockIdentity(conditional);
    for (const plan of planned) await resolveEntry(services, tx, plan);
    joinCreates(planned);
    const references = await resolveReferences(tx, planned, byReference);
    const results = await writeEntries(services, tx, { ...source, isBrief: !representation }, planned, references);
    return answersOf(services, tx, { entries, planned, results, representation });
  });
  return bundleAnswer('transaction-response', answers);
}

/** The usual bundle has no conditional reference, and a body without a question mark, however written, has none. */
const mayHoldQuestionMark = (body: Buffer): boolean =>
  body.includes('?') || body.includes('\\u003') || body.includes('&#');

function planEntry(services: Services, entry: BundleEntry): Planned {
  const at = `Bundle.entry[${entry.index}]`;
  const [type, id, ...more] = entry.segments;
  if (type === undefined || more.length > 0 || !services.parameters.get(type))
    throw badRequest(
      'request.url must name a resource type, and for PUT, PATCH and DELETE a resource or criteria',
      `${at}.request.url`,
    );
  if (id !== undefined && entry.method !== 'POST' && !isId(id))
    throw badValue('A resource id has 1 to 64 letters, digits, hyphens and dots', `${at}.request.url`);
  const plan = (criteria: Criteria | undefined, known: string | undefined): Planned => ({
    entry,
    criteria,
    type,
    id: known,
    existing: false,
  });
  if (services.eps !== undefined && entry.method === 'POST' && EPS_TYPES.has(type) && isEps(entry))
    throw new FhirError(422, [
      issue(
        'not-supported',
        `A message to the Spine is sent by itself, with POST ${type}: in a transaction it would be stored and not sent`,
        at,
      ),
    ]);
  if (entry.method === 'POST') {
    if (id !== undefined) throw notSupported(`${at}: operations are not supported inside a transaction`);
    const criteria =
      entry.ifNoneExist === undefined ? undefined : criteriaOf(services, type, entry.ifNoneExist.replace(/^\?/, ''));
    return plan(criteria, criteria ? undefined : services.store.newId());
  }
  if (id !== undefined) return plan(undefined, id);
  return plan(criteriaOf(services, type, entry.query), undefined);
}

const isEps = ({ resource }: BundleEntry): boolean => recogniseEps(resource()) !== undefined;

/** Conditional entries look their resource up, now that nobody else can decide on the same criteria. */
async function resolveEntry(services: Services, tx: StoreTransaction, plan: Planned): Promise<void> {
  if (!plan.criteria) return;
  const match = onlyMatch(plan.type, await tx.find(plan.criteria, 2));
  const { entry } = plan;
  if (entry.method === 'POST') {
    plan.existing = match !== undefined;
    plan.id = match ?? services.store.newId();
  } else if (entry.method === 'PUT') {
    const given = entry.resource()?.['id'];
    plan.id = match ?? (typeof given === 'string' ? given : services.store.newId());
    plan.existing = match !== undefined;
  } else plan.id = match;
}

/** Conditional creates with the same criteria, that nothing matches, are one: the second finds what the first makes. */
function joinCreates(planned: readonly Planned[]): void {
  const made = new Map<string, Planned>();
  for (const plan of planned) {
    if (plan.entry.method !== 'POST' || !plan.criteria || plan.existing) continue;
    const key = `${plan.type}?${plan.entry.ifNoneExist?.replace(/^\?/, '')}`;
    const first = made.get(key);
    if (first) {
      plan.id = first.id;
      plan.existing = true;
    } else made.set(key, plan);
  }
}

/** `Patient?identifier=…` inside resources, with what it asks for. */
async function conditionalReferences(
  services: Services,
  entries: readonly BundleEntry[],
): Promise<ReadonlyMap<string, Criteria>> {
  const found = new Map<string, Criteria>();
  await mapInTurns(entries, (entry) => {
    const resource = entry.resource();
    if (!resource) return;
    services.rewriteReferences(resource, (text, place) => {
      if (place === 'reference' && text.includes('?') && !found.has(text)) {
        const reference = parseReference(text);
        if (reference?.kind === 'conditional') found.set(text, criteriaOf(services, reference.type, reference.query));
      }
      return undefined;
    });
  });
  return found;
}

/** What references become: fullUrls of entries, and conditional references. */
async function resolveReferences(
  tx: StoreTransaction,
  planned: readonly Planned[],
  conditional: ReadonlyMap<string, Criteria>,
): Promise<References> {
  const map = new Map<string, string>();
  for (const { entry, type, id } of planned) {
    if (entry.fullUrl === undefined || id === undefined) continue;
    if (map.has(entry.fullUrl))
      throw badRequest('Two entries have the same fullUrl', `Bundle.entry[${entry.index}].fullUrl`);
    map.set(entry.fullUrl, `${type}/${id}`);
    // A relative reference is resolved against the fullUrl's base: https://hl7.org/fhir/R4/bundle.html#references
    const parsed = parseReference(entry.fullUrl);
    if (parsed?.kind === 'absolute' && parsed.id !== undefined) map.set(`${parsed.type}/${parsed.id}`, `${type}/${id}`);
  }
  for (const [text, criteria] of conditional) {
    const match = onlyMatch(criteria.type, await tx.find(criteria, 2));
    if (match === undefined)
      throw new FhirError(412, [
        issue('not-found', `No ${criteria.type} matches a conditional reference of the bundle: nothing was stored`),
      ]);
    map.set(text, `${criteria.type}/${match}`);
  }
  return map;
}
