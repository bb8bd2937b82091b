/** The patient side of every message: PID, PD1, NK1, PV1, AL1, DG1, IN1, ROL. Source: message maps ADT_A01 to ADT_A11. */
import { mapAllergy, mapAllergyAction } from './allergy.ts';
import { type Json, present } from './compact.ts';
import { mapDiagnosis } from './condition.ts';
import { mapCoverage } from './coverage.ts';
import { SegmentCursor } from './cursor.ts';
import { addRole, hasVisit, mapEncounter, type OpenEncounter } from './encounter.ts';
import { groupObservations, mapObservations } from './observation.ts';
import { type MappedPatient, mapPatient } from './patient.ts';
import { mapProcedure } from './procedure.ts';
import { isOrganisationContact, mapContact, mapRelatedPerson } from './related-person.ts';
import { cursorsOf, sectionsFrom, segmentsOf } from './sections.ts';
import type { Translation } from './translation.ts';

export interface MappedAdmission {
  readonly patient: MappedPatient;
  readonly encounter: OpenEncounter | undefined;
}

/** Every patient of the message, with the visit. */
export function mapAdmissions(to: Translation): void {
  const { patients = 'one' } = to.rule;
  for (const section of patients === 'one' ? [to] : sectionsFrom(to, 'PID')) {
    const admission = mapAdmission(section);
    if (admission !== undefined) mapMeasurements(admission, section);
  }
}

/** OBX of an admission: height, weight, what is asked at the door. */
function mapMeasurements(admission: MappedAdmission, to: Translation): void {
  const { patient, encounter } = admission;
  const context = { patient, encounter, key: encounter?.key ?? patient.key, effective: to.eventTime };
  mapObservations(groupObservations(cursorsOf(to)), context, to);
}

/** Undefined, with an error, when there is no patient to hang anything on. */
export function mapAdmission(to: Translation): MappedAdmission | undefined {
  const { message, reading } = to;
  const pid = message.find('PID');
  const patient = pid && mapPatient(new SegmentCursor(pid, reading), contactsOf(to), to);
  if (patient === undefined) return undefined;
  for (const nk1 of segmentsOf(to, 'NK1')) if (!isOrganisationContact(nk1)) mapRelatedPerson(nk1, patient, to);
  const encounter = mapVisit(patient, to);
  for (const al1 of segmentsOf(to, 'AL1')) mapAllergy(al1, patient, to);
  for (const iam of segmentsOf(to, 'IAM')) mapAllergyAction(iam, patient, to);
  for (const dg1 of segmentsOf(to, 'DG1')) mapDiagnosis(dg1, patient, encounter, to);
  for (const pr1 of segmentsOf(to, 'PR1')) mapProcedure(pr1, patient, encounter, to);
  for (const in1 of segmentsOf(to, 'IN1')) mapCoverage(in1, patient, to);
  encounter?.store();
  return { patient, encounter };
}

const contactsOf = (to: Translation): readonly Json[] =>
  present(segmentsOf(to, 'NK1').filter(isOrganisationContact).map(mapContact));

function mapVisit(patient: MappedPatient, to: Translation): OpenEncounter | undefined {
  const segment = to.message.find('PV1');
  if (segment === undefined) return undefined;
  const pv1 = new SegmentCursor(segment, to.reading);
  if (!hasVisit(pv1)) {
    pv1.ignore(2);
    return undefined;
  }
  if (to.rule.encounter === undefined) return undefined;
  const encounter = mapEncounter(pv1, patient, to);
  if (encounter !== undefined) for (const rol of rolesOfVisit(to)) addRole(rol, encounter.draft, to);
  return encounter;
}

/** ROL after PV1 is of the visit; before it, of the patient. */
function rolesOfVisit({ message, reading }: Translation): readonly SegmentCursor[] {
  const at = message.segments.findIndex(({ id }) => id === 'PV1');
  return message.segments
    .slice(at)
    .filter(({ id }) => id === 'ROL')
    .map((segment) => new SegmentCursor(segment, reading))
    .filter((role) => role.field(3).value !== 'PP');
}
