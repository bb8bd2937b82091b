/** ETPWithdraw: the last dispense notification is taken back. */
import { annotation, pertinent, separableInd } from '../../standards/hl7v3/act.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { identifierOf, ownIdentifiers } from './choose.ts';
import { dateTime } from './dates.ts';
import { messageId } from './message-id.ts';
import { listAt, type Node, requiredNode, stringAt } from './node.ts';
import { recordTargetReference } from './patient.ts';
import { issueNumber } from './repeat.ts';
import { ID_SYSTEM } from './systems.ts';
import { focusOf, organisationOfTask, reason, requesterOfTask, shortFormIdOfTask } from './task.ts';

/** The order of the parts is the schema's: 3, 1, 2, 5, 4. */
export function etpWithdraw(task: Node): XmlElement {
  const issue = issueNumber(task);
  return element(
    'ETPWithdraw',
    { classCode: 'ALRT', moodCode: 'EVN' },
    globalId(messageId(task, 'Task')),
    valueElement('effectiveTime', dateTime(stringAt(task, 'authoredOn', 'Task'), 'Task.authoredOn')),
    recordTargetReference(nhsNumberOf(task)),
    author(task),
    element(
      'pertinentInformation3',
      { contextConductionInd: 'false', typeCode: 'PERT' },
      separableInd(false),
      annotation('pertinentWithdrawID', 'WID', idIn('shortFormPrescriptionId', shortFormIdOfTask(task), 'value')),
    ),
    issue === undefined
      ? undefined
      : pertinent(
          'pertinentInformation1',
          false,
          annotation('pertinentRepeatInstanceInfo', 'RPI', valueElement('value', issue)),
        ),
    pertinent(
      'pertinentInformation2',
      false,
      annotation('pertinentWithdrawType', 'PWT', codeIn('withdrawType', 'LD', 'Last Dispense', 'value')),
    ),
    pertinent('pertinentInformation5', false, reason(task, 'pertinentWithdrawReason')),
    element(
      'pertinentInformation4',
      { inversionInd: 'false', negationInd: 'false', typeCode: 'PERT' },
      separableInd(true),
      element('pertinentDispenseNotificationRef', { classCode: 'INFO', moodCode: 'EVN' }, focusOf(task)),
    ),
  );
}

const nhsNumberOf = (task: Node): string =>
  identifierOf(
    ownIdentifiers(requiredNode(task, 'for', 'Task'), 'Task.for'),
    ID_SYSTEM.nhsNumber,
    'Task.for.identifier',
  );

/** The person is known by the code of the organisation, under the SDS users: so the national gateway writes it. */
function author(task: Node): XmlElement {
  const role = requesterOfTask(task);
  const organisation = organisationOfTask(task, role);
  const profileId = identifierOf(
    listAt(role, 'identifier', 'PractitionerRole'),
    ID_SYSTEM.sdsRoleProfile,
    'Task.contained("PractitionerRole").identifier("value")',
  );
  const odsCode = identifierOf(
    listAt(organisation, 'identifier', 'Organization'),
    ID_SYSTEM.odsOrganisation,
    'Organization.identifier',
  );
  return element(
    'author',
    { typeCode: 'AUT' },
    element(
      'AgentPersonSDS',
      { classCode: 'AGNT' },
      idIn('sdsRoleProfile', profileId),
      element('agentPersonSDS', { classCode: 'PSN', determinerCode: 'INSTANCE' }, idIn('sdsUser', odsCode)),
    ),
  );
}
