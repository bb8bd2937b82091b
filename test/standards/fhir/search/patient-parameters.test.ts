/** Types outside the Patient compartment that can be about a patient. https://hl7.org/fhir/R4/compartmentdefinition-patient.html */
import { expect } from 'chai';
import { createSearchParameters } from '../../../../src/standards/fhir/search/parameters.ts';
import { patientParametersBeside } from '../../../../src/standards/fhir/search/patient-parameters.ts';
import { testDefinitions } from '../../../support/definitions.ts';

describe('standards › fhir › search › patient parameters', () => {
  const definitions = testDefinitions();
  const parameters = createSearchParameters(definitions);

  it('[DP-03] names the types that R4 has in no compartment, with the parameters that point to patients', () => {
    expect(Object.fromEntries(patientParametersBeside(definitions, parameters, 'named'))).deep.equal({
      Contract: ['patient', 'signer'],
      Device: ['patient'],
      GuidanceResponse: ['patient'],
      Task: ['patient', 'owner', 'requester'],
    });
  });

  it('[DP-03] with those that may point to anything, each place of a resource once', () => {
    const all = patientParametersBeside(definitions, parameters, 'any');
    expect(all.get('Task')).deep.equal(['patient', 'based-on', 'focus', 'owner', 'requester']);
    expect(all.get('Contract')).deep.equal(['patient', 'signer']);
    expect(all.get('Linkage')).deep.equal(['item']);
    expect(all.get('VerificationResult')).deep.equal(['target']);
    for (const type of ['Patient', 'Observation', 'Practitioner', 'Measure', 'Parameters'])
      expect(all.has(type), type).equal(false);
  });
});
