/** What an adjudication leaves in the record: the answers as ClaimResponses, and the claim to the programme. */
import { requestToFhir } from '../../mapping/telecom/request-to-fhir.ts';
import { responseToFhir } from '../../mapping/telecom/response-to-fhir.ts';
import { type FhirResource, nameUuid, type TransactionEntry, updateById } from '../../mapping/transaction-bundle.ts';
import type { ClaimJournal, JournalledClaim } from '../../ports/claim-journal.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';
import { claimId, type Role } from './leg.ts';

type Node = Readonly<Record<string, unknown>>;

/** Entries with ids made from the case, so that storing them again changes nothing. */
export async function recordOf(
  journal: Pick<ClaimJournal, 'find'>,
  caseId: string,
  claim: FhirResource,
): Promise<readonly TransactionEntry[]> {
  const entries: TransactionEntry[] = [];
  for (const role of ['primary', 'programme'] as const) {
    const entry = await journal.find(claimId(caseId, role, 'claim'));
    if (!entry) continue;
    const own = role === 'primary' ? claim : programmeClaimResource(caseId, entry, claim);
    if (own && role === 'programme') entries.push(updateById(`Claim/${own.id}`, own as FhirResource & { id: string }));
    if (entry.answer && own) entries.push(...answerEntries(caseId, role, entry, own));
  }
  return entries;
}

/** As it was sent, about the same patient, provider and prescriber as the claim it follows. */
function programmeClaimResource(
  caseId: string,
  { request, at }: JournalledClaim,
  primary: FhirResource,
): FhirResource | undefined {
  const { message } = parseTelecom(request);
  const mapped = message && requestToFhir(message, { receivedAt: at }).value;
  const found = mapped?.entry.find(({ resource }) => resource.resourceType === 'Claim')?.resource;
  if (!found) return undefined;
  const { careTeam: _sent, ...claim } = found;
  const contained = containedFor(primary);
  const [focal = {}, ...others] = (claim['insurance'] as Node[] | undefined) ?? []; // of our own mapping
  return {
    ...claim,
    resourceType: 'Claim',
    ...(contained.length > 0 && { contained }),
    id: nameUuid('programme-claim', caseId),
    patient: primary['patient'],
    provider: primary['provider'],
    ...(primary['careTeam'] !== undefined && { careTeam: primary['careTeam'] }),
    ...(primary['prescription'] !== undefined && { prescription: primary['prescription'] }),
    insurance: [{ ...focal, coverage: claim['insurer'] }, ...others],
    related: [{ claim: { reference: `Claim/${String(primary['id'])}` } }],
  };
}

/** What the claim contains of those whom the claim that follows it names too. */
function containedFor({ contained, patient, provider, careTeam }: FhirResource): readonly Node[] {
  const named = JSON.stringify([patient, provider, careTeam]);
  const list = Array.isArray(contained) ? (contained as Node[]) : []; // validated
  return list.filter(({ id }) => named.includes(`"#${String(id)}"`));
}

function answerEntries(
  caseId: string,
  role: Role,
  { answer, at }: JournalledClaim,
  claim: FhirResource,
): readonly TransactionEntry[] {
  const { message } = parseTelecom(answer ?? Buffer.alloc(0));
  if (!message) return [];
  const reference = (claim['patient'] as Node | undefined)?.['reference'];
  const asked = {
    claim: `Claim/${String(claim['id'])}`,
    ...(typeof reference === 'string' && !reference.startsWith('#') && { patient: reference }),
    ...(claim['insurer'] !== undefined && { insurer: claim['insurer'] as Record<string, unknown> }), // validated
  };
  const entries = responseToFhir(message, { receivedAt: at, asked: [asked] }).value?.entry ?? [];
  return entries.map(({ resource }, index) => {
    const id = nameUuid('claim-answer', caseId, role, String(index));
    return updateById(`${resource.resourceType}/${id}`, { ...resource, id });
  });
}
