/** Answers of the Spine made of the FHIR they become, by a writer that shares nothing with the reader. */

type Json = Readonly<Record<string, unknown>>;

export interface FhirBundle {
  readonly identifier: { readonly value: string };
  readonly timestamp: string;
  readonly entry: readonly { readonly fullUrl: string; readonly resource: Json }[];
}

const text = (value: unknown): string =>
  String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** A member of JSON whose shape the test knows. */
const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((parent, name) => (parent as Record<string | number, unknown> | undefined)?.[name], value);
const listAt = (value: unknown, ...path: readonly (string | number)[]): readonly unknown[] =>
  (at(value, ...path) as readonly unknown[] | undefined) ?? [];

const time = (iso: unknown): string => String(iso).replaceAll(/[-:T]/g, '').slice(0, 14);

const wrapped = (interaction: string, typeCode: string, details: string, act: string): string =>
  `<${interaction} xmlns="urn:hl7-org:v3"><id root="0E5D9B3C-4B1A-4C57-9D57-1B8C2A7E9F10"/>` +
  `<acknowledgement typeCode="${typeCode}">${details}</acknowledgement>` +
  `<ControlActEvent classCode="CACT" moodCode="EVN">${act}</ControlActEvent></${interaction}>`;

const DISPENSE = '2.16.840.1.113883.2.1.3.2.4.16.34';

/** Without a code the Spine took the message. */
export const acknowledgement = (typeCode: string, code?: string, display = '', codeSystem = DISPENSE): string => {
  const coded = `<code codeSystem="${codeSystem}" code="${code}" displayName="${text(display)}"/>`;
  const reason = `<reason><justifyingDetectedIssueEvent>${coded}</justifyingDetectedIssueEvent></reason>`;
  const detail = `<acknowledgementDetail typeCode="ER">${coded}</acknowledgementDetail>`;
  return wrapped(
    'MCCI_IN010000UK13',
    typeCode,
    code !== undefined && typeCode === 'AR' ? detail : '',
    code !== undefined && typeCode !== 'AR' ? reason : '',
  );
};

/** `other`: the Organization that has the prescription. */
export const releaseReject = (code: string, other?: unknown): string => {
  const performer =
    other === undefined ? '' : `<performer><AgentPerson>${organisation(other)}</AgentPerson></performer>`;
  const reason = `<pertinentRejectionReason><code code="RR"/><value codeSystem="${DISPENSE}" code="${code}"/></pertinentRejectionReason>`;
  return wrapped(
    'PORX_IN110101UK30',
    'AE',
    '',
    `<subject><PrescriptionReleaseReject><id root="8A0D4E0E-8B5B-4F11-8C9E-3C3C1E2D7A11"/>${performer}` +
      `<pertinentInformation>${reason}</pertinentInformation></PrescriptionReleaseReject></subject>`,
  );
};

/** Without a bundle only the result is told. */
export function cancellationAnswer(bundle: FhirBundle | undefined, code: string, display: string): string {
  const result = `<pertinentInformation3><pertinentResponse><value codeSystem="2.16.840.1.113883.2.1.3.2.4.17.19" code="${code}" displayName="${text(display)}"/></pertinentResponse></pertinentInformation3>`;
  return wrapped(
    'PORX_IN050101UK31',
    'AE',
    '',
    `<subject><CancellationResponse>${bundle === undefined ? '' : cancelled(bundle)}${result}</CancellationResponse></subject>`,
  );
}

