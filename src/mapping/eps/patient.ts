/** The patient of a message. */
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { codeIn, idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { identifierOf } from './choose.ts';
import { date } from './dates.ts';
import { address, administrativeGender, name, telecom } from './demographics.ts';
import { listAt, type Node, requiredList, requiredNode, requiredString, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { ID_SYSTEM } from './systems.ts';

/** The code that stands for a general practice that is not known. */
const UNKNOWN_PRACTICE = 'V81999';

/** In full, as orders and cancellations have it. */
export const recordTarget = (patient: Node): XmlElement =>
  element(
    'recordTarget',
    { typeCode: 'RCT' },
    element(
      'Patient',
      { classCode: 'PAT' },
      idIn(
        'nhsNumber',
        identifierOf(listAt(patient, 'identifier', 'Patient'), ID_SYSTEM.nhsNumber, 'Patient.identifier'),
      ),
      requiredList(patient, 'address', 'Patient').map((part) => address(part, 'Patient.address')),
      listAt(patient, 'telecom', 'Patient')?.map((part) => telecom(part, 'Patient.telecom')),
      patientPerson(patient),
    ),
  );

const patientPerson = (patient: Node): XmlElement =>
  element(
    'patientPerson',
    { classCode: 'PSN', determinerCode: 'INSTANCE' },
    requiredList(patient, 'name', 'Patient').map((part) => name(part, 'Patient.name')),
    administrativeGender(patient),
    valueElement('birthTime', date(stringAt(patient, 'birthDate', 'Patient'), 'Patient.birthDate')),
    playedProviderPatient(practiceOf(patient)),
  );

const playedProviderPatient = (odsCode: string): XmlElement =>
  element(
    'playedProviderPatient',
    { classCode: 'PAT' },
    element(
      'subjectOf',
      { typeCode: 'SBJ' },
      element(
        'patientCareProvision',
        { classCode: 'PCPR', moodCode: 'EVN' },
        codeIn('patientCareProvisionType', '1'),
        element(
          'responsibleParty',
          { typeCode: 'RESP' },
          element('healthCareProvider', { classCode: 'PROV' }, idIn('odsOrganisation', odsCode)),
        ),
      ),
    ),
  );

function practiceOf(patient: Node): string {
  const path = 'Patient.generalPractitioner';
  const practices = listAt(patient, 'generalPractitioner', 'Patient') ?? [];
  if (practices.length === 0) return UNKNOWN_PRACTICE;
  return requiredString(requiredNode(onlyOne(practices, path), 'identifier', path), 'value', `${path}.identifier`);
}

/** The NHS number alone, as dispensing messages have it. */
export const recordTargetReference = (nhsNumber: string): XmlElement =>
  element('recordTarget', { typeCode: 'RCT' }, element('patient', { classCode: 'PAT' }, idIn('nhsNumber', nhsNumber)));
