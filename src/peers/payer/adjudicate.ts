/** What the payer decides of a transmission, by its plans. Amounts are whole cents. */
import { type Book, keyOf } from './book.ts';
import type { CopayProgramme, Plan, PrimaryPlan } from './plans.ts';
import { type Answer, type Asked, cents, type Field, overpunch, type Part, part, value, values } from './wire.ts';

export type Adjudicate = (asked: Asked) => Answer;

export function createAdjudicate(plans: readonly Plan[], book: Book): Adjudicate {
  return (asked) => {
    const plan = plans.find(({ bin, pcn }) => bin === asked.bin && pcn === asked.pcn);
    if (asked.version !== 'D0') return refused('02');
    if (!['B1', 'B2', 'B3', 'E1'].includes(asked.code)) return refused('03');
    if (!plan) return refused(plans.some(({ bin }) => bin === asked.bin) ? '04' : '01');
    if (asked.code === 'E1') return answered([eligibility(asked, plan)]);
    if (asked.claims.length === 0 || asked.claims.length > 4 || Number(asked.count) !== asked.claims.length)
      return refused('A9');
    return answered(asked.claims.map((claim) => decide(asked, claim, plan, book)));
  };
}

const answered = (claims: readonly (readonly Part[])[]): Answer => ({ status: 'A', shared: [], claims });
const refused = (code: string): Answer => ({ status: 'R', shared: [], claims: [[statusPart('R', [], [code])]] });

function statusPart(status: string, more: readonly Field[] = [], codes: readonly string[] = [], message = ''): Part {
  const rejects: Field[] =
    codes.length > 0 ? [['FA', String(codes.length)], ...codes.map((c): Field => ['FB', c])] : [];
  const words: Field[] = message === '' ? [] : [['UF', '1'], ['UH', '01'], ['FQ', message]]; // biome-ignore format: rows
  return { id: '21', fields: [['AN', status], ...more, ...rejects, ...words] };
}

const claimPart = (claim: readonly Part[]): Part => ({
  id: '22',
  fields: [
    ['EM', '1'],
    ['D2', value(claim, '07', 'D2')],
  ],
});

function reject(claim: readonly Part[], code: string, message = ''): readonly Part[] {
  return [statusPart('R', [], [code], message), claimPart(claim)];
}

function decide(asked: Asked, claim: readonly Part[], plan: Plan, book: Book): readonly Part[] {
  if (!part(claim, '07')) return [statusPart('R', [], ['R8'])];
  const known = book.find(keyOf(asked, claim));
  if (asked.code === 'B2') {
    if (!known) return reject(claim, '84');
    const isAgain = known.status === 'reversed';
    known.status = 'reversed';
    if (!isAgain) known.reversal = `RV${book.nextNumber()}`;
    return [statusPart(isAgain ? 'S' : 'A', [['F3', known.reversal]]), claimPart(claim)];
  }
  if (asked.code === 'B1' && known?.status === 'paid')
    return known.answer.map((one) => (one.id === '21' ? statusPart('D', [['F3', known.authorization]]) : one));
  const priced = plan.kind === 'primary' ? pricePrimary(asked, claim, plan) : priceProgramme(asked, claim, plan);
  if (typeof priced === 'string') return reject(claim, priced, MESSAGES.get(priced));
  return book.pay(keyOf(asked, claim), (authorization) => [
    statusPart('P', [['F3', authorization]]),
    claimPart(claim),
    { id: '23', fields: priced },
  ]).answer;
}

const MESSAGES: ReadonlyMap<string, string> = new Map([
  ['75', 'PRIOR AUTHORIZATION REQUIRED'],
  ['76', 'DAYS SUPPLY OVER PLAN LIMIT'],
]);

