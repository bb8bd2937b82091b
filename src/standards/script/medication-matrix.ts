/**
 * Which elements a drug has in which place of SCRIPT 2017071, in wire order (reference section 5). `M` required, `o`
 * optional, a number its maximum, `*` any number, `.` not there. Elements used only outside NewRx stand where the types
 * that have them put them.
 */

/** The places, as columns of the table. */
const MEDICATION_TYPES = [
  'NewRxMedication',
  'ChangeRequestPrescribed',
  'ChangeRequestRequested',
  'ChangeResponsePrescribed',
  'RenewalDispensed',
  'RenewalResponded',
  'CancelPrescribed',
  'FillDispensed',
  'NewRxRequested',
  'TransferPrescribed',
  'HistoryDispensed',
  'AuthorizationPrescribed',
] as const;

/** Element, its type where that has another name, and the columns. */
const ROWS = `
DrugDescription:an105                          | M  M  M  M  M  M  M  M  M  M  M  M
DrugCoded                                      | o  o  o  o  o  o  o  o  o  o  o  o
Quantity                                       | M  M  o  M  M  M  M  M  o  M3 M  M
DaysSupply:n1-3                                | o  o  o  o  o  o  o  o  .  o  o  o
PADaysSupplyDosePerDay:any                     | .  .  .  .  .  .  .  .  .  .  .  o*
WrittenDate:DateChoice                         | M  M  o  M  o  M  M  o  .  M  o  .
LastFillDate:DateChoice                        | o  o  o  o  M  o  o  o  o  .  M  .
Substitutions:code.Substitutions               | M  M  M  M  M  M  M  M  o  M  M  o
NumberOfRefills:n1-2                           | M  M  o  M  .  M  M  M  .  M  .  .
Diagnosis                                      | o2 o2 o2 o2 o2 o2 o2 o2 o2 o2 o2 o2
PriorAuthorization:an35                        | o  o  o  o  o  o  o  o  .  o  o  .
PriorAuthorizationNumber:an35                  | o  o  o  o  o  o  o  o  .  o  o  .
Note:an210                                     | o  o  o  o  o  o  o  o  o  o  o  .
DrugUseEvaluation                              | o5 o5 o5 o5 o5 o5 o5 o5 .  .  o5 .
DrugCoverageStatusCode:code.DrugCoverageStatusCode | o5 o5 . o5 o5 . o5 . . o  .  .
PriorAuthorizationStatus:code.PriorAuthorizationStatus | o o o o o o o o . o  o  .
Sig                                            | M  M  o  M  M  M  M  M  o  M  o  o
PharmacyRequestedRefills:n1-2                  | .  .  .  .  o  .  .  .  .  .  .  .
DoNotFill:code.DoNotFill                       | o  .  .  .  .  .  .  .  .  o  .  .
TimeZone                                       | o  .  .  .  .  .  .  .  .  .  .  .
RefillsRemaining:n1-2                          | .  .  .  .  .  .  .  .  .  M  o  .
HistoryPrescriberOrderNumber:an35              | .  .  .  .  .  .  .  .  .  o  o  .
OrderCaptureMethod:code.OrderCaptureMethod     | o  .  .  .  .  .  .  .  .  .  .  .
Pharmacy:PharmacyOptional                      | .  .  .  .  .  .  .  .  .  .  o  .
Prescriber:PrescriberOptional                  | .  .  .  .  .  .  .  .  .  M  o  .
HistorySource:any                              | .  .  .  .  .  .  .  .  .  .  o  .
ReasonForSubstitutionCodeUsed:an70             | o  o  o  o  o  o  o  .  .  o  o  .
SplitScript:an10                               | o  .  .  .  .  .  .  .  .  .  .  .
ManufacturerName:an105                         | .  .  .  .  .  .  .  o  .  .  o  .
LotNumber                                      | .  .  .  .  .  .  .  o9 .  .  o9 .
DispensedPackageMethod:any                     | .  .  .  .  .  .  .  o  .  .  .  .
WarningLabel:any                               | .  .  .  .  .  .  .  o10 . .  .  .
RxFillIndicator:code.RxFillIndicator           | o  .  .  o  .  o  .  .  .  o  .  .
RxReferenceNumber:an35                         | .  .  .  .  .  .  .  .  .  o  .  .
OfficeOfPharmacyAffairsID:an15                 | o10 o10 . o10 . o10 . . .  .  .  .
DeliveryRequest:code.DeliveryRequest           | o  .  .  .  .  .  .  .  .  .  .  .
DeliveryLocation:code.DeliveryLocation         | o  .  .  .  .  .  .  .  .  .  .  .
DiabeticSupply                                 | o  o  .  .  .  o  .  .  .  o  .  .
InjuryRelated:code.InjuryRelated               | o  o  .  o  .  .  o  .  .  o  .  .
Service:any                                    | o  o  o  o  o  o  o  .  o  .  .  .
IVAdministration:any                           | o  o  o  o  o  o  o  .  o  .  .  .
TreatmentIndicator:code.TreatmentIndicator     | o  o  o  o  o  o  o  .  o  .  .  .
ProphylacticOrEpisodic:code.ProphylacticOrEpisodic | o o o o o o  o  .  o  .  .  .
CurrentTreatmentCycle:n1-3                     | o  o  o  o  o  o  o  .  o  .  .  .
NumberOfCyclesPlanned:n1-3                     | o  o  o  o  o  o  o  .  o  .  .  .
Wound                                          | o9 o9 .  o9 .  o9 o9 .  .  .  .  .
PrescriberCheckedREMS:code.PrescriberCheckedREMS | o . .  o  .  o  .  .  .  o  .  .
REMSPatientRiskCategory:an35                   | o  .  .  o  .  o  .  .  .  o  .  .
REMSAuthorizationNumber:an140                  | o  .  .  o  .  o  .  .  .  o  .  .
Titration:any                                  | o  o  o  o  o  o  o  .  .  .  .  .
FlavoringRequested:yn                          | o  o  .  o  .  .  .  .  .  o  .  .
Patient:any                                    | .  .  .  .  .  .  .  .  .  .  o  .
CompoundInformation                            | o  o  o  o  o  o  o  o  .  .  o  o
NumberOfPackagesToBeDispensed:n1-11            | o  o  o  o  .  o  o  .  o  o  .  o
NumberOfPackagesDispensed:n1-11                | .  .  .  .  o  .  .  o  .  .  o  .
PatientCodifiedNote                            | o10 o10 . o10 . o10 . . .  .  .  .
FacilitySpecificHoursOfAdministrationTiming:any | o* o* . o* o* o* o* o* . .  .  .
OtherMedicationDate:OtherMedicationDateGroup   | o* o* o* o* o* o* o* o* o* o* o* o*
NeedNoLaterThan                                | o  .  .  .  .  .  .  .  .  .  .  .
PlaceOfServiceNonSelfAdministeredProduct:any   | o  o  .  o  .  o  o  .  .  o  .  .
ProviderExplicitAuthorizationToAdminister:any  | o  o  .  o  .  o  o  .  .  o  .  .
`;

