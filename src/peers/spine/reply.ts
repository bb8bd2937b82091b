/** The Spine's answers as V3 documents. eps/REFERENCE section 9. */
import type { Refusal, SpineError } from './errors.ts';
import { type Issue, ITEM_STATUS, PRESCRIPTION_STATUS, type Prescription } from './prescription.ts';
import type { Message } from './read-message.ts';
import { CANCELLATION_RESPONSES } from './rule-cancellation.ts';
import type { Released, ReplyContent } from './rules.ts';
import { formatInstant } from './time.ts';
import { at, canonicalise, isNode, type Node, readXml, v3, withChildren } from './xml.ts';

const NPFIT = '2.16.840.1.113883.2.1.3.2.4';
const ASID = '1.2.826.0.1285.0.2.0.107';
const ANNOTATION = `${NPFIT}.17.30`;
const ITEM_STATUS_SYSTEM = `${NPFIT}.17.23`;
const PRESCRIPTION_STATUS_SYSTEM = `${NPFIT}.16.35`;
const RELEASED_TYPE = 'PORX_MT122003UK32';

export interface Answer {
  readonly action: string;
  readonly xml: string;
}

export interface Circumstances {
  /** Of the answer; upper case. */
  readonly id: string;
  readonly now: number;
  /** The stored ParentPrescription of a prescription. */
  readonly documentOf: (id: string) => string;
}

/** The answer to a message that was accepted. */
export function formatAnswer(message: Message, reply: ReplyContent, circumstances: Circumstances): Answer {
  switch (reply.kind) {
    case 'accepted':
      return wrap('MCCI_IN010000UK13', 'AA', message, circumstances, []);
    case 'released':
      return wrap(reply.interaction, 'AA', message, circumstances, [releaseResponse(reply, circumstances)]);
    case 'cancellation': {
      const type = reply.code === '0001' ? 'AA' : 'AE';
      return wrap('PORX_IN050101UK31', type, message, circumstances, [cancellationResponse(reply, circumstances)]);
    }
  }
}

const RELEASES: readonly string[] = ['PORX_IN060102SM30', 'PORX_IN132004SM30'];

/** The answer to one that was refused. Releases have a message of their own for it. */
export function formatRefusal(message: Message, refusal: Refusal, circumstances: Circumstances): Answer {
  if (RELEASES.includes(message.interaction) && at(message.payload, 'id') !== undefined)
    return wrap('PORX_IN110101UK30', 'AE', message, circumstances, [releaseReject(message, refusal, circumstances)]);
  const reasons = refusal.errors.map((error) =>
    v3(
      'reason',
      { typeCode: 'RSON' },
      v3(
        'justifyingDetectedIssueEvent',
        { classCode: 'ALRT', moodCode: 'EVN' },
        v3('code', codeOf(error), v3('qualifier', { code: 'ER' })),
      ),
    ),
  );
  return wrap('MCCI_IN010000UK13', 'AE', message, circumstances, [], { reasons });
}

/** The message is not looked at: its id has been used. */
export const formatRejection = (
  message: Pick<Message, 'id' | 'fromAsid' | 'toAsid'>,
  error: SpineError,
  circumstances: Circumstances,
): Answer => wrap('MCCI_IN010000UK13', 'AR', message, circumstances, [], { detail: error });

const codeOf = ({ system, code, display }: SpineError): Record<string, string> => ({
  code,
  codeSystem: system,
  displayName: display,
});

interface Trouble {
  readonly reasons?: readonly Node[];
  readonly detail?: SpineError;
}