/** A text is the code of the rejection. */
function pricePrimary(asked: Asked, claim: readonly Part[], plan: PrimaryPlan): readonly Field[] | string {
  if (!plan.members.has(value(asked.shared, '04', 'C2'))) return '52';
  const drug = plan.drugs.get(value(claim, '07', 'D7')) ?? plan.otherwise;
  if (drug.excluded !== undefined) return drug.excluded;
  if (drug.needsAuthorization && value(claim, '07', 'EV') === '') return '75';
  if (drug.daysMax !== undefined && Number(value(claim, '07', 'D5')) > drug.daysMax) return '76';
  const [ingredient, fee, gross] = ['D9', 'DC', 'DU'].map((id) => cents(value(claim, '11', id) || '{'));
  if (ingredient === undefined || fee === undefined || gross === undefined) return '23';
  if (gross !== grossOf(claim)) return 'R9';
  const thousandths = Number(value(claim, '07', 'E7'));
  if (!Number.isSafeInteger(thousandths)) return 'E7';
  const allowed = Math.min(ingredient, Math.floor((drug.unitPrice * thousandths) / 1000));
  const paidFee = Math.min(fee, plan.dispensingFeeMax);
  const coinsurance = Math.min(Math.floor((allowed * drug.coinsurancePercent) / 100), drug.patientMax);
  return [
    ['F5', overpunch(coinsurance)],
    ['F6', overpunch(allowed)],
    ['F7', overpunch(paidFee)],
    ['F9', overpunch(allowed + paidFee - coinsurance)],
    ['FM', '1'],
    ['4U', overpunch(coinsurance)],
  ];
}

function grossOf(claim: readonly Part[]): number {
  const parts = ['D9', 'DC', 'BE', 'E3', 'HA', 'GE'].map((id) => value(claim, '11', id)).filter((text) => text !== '');
  return [...parts, ...values(claim, '11', 'H9')].reduce((sum, text) => sum + (cents(text) ?? 0), 0);
}

/** Pays what the payer before left to the patient, down to the target, up to its maximum. */
function priceProgramme(asked: Asked, claim: readonly Part[], plan: CopayProgramme): readonly Field[] | string {
  const offer = plan.drugs.get(value(claim, '07', 'D7'));
  if (value(asked.shared, '04', 'C1') !== plan.group) return '51';
  if (!offer) return '70';
  if (!part(claim, '05')) return '13';
  if (values(claim, '05', '7C').some((bin) => plan.governmentBins.has(bin))) return '65';
  const left = leftToPatient(claim);
  if (left === undefined) return '13';
  const target = Math.min(left, offer.target);
  const paid = Math.min(left - target, offer.max);
  return [
    ['F5', overpunch(left - paid)],
    ['F6', overpunch(left)],
    ['F7', '{'],
    ['F9', overpunch(paid)],
    ['FM', '1'],
  ];
}

/** By other coverage code: what was reported, what was not paid of the price, or all of it. */
function leftToPatient(claim: readonly Part[]): number | undefined {
  const gross = cents(value(claim, '11', 'DU') || '{') ?? 0;
  const sum = (id: string): number => values(claim, '05', id).reduce((total, text) => total + (cents(text) ?? 0), 0);
  switch (value(claim, '07', 'C8').padStart(2, '0')) {
    case '08':
      return sum('NQ');
    case '02':
    case '04':
      return Math.max(gross - sum('DV'), 0);
    case '03':
      return gross;
    default:
      return undefined;
  }
}

function eligibility(asked: Asked, plan: Plan): readonly Part[] {
  const cardholder = value(asked.shared, '04', 'C2');
  if (plan.kind !== 'primary' || !plan.members.has(cardholder)) return [statusPart('R', [], ['N1'])];
  const payer: readonly Field[] = [
    ['NT', '1'],
    ['5C', '01'],
    ['6C', '03'],
    ['7C', plan.bin],
    ['MH', plan.pcn],
    ['NU', cardholder],
  ];
  return [statusPart('A'), { id: '28', fields: payer }];
}
