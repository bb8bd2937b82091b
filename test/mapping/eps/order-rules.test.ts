/** Every rule of a prescription order: one change of our own message a case. */
import type { Change } from './change.ts';
import { FEW, MANY } from './issues.ts';
import { type Row, resourceAt, testRows } from './rows.ts';

const EXTENSIONS = 'https://fhir.nhs.uk/StructureDefinition/Extension-';
const OF_REQUEST = 'Bundle.entry.resource.ofType(MedicationRequest)';
const REFERENCE = 'populated incorrectly. Please populate with Reference to resource within Bundle.';
const ITEM_1 = resourceAt(1);
const ITEM_2 = resourceAt(2);
const AUTHOR = resourceAt(6);
const AUTHOR_ROLE = resourceAt(7);
const RESPONSIBLE_ROLE = resourceAt(9);
const SURGERY = resourceAt(10);
const COURSE = '/courseOfTherapyType/coding/0/code';

const BUNDLE_RULES: readonly Row[] = [
  [
    'B2 unknown event',
    [['/entry/0/resource/eventCoding/code', 'prescription-dispense']],
    [
      'fatal/value: MessageHeader.eventCoding.code must be one of: prescription-order, prescription-order-update, dispense-notification. @ Bundle.entry.resource.ofType(MessageHeader).eventCoding.code',
    ],
  ],
  [
    'no MessageHeader',
    [['/entry/0', undefined]],
    [`${FEW} where resource.resourceType == 'MessageHeader'. @ Bundle.entry`],
  ],
  [
    'two MessageHeaders',
    [['/entry/-', { resource: { resourceType: 'MessageHeader' } }]],
    [`${MANY} where resource.resourceType == 'MessageHeader'. @ Bundle.entry`],
  ],
  ...(['plan', 'reflex-order'] as const).map(
    (intent): Row => [
      `B3 intent ${intent}`,
      [[`${ITEM_2}/intent`, intent]],
      [`error/value: MedicationRequest.intent must be order, original-order or instance-order. @ ${OF_REQUEST}.intent`],
    ],
  ),
  [
    'B4 both forms of the medication',
    [[`${ITEM_2}/medicationReference`, { reference: 'urn:uuid:x' }]],
    [
      'error/structure CONFLICTING_VALUES: MedicationRequest cannot contain both medicationReference and medicationCodeableConcept fields.',
    ],
  ],
  [
    'B5 telecom without value and without use',
    [
      [`${SURGERY}/telecom/0/value`, undefined],
      [`${SURGERY}/telecom/0/use`, undefined],
      [`${AUTHOR_ROLE}/telecom/0/use`, undefined],
    ],
    [
      'error/invalid: Required field bundle.entry[10].resource.telecom[0].value is missing.',
      'error/invalid: Required field bundle.entry[10].resource.telecom[0].use is missing.',
      'error/invalid: Required field bundle.entry[7].resource.telecom[0].use is missing.',
    ],
  ],
  [
    'B6 practitioner not a reference',
    [[`${AUTHOR_ROLE}/practitioner`, { identifier: { value: 'x' } }]],
    [`error/invalid: practitionerRole.practitioner ${REFERENCE}`],
  ],
  ...(
    [{ display: 'neither' }, { reference: 'urn:uuid:a394e625-743a-5056-920c-e3531683e7a1', identifier: {} }] as const
  ).map(
    (practitioner): Row => [
      `B6 responsible practitioner as ${Object.keys(practitioner).join(' and ')}`,
      [[`${RESPONSIBLE_ROLE}/practitioner`, practitioner]],
      [
        'error/invalid: Responsible practitioner must be either a reference to a Practitioner resource or an identifier reference.',
      ],
    ],
  ),
  [
    'B7, P4 organisation not a reference',
    [[`${AUTHOR_ROLE}/organization`, { identifier: { value: 'Z99911' } }]],
    [
      `error/invalid: practitionerRole.organization ${REFERENCE}`,
      `error/invalid: practitionerRole.organization ${REFERENCE}`,
    ],
  ],
  [
    'B8 healthcare service not a reference',
    [[`${RESPONSIBLE_ROLE}/healthcareService`, [{ reference: 'urn:uuid:x' }, { identifier: {} }]]],
    [`error/invalid: practitionerRole.healthcareService[1] ${REFERENCE}`],
  ],
  [
    'more than four items',
    [3, 4, 5].map((): Change => ['/entry/-', { resource: { resourceType: 'MedicationRequest' } }]),
    [
      'error/processing: Bundle contains too many resources of type MedicationRequest. Expected at most 4. @ Bundle.entry',
    ],
  ],
];

