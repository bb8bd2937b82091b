/** Reads the V3 messages that come to the Spine, checks what it needs of them, and nothing else. eps/REFERENCE 6 to 8, 12.1. */
import { dispenseError, missing, prescribeError, refuse, type SpineError } from './errors.ts';
import { type Order, readOrder } from './read-order.ts';
import { type Agent, idAt, NHS_NUMBER, readAgent, SHORT_FORM, UUID } from './read-parts.ts';
import { readInstant } from './time.ts';
import { all, at, attribute, canonicalise, type Node, V3 } from './xml.ts';

const ASID = '1.2.826.0.1285.0.2.0.107';

export interface DispensedItem {
  /** The line item of the order. */
  readonly itemId: string;
  readonly status: string;
}

export type Content =
  | { readonly kind: 'order'; readonly order: Order }
  | { readonly kind: 'nominated-release'; readonly requestId: string; readonly agent: Agent }
  | {
      readonly kind: 'patient-release';
      readonly requestId: string;
      readonly agent: Agent;
      readonly prescriptionId: string;
    }
  | {
      readonly kind: 'notification' | 'claim';
      readonly id: string;
      readonly prescriptionId: string;
      readonly uuid: string;
      readonly nhsNumber: string | undefined;
      readonly agent: Agent;
      /** 1 for prescriptions that have one issue. */
      readonly issue: number;
      readonly repeatHigh: number | undefined;
      readonly status: string;
      readonly items: readonly DispensedItem[];
      readonly replaces: string | undefined;
      readonly releaseRequestId: string | undefined;
    }
  | {
      readonly kind: 'return';
      readonly id: string;
      readonly prescriptionId: string;
      readonly agent: Agent;
      readonly reason: string;
      readonly releaseResponseId: string;
      readonly issue: number | undefined;
    }
  | {
      readonly kind: 'withdraw';
      readonly id: string;
      readonly prescriptionId: string;
      readonly nhsNumber: string;
      readonly odsCode: string;
      readonly notificationId: string;
      readonly issue: number | undefined;
    }
  | {
      readonly kind: 'cancellation';
      readonly id: string;
      readonly prescriptionId: string;
      readonly uuid: string;
      readonly nhsNumber: string;
      readonly itemId: string;
      readonly reason: string;
      readonly agent: Agent;
      readonly patientXml: string;
    };

export interface Message {
  /** Of the wrapper. */
  readonly id: string;
  readonly interaction: string;
  readonly fromAsid: string;
  readonly toAsid: string;
  /** The message within. */
  readonly payload: Node;
}

interface Kind {
  readonly name: string;
  /** Which code system its faults are told in. */
  readonly family: 'prescribe' | 'dispense';
  readonly read: (node: Node) => Content;
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'PORX_IN020101SM31',
    { name: 'ParentPrescription', family: 'prescribe', read: (node) => ({ kind: 'order', order: readOrder(node) }) },
  ],
  ['PORX_IN030101SM32', { name: 'CancellationRequest', family: 'dispense', read: readCancellation }],
  ['PORX_IN060102SM30', { name: 'NominatedPrescriptionReleaseRequest', family: 'dispense', read: readNominated }],
  ['PORX_IN132004SM30', { name: 'PatientPrescriptionReleaseRequest', family: 'dispense', read: readPatientRelease }],
  ['PORX_IN080101SM31', { name: 'DispenseNotification', family: 'prescribe', read: readNotification }],
  ['PORX_IN090101SM31', { name: 'DispenseClaim', family: 'prescribe', read: readClaim }],
  ['PORX_IN100101SM31', { name: 'DispenseProposalReturn', family: 'dispense', read: readReturn }],
  ['PORX_IN510101SM31', { name: 'ETPWithdraw', family: 'dispense', read: readWithdraw }],
]);

