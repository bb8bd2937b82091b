/** The part of the tour that the people of the demo walk: asked for, approved, verified, dispensed, seen. docs/prescribing.md */
import { requestOperatorToken } from '../auth/oauth/operator-client.ts';
import { answer, chapter, request } from './tour-print.ts';

interface Walked {
  readonly url: string;
  readonly fhir: string;
  readonly dataDir: string;
}

const TIMEOUT_MS = 10_000;
const TOKEN_S = 300;
const MEDICINE = 'Ibuprofen 400mg tablets';

type Json = Readonly<Record<string, unknown>>;
interface Reply {
  readonly status: number;
  readonly body: Json;
}
type Call = (method: string, path: string, body?: object) => Promise<Reply>;

/** Without the people of the demo data it says so, and is over. A second tour stops where the patient has it already. */
export async function walkPrescription({ url, fhir, dataDir }: Walked): Promise<void> {
  chapter('A medicine, from the request to the counter');
  const as = async (name: string): Promise<Call> => {
    const user = `${name}@demo.example`;
    const { token } = await requestOperatorToken({ dataDir, user, ttlS: TOKEN_S, now: Date.now });
    return (method, path, body) => send(token, method, path.startsWith('/') ? url + path : `${fhir}/${path}`, body);
  };
  const people = await Promise.all(['patient', 'doctor', 'pharmacist'].map(as)).catch(() => undefined);
  const [patient, doctor, pharmacist] = people ?? [];
  if (!patient || !doctor || !pharmacist) return answer('left out: its people come with npm start -- --demo');

  request('POST /api/prescriptions', `the patient asks for ${MEDICINE}`);
  const items = [{ medication_name: MEDICINE, dose: 'one tablet', quantity: 24, instructions: 'three times a day' }];
  const asked = await patient('POST', '/api/prescriptions', { items, pharmacy_id: 'demo-pharmacy' });
  answer(`${asked.status} ${textOf(asked.body, 'status') ?? textOf(asked.body, 'detail') ?? ''}`);
  const [item] = listOf(asked.body, 'items');
  const id = textOf(asked.body, 'id');
  if (asked.status !== 201 || !item || id === undefined) return;

  request('POST /api/provider/prescriptions/…/approve', 'the prescriber');
  const medications = [
    { item_id: item['id'], quantity: 24, dosage_instructions: 'Take one tablet', frequency: 'with food' },
  ];
  const approved = await doctor('POST', `/api/provider/prescriptions/${id}/approve`, { medications });
  answer(`${approved.status} ${textOf(approved.body, 'message') ?? textOf(approved.body, 'detail') ?? ''}`);

  request('POST /api/prescriptions/verify', 'the pharmacist scans the token that the patient shows');
  const [shown] = listOf((await patient('GET', `/api/prescriptions/${id}`)).body, 'tokens');
  const payload = shown?.['payload'] as Json | undefined; // as the server answers
  const verified = await pharmacist('POST', '/api/prescriptions/verify', { token: shown?.['token'] });
  answer(`${verified.status} ${textOf(verified.body, 'reason') ?? ''}`);

  const dispensing = {
    prescription_id: payload?.['id'],
    nonce: payload?.['nonce'],
    pharmacy_code: 'Z99902',
    pharmacist_name: 'Piotr Zielinski',
  };
  for (const about of ['the pharmacist hands it over', 'again: once is all']) {
    request('POST /api/prescriptions/dispense', about);
    const { status, body } = await pharmacist('POST', '/api/prescriptions/dispense', dispensing);
    answer(`${status} ${textOf(body, 'message') ?? textOf(body, 'detail') ?? ''}`);
  }

  request('GET /fhir/R4/MedicationDispense?patient=demo-patient-1', 'any app that the patient lets see their record');
  const found = await patient('GET', 'MedicationDispense?patient=demo-patient-1&_sort=-whenhandedover&_count=1');
  for (const entry of listOf(found.body, 'entry')) {
    const resource = entry['resource'] as Json; // an entry of a searchset has one
    const { text } = (resource['medicationCodeableConcept'] ?? {}) as { readonly text?: string };
    answer(`${String(resource['resourceType'])}: ${text ?? MEDICINE} · ${String(resource['status'])}`);
  }
}

async function send(token: string, method: string, address: string, body?: object): Promise<Reply> {
  const reply = await fetch(address, {
    method,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: reply.status, body: (await reply.json()) as Json };
}

const textOf = (body: Json, name: string): string | undefined =>
  typeof body[name] === 'string' ? body[name] : undefined;
const listOf = (body: Json, name: string): readonly Json[] =>
  Array.isArray(body[name]) ? (body[name] as readonly Json[]) : [];
