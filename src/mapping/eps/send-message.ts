/** The wrapper that carries a message to the Spine. */
import { formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { globalId, idIn } from '../../standards/hl7v3/identifier.ts';
import { INTERACTIONS, type MessageName } from '../../standards/hl7v3/interaction.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import type { EpsContext } from './context.ts';

/** A message ready to be sent. */
export interface V3Message {
  readonly name: MessageName;
  /** The wrapper's own id. */
  readonly id: string;
  readonly message: XmlElement;
}

const VERSION = 'V3NPfIT4.2.00';
const DEVICE = { classCode: 'DEV', determinerCode: 'INSTANCE' };

export function sendMessage({ name, id, message }: V3Message, context: EpsContext): XmlElement {
  const interaction = INTERACTIONS[name];
  return element(
    interaction,
    undefined,
    globalId(id),
    valueElement('creationTime', formatDateTime(context.now)),
    element('versionCode', { code: VERSION }),
    idIn('interaction', interaction, 'interactionId'),
    element('processingCode', { code: 'P' }),
    element('processingModeCode', { code: 'T' }),
    element('acceptAckCode', { code: 'NE' }),
    communicationFunction('communicationFunctionRcv', context.toAsid),
    communicationFunction('communicationFunctionSnd', context.fromAsid),
    element(
      'ControlActEvent',
      { classCode: 'CACT', moodCode: 'EVN' },
      sessionAuthor(context),
      systemAuthor(context.fromAsid),
      element('subject', undefined, message),
    ),
  );
}

const communicationFunction = (name: string, asid: string): XmlElement =>
  element(name, undefined, element('device', DEVICE, idIn('accreditedSystem', asid)));

/** The person in session; an application that acts by itself has none. */
const sessionAuthor = ({ userId, roleProfileId }: EpsContext): XmlElement | undefined =>
  userId === undefined || roleProfileId === undefined
    ? undefined
    : element(
        'author',
        { typeCode: 'AUT' },
        element(
          'AgentPersonSDS',
          { classCode: 'AGNT' },
          idIn('sdsRoleProfile', roleProfileId),
          element('agentPersonSDS', { classCode: 'PSN', determinerCode: 'INSTANCE' }, idIn('sdsUser', userId)),
          element(
            'part',
            { typeCode: 'PART' },
            element('partSDSRole', { classCode: 'ROL' }, idIn('sdsJobRole', 'UNKNOWN')),
          ),
        ),
      );

const systemAuthor = (asid: string): XmlElement =>
  element(
    'author1',
    { typeCode: 'AUT' },
    element('AgentSystemSDS', { classCode: 'AGNT' }, element('agentSystemSDS', DEVICE, idIn('accreditedSystem', asid))),
  );