/** The wrapper. Throws `Refusal` when it is none. */
export function readWrapper(root: Node, action: string): Message {
  const kind = KINDS.get(root.name);
  const invalid = (what: string): never => refuse(dispenseError('5888', `Invalid message: ${what}`));
  if (root.namespace !== V3) return invalid('the namespace is not that of HL7 V3');
  if (kind === undefined) return invalid('the interaction is not known');
  if (root.name !== action || attribute(root, 'interactionId', 'extension') !== root.name)
    return invalid('the interaction differs from the ebXML action or from interactionId');
  const id = attribute(root, 'id', 'root');
  if (id === undefined || !UUID.test(id)) return invalid('the message has no id');
  readInstant(attribute(root, 'creationTime', 'value'), errorsOf(kind).date);
  const payload = at(root, `ControlActEvent/subject/${kind.name}`);
  if (payload === undefined) return invalid(`there is no ${kind.name}`);
  const asid = (path: string): string => {
    const node = at(root, `${path}/device/id`);
    const value = attribute(node, '', 'extension');
    return value !== undefined && attribute(node, '', 'root') === ASID ? value : invalid(`${path} has no ASID`);
  };
  const toAsid = asid('communicationFunctionRcv');
  const fromAsid = asid('communicationFunctionSnd');
  return { id: id.toUpperCase(), interaction: root.name, fromAsid, toAsid, payload };
}

/** What the message asks for. Throws `Refusal` with every reason of the first fault met. */
export function readContent({ interaction, payload }: Message): Content {
  const kind = KINDS.get(interaction);
  return kind === undefined ? refuse(dispenseError('5888')) : kind.read(payload);
}

const errorsOf = ({ family }: Pick<Kind, 'family'>): { readonly date: SpineError } => ({
  date: family === 'prescribe' ? prescribeError('9006') : dispenseError('9006'),
});

/** The code of an annotation: what is pertinent stands between a relationship and its value. */
const codeAt = (node: Node, path: string, what: string): string =>
  attribute(node, `${path}/value`, 'code') ?? refuse(missing(`${what} is missing`));

const prescriptionIdAt = (node: Node, path: string): string =>
  idAt(node, `${path}/value`, 'prescriptionID', SHORT_FORM);

const releaseOf = (node: Node): { readonly requestId: string; readonly agent: Agent } => {
  readInstant(attribute(node, 'effectiveTime', 'value'), dispenseError('9006'));
  return {
    requestId: idAt(node, 'id', 'release request id'),
    agent: readAgent(at(node, 'author/AgentPerson'), 'author'),
  };
};

function readNominated(node: Node): Content {
  return { kind: 'nominated-release', ...releaseOf(node) };
}

function readPatientRelease(node: Node): Content {
  const prescriptionId = prescriptionIdAt(node, 'pertinentInformation/pertinentPrescriptionID');
  return { kind: 'patient-release', ...releaseOf(node), prescriptionId };
}

function readNotification(node: Node): Content {
  return readSupply(node, 'notification', 'author');
}

function readClaim(node: Node): Content {
  return readSupply(node, 'claim', 'legalAuthenticator');
}

