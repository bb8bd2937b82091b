/** B1, B2, B3 as Claims and E1 as CoverageEligibilityRequest, with whom and what they name. Reference section 21 */
import { extensionUrl } from '../../standards/fhir/canonical.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { findSegment, type TelecomMessage, valuesOf } from '../../standards/telecom/message.ts';
import { type Json, setAt, textAt } from '../script/place.ts';
import {
  createUnlessFound,
  type FhirResource,
  nameUrl,
  type TransactionBundle,
  type TransactionEntry,
  transactionBundle,
  updateByIdentifier,
} from '../transaction-bundle.ts';
import {
  BINDINGS,
  type Binding,
  bindToFhir,
  diagnosisPair,
  ingredientBindings,
  PAIRS,
  type PairBinding,
  pairToFhir,
  type Resources,
} from './bindings.ts';
import { fieldExtensions, supportingInfo } from './carriers.ts';
import { headerLeaves } from './header-leaves.ts';
import { type Leaf, leavesOf } from './paths.ts';
import {
  CARDHOLDER,
  CLAIM_NUMBER,
  CLAIM_TYPE,
  PAYER,
  PROCESS_PRIORITY,
  RX_NUMBER,
  TELECOM_TRANSACTION,
} from './systems.ts';
import { NOT_NAMED, TEXT } from './values.ts';

const TRANSACTION_EXTENSION = extensionUrl('telecom-transaction');

export interface TelecomToFhirContext {
  /** ms UTC: when the claim was made, as far as FHIR asks. */
  readonly receivedAt: number;
}

/** Of CoverageEligibilityRequest, which has a date of its own and no supporting information. */
const ELIGIBILITY_BINDINGS: readonly Binding[] = [
  ...BINDINGS.filter(({ resource }) => resource === 'coverage' || resource === 'patient'),
  { path: 'H/D1', resource: 'claim', element: 'servicedDate', codec: TEXT },
];
const ELIGIBILITY_PAIRS = PAIRS.filter(({ resource }) => resource === 'pharmacy' || resource === 'patient');

export const requestBindings = (isEligibility: boolean): readonly Binding[] =>
  isEligibility ? ELIGIBILITY_BINDINGS : BINDINGS;
export const requestPairs = (isEligibility: boolean): readonly PairBinding[] =>
  isEligibility ? ELIGIBILITY_PAIRS : PAIRS;

export function requestToFhir(message: TelecomMessage, context: TelecomToFhirContext): Mapped<TransactionBundle> {
  const isEligibility = message.header['A3'] === 'E1';
  const shared = [...headerLeaves(message.header, 'request'), ...leavesOf(message.transmission)];
  const groups = isEligibility ? [[]] : message.transactions;
  const issues: Issue[] = [];
  const entries = new Map<string, TransactionEntry>();
  for (const group of groups) {
    const own = isEligibility ? message.transactions.flat() : group;
    const claim = mapOne(message, [...shared, ...leavesOf(own)], isEligibility);
    const isKnown = (fullUrl: string): boolean => entries.has(fullUrl);
    for (const entry of entriesOf(message, claim, context, isEligibility, isKnown)) entries.set(entry.fullUrl, entry);
    issues.push(...claim.issues);
  }
  return { value: transactionBundle([...entries.values()]), issues };
}

interface MappedClaim {
  readonly resources: Resources;
  readonly text: (path: string) => string | undefined;
  readonly issues: readonly Issue[];
}

function mapOne(message: TelecomMessage, leaves: readonly Leaf[], isEligibility: boolean): MappedClaim {
  const resources: Resources = { claim: {}, coverage: {}, patient: {}, prescriber: {}, pharmacy: {} };
  const texts = new Map(leaves.filter(({ model }) => model).map(({ path, text }) => [path, text]));
  const taken = new Set<string>();
  const bind = (binding: Binding): void => {
    const text = texts.get(binding.path);
    if (text !== undefined && bindToFhir(binding, text, resources)) taken.add(binding.path);
  };
  const pair = (binding: PairBinding): void => {
    const [qualifier, value] = [texts.get(binding.qualifier), texts.get(binding.value)];
    if (qualifier === undefined || value === undefined) return;
    if (pairToFhir(binding, qualifier, value, resources)) taken.add(binding.qualifier).add(binding.value);
  };
  for (const one of requestPairs(isEligibility)) pair(one);
  for (const one of requestBindings(isEligibility)) bind(one);
  if (!isEligibility) bindRows(message, texts, bind, pair);
  const rest = leaves.filter(({ path }) => !taken.has(path));
  const infos: Json[] = [];
  const carried = rest.filter((leaf) => {
    const info = isEligibility ? undefined : supportingInfo(leaf, infos.length + 1);
    if (info) infos.push(info);
    return !info;
  });
  if (infos.length > 0) resources.claim['supportingInfo'] = infos;
  if (carried.length > 0) resources.claim['extension'] = fieldExtensions(carried);
  return {
    resources,
    text: (path) => texts.get(path),
    issues: carried.length === 0 ? [] : [residueIssue(carried, resources)],
  };
}

