/** Acute, repeat or repeat dispensing: the treatment type of a prescription. */
import { codingsOf } from './choose.ts';
import { invalidValue, requiredFieldMissing } from './fault.ts';
import { type Node, nodeAt, stringAt } from './node.ts';

export type CourseOfTherapy = 'acute' | 'continuous' | 'continuous-repeat-dispensing';

export const TREATMENT_TYPE: Readonly<Record<CourseOfTherapy, string>> = {
  acute: '0001',
  continuous: '0002',
  'continuous-repeat-dispensing': '0003',
};

const PATH = 'MedicationRequest.courseOfTherapyType.coding';

/** One for the whole prescription; acute and continuous items together make an acute one. */
export function courseOfTherapyOf(requests: readonly Node[]): CourseOfTherapy {
  const codes = new Set(requests.flatMap(courseCodes));
  const [code] = codes;
  if (codes.size === 1 && code !== undefined) {
    if (Object.hasOwn(TREATMENT_TYPE, code)) return code as CourseOfTherapy; // It is one of the keys.
    throw invalidValue(`Unhandled course of therapy type code '${code}'.`, `${PATH}.code`);
  }
  if (codes.size === 2 && codes.has('acute') && codes.has('continuous')) return 'acute';
  throw invalidValue(
    "Course of therapy type must either match for all MedicationRequests or be a mixture of 'acute' and 'continuous'.",
    PATH,
  );
}

function courseCodes(request: Node): readonly string[] {
  const type = nodeAt(request, 'courseOfTherapyType', 'MedicationRequest');
  if (type === undefined) throw requiredFieldMissing('MedicationRequest.courseOfTherapyType');
  return codingsOf([type], 'MedicationRequest.courseOfTherapyType').map(
    (coding) => stringAt(coding, 'code', PATH) ?? '',
  );
}
