/** The controlled drugs register of a pharmacy, and its report. MISSION M10 */
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../ports/caller.ts';
import type { NewRegisterLine, RegisterLine } from '../../ports/dispensing.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import { registerCsv, registerPdf } from '../../workflow/dispensing/register-report.ts';
import { type DispensingParts, PHARMACY_CODE, SAID, TEXT } from './dispensing-parts.ts';
import { rangeOf } from './queue-routes.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

const TAG = 'Controlled drugs';
const LINES = 100;
/** Of one report; a larger one is asked for in parts. */
const REPORT_LINES_MAX = 50_000;

export function createRegisterRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { pharmacies, register, now } = parts;

  const text = (of: Readonly<Record<string, unknown>>, name: string): string | undefined =>
    of[name] as string | undefined; // as the schema says

  async function list({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, text(query, 'pharmacy_code'));
    const product = text(query, 'product');
    const [balances, lines] = await Promise.all([
      register.balances(pharmacy.id),
      register.list({ pharmacyId: pharmacy.id, ...(product !== undefined && { product }), limit: LINES }),
    ]);
    return {
      status: 200,
      json: {
        balances: product === undefined ? balances : balances.filter((one) => one.product === product),
        entries: lines.map(shown),
      },
      detail: { pharmacy: pharmacy.id },
    };
  }

  async function add({ caller, body }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, text(body, 'pharmacy_code'));
    const quantity = Number(body['quantity']);
    const type = String(body['type']) as NewRegisterLine['type']; // as the schema says
    const product = String(body['product']).trim();
    if (quantity === 0 || (type === 'stock-in' && quantity < 0))
      throw badValue('What comes in is more than nothing; a correction may be less', 'quantity');
    if (Math.abs(quantity * 1000 - Math.round(quantity * 1000)) > 1e-6)
      throw badValue('At most three decimals', 'quantity');
    const name = text(body, 'name') ?? (await nameOf(pharmacy.id, product)) ?? product;
    const line = await register.add({
      pharmacyId: pharmacy.id,
      product,
      name,
      type,
      change: quantity,
      reason: String(body['reason']),
      by: whoIs(caller),
      at: now(),
    });
    return { status: 201, json: shown(line), detail: { pharmacy: pharmacy.id, line: String(line.number) } };
  }

  const nameOf = async (pharmacyId: string, product: string): Promise<string | undefined> =>
    (await register.list({ pharmacyId, product, limit: 1 }))[0]?.name;

  async function report({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, text(query, 'pharmacy_code'));
    const { from, until } = rangeOf(text(query, 'from'), text(query, 'to'), now());
    const lines = await register.list({ pharmacyId: pharmacy.id, from, until, limit: REPORT_LINES_MAX + 1 }, true);
    if (lines.length > REPORT_LINES_MAX)
      throw badValue(`The report would have more than ${REPORT_LINES_MAX} lines: ask for a shorter time`, 'from');
    const of = { pharmacy: pharmacy.name, code: pharmacy.code, from, until, madeAt: now(), by: whoIs(caller).name };
    const isPdf = query['format'] === 'pdf';
    const file = `controlled-drugs-${new Date(from).toISOString().slice(0, 10)}.${isPdf ? 'pdf' : 'csv'}`;
    return {
      status: 200,
      content: isPdf ? registerPdf(lines, of) : registerCsv(lines),
      mediaType: isPdf ? 'application/pdf' : 'text/csv; charset=utf-8',
      headers: { 'Content-Disposition': `attachment; filename="${file}"` },
      detail: { pharmacy: pharmacy.id, lines: String(lines.length), report: randomUUID() },
    };
  }

  const ofPharmacy = { pharmacy_code: PHARMACY_CODE };
  const days = { from: { type: 'string', format: 'date' }, to: { type: 'string', format: 'date' } };
  const shared = { tag: TAG, rights: ['pharmacy:register'] } as const;
  return [
    {
      ...shared,
      method: 'GET',
      path: '/api/pharmacy/register',
      summary: 'Balances, and the newest lines',
      kind: 'read',
      told: 'controlled-register',
      request: { query: { type: 'object', properties: { product: TEXT(200), ...ofPharmacy } } },
      answers: { 200: { about: 'The newest hundred lines', schema: { type: 'object' } } },
      problems: ['pharmacy'],
      handle: list,
    },
    {
      ...shared,
      method: 'POST',
      path: '/api/pharmacy/register/entries',
      summary: 'Adds what came in, or a correction with its reason',
      kind: 'create',
      told: 'controlled-register-add',
      request: {
        body: {
          type: 'object',
          required: ['product', 'type', 'quantity', 'reason'],
          properties: {
            product: SAID(200, '322236009'),
            name: TEXT(300),
            type: { enum: ['stock-in', 'correction'] },
            quantity: { type: 'number', minimum: -1_000_000, maximum: 1_000_000 },
            reason: SAID(1000, 'Delivery'),
            ...ofPharmacy,
          },
        },
      },
      answers: { 201: { about: 'The line, with its number and the balance after it', schema: { type: 'object' } } },
      problems: ['pharmacy', 'register-balance'],
      handle: add,
    },
    {
      ...shared,
      method: 'GET',
      path: '/api/pharmacy/register/report',
      summary: 'The register of some days, for inspectors',
      kind: 'export',
      told: 'controlled-register-report',
      request: { query: { type: 'object', properties: { ...days, format: { enum: ['csv', 'pdf'] }, ...ofPharmacy } } },
      answers: { 200: { about: 'CSV, or PDF', schema: { type: 'string' }, mediaType: 'text/csv' } },
      problems: ['pharmacy'],
      handle: report,
    },
  ];
}

const whoIs = ({ user, name }: Caller): { readonly name: string; readonly id: string } =>
  user ? { name: user.name, id: user.id } : { name, id: name };

const shown = (line: RegisterLine): object => ({
  number: line.number,
  at: new Date(line.at).toISOString(),
  product: line.product,
  name: line.name,
  type: line.type,
  quantity: line.change,
  balance: line.balance,
  by: line.by.name,
  prescription_id: line.tokenId ?? null,
  schedule: line.schedule ?? null,
  reason: line.reason ?? null,
  patient_id_type: line.identity?.type ?? null,
  patient_id_number: line.identity?.number ?? null,
});