function bindRows(
  message: TelecomMessage,
  texts: ReadonlyMap<string, string>,
  bind: (binding: Binding) => void,
  pair: (binding: PairBinding) => void,
): void {
  const segments = message.transactions.flat();
  const most = (segment: string, lead: string): number =>
    Math.max(0, ...segments.filter(({ id }) => id === segment).map((one) => valuesOf(one, lead).length));
  // A list without holes: from the first row that is not whole on, rows travel as supporting information.
  for (let i = 0; i < most('10', 'RE') && texts.has(`10/RE[${i}]/RE`) && texts.has(`10/RE[${i}]/TE`); i++) {
    const row = ingredientBindings(i);
    pair(row.pair);
    for (const one of row.bindings) bind(one);
  }
  for (let i = 0; i < most('13', 'WE') && texts.has(`13/WE[${i}]/WE`) && texts.has(`13/WE[${i}]/DO`); i++)
    pair(diagnosisPair(i));
}

/** Says how many fields had no element of their own, and which: numbers of fields, no values. */
function residueIssue(carried: readonly Leaf[], { claim }: Resources): Issue {
  const type = claim['item'] ? 'Claim' : 'the request';
  const places = [...new Set(carried.map(({ path }) => path.replaceAll(/[^\w/[\]!+]/g, '?')))];
  return {
    severity: 'information',
    code: 'informational',
    diagnostics: `${carried.length} fields have no element in FHIR and are kept in extensions of ${type}`,
    expression: places.slice(0, 50),
  };
}

const NORMAL = { system: PROCESS_PRIORITY, code: 'normal' };

