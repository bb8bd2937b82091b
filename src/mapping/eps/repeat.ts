/** Repeat numbers: FHIR counts repeats from zero, V3 issues from one. */
import { interval } from '../../standards/hl7v3/act.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { extensionOf, findExtension } from './choose.ts';
import type { CourseOfTherapy } from './course-of-therapy.ts';
import { invalidValue, requiredFieldMissing } from './fault.ts';
import { countAt, listAt, type Node, nodeAt } from './node.ts';
import { onlyOne } from './only.ts';
import { EXTENSION } from './systems.ts';

/** Of an order: none for acute treatment, one of one for repeat prescribing. */
export function orderRepeatNumber(course: CourseOfTherapy, request: Node): XmlElement | undefined {
  if (course === 'acute') return undefined;
  return interval('repeatNumber', '1', course === 'continuous' ? '1' : String(repeatsAllowed(request) + 1));
}

/** A prescription that was released carries the number in `basedOn`. */
function repeatsAllowed(request: Node): number {
  const path = 'MedicationRequest.dispenseRequest';
  const allowed = countAt(nodeAt(request, 'dispenseRequest', 'MedicationRequest'), 'numberOfRepeatsAllowed', path);
  if (allowed === undefined)
    throw invalidValue('Number of repeats allowed is required.', `${path}.numberOfRepeatsAllowed`);
  return repeatsAllowedOfBasedOn(request) ?? allowed;
}

function repeatsAllowedOfBasedOn(request: Node): number | undefined {
  const path = 'MedicationRequest.basedOn.extension';
  const extension = {
    extension: listAt(request, 'basedOn', 'MedicationRequest')?.flatMap((b) => listAt(b, 'extension', path) ?? []),
  };
  const repeat = findExtension(extension, EXTENSION.repeatInformation, path);
  const allowed = findExtension(repeat, 'numberOfRepeatsAllowed', `${path}.extension`);
  return allowed === undefined ? undefined : countOf(allowed, `${path}.extension`);
}

/** Of a dispensing message: low and high are one more than the repeats issued and allowed. `path`: of the extension. */
export function dispenseRepeatNumber(repeatInformation: Node, path: string): XmlElement {
  const within = `${path}("${EXTENSION.repeatInformation}").extension`;
  const issued = countOf(extensionOf(repeatInformation, 'numberOfRepeatsIssued', within), within);
  const allowed = countOf(extensionOf(repeatInformation, 'numberOfRepeatsAllowed', within), within);
  return interval('repeatNumber', String(issued + 1), String(allowed + 1));
}

/** The number of the issue that a task is about, if it is about one. */
export function issueNumber(task: Node): string | undefined {
  const path = 'Task.extension';
  const repeat = findExtension(task, EXTENSION.repeatInformation, path);
  if (repeat === undefined) return undefined;
  const within = `${path}("${EXTENSION.repeatInformation}").extension`;
  const issued = onlyOne(
    listAt(repeat, 'extension', path)?.filter(({ url }) => url === 'numberOfRepeatsIssued'),
    within,
    "url == 'numberOfRepeatsIssued'",
  );
  return String(countOf(issued, within) + 1);
}

/** Deviates: published examples write the number as an unsignedInt too, at which the national gateway fails. */
export function countOf(extension: Node, path: string): number {
  const count = countAt(extension, 'valueInteger', path) ?? countAt(extension, 'valueUnsignedInt', path);
  if (count === undefined) throw requiredFieldMissing(`${path}.valueInteger`);
  return count;
}