/** Notifications and claims have the same bones. */
function readSupply(node: Node, kind: 'notification' | 'claim', author: string): Content {
  readInstant(attribute(node, 'effectiveTime', 'value'), prescribeError('9006'));
  const header = at(node, 'pertinentInformation1/pertinentSupplyHeader');
  if (header === undefined) return refuse(missing('supply header is missing'));
  readInstant(attribute(header, `${author}/time`, 'value'), prescribeError('9006'));
  const low = attribute(header, 'repeatNumber/low', 'value');
  const high = attribute(header, 'repeatNumber/high', 'value');
  const items = all(header, 'pertinentInformation1/pertinentSuppliedLineItem').map((item) => ({
    itemId: idAt(item, 'inFulfillmentOf/priorOriginalItemRef/id', 'original item'),
    status: codeAt(item, 'pertinentInformation3/pertinentItemStatus', 'item status'),
  }));
  if (items.length === 0) return refuse(prescribeError('0008', 'Missing value: pertinentSuppliedLineItem'));
  return {
    kind,
    id: idAt(node, 'id', 'message id'),
    prescriptionId: prescriptionIdAt(header, 'pertinentInformation4/pertinentPrescriptionID'),
    uuid: idAt(header, 'inFulfillmentOf/priorOriginalPrescriptionRef/id', 'original prescription'),
    nhsNumber: attribute(node, 'recordTarget/patient/id', 'extension'),
    agent: readAgent(at(header, `${author}/AgentPerson`), author),
    issue: low === undefined ? 1 : readCount(low),
    repeatHigh: high === undefined ? undefined : readCount(high),
    status: codeAt(header, 'pertinentInformation3/pertinentPrescriptionStatus', 'prescription status'),
    items,
    replaces: attribute(node, 'replacementOf/priorMessageRef/id', 'root')?.toUpperCase(),
    releaseRequestId: attribute(node, 'sequelTo/priorPrescriptionReleaseEventRef/id', 'root')?.toUpperCase(),
  };
}

function readCount(text: string): number {
  return /^[0-9]{1,3}$/.test(text) ? Number(text) : refuse(prescribeError('0019'));
}

const issueAt = (node: Node, path: string): number | undefined => {
  const text = attribute(node, `${path}/pertinentRepeatInstanceInfo/value`, 'value');
  return text === undefined ? undefined : readCount(text);
};

function readReturn(node: Node): Content {
  readInstant(attribute(node, 'effectiveTime', 'value'), dispenseError('9006'));
  return {
    kind: 'return',
    id: idAt(node, 'id', 'message id'),
    prescriptionId: prescriptionIdAt(node, 'pertinentInformation1/pertinentPrescriptionID'),
    agent: readAgent(at(node, 'author/AgentPerson'), 'author'),
    reason: codeAt(node, 'pertinentInformation3/pertinentReturnReason', 'return reason'),
    releaseResponseId: idAt(node, 'reversalOf/priorPrescriptionReleaseResponseRef/id', 'release response'),
    issue: issueAt(node, 'pertinentInformation2'),
  };
}

function readWithdraw(node: Node): Content {
  readInstant(attribute(node, 'effectiveTime', 'value'), dispenseError('9006'));
  return {
    kind: 'withdraw',
    id: idAt(node, 'id', 'message id'),
    prescriptionId: prescriptionIdAt(node, 'pertinentInformation3/pertinentWithdrawID'),
    nhsNumber: idAt(node, 'recordTarget/patient/id', 'patient', NHS_NUMBER),
    // The organisation stands where a person's id is expected: eps/REFERENCE section 8.6.
    odsCode: idAt(node, 'author/AgentPersonSDS/agentPersonSDS/id', 'author', '1.2.826.0.1285.0.2.0.65'),
    notificationId: idAt(node, 'pertinentInformation4/pertinentDispenseNotificationRef/id', 'dispense notification'),
    issue: issueAt(node, 'pertinentInformation1'),
  };
}

function readCancellation(node: Node): Content {
  readInstant(attribute(node, 'effectiveTime', 'value'), dispenseError('9006'));
  const patient = at(node, 'recordTarget') ?? refuse(missing('patient is missing'));
  return {
    kind: 'cancellation',
    id: idAt(node, 'id', 'message id'),
    prescriptionId: prescriptionIdAt(node, 'pertinentInformation2/pertinentPrescriptionID'),
    uuid: idAt(node, 'pertinentInformation3/pertinentOriginalPrescriptionRef/id', 'original prescription'),
    nhsNumber: idAt(patient, 'Patient/id', 'patient', NHS_NUMBER),
    itemId: idAt(node, 'pertinentInformation1/pertinentLineItemRef/id', 'line item'),
    reason: attribute(node, 'pertinentInformation/pertinentCancellationReason/value', 'code') ?? '',
    agent: readAgent(at(node, 'author/AgentPerson'), 'author'),
    patientXml: canonicalise(patient),
  };
}
