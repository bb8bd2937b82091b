/** Claims and CoverageEligibilityRequests as one transmission of D.0. Reference sections 14, 16, 21 */
import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { TelecomMessage } from '../../standards/telecom/message.ts';
import { isObject, type Json, objectsAt, textAt } from '../script/place.ts';
import { diagnosisPair, ingredientBindings, type Resources, ROWS_MAX, textOfBinding, textsOfPair } from './bindings.ts';
import { fromFieldExtensions, fromSupportingInfo } from './carriers.ts';
import { headerFields, headerValue } from './header-leaves.ts';
import { assemble } from './paths.ts';
import { requestBindings, requestPairs } from './request-to-fhir.ts';
import { type Handed, handedIn } from './resolve.ts';
import { NOT_NAMED } from './values.ts';

export interface TelecomFromFhirContext {
  /** 110-AK, where the claim does not bring one. */
  readonly softwareId?: string;
}

const CLAIMS_MAX = 4;
/** Segments that hold for all claims of a transmission. */
const OF_TRANSMISSION: ReadonlySet<string> = new Set(['04', '01']);

export function requestFromFhir(payload: unknown, context: TelecomFromFhirContext = {}): Mapped<TelecomMessage> {
  const handed = handedIn(payload);
  const claims = handed.all.filter(({ resourceType }) => resourceType === 'Claim');
  const [eligibility, ...more] = handed.all.filter(({ resourceType }) => resourceType === 'CoverageEligibilityRequest');
  if (claims.length + more.length + (eligibility ? 1 : 0) === 0)
    return { issues: [issue('not-found', 'There is no Claim and no CoverageEligibilityRequest')] };
  if (eligibility && (claims.length > 0 || more.length > 0))
    return { issues: [issue('structure', 'An eligibility request is sent alone')] };
  if (claims.length > CLAIMS_MAX)
    return { issues: [issue('structure', `${claims.length} Claims: a transmission has at most ${CLAIMS_MAX}`)] };
  const asked = eligibility ? [eligibility] : claims;
  const issues: Issue[] = [];
  const all = asked.map((claim) => valuesOfClaim(claim, handed, eligibility !== undefined));
  const codes = new Set(asked.map((claim) => (eligibility ? 'E1' : codeOf(claim))));
  if (codes.size > 1) issues.push(issue('structure', 'The Claims of one transmission are of one transaction code'));
  const shared = sharedOf(all, issues);
  const header = headerOf(shared, context, issues);
  const isOwn = (path: string): boolean => !isShared(path);
  const transmission = assemble(new Map([...shared].filter(([path]) => !path.startsWith('H/'))));
  const transactions = all.map((values) => assemble(new Map([...values].filter(([path]) => isOwn(path)))));
  for (const path of [...transmission.refused, ...transactions.flatMap(({ refused }) => refused)])
    issues.push(issue('value', 'does not fit the format of its field', path.replaceAll(/[^\w/[\]!+]/g, '?')));
  const message: TelecomMessage = {
    side: 'request',
    header: { ...header, A2: 'D0', A3: [...codes][0] ?? '', A9: String(asked.length) },
    transmission: eligibility
      ? [...transmission.segments, ...transactions.flatMap(({ segments }) => segments)]
      : transmission.segments,
    transactions: eligibility ? [] : transactions.map(({ segments }) => segments),
  };
  return { value: message, issues };
}

/** B1, unless the Claim says it is a reversal or a rebill. */
function codeOf(claim: Json): string {
  const said = textAt(claim, 'ext:telecom-transaction.valueCoding.code');
  if (said !== undefined) return said;
  return claim['status'] === 'cancelled' ? 'B2' : 'B1';
}

const isShared = (path: string): boolean => path.startsWith('H/') || OF_TRANSMISSION.has(path.slice(0, 2));

/** What the first says for all: the others may not say something else. */
function sharedOf(all: readonly ReadonlyMap<string, string>[], issues: Issue[]): ReadonlyMap<string, string> {
  const shared = new Map([...(all[0] ?? [])].filter(([path]) => isShared(path)));
  for (const values of all.slice(1))
    for (const [path, text] of values)
      if (isShared(path) && shared.get(path) !== text)
        issues.push(
          issue('conflict', 'The Claims of one transmission must agree on it', path.replaceAll(/[^\w/]/g, '?')),
        );
  return shared;
}

function headerOf(
  values: ReadonlyMap<string, string>,
  { softwareId }: TelecomFromFhirContext,
  issues: Issue[],
): Readonly<Record<string, string>> {
  const header: Record<string, string> = {};
  for (const field of headerFields('request')) {
    const text = values.get(`H/${field.id}`) ?? (field.id === 'AK' ? softwareId : undefined);
    if (text === undefined) continue;
    const value = headerValue(field, text);
    if (value === undefined) issues.push(issue('value', 'does not fit its place in the header', `H/${field.id}`));
    else header[field.id] = value;
  }
  return header;
}

function valuesOfClaim(claim: Json, { resolve }: Handed, isEligibility: boolean): ReadonlyMap<string, string> {
  const focal = objectsAt(claim, 'insurance').find(({ focal: is }) => is === true) ?? objectsAt(claim, 'insurance')[0];
  const resources: Resources = {
    claim,
    coverage: resolve(focal?.['coverage'], claim),
    patient: resolve(claim['patient'], claim),
    prescriber: prescriberOf(claim, resolve),
    pharmacy: withIdentifier(resolve(claim['provider'], claim), claim['provider']),
  };
  const values = new Map<string, string>();
  const add = (path: string, text: string | undefined): void => {
    if (text !== undefined && text !== NOT_NAMED) values.set(path, text);
  };
  for (const binding of requestBindings(isEligibility)) add(binding.path, textOfBinding(binding, resources));
  const pairs = [...requestPairs(isEligibility)];
  if (!isEligibility) {
    const details = objectsAt(claim, 'item[0].detail').length;
    for (let i = 0; i < Math.min(details, ROWS_MAX); i++) {
      const row = ingredientBindings(i);
      pairs.push(row.pair);
      for (const binding of row.bindings) add(binding.path, textOfBinding(binding, resources));
    }
    const diagnoses = objectsAt(claim, 'diagnosis').length;
    for (let i = 0; i < Math.min(diagnoses, ROWS_MAX); i++) pairs.push(diagnosisPair(i));
  }
  for (const pair of pairs) {
    const found = textsOfPair(pair, resources);
    if (!found) continue;
    values.set(pair.qualifier, found.qualifier);
    values.set(pair.value, found.value);
  }
  for (const [path, text] of fromSupportingInfo(claim)) values.set(path, text);
  for (const [path, text] of fromFieldExtensions(claim)) values.set(path, text);
  // 455-EM: a prescription is what a pharmacy bills, unless it says otherwise.
  if (values.has('07/D2') && !values.has('07/EM')) values.set('07/EM', '1');
  return values;
}

function prescriberOf(claim: Json, resolve: Handed['resolve']): Json {
  const [member] = objectsAt(claim, 'careTeam');
  return withIdentifier(resolve(member?.['provider'], claim), member?.['provider']);
}

/** A reference by identifier alone is enough to name somebody. */
function withIdentifier(resource: Json, reference: unknown): Json {
  if (Object.keys(resource).length > 0 || !isObject(reference) || !isObject(reference['identifier'])) return resource;
  return { identifier: [reference['identifier']] };
}