function entriesOf(
  message: TelecomMessage,
  { resources, text }: MappedClaim,
  { receivedAt }: TelecomToFhirContext,
  isEligibility: boolean,
  isKnown: (fullUrl: string) => boolean,
): readonly TransactionEntry[] {
  const code = (message.header['A3'] ?? '').replaceAll(/[^A-Z0-9]/g, '?');
  const payer = `${text('H/A1') ?? ''}|${text('H/A4') ?? ''}`;
  const holder = [text('04/C2') ?? '', text('04/C3') ?? '', text('04/C1') ?? ''].join('|');
  const created = new Date(receivedAt).toISOString();
  const insurer = { identifier: { system: PAYER, value: payer } };
  const entries: TransactionEntry[] = [];
  const isSomeone = Object.keys(resources.patient).length > 0;
  const patientUrl = nameUrl('telecom-patient', payer, holder);
  const patient = isSomeone ? { reference: patientUrl } : { display: NOT_NAMED };
  if (isSomeone) {
    const identifier = { system: CARDHOLDER, value: `${payer}|${holder}` };
    const known = (resources.patient['identifier'] as Json[] | undefined) ?? []; // written by the pair above
    const resource = { resourceType: 'Patient', ...resources.patient, identifier: [...known, identifier] };
    entries.push(updateByIdentifier(patientUrl, resource as FhirResource, [identifier]));
  }
  const coverageUrl = nameUrl('telecom-coverage', payer, holder);
  const coverageNumber = { system: CARDHOLDER, value: `coverage|${payer}|${holder}` };
  entries.push(
    updateByIdentifier(
      coverageUrl,
      {
        resourceType: 'Coverage',
        ...resources.coverage,
        identifier: [coverageNumber],
        status: 'active',
        beneficiary: patient,
        payor: [insurer],
      },
      [coverageNumber],
    ),
  );
  const provider = partyEntry('Organization', resources.pharmacy, entries);
  const prescriber = partyEntry('Practitioner', resources.prescriber, entries);
  const words = [text('H/B1'), text('07/D2') ?? code, text('07/D3') ?? '', text('H/D1'), payer, code];
  // One prescription may be billed twice in a transmission; the payer tells the second from the first.
  while (isKnown(nameUrl('telecom-claim', words.join('|')))) words.push('again');
  const number = { system: CLAIM_NUMBER, value: words.join('|') };
  const common = { ...resources.claim, identifier: [number], created, patient, insurer, provider };
  const claimUrl = nameUrl('telecom-claim', number.value);
  if (isEligibility) {
    const priority = { coding: [NORMAL] };
    const request = {
      resourceType: 'CoverageEligibilityRequest',
      ...common,
      status: 'active',
      purpose: ['discovery'],
      priority,
      insurance: [{ focal: true, coverage: { reference: coverageUrl } }],
    };
    return [...entries, updateByIdentifier(claimUrl, request, [number])];
  }
  const claim: Json = {
    resourceType: 'Claim',
    ...common,
    extension: [
      ...((resources.claim['extension'] as Json[] | undefined) ?? []), // written by mapOne
      { url: TRANSACTION_EXTENSION, valueCoding: { system: TELECOM_TRANSACTION, code } },
    ],
    status: code === 'B2' ? 'cancelled' : 'active',
    type: { coding: [{ system: CLAIM_TYPE, code: 'pharmacy' }] },
    use: 'claim',
    priority: { coding: [NORMAL] },
    insurance: insuranceOf(message, coverageUrl, text),
    ...(prescriber && { careTeam: [{ sequence: 1, provider: prescriber, role: { text: 'Prescriber' } }] }),
  };
  completeItem(claim, text('H/B1') ?? '');
  return [...entries, updateByIdentifier(claimUrl, claim as FhirResource, [number])];
}

/** The payer that is billed, and those before it. */
function insuranceOf(
  message: TelecomMessage,
  coverageUrl: string,
  text: (path: string) => string | undefined,
): readonly Json[] {
  const others: Json[] = [];
  const rows = Math.max(0, ...message.transactions.map((group) => valuesOf(findSegment(group, '05'), '5C').length));
  for (let i = 0; i < rows; i++) {
    const value = text(`05/5C[${i}]/7C`);
    if (value !== undefined)
      others.push({ sequence: i + 2, focal: false, coverage: { identifier: { system: PAYER, value } } });
  }
  return [{ sequence: 1, focal: true, coverage: { reference: coverageUrl } }, ...others];
}

/** What R4 wants beside what the message says: sequences, currency, the prescription number's own system. */
function completeItem(claim: Json, provider: string): void {
  const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []); // written by the bindings
  const [item = {}] = list(claim['item']);
  claim['item'] = [item];
  item['sequence'] = 1;
  item['productOrService'] ??= { text: NOT_NAMED };
  const priced = [item, ...list(item['detail'])];
  for (const one of priced) if (one['net']) setAt(one, 'net.currency', 'USD');
  for (const [index, detail] of list(item['detail']).entries()) detail['sequence'] = index + 1;
  for (const [index, diagnosis] of list(claim['diagnosis']).entries()) diagnosis['sequence'] = index + 1;
  if (textAt(claim, 'prescription.identifier.value') !== undefined)
    setAt(claim, 'prescription.identifier.system', `${RX_NUMBER}/${encodeURIComponent(provider)}`);
}

function partyEntry(type: 'Organization' | 'Practitioner', party: Json, entries: TransactionEntry[]): Json | undefined {
  const [identifier] = (party['identifier'] as { system: string; value: string }[] | undefined) ?? []; // of a pair
  if (Object.keys(party).length === 0) return type === 'Organization' ? { display: NOT_NAMED } : undefined;
  if (identifier === undefined) {
    const url = nameUrl(type, JSON.stringify(party));
    entries.push({ fullUrl: url, resource: { resourceType: type, ...party }, request: { method: 'POST', url: type } });
    return { reference: url };
  }
  const url = nameUrl(type, identifier.system, identifier.value);
  entries.push(createUnlessFound(url, { resourceType: type, ...party }, [identifier]));
  return { reference: url };
}
