/** Tokens to print and to show: PDF sheet and label, QR code and bar code as PNG. MISSION M10; SECURITY RX-01 */
import QRCode from 'qrcode';
import type { Caller } from '../../ports/caller.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { code128 } from '../../standards/prescription-token/code128.ts';
import type { Node } from '../../workflow/dispensing/pharmacies.ts';
import { hmacQr, type Modules, tokenLabel, tokenSheet } from '../../workflow/dispensing/token-sheet.ts';
import type { DispensingParts } from './dispensing-parts.ts';
import { formatPng } from './png.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { readVisibleTask } from './visible-task.ts';

const TAG = 'Tokens';
const QUIET = 4;
const BAR_HEIGHT = 80;

export function createTokenPrintRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { store, now } = parts;

  async function pdf({ caller, path, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const found = await readVisibleTask(parts, caller, path['id'] ?? '');
    const isLabel = query['form'] === 'label';
    const contact = isLabel ? [] : await contactOf(caller, found.patientId);
    const sheet = { found, contact, qr: (text: string) => qrModules(text), at: now() };
    const name = `${found.token.tokenId}${isLabel ? '-label' : ''}.pdf`;
    return {
      status: 200,
      content: isLabel ? tokenLabel(sheet) : tokenSheet(sheet),
      mediaType: 'application/pdf',
      headers: { 'Content-Disposition': `inline; filename="${name}"` },
      patientId: found.patientId,
    };
  }

  async function png({ caller, path, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const { token, patientId } = await readVisibleTask(parts, caller, path['id'] ?? '');
    const kind = query['code'] ?? 'qr';
    const content =
      kind === 'code128'
        ? formatPng([code128(token.tokenId)], 2, BAR_HEIGHT)
        : formatPng(qrModules(kind === 'qr' ? token.token : hmacQr(token), QUIET), 6);
    return { status: 200, content, mediaType: 'image/png', patientId };
  }

  /** As the caller may see it. */
  async function contactOf(caller: Caller, patientId: string): Promise<readonly string[]> {
    try {
      return contactIn(parseJson((await store.read(caller, 'Patient', patientId)).content) as Node);
    } catch (error) {
      if (error instanceof FhirError && error.status < 500) return [];
      throw error;
    }
  }

  const shared = {
    method: 'GET',
    tag: TAG,
    rights: ['prescription:read', 'prescriptions:review', 'prescriptions:verify'],
    kind: 'read',
  } as const;
  return [
    {
      ...shared,
      path: '/api/prescriptions/:id/token.pdf',
      summary: 'The token on paper, by its own id or that of the order',
      told: 'prescription-token-pdf',
      request: { query: { type: 'object', properties: { form: { enum: ['a4', 'label'] } } } },
      answers: { 200: { about: 'PDF', schema: { type: 'string' }, mediaType: 'application/pdf' } },
      handle: pdf,
    },
    {
      ...shared,
      path: '/api/prescriptions/:id/token.png',
      summary: 'Its QR code (of the JWS, or of the HMAC form), or its id as a bar code',
      told: 'prescription-token-png',
      request: { query: { type: 'object', properties: { code: { enum: ['qr', 'qr-hmac', 'code128'] } } } },
      answers: { 200: { about: 'PNG', schema: { type: 'string' }, mediaType: 'image/png' } },
      handle: png,
    },
  ];
}

/** Error correction level M; with so many light squares around it. */
export function qrModules(text: string, quiet = 0): Modules {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'M' });
  const { size, data } = modules;
  const whole = size + 2 * quiet;
  return Array.from({ length: whole }, (_, y) =>
    Array.from({ length: whole }, (_, x) => {
      const [row, column] = [y - quiet, x - quiet];
      return row >= 0 && column >= 0 && row < size && column < size && data[row * size + column] === 1;
    }),
  );
}

function contactIn(patient: Node): readonly string[] {
  const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated
  const telecom = listOf(patient['telecom'])
    .slice(0, 2)
    .map(({ value }) => String(value ?? ''));
  const [address] = listOf(patient['address']);
  const lines = [...((address?.['line'] as string[] | undefined) ?? []), address?.['city'], address?.['postalCode']];
  return [...telecom, lines.filter((one) => one !== undefined).join(', ')].filter((one) => one !== '');
}
