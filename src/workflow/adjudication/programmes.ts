/** Manufacturers' copay programmes: which one a drug has, and who may be offered it. Reference section 18, MISSION M11 */

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