function wrap(
  action: string,
  typeCode: 'AA' | 'AE' | 'AR',
  message: Pick<Message, 'id' | 'fromAsid' | 'toAsid'>,
  { id, now }: Circumstances,
  payload: readonly Node[],
  { reasons = [], detail }: Trouble = {},
): Answer {
  const device = (asid: string): Node =>
    v3('device', { classCode: 'DEV', determinerCode: 'INSTANCE' }, v3('id', { extension: asid, root: ASID }));
  const root = v3(
    action,
    {},
    v3('id', { root: id }),
    v3('creationTime', { value: formatInstant(now) }),
    v3('versionCode', { code: 'V3NPfIT4.2.00' }),
    v3('interactionId', { extension: action, root: `${NPFIT}.12` }),
    v3('processingCode', { code: 'P' }),
    v3('processingModeCode', { code: 'T' }),
    v3('acceptAckCode', { code: 'NE' }),
    v3(
      'acknowledgement',
      { typeCode },
      detail && v3('acknowledgementDetail', { typeCode: 'ER' }, v3('code', codeOf(detail))),
      v3('messageRef', {}, v3('id', { root: message.id })),
    ),
    v3('communicationFunctionRcv', { typeCode: 'RCV' }, device(message.fromAsid)),
    v3('communicationFunctionSnd', { typeCode: 'SND' }, device(message.toAsid)),
    v3(
      'ControlActEvent',
      { classCode: 'CACT', moodCode: 'EVN' },
      v3(
        'author1',
        { typeCode: 'AUT' },
        v3(
          'AgentSystemSDS',
          { classCode: 'AGNT' },
          v3(
            'agentSystemSDS',
            { classCode: 'DEV', determinerCode: 'INSTANCE' },
            v3('id', { extension: message.toAsid, root: ASID }),
          ),
        ),
      ),
      ...reasons,
      ...payload.map((node) => v3('subject', { contextConductionInd: 'false', typeCode: 'SUBJ' }, node)),
    ),
  );
  return { action, xml: `<?xml version="1.0" encoding="UTF-8"?>\n${canonicalise(root)}` };
}

const PERT = { contextConductionInd: 'true', typeCode: 'PERT' };
const OBS = { classCode: 'OBS', moodCode: 'EVN' };

/** A relationship, whether it can be taken alone, and an annotation with its value. */
const annotation = (relationship: string, name: string, code: string, value: Node): Node =>
  v3(
    relationship,
    PERT,
    v3('seperatableInd', { value: 'false' }),
    v3(name, OBS, v3('code', { code, codeSystem: ANNOTATION }), value),
  );

function releaseResponse(
  { responseId, requestId, released }: Extract<ReplyContent, { readonly kind: 'released' }>,
  { now, documentOf }: Circumstances,
): Node {
  return v3(
    'PrescriptionReleaseResponse',
    { classCode: 'INFO', moodCode: 'EVN' },
    v3('id', { root: responseId }),
    v3('effectiveTime', { value: formatInstant(now) }),
    ...released.map(({ prescription, issue }) =>
      v3(
        'component',
        { contextConductionInd: 'false', typeCode: 'COMP' },
        v3('seperatableInd', { value: 'false' }),
        v3('templateId', { extension: RELEASED_TYPE, root: `${NPFIT}.17.120` }),
        asReleased(readXml(documentOf(prescription.id)), { prescription, issue }),
      ),
    ),
    v3(
      'inFulfillmentOf',
      { inversionInd: 'false', negationInd: 'false', typeCode: 'FLFS' },
      v3('seperatableInd', { value: 'true' }),
      v3('priorDownloadRequestRef', { classCode: 'INFO', moodCode: 'RQO' }, v3('id', { root: requestId })),
    ),
  );
}

/** Changes one child element by its name. */
const changing = (node: Node, name: string, change: (child: Node) => readonly Node[]): Node =>
  withChildren(
    node,
    node.children.flatMap((child): readonly (Node | string)[] =>
      isNode(child) && child.name === name ? change(child) : [child],
    ),
  );

/** The prescription as it was sent, with what the Spine adds: which issue it is, when the last was given, and the states. */
function asReleased(document: Node, { prescription, issue }: Released): Node {
  const withPrescription = (node: Node): Node => {
    const numbered = changing(withNumber(node, issue), 'pertinentInformation5', (treatment) => [
      treatment,
      annotation(
        'pertinentInformation10',
        'pertinentPrescriptionStatus',
        'PS',
        v3('value', {
          code: '0001',
          codeSystem: PRESCRIPTION_STATUS_SYSTEM,
          displayName: PRESCRIPTION_STATUS['0001'],
        }),
      ),
    ]);
    const itemised = changing(numbered, 'pertinentInformation2', (line) => [
      changing(line, 'pertinentLineItem', (item) => [withItemStatus(withNumber(item, issue), issue)]),
    ]);
    return withChildren(itemised, [...itemised.children, ...previousIssueOf(prescription, issue)]);
  };
  const typed = changing(document, 'typeId', (typeId) => [
    { ...typeId, attributes: new Map([...typeId.attributes, ['extension', RELEASED_TYPE]]) },
  ]);
  return changing(typed, 'pertinentInformation1', (relationship) => [
    changing(relationship, 'pertinentPrescription', (node) => [withPrescription(node)]),
  ]);
}

const withNumber = (node: Node, { number }: Issue): Node =>
  changing(node, 'repeatNumber', (repeat) => [
    changing(repeat, 'low', (low) => [{ ...low, attributes: new Map([['value', String(number)]]) }]),
  ]);