const differs = (path: string, received: string): string =>
  `error/value: Expected all MedicationRequests to have the same value for ${path}. Received ${received}. @ ${OF_REQUEST}.${path}`;
const PERIOD = '{"start":"2026-11-16T23:30:00-01:00"}';
const SITE = 'https://fhir.nhs.uk/CodeSystem/dispensing-site-preference';
const ROLE_A = 'urn:uuid:4d72387f-00d9-546c-b06c-499ae27d4a11';
const ROLE_B = 'urn:uuid:62cc0caf-5551-5d84-becc-d13a067216a5';

const ORDER_RULES: readonly Row[] = [
  [
    'P1 authoredOn',
    [[`${ITEM_2}/authoredOn`, '2026-11-15']],
    [differs('authoredOn', '["2026-11-16T09:40:00+00:00","2026-11-15"]')],
  ],
  [
    'P1 category',
    [[`${ITEM_2}/category/0/coding/0/code`, 'outpatient']],
    [
      differs(
        'category',
        '[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/medicationrequest-category","code":"community","display":"Community"}]},{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/medicationrequest-category","code":"outpatient","display":"Community"}]}]',
      ),
    ],
  ],
  [
    'P1 groupIdentifier',
    [
      [`${ITEM_1}/groupIdentifier`, { value: 'A' }],
      [`${ITEM_2}/groupIdentifier`, { value: 'B' }],
    ],
    [differs('groupIdentifier', '[{"value":"A"},{"value":"B"}]')],
  ],
  [
    'P1 subject, of which neither number nor name is told',
    [[`${ITEM_2}/subject`, { reference: 'urn:uuid:b', identifier: { value: '9990000034' }, display: 'Mr Osbert' }]],
    [differs('subject', '[{"reference":"urn:uuid:d5585087-2bcb-512c-8f3c-8d7ae80f4b1a"},{"reference":"urn:uuid:b"}]')],
  ],
  [
    'P1 requester',
    [[`${ITEM_2}/requester/reference`, ROLE_B]],
    [differs('requester', `[{"reference":"${ROLE_A}"},{"reference":"${ROLE_B}"}]`)],
  ],
  [
    'P1 performer',
    [
      [`${ITEM_1}/dispenseRequest/performer`, { display: 'A' }],
      [`${ITEM_2}/dispenseRequest/performer`, { display: 'B' }],
    ],
    [differs('dispenseRequest.performer', '[{"display":"A"},{"display":"B"}]')],
  ],
  [
    'P1 validityPeriod, one without',
    [[`${ITEM_2}/dispenseRequest/validityPeriod`, undefined]],
    [differs('dispenseRequest.validityPeriod', `[${PERIOD},null]`)],
  ],
  [
    'P1 expectedSupplyDuration',
    [
      [`${ITEM_1}/dispenseRequest/expectedSupplyDuration`, { value: 1 }],
      [`${ITEM_2}/dispenseRequest/expectedSupplyDuration`, { value: 2 }],
    ],
    [differs('dispenseRequest.expectedSupplyDuration', '[{"value":1},{"value":2}]')],
  ],
  [
    'P1 performer site type',
    [[`${ITEM_2}/dispenseRequest/extension/0/valueCoding/code`, 'P3']],
    [
      differs(
        `dispenseRequest.extension("${EXTENSIONS}DM-PerformerSiteType")`,
        `[{"url":"${EXTENSIONS}DM-PerformerSiteType","valueCoding":{"system":"${SITE}","code":"P1"}},{"url":"${EXTENSIONS}DM-PerformerSiteType","valueCoding":{"system":"${SITE}","code":"P3"}}]`,
      ),
    ],
  ],
  [
    'P1 prescription type',
    [
      [`${ITEM_1}/extension/0/valueCoding`, { code: '0101' }],
      [`${ITEM_2}/extension/0/valueCoding`, { code: '0104' }],
    ],
    [
      differs(
        `extension("${EXTENSIONS}DM-PrescriptionType")`,
        `[{"url":"${EXTENSIONS}DM-PrescriptionType","valueCoding":{"code":"0101"}},{"url":"${EXTENSIONS}DM-PrescriptionType","valueCoding":{"code":"0104"}}]`,
      ),
    ],
  ],
  [
    'P1 responsible practitioner',
    [[`${ITEM_2}/extension/1/valueReference/reference`, ROLE_A]],
    [
      differs(
        `extension("${EXTENSIONS}DM-ResponsiblePractitioner")`,
        `[{"url":"${EXTENSIONS}DM-ResponsiblePractitioner","valueReference":{"reference":"${ROLE_B}"}},{"url":"${EXTENSIONS}DM-ResponsiblePractitioner","valueReference":{"reference":"${ROLE_A}"}}]`,
      ),
    ],
  ],
  [
    'P2 healthcare service in primary care',
    [[`${AUTHOR_ROLE}/healthcareService`, [{ reference: 'urn:uuid:x' }]]],
    ['error/invalid: Unexpected field of practitionerRole.healthcareService.'],
  ],
  [
    'P3 no parent in primary care',
    [[`${SURGERY}/partOf`, undefined]],
    ['error/invalid: Required field organization.partOf is missing.'],
  ],
  [
    'P5 GMP number',
    [[`${AUTHOR}/identifier/1/system`, 'https://fhir.hl7.org.uk/Id/gmp-number']],
    [
      'error/value: Bundle resource Practitioner.identifier expected exactly one professional code from GMC|NMC|GPhC|HCPC|professional-code.',
    ],
  ],
  [
    'P8 status',
    [[`${ITEM_2}/status`, 'draft']],
    [`error/value: MedicationRequest.status must be active. @ ${OF_REQUEST}.status`],
  ],
  [
    'P9 item identifiers',
    [[`${ITEM_2}/identifier/0/value`, '94e5fee5-47a0-59da-a009-fda55b98eaca']],
    [
      `error/value: Expected all MedicationRequests to have a different value for identifier. @ ${OF_REQUEST}.identifier`,
    ],
  ],
  [
    'P10 no dosage',
    [[`${ITEM_2}/dosageInstruction`, []]],
    ['error/invalid: Required field dosageInstructions is missing.'],
  ],
  [
    'P10, P11 each item for itself',
    [
      [`${ITEM_1}/dosageInstruction`, []],
      [`${ITEM_2}/dosageInstruction/0/sequence`, undefined],
    ],
    [
      'error/invalid: Required field dosageInstructions is missing.',
      'error/invalid MISSING_VALUE (The request contains multiple dosage instruction lines but no corresponding dosage sequence number.)',
    ],
  ],
  [
    'P10 no list of dosages',
    [[`${ITEM_2}/dosageInstruction`, undefined]],
    ['error/invalid: Required field dosageInstructions is missing.'],
  ],
  [
    'P11 dosages without sequence',
    [[`${ITEM_2}/dosageInstruction/1/sequence`, undefined]],
    [
      'error/invalid MISSING_VALUE (The request contains multiple dosage instruction lines but no corresponding dosage sequence number.)',
    ],
  ],
  [
    'several rules at once, those of every bundle first',
    [
      [`${ITEM_1}/intent`, 'plan'],
      [`${ITEM_2}/status`, 'draft'],
      [`${SURGERY}/partOf`, undefined],
    ],
    [
      `error/value: MedicationRequest.intent must be order, original-order or instance-order. @ ${OF_REQUEST}.intent`,
      'error/invalid: Required field organization.partOf is missing.',
      `error/value: MedicationRequest.status must be active. @ ${OF_REQUEST}.status`,
    ],
  ],
];

const WHOLE: readonly Row[] = [
  [
    'P6 repeats allowed differ',
    [
      [`${ITEM_1}/dispenseRequest/numberOfRepeatsAllowed`, 1],
      [`${ITEM_2}/dispenseRequest/numberOfRepeatsAllowed`, 2],
      ...[ITEM_1, ITEM_2].map((item): Change => [`${item}${COURSE}`, 'continuous-repeat-dispensing']),
      ...[ITEM_1, ITEM_2].map(
        (item): Change => [`${item}/dispenseRequest/validityPeriod`, { start: '2026-11-16', end: '2026-12-16' }],
      ),
    ],
    [differs('dispenseRequest.numberOfRepeatsAllowed', '[1,2]')],
  ],
];

describe('mapping › eps › order', () => {
  describe('rules of every bundle', () => testRows('prescription-order-acute', BUNDLE_RULES));
  describe('rules of an order', () => testRows('prescription-order-acute', ORDER_RULES));
  describe('rules of repeats', () => testRows('prescription-order-repeat-prescribing', WHOLE));
});
