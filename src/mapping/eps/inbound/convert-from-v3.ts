/** Any V3 message of the service that becomes FHIR: answers of the Spine, and prescriptions. */
import type { Buffer } from 'node:buffer';
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { issue } from '../../../standards/fhir/outcome.ts';
import { HL7_V3 } from '../../../standards/hl7v3/element.ts';
import { ANSWERS, INTERACTIONS, ORDERS } from '../../../standards/hl7v3/interaction.ts';
import type { Mapped } from '../../../standards/mapped.ts';
import type { XmlElement } from '../../../standards/xml/tree.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { mapped } from '../fault.ts';
import type { AnswerContext } from './context.ts';
import { peel } from './peel.ts';
import { prescriptionBundle } from './prescription-bundle.ts';
import { findAnswer, translateDocuments } from './spine-answer.ts';
import { findUnread } from './unread.ts';
import { requiredChild, rootNode, type V3Node } from './v3-node.ts';

/**
 * The FHIR of a message, in its wrapping or without. Refusals of the Spine are translations too: OperationOutcomes.
 * Without a value the issues say what cannot be read and where. Never throws.
 */
export function convertFromV3(content: Buffer | string, context: AnswerContext): Mapped<FhirResource> {
  const { value: documents, issues } = peel(content);
  return documents === undefined ? { issues } : fromDocuments(documents, context);
}

function fromDocuments(documents: readonly XmlElement[], context: AnswerContext): Mapped<FhirResource> {
  const prescription = documents.map(prescriptionIn).find((node) => node !== undefined);
  if (prescription !== undefined) return fromPrescription(prescription, context);
  const { kind, body, issues } = translateDocuments(documents, context);
  if (kind !== 'unknown') return { value: body, issues };
  const known = findAnswer(documents) !== undefined;
  return { issues: known ? issues : [notKnown(documents)] };
}

/** `find`: where the ParentPrescription is to be looked for. */
type Prescription = (() => V3Node) | undefined;

function prescriptionIn(document: XmlElement): Prescription {
  if (document.namespace !== HL7_V3) return undefined;
  if (document.name === 'ParentPrescription') return () => rootNode(document);
  if (!ORDERS.has(document.name)) return undefined;
  return () => requiredChild(rootNode(document), 'ControlActEvent', 'subject', 'ParentPrescription');
}

function fromPrescription(find: () => V3Node, context: AnswerContext): Mapped<FhirResource> {
  return mapped(() => {
    const issues: Issue[] = [];
    const parentPrescription = find();
    const value = prescriptionBundle(parentPrescription, context, issues);
    return { value, issues: [...issues, ...findUnread(parentPrescription)] };
  });
}

const TAKEN = [...Object.values(ANSWERS), ...ORDERS].join(', ');

/** Requests that FHIR gave are known by name, so that the refusal is not taken for a fault of the message. */
function notKnown(documents: readonly XmlElement[]): Issue {
  const [document] = documents;
  const name = document?.name.slice(0, 60) ?? '';
  const place = `${document?.line}:${document?.column}`;
  if (document !== undefined && document.namespace !== HL7_V3 && isKnown(name))
    return issue('structure', `The root element ${name} is not in the namespace ${HL7_V3}`, place);
  const ofFhir = Object.values(INTERACTIONS).some((interaction) => interaction === name);
  return issue(
    'not-supported',
    ofFhir
      ? `${name} is sent to the Spine and not translated back; what becomes FHIR is: ParentPrescription, ${TAKEN}`
      : `The root element ${name} is no V3 message that becomes FHIR; these are: ParentPrescription, ${TAKEN}`,
    place,
  );
}

const isKnown = (name: string): boolean => name === 'ParentPrescription' || ORDERS.has(name);
