/** Resources of some 2 KB for `validation.ts`, made up. */

const coding = (system: string, code: string, display: string) => ({ system, code, display });

const patient = {
  resourceType: 'Patient',
  id: 'p1',
  meta: {
    versionId: '3',
    lastUpdated: '2026-05-01T09:00:00.000Z',
    profile: ['https://example.org/fhir/StructureDefinition/patient'],
  },
  text: {
    status: 'generated',
    div: '<div xmlns="http://www.w3.org/1999/xhtml"><p>Ada Example, born 2 February 1980</p></div>',
  },
  identifier: [
    {
      use: 'official',
      system: 'https://fhir.nhs.uk/Id/nhs-number',
      value: '9990000018',
      period: { start: '2010-01-01' },
    },
    {
      use: 'usual',
      system: 'https://hospital.example/patients',
      value: 'A-10443',
      assigner: { reference: 'Organization/o1', display: 'Hospital' },
    },
  ],
  active: true,
  name: [
    {
      use: 'official',
      family: 'Example',
      given: ['Ada', 'Maria'],
      prefix: ['Dr'],
      period: { start: '2005-03-01', end: '2030-03-01' },
    },
    { use: 'nickname', given: ['Ada'] },
  ],
  telecom: [
    { system: 'phone', value: '020 7946 0000', use: 'home', rank: 1 },
    { system: 'email', value: 'ada@example.org', use: 'work', period: { start: '2020-05-05T12:00:00+01:00' } },
  ],
  gender: 'female',
  birthDate: '1980-02-02',
  deceasedBoolean: false,
  address: [
    {
      use: 'home',
      type: 'both',
      line: ['1 Sample Street', 'Flat 2'],
      city: 'Leeds',
      district: 'West Yorkshire',
      postalCode: 'LS1 1AA',
      country: 'GBR',
      period: { start: '2015-06-01' },
    },
  ],
  maritalStatus: {
    coding: [coding('http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', 'M', 'Married')],
    text: 'Married',
  },
  contact: [
    {
      relationship: [{ coding: [coding('http://terminology.hl7.org/CodeSystem/v2-0131', 'N', 'Next-of-Kin')] }],
      name: { family: 'Example', given: ['Bea'] },
      telecom: [{ system: 'phone', value: '020 7946 0001' }],
      gender: 'female',
    },
  ],
  communication: [{ language: { coding: [coding('urn:ietf:bcp:47', 'en', 'English')] }, preferred: true }],
  generalPractitioner: [{ reference: 'Practitioner/g1', display: 'Dr Practice' }],
  managingOrganization: { reference: 'Organization/o1' },
};

const medicationRequest = {
  resourceType: 'MedicationRequest',
  id: 'm1',
  meta: { versionId: '1', lastUpdated: '2026-05-01T09:00:00.000Z' },
  extension: [
    {
      url: 'https://example.org/fhir/StructureDefinition/endorsement',
      valueCodeableConcept: { coding: [coding('https://example.org/endorsements', 'SLS', 'Selected list')] },
    },
  ],
  identifier: [{ system: 'https://example.org/orders', value: 'c0a80101-0000-4000-8000-000000000001' }],
  status: 'active',
  intent: 'order',
  category: [
    { coding: [coding('http://terminology.hl7.org/CodeSystem/medicationrequest-category', 'community', 'Community')] },
  ],
  priority: 'routine',
  medicationCodeableConcept: {
    coding: [coding('http://snomed.info/sct', '39732311000001104', 'Amoxicillin 250mg capsules')],
    text: 'Amoxicillin 250mg capsules',
  },
  subject: {
    reference: 'Patient/p1',
    identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' },
  },
  encounter: { reference: 'Encounter/e1' },
  authoredOn: '2026-05-01T09:00:00+01:00',
  requester: { reference: 'Practitioner/g1', display: 'Dr Practice' },
  recorder: { reference: 'PractitionerRole/r1' },
  reasonCode: [{ coding: [coding('http://snomed.info/sct', '68566005', 'Urinary tract infection')] }],
  courseOfTherapyType: {
    coding: [
      coding('http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy', 'acute', 'Short course'),
    ],
  },
  note: [{ time: '2026-05-01T09:01:00+01:00', text: 'Take with plenty of water' }],
  dosageInstruction: [
    {
      sequence: 1,
      text: '1 capsule three times a day for 7 days',
      timing: {
        repeat: {
          boundsDuration: { value: 7, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' },
          frequency: 3,
          period: 1,
          periodUnit: 'd',
        },
      },
      route: { coding: [coding('http://snomed.info/sct', '26643006', 'Oral route')] },
      doseAndRate: [
        {
          type: { coding: [coding('http://terminology.hl7.org/CodeSystem/dose-rate-type', 'ordered', 'Ordered')] },
          doseQuantity: { value: 1, unit: 'capsule', system: 'http://snomed.info/sct', code: '732937005' },
        },
      ],
    },
  ],
  dispenseRequest: {
    validityPeriod: { start: '2026-05-01', end: '2026-10-31' },
    quantity: { value: 21, unit: 'capsule', system: 'http://snomed.info/sct', code: '732937005' },
    expectedSupplyDuration: { value: 7, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' },
    performer: { reference: 'Organization/ph1' },
  },
  substitution: { allowedBoolean: false },
};

const observation = {
  resourceType: 'Observation',
  id: 'b1',
  status: 'final',
  category: [
    { coding: [coding('http://terminology.hl7.org/CodeSystem/observation-category', 'vital-signs', 'Vital signs')] },
  ],
  code: { coding: [coding('http://loinc.org', '85354-9', 'Blood pressure panel')], text: 'Blood pressure' },
  subject: { reference: 'Patient/p1' },
  encounter: { reference: 'Encounter/e1' },
  effectiveDateTime: '2026-05-01T09:00:00+01:00',
  issued: '2026-05-01T09:05:00.000+01:00',
  performer: [{ reference: 'Practitioner/g1' }, { reference: 'Organization/o1' }],
  interpretation: [
    { coding: [coding('http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', 'N', 'Normal')] },
  ],
  bodySite: { coding: [coding('http://snomed.info/sct', '368209003', 'Right upper arm')] },
  component: [
    ['8480-6', 'Systolic', 118],
    ['8462-4', 'Diastolic', 76],
    ['8478-0', 'Mean', 90],
  ].map(([code, display, value]) => ({
    code: { coding: [coding('http://loinc.org', String(code), String(display))] },
    valueQuantity: { value, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
    referenceRange: [
      {
        low: { value: 60, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
        high: { value: 130, unit: 'mmHg', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
      },
    ],
  })),
};

export const CASES: readonly { readonly name: string; readonly resource: object }[] = [
  { name: 'Patient', resource: patient },
  { name: 'MedicationRequest', resource: medicationRequest },
  { name: 'Observation', resource: observation },
];