/** `M3` → `{1,3}`, `o2` → `*2`. */
function occursOf(cell: string): string {
  const count = cell.slice(1);
  if (cell.startsWith('M')) return count === '' ? '' : `{1,${count}}`;
  if (count === '') return '?';
  return count === '*' ? '*' : `*${count}`;
}

const rows = ROWS.trim()
  .split('\n')
  .map((line) => {
    const [element = '', cells = ''] = line.split('|');
    const [name = '', type] = element.trim().split(':');
    return { name, suffix: type === undefined ? '' : `:${type}`, cells: cells.trim().split(/\s+/) };
  });

/**
 * A type a column, in the notation of `notation.ts`, and `AnyMedication` for places of which the public sources give no
 * column: there only the description is required.
 */
export const MEDICATION_NOTATION: Readonly<Record<string, string>> = Object.fromEntries([
  ...MEDICATION_TYPES.map((type, column) => [
    type,
    rows
      .filter(({ cells }) => cells[column] !== '.')
      .map(({ name, suffix, cells }) => `${name}${occursOf(cells[column] ?? '.')}${suffix}`)
      .join(' '),
  ]),
  [
    'AnyMedication',
    rows.map(({ name, suffix }) => (name === 'DrugDescription' ? `${name}${suffix}` : `${name}*${suffix}`)).join(' '),
  ],
]) as Readonly<Record<string, string>>;