function cancelled(bundle: FhirBundle): string {
  const ofType = (type: string): Json =>
    bundle.entry.find(({ resource }) => resource['resourceType'] === type)?.resource ?? {};
  const request = ofType('MedicationRequest');
  const header = ofType('MessageHeader');
  const person = (reference: unknown): string => agentPerson(bundle, reference);
  const performer = at(request, 'dispenseRequest', 'performer', 'extension', 0, 'valueReference', 'reference');
  return (
    `<id root="${text(bundle.identifier.value).toUpperCase()}"/><effectiveTime value="${time(bundle.timestamp)}"/>` +
    recordTarget(ofType('Patient')) +
    `<author>${person(at(request, 'extension', 1, 'valueReference', 'reference'))}</author>` +
    `<responsibleParty>${person(at(request, 'requester', 'reference'))}</responsibleParty>` +
    (performer === undefined ? '' : `<performer>${person(performer)}</performer>`) +
    `<pertinentInformation2><pertinentPrescriptionID><value extension="${at(request, 'groupIdentifier', 'value')}"/></pertinentPrescriptionID></pertinentInformation2>` +
    `<pertinentInformation1><pertinentLineItemRef><id root="${String(at(request, 'identifier', 0, 'value')).toUpperCase()}"/></pertinentLineItemRef></pertinentInformation1>` +
    `<pertinentInformation4><pertinentCancellationRequestRef><id root="${String(at(header, 'response', 'identifier')).toUpperCase()}"/></pertinentCancellationRequestRef></pertinentInformation4>`
  );
}

const SEX: Readonly<Record<string, string>> = { male: '1', female: '2', other: '9', unknown: '0' };
const ADDRESS: Readonly<Record<string, string>> = { home: 'H', work: 'WP' };

const recordTarget = (patient: Json): string =>
  `<recordTarget><Patient><id extension="${at(patient, 'identifier', 0, 'value')}"/>${addresses(patient)}<patientPerson>` +
  listAt(patient, 'name').map(humanName).join('') +
  `<administrativeGenderCode code="${SEX[String(patient['gender'])]}"/><birthTime value="${time(patient['birthDate'])}"/>` +
  '<playedProviderPatient><subjectOf><patientCareProvision><code code="1"/><responsibleParty><healthCareProvider>' +
  `<id extension="${at(patient, 'generalPractitioner', 0, 'identifier', 'value')}"/>` +
  '</healthCareProvider></responsibleParty></patientCareProvision></subjectOf></playedProviderPatient>' +
  '</patientPerson></Patient></recordTarget>';

const humanName = (name: unknown): string => {
  const parts = ['prefix', 'given', 'family'].flatMap((kind) =>
    [at(name, kind) ?? []].flat().map((part) => `<${kind}>${text(part)}</${kind}>`),
  );
  const use = at(name, 'use') === 'usual' ? ' use="L"' : '';
  return `<name${use}>${parts.length > 0 ? parts.join('') : text(at(name, 'text') ?? '')}</name>`;
};

const addresses = (of: unknown): string =>
  listAt(of, 'address')
    .map((address) => {
      const use = ADDRESS[String(at(address, 'use'))];
      const lines = listAt(address, 'line').map((line) => `<streetAddressLine>${text(line)}</streetAddressLine>`);
      return `<addr${use === undefined ? '' : ` use="${use}"`}>${lines.join('')}<postalCode>${at(address, 'postalCode')}</postalCode></addr>`;
    })
    .join('');

const telecoms = (of: unknown): string =>
  listAt(of, 'telecom')
    .map((telecom) => `<telecom use="WP" value="tel:${at(telecom, 'value')}"/>`)
    .join('');

const organisation = (of: unknown): string =>
  `<representedOrganization><id extension="${at(of, 'identifier', 0, 'value')}"/><name>${text(at(of, 'name'))}</name>` +
  `${telecoms(of)}${addresses(of)}</representedOrganization>`;

function agentPerson(bundle: FhirBundle, reference: unknown): string {
  const resolve = (url: unknown): Json => bundle.entry.find(({ fullUrl }) => fullUrl === url)?.resource ?? {};
  const role = resolve(reference);
  const practitioner = resolve(at(role, 'practitioner', 'reference'));
  return (
    `<AgentPerson><id extension="${at(role, 'identifier', 0, 'value')}"/>` +
    `<code code="${at(role, 'code', 0, 'coding', 0, 'code')}"/>${telecoms(role)}` +
    `<agentPerson><id extension="${at(practitioner, 'identifier', 0, 'value')}"/>${listAt(practitioner, 'name').map(humanName).join('')}</agentPerson>` +
    `${organisation(resolve(at(role, 'organization', 'reference')))}</AgentPerson>`
  );
}
