/**
 * The DescriptionCode of an Error nearest to a faulty element (reference section 7.1: the public 10.6 list, the only one
 * there is; code lists of 2017071 are to be checked against the bought standard).
 */
import type { RuleId } from './rule-issue.ts';

/** By the part of the message an element stands in, then by its name; `*` is the part itself. */
const CODES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ['Header', table({ PrescriberOrderNumber: '037', RelatesToMessageID: '038' })],
  [
    'Prescriber',
    table({
      '*': '055',
      NPI: '055',
      Specialty: '058',
      LastName: '059',
      FirstName: '060',
      Address: '064',
      CommunicationNumbers: '072',
    }),
  ],
  [
    'Patient',
    table({
      DateOfBirth: '080',
      Date: '080',
      DateTime: '080',
      LastName: '081',
      FirstName: '082',
      Gender: '086',
      MedicalRecordIdentificationNumberEHR: '087',
      Address: '089',
      AddressLine1: '089',
      City: '090',
      PostalCode: '092',
      CommunicationNumbers: '095',
    }),
  ],
  [
    'BenefitsCoordination',
    table({ '*': '097', PayerID: '097', PayerName: '099', CardholderID: '101', GroupID: '104' }),
  ],
  [
    'Medication',
    table({
      '*': '126',
      DrugDescription: '126',
      ProductCode: '127',
      Strength: '130',
      DrugDBCode: '132',
      CodeListQualifier: '134',
      Quantity: '135',
      Value: '135',
      Sig: '138',
      SigText: '138',
      Directions: '138',
      WrittenDate: '140',
      Substitutions: '142',
      Refills: '143',
      NumberOfRefills: '144',
      Diagnosis: '145',
      PriorAuthorization: '150',
      Note: '152',
      DrugUseEvaluation: '211',
      DrugCoverageStatusCode: '216',
    }),
  ],
  ['Observation', table({ '*': '153' })],
]);

/** Where the element has no code of its own. */
const BY_RULE: Partial<Record<RuleId, string>> = { unknown: '020', transaction: '034', version: '021' };

function table(codes: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(codes));
}

export function findDescriptionCode(path: string, rule: RuleId): string | undefined {
  const byRule = BY_RULE[rule];
  if (byRule !== undefined) return byRule;
  const names = path
    .replaceAll(/\[\d+\]/g, '')
    .split('/')
    .toReversed();
  const partAt = names.findIndex((name) => CODES.has(partOf(name)));
  const codes = CODES.get(partOf(names[partAt] ?? ''));
  // The nearest element that has a code, from the inside out; then the part itself.
  const name = names.slice(0, partAt).find((inner) => codes?.has(inner));
  return codes?.get(name ?? '*') ?? undefined;
}

const partOf = (name: string): string => (name.startsWith('Medication') ? 'Medication' : name);