/** As it was before the pharmacy took it; cancelled items stay cancelled. */
function withItemStatus(item: Node, { items }: Issue): Node {
  const standing = items[at(item, 'id')?.attributes.get('root')?.toUpperCase() ?? ''];
  const code = standing === '0005' || standing === '0006' ? standing : '0007';
  return changing(item, 'component', (component) => [
    component,
    annotation(
      'pertinentInformation4',
      'pertinentItemStatus',
      'IS',
      v3('value', { code, codeSystem: ITEM_STATUS_SYSTEM, displayName: ITEM_STATUS[code] }),
    ),
  ]);
}

/** When the issue before this was dispensed. */
function previousIssueOf({ issues }: Prescription, { number }: Issue): readonly Node[] {
  const before = issues.find((other) => other.number === number - 1)?.notifications.at(-1);
  if (before === undefined) return [];
  const value = v3('value', { value: formatInstant(before.at).slice(0, 8) });
  return [
    v3(
      'predecessor',
      { typeCode: 'SUCC' },
      v3('seperatableInd', { value: 'true' }),
      v3('priorPreviousIssueDate', OBS, v3('code', { code: 'PRDT', codeSystem: ANNOTATION }), value),
    ),
  ];
}

function releaseReject(message: Message, { errors, holder }: Refusal, { id, now }: Circumstances): Node {
  const [error] = errors;
  const requestId = at(message.payload, 'id')?.attributes.get('root') ?? '';
  return v3(
    'PrescriptionReleaseReject',
    { classCode: 'INFO', moodCode: 'EVN' },
    v3('id', { root: id }),
    v3('effectiveTime', { value: formatInstant(now) }),
    v3(
      'pertinentInformation',
      PERT,
      v3('seperatableInd', { value: 'false' }),
      v3(
        'pertinentRejectionReason',
        OBS,
        v3('code', { code: 'RR', codeSystem: ANNOTATION }),
        v3('value', error === undefined ? {} : codeOf(error)),
        holder === undefined ? undefined : v3('performer', { typeCode: 'PRF' }, readXml(holder)),
      ),
    ),
    v3(
      'inFulfillmentOf',
      { inversionInd: 'false', negationInd: 'false', typeCode: 'FLFS' },
      v3('seperatableInd', { value: 'true' }),
      v3('priorDownloadRequestRef', { classCode: 'INFO', moodCode: 'RQO' }, v3('id', { root: requestId })),
    ),
  );
}

function cancellationResponse(
  { code, request, prescriber, dispenser }: Extract<ReplyContent, { readonly kind: 'cancellation' }>,
  { id, now }: Circumstances,
): Node {
  // Found in the table of the codes; anything else would be a fault of ours.
  const displayName = CANCELLATION_RESPONSES[code as keyof typeof CANCELLATION_RESPONSES];
  const party = (name: string, typeCode: string, agent: string): Node =>
    v3(name, { contextControlCode: 'OP', typeCode }, readXml(agent));
  const reference = { inversionInd: 'false', negationInd: 'false', typeCode: 'PERT' };
  return v3(
    'CancellationResponse',
    { classCode: 'INFRM', moodCode: 'EVN' },
    v3('id', { root: id }),
    v3('effectiveTime', { value: formatInstant(now) }),
    readXml(request.patientXml),
    party('author', 'AUT', request.agent.xml),
    prescriber === undefined ? undefined : party('responsibleParty', 'RESP', prescriber),
    dispenser && party('performer', 'PRF', dispenser.agent),
    annotation(
      'pertinentInformation2',
      'pertinentPrescriptionID',
      'PID',
      v3('value', { extension: request.prescriptionId, root: `${NPFIT}.18.8` }),
    ),
    v3(
      'pertinentInformation1',
      reference,
      v3('seperatableInd', { value: 'true' }),
      v3('pertinentLineItemRef', { classCode: 'SBADM', moodCode: 'RQO' }, v3('id', { root: request.itemId })),
    ),
    annotation(
      'pertinentInformation3',
      'pertinentResponse',
      'CRR',
      v3('value', { code, codeSystem: `${NPFIT}.17.19`, displayName }),
    ),
    v3(
      'pertinentInformation4',
      reference,
      v3('seperatableInd', { value: 'true' }),
      v3('pertinentCancellationRequestRef', { classCode: 'ACTN', moodCode: 'RQO' }, v3('id', { root: request.id })),
    ),
  );
}
