/** Manufacturers' copay programmes: which one a drug has, and who may be offered it. Reference section 18, MISSION M11 */
import { isNdc11 } from '../../standards/ncpdp/identifiers.ts';

export interface CopayProgramme {
  readonly name: string;
  readonly bin: string;
  readonly pcn: string;
  readonly groupId: string;
  readonly memberId: string;
  /** National Drug Codes, eleven digits. */
  readonly ndcs: readonly string[];
  /** What it wants to know of the primary: what was left to the patient, or what was paid. */
  readonly method: 'patient-responsibility' | 'amount-paid';
  /** Whether it also pays where the primary covers nothing. */
  readonly coversRejected: boolean;
}

/**
 * The first programme of a drug. Of a federal plan (Medicare, Medicaid, TRICARE) nobody is offered one: the anti-kickback
 * statute, 42 USC 1320a-7b(b).
 */
export function findProgramme(
  programmes: readonly CopayProgramme[],
  ndc: string | undefined,
  isGovernment: boolean,
): { readonly programme?: CopayProgramme; readonly blocked?: 'V-AKS-1' } {
  const programme = programmes.find(({ ndcs }) => ndc !== undefined && ndcs.includes(ndc));
  if (!programme) return {};
  return isGovernment ? { blocked: 'V-AKS-1' } : { programme };
}

/** A list as an operator has written it. Throws an Error that says what is wrong. */
export function parseProgrammes(value: unknown): readonly CopayProgramme[] {
  if (!Array.isArray(value)) throw new Error('it is no list of programmes');
  return value.map((item: unknown, index) => {
    const row = Object(item) as Record<string, unknown>;
    const text = (name: string, pattern: RegExp): string => {
      const found = row[name];
      if (typeof found !== 'string' || !pattern.test(found)) throw new Error(`[${index}].${name} is missing or wrong`);
      return found;
    };
    const { ndcs, method = 'patient-responsibility', coversRejected = false } = row;
    if (!Array.isArray(ndcs) || !ndcs.every((ndc) => typeof ndc === 'string' && isNdc11(ndc)))
      throw new Error(`[${index}].ndcs is a list of drug codes of eleven digits`);
    if (method !== 'patient-responsibility' && method !== 'amount-paid')
      throw new Error(`[${index}].method is patient-responsibility or amount-paid`);
    if (typeof coversRejected !== 'boolean') throw new Error(`[${index}].coversRejected is true or false`);
    return {
      name: text('name', /^[ -~]{1,100}$/),
      bin: text('bin', /^\d{6}$/),
      pcn: text('pcn', /^[!-~]{1,10}$/),
      groupId: text('groupId', /^[!-~]{1,15}$/),
      memberId: text('memberId', /^[!-~]{1,20}$/),
      ndcs: ndcs as string[], // checked above
      method,
      coversRejected,
    };
  });
}
