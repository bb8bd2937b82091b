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
  /** The element it stands behind; where the package has one of the same path, it takes that one's place. */
  readonly after?: string;
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
    after: 'EvidenceVariable.characteristic.description',
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
  {
    path: 'EvidenceVariable.characteristic.usageContext',
    after: 'EvidenceVariable.characteristic.definition[x]',
    min: 0,
    max: '*',
    type: [{ code: 'UsageContext' }],
  },
  {
    path: 'EvidenceVariable.characteristic.participantEffective[x]',
    after: 'EvidenceVariable.characteristic.exclude',
    min: 0,
    max: '1',
    type: [{ code: 'dateTime' }, { code: 'Period' }, { code: 'Duration' }, { code: 'Timing' }],
  },
  {
    path: 'EvidenceVariable.characteristic.timeFromStart',
    after: 'EvidenceVariable.characteristic.participantEffective[x]',
    min: 0,
    max: '1',
    type: [{ code: 'Duration' }],
  },
  {
    path: 'EvidenceVariable.characteristic.groupMeasure',
    after: 'EvidenceVariable.characteristic.timeFromStart',
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

/** Returns the elements of one StructureDefinition as 4.0.1 has them, in its order: XML depends on it. */
export function correctElements<E extends { readonly path: string }>(
  type: string,
  elements: readonly E[],
): readonly (E | CorrectedElement)[] {
  const corrected = CORRECTED.filter((c) => c.path.startsWith(`${type}.`));
  const ordered: (E | CorrectedElement)[] = [];
  const add = (element: E | CorrectedElement): void => {
    ordered.push(element);
    for (const next of corrected) if (next.after === element.path) add(next);
  };
  for (const element of elements) {
    const instead = corrected.find((c) => c.path === element.path);
    if (instead !== undefined) add(instead);
    else if (!FOREIGN_PATH.test(element.path)) add(element);
  }
  return ordered;
}
