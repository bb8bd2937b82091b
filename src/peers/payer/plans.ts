/** The plans and programmes of the local payer, as data. All are made up; amounts are cents. */

/** What a plan says of one drug. */
export interface Coverage {
  /** What is paid for a unit at most. */
  readonly unitPrice: number;
  /** Of the ingredient cost, up to `patientMax`. */
  readonly coinsurancePercent: number;
  readonly patientMax: number;
  readonly needsAuthorization?: true;
  readonly daysMax?: number;
  /** 511-FB by which it is refused. */
  readonly excluded?: string;
}

export interface PrimaryPlan {
  readonly kind: 'primary';
  readonly bin: string;
  readonly pcn: string;
  readonly members: ReadonlySet<string>;
  /** 412-DC is paid up to it. */
  readonly dispensingFeeMax: number;
  readonly drugs: ReadonlyMap<string, Coverage>;
  /** For drugs the list does not name. */
  readonly otherwise: Coverage;
}

export interface CopayProgramme {
  readonly kind: 'programme';
  readonly bin: string;
  readonly pcn: string;
  readonly group: string;
  /** By NDC: what the patient pays in the end, and what the programme pays at most. */
  readonly drugs: ReadonlyMap<string, { readonly target: number; readonly max: number }>;
  /** Payers whose patients no programme may help. */
  readonly governmentBins: ReadonlySet<string>;
}

export type Plan = PrimaryPlan | CopayProgramme;

const ADALIMUMAB = '00074055402';
const NEEDS_AUTHORIZATION = '00093720201';
const NOT_COVERED = '00093111301';

export const PLANS: readonly Plan[] = [
  {
    kind: 'primary',
    bin: '004336',
    pcn: 'ADV',
    members: new Set(['W123456789', 'W123456780']),
    dispensingFeeMax: 150,
    drugs: new Map<string, Coverage>([
      [ADALIMUMAB, { unitPrice: 310_000, coinsurancePercent: 20, patientMax: 50_000, daysMax: 30 }],
      [NEEDS_AUTHORIZATION, { unitPrice: 10_000, coinsurancePercent: 10, patientMax: 5_000, needsAuthorization: true }],
      [NOT_COVERED, { unitPrice: 0, coinsurancePercent: 0, patientMax: 0, excluded: '70' }],
    ]),
    otherwise: { unitPrice: 100, coinsurancePercent: 25, patientMax: 4_000, daysMax: 90 },
  },
  {
    kind: 'primary',
    bin: '012345',
    pcn: 'STMED',
    members: new Set(['MCD0001']),
    dispensingFeeMax: 1_000,
    drugs: new Map<string, Coverage>(),
    otherwise: { unitPrice: 310_000, coinsurancePercent: 0, patientMax: 0, daysMax: 34 },
  },
  {
    kind: 'programme',
    bin: '610524',
    pcn: 'LOYALTY',
    group: '50776011',
    drugs: new Map([
      [ADALIMUMAB, { target: 500, max: 1_000_000 }],
      [NOT_COVERED, { target: 1_000, max: 20_000 }],
    ]),
    governmentBins: new Set(['012345']),
  },
];
