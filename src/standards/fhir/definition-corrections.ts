/**
 * Where the definitions package leaves R4 (4.0.1): it has elements of its own and of R5 among those of R4, and a few
 * types and targets differ. Found by comparing it with the data elements the specification publishes
 * (https://hl7.org/fhir/R4/dataelements.json); here is what 4.0.1 says.
 */

import type { RawConstraint } from './definition-constraints.ts';

/** The part of a raw ElementDefinition that the compact form is made from. */
export interface CorrectedElement {
  readonly path: string;
  min?: number;
  max?: string;
  type?: { code?: string; targetProfile?: string[]; profile?: string[] }[];
  isSummary?: boolean;
  isModifier?: boolean;
  binding?: { strength: string; valueSet?: string };
  constraint?: RawConstraint[];
}

const FOREIGN: readonly string[] = [
  'Meta.(project|author|onBehalfOf|accounts?|compartment|deleted)',
  'Binary.url',
  'DeviceDefinition.(bodySite|classification)',
  'EvidenceVariable.characteristic.(linkId|note|definition(Reference|Canonical|CodeableConcept|Expression|Id|ByTypeAndValue|ByCombination)|instances\\[x\\]|duration\\[x\\]|timeFromEvent)',
  'HealthcareService.offeredIn',
  'ObservationDefinition.publisher',
  'ResearchStudy.(name|studyDesign|region|descriptionSummary|classifier|whyStopped|result|label|associatedParty|progressStatus|recruitment|comparisonGroup|outcomeMeasure|objective.description)',
];
const FOREIGN_PATH = new RegExp(`^(${FOREIGN.join('|').replaceAll('.', '\\.')})(\\..+)?$`);

const profiles = (...types: string[]): string[] => types.map((t) => `http://hl7.org/fhir/StructureDefinition/${t}`);

/** Elements as 4.0.1 has them: they replace the package's, or stand where it left them out. */
const CORRECTED: readonly CorrectedElement[] = [
  {
    path: 'EvidenceVariable.characteristic.definition[x]',
    min: 1,
    max: '1',
    isSummary: true,
    type: [
      { code: 'Reference', targetProfile: profiles('Group') },
      { code: 'canonical', targetProfile: profiles('ActivityDefinition') },
      { code: 'CodeableConcept' },
      { code: 'Expression' },
      { code: 'DataRequirement' },
      { code: 'TriggerDefinition' },
    ],
  },
  { path: 'EvidenceVariable.characteristic.description', min: 0, max: '1', type: [{ code: 'string' }] },
  { path: 'EvidenceVariable.characteristic.usageContext', min: 0, max: '*', type: [{ code: 'UsageContext' }] },
  {
    path: 'EvidenceVariable.characteristic.participantEffective[x]',
    min: 0,
    max: '1',
    type: [{ code: 'dateTime' }, { code: 'Period' }, { code: 'Duration' }, { code: 'Timing' }],
  },
  { path: 'EvidenceVariable.characteristic.timeFromStart', min: 0, max: '1', type: [{ code: 'Duration' }] },
  {
    path: 'EvidenceVariable.characteristic.groupMeasure',
    min: 0,
    max: '1',
    type: [{ code: 'code' }],
    binding: { strength: 'required', valueSet: 'http://hl7.org/fhir/ValueSet/group-measure|4.0.1' },
  },
  {
    path: 'AuditEvent.source.observer',
    min: 1,
    max: '1',
    isSummary: true,
    type: [
      {
        code: 'Reference',
        targetProfile: profiles(
          'PractitionerRole',
          'Practitioner',
          'Organization',
          'Device',
          'Patient',
          'RelatedPerson',
        ),
      },
    ],
  },
  { path: 'Bundle.entry.response.outcome', min: 0, max: '1', isSummary: true, type: [{ code: 'Resource' }] },
  {
    path: 'MeasureReport.subject',
    min: 0,
    max: '1',
    isSummary: true,
    type: [
      {
        code: 'Reference',
        targetProfile: profiles(
          'Patient',
          'Practitioner',
          'PractitionerRole',
          'Location',
          'Device',
          'RelatedPerson',
          'Group',
        ),
      },
    ],
  },
  {
    path: 'ResearchStudy.site',
    min: 0,
    max: '*',
    isSummary: true,
    type: [{ code: 'Reference', targetProfile: profiles('Location') }],
  },
];

/** Returns the elements of one StructureDefinition as 4.0.1 has them. */
export function correctElements<E extends { readonly path: string }>(
  type: string,
  elements: readonly E[],
): readonly (E | CorrectedElement)[] {
  const corrected = CORRECTED.filter((c) => c.path.startsWith(`${type}.`));
  return [
    ...elements.filter((e) => !FOREIGN_PATH.test(e.path) && !corrected.some((c) => c.path === e.path)),
    ...corrected,
  ];
}
