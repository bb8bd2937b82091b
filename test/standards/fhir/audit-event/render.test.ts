import { expect } from 'chai';
import { escapeControls } from '../../../../src/standards/fhir/audit-event/escape-controls.ts';
import type { AuditRecord } from '../../../../src/standards/fhir/audit-event/record.ts';
import { renderAuditEvents } from '../../../../src/standards/fhir/audit-event/render.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';

interface Coding {
  readonly system?: string;
  readonly code: string;
}
interface Rendered {
  readonly id: string;
  readonly meta: { readonly profile?: readonly string[] };
  readonly type: Coding;
  readonly subtype: readonly Coding[];
  readonly action: string;
  readonly outcome: string;
  readonly outcomeDesc?: string;
  readonly agent: readonly {
    readonly type: { readonly coding: readonly Coding[] };
    readonly who?: { readonly reference?: string; readonly identifier?: { readonly value: string } };
    readonly requestor: boolean;
    readonly network?: { readonly address: string };
    readonly policy?: readonly string[];
    readonly purposeOfUse?: readonly { readonly coding: readonly Coding[] }[];
    readonly name?: string;
  }[];
  readonly entity?: readonly {
    readonly what?: {
      readonly reference?: string;
      readonly identifier?: { readonly value: string };
      readonly display?: string;
    };
    readonly type: Coding;
    readonly role?: Coding;
    readonly query?: string;
    readonly description?: string;
    readonly detail?: readonly { readonly type: string; readonly valueString: string }[];
  }[];
}

const server = { name: 'Mortar', baseUrl: 'http://127.0.0.1:8080/fhir/R4' };
const record = (more: Partial<AuditRecord> = {}): AuditRecord => ({
  id: 'a-1',
  at: Date.UTC(2026, 4, 1, 9),
  kind: 'read',
  outcome: 0,
  agent: {
    kind: 'user',
    name: 'app-1',
    clientId: 'app-1',
    user: { id: 'u1', name: 'Dr. Ada Elm', roles: ['DOCTOR'], fhirUser: 'Practitioner/p1', organizationIds: ['o1'] },
  },
  correlationId: 'request-1',
  address: '192.0.2.7',
  tokenId: 'token-1',
  purpose: 'TREAT',
  patientIds: [],
  ...more,
});
const render = (more: Partial<AuditRecord> = {}): Rendered[] =>
  renderAuditEvents(record(more), server) as unknown as Rendered[];
const one = (more: Partial<AuditRecord> = {}): Rendered => {
  const [event, ...rest] = render(more);
  expect(rest).length(0);
  return event as Rendered;
};
const REST = 'http://hl7.org/fhir/restful-interaction';
const BALP = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.';
const codes = (codings: readonly Coding[]): string[] => codings.map(({ code }) => code);

describe('audit-event › render', () => {
  const validate = createValidator(testDefinitions());
  const checkValid = (event: unknown): void => {
    expect(
      validate(event, 'AuditEvent').filter(({ severity }) => severity === 'error' || severity === 'fatal'),
    ).deep.equal([]);
  };

  const target = { type: 'Observation', id: 'o', versionId: 3 };
  const PATTERNS = [
    ['create', 'Create', 'C', '110153', '110152', 'create'],
    ['read', 'Read', 'R', '110152', '110153', 'read'],
    ['vread', 'Read', 'R', '110152', '110153', 'vread'],
    ['update', 'Update', 'U', '110153', '110152', 'update'],
    ['patch', 'Update', 'U', '110153', '110152', 'patch'],
    ['delete', 'Delete', 'D', '110150', 'custodian', 'delete'],
  ] as const;
  for (const [kind, profile, action, client, serverRole, interaction] of PATTERNS)
    for (const patient of ['x', undefined])
      it(`[AU-02] ${kind} ${patient ? 'of a patient' : 'without a patient'} is as the pattern says`, () => {
        const event = one({ kind, target, patientIds: patient ? [patient] : [] });
        checkValid(event);
        expect(event.meta.profile).deep.equal([`${BALP}${patient ? 'Patient' : ''}${profile}`]);
        expect(event.type).deep.include({
          system: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
          code: 'rest',
        });
        expect(event.subtype).length(1);
        expect(event.subtype[0]).deep.include({ system: REST, code: interaction });
        expect(event).include({ action, outcome: '0' });
        expect(
          event.agent.map((agent) => codes(agent.type.coding)),
          'client, server, user: one each',
        ).deep.equal([[client], [serverRole], ['IRCP']]);
        expect(event.agent.map(({ requestor }) => requestor)).deep.equal([false, false, true]);
        const kinds = event.entity?.map(({ type, role }) => `${type.code}${role ? `/${role.code}` : ''}`);
        expect(kinds, 'data, patient, request id: one each').deep.equal([
          '2/4',
          ...(patient ? ['1/1'] : []),
          'XrequestId',
        ]);
        expect(event.entity?.[0]?.what?.reference).equal('Observation/o/_history/3');
        if (patient) expect(event.entity?.[1]?.what?.reference).equal('Patient/x');
        expect(event.entity?.at(-1)?.what?.identifier?.value).equal('request-1');
      });

  it('[AU-02] the person acts through a client, at this server', () => {
    const [client, ours, user] = one({ target, patientIds: ['x'] }).agent;
    expect(client?.who?.identifier?.value).equal('app-1');
    expect(client?.network?.address).equal('192.0.2.7');
    expect(ours?.network?.address).equal(server.baseUrl);
    expect(user).deep.include({ name: 'Dr. Ada Elm', policy: ['urn:ietf:params:oauth:jti:token-1'] });
    expect(user?.who?.reference).equal('Practitioner/p1');
    expect(codes(user?.purposeOfUse?.[0]?.coding ?? [])).deep.equal(['TREAT']);
  });

  it('[AU-02] a program of its own is its own requestor', () => {
    const event = one({ agent: { kind: 'client', name: 'feed', clientId: 'feed' }, target });
    checkValid(event);
    expect(event.agent.map(({ requestor }) => requestor)).deep.equal([true, false]);
    expect(event.agent[0]?.policy).deep.equal(['urn:ietf:params:oauth:jti:token-1']);
  });

  it('[AU-02] a change tells the versions before and after', () => {
    expect(one({ kind: 'update', target }).entity?.[0]?.detail).deep.equal([
      { type: 'versionBefore', valueString: '2' },
      { type: 'versionAfter', valueString: '3' },
    ]);
    expect(one({ kind: 'create', target: { ...target, versionId: 1 } }).entity?.[0]?.detail).deep.equal([
      { type: 'versionAfter', valueString: '1' },
    ]);
  });

  it('[AU-03] a search is one PatientQuery for each patient of the page', () => {
    const query = 'Patient?family=Oak&_count=5';
    const events = render({ kind: 'search', type: 'Patient', query, patientIds: ['x', 'y', 'z'] });
    expect(events.map(({ id }) => id)).deep.equal(['a-1-0', 'a-1-1', 'a-1-2']);
    for (const [n, event] of events.entries()) {
      checkValid(event);
      expect(event.meta.profile).deep.equal([`${BALP}PatientQuery`]);
      expect(event).include({ action: 'E' });
      expect(codes(event.subtype)).deep.equal(['search-type']);
      expect(event.agent.map((agent) => codes(agent.type.coding))).deep.equal([['110153'], ['110152'], ['IRCP']]);
      const [patient, asked] = event.entity ?? [];
      expect(patient?.what?.reference).equal(`Patient/${'xyz'[n]}`);
      expect(asked?.role?.code).equal('24');
      expect(Buffer.from(asked?.query ?? '', 'base64').toString()).equal(query);
      expect(asked?.description).equal('Patient?family=…&_count=…');
    }
  });

  it('[AU-03] one patient or none is one event; more than 100 are one event with a list', () => {
    expect(one({ kind: 'search', type: 'Patient', query: 'Patient', patientIds: ['x'] }).id).equal('a-1');
    expect(one({ kind: 'search', type: 'Medication', query: 'Medication' }).meta.profile).deep.equal([`${BALP}Query`]);
    const hundred = Array.from({ length: 100 }, (_, n) => `p${n}`);
    expect(render({ kind: 'search', query: 'Patient', patientIds: hundred })).length(100);
    const many = one({ kind: 'search', query: 'Patient', patientIds: [...hundred, 'p100'] });
    checkValid(many);
    const list = many.entity?.find(({ role }) => role?.code === '16');
    expect(list?.detail).length(101);
    expect(list?.detail?.at(-1)).deep.equal({ type: 'patient', valueString: 'Patient/p100' });
  });

  for (const outcome of [4, 8, 12])
    it(`[AU-04] a failure keeps its shape and tells outcome ${outcome} and the rule`, () => {
      const event = one({ target: { type: 'Patient', id: 'x' }, outcome, rule: 'not-found' });
      checkValid(event);
      expect(event).deep.include({ outcome: String(outcome), outcomeDesc: 'not-found', action: 'R' });
      expect(event.entity?.some((entity) => entity.what?.display === 'not-found')).equal(true);
    });

  it('[AU-04] somebody nobody knows is an agent with an address only', () => {
    const event = one({
      kind: 'access-refused',
      agent: { kind: 'anonymous', name: 'anonymous' },
      outcome: 4,
      rule: 'AZ-01',
    });
    checkValid(event);
    expect(event.agent[0]).deep.equal({
      type: {
        coding: [{ system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110153', display: 'Source Role ID' }],
      },
      requestor: true,
      network: { address: '192.0.2.7', type: '2' },
    });
  });

  const OTHERS: readonly (readonly [kind: string, type: string, subtype: string])[] = [
    ['login', '110114', '110122'],
    ['logout', '110114', '110123'],
    ['mfa', '110114', '110122'],
    ['token', '110114', 'token'],
    ['token-revoked', '110114', 'token-revoked'],
    ['token-reuse', '110113', 'token-reuse'],
    ['consent', '110113', 'AuthZ-Consent'],
    ['break-glass', '110113', '110127'],
    ['configuration', '110113', '110134'],
    ['user', '110113', '110137'],
    ['client', '110113', '110134'],
    ['key', '110113', '110134'],
    ['export', '110106', 'export'],
    ['import', '110107', 'import'],
    ['message-in', '110107', 'message-in'],
    ['message-out', '110106', 'message-out'],
    ['audit-read', '110101', 'audit-read'],
    ['signature', '110110', 'signature'],
    ['verification', '110110', 'verification'],
    ['dispense', '110110', 'dispense'],
    ['start', '110100', '110120'],
    ['stop', '110100', '110121'],
    ['of a later release', '110100', 'of a later release'],
  ];
  for (const [kind, type, subtype] of OTHERS)
    it(`[AU-01] ${kind} is ${type} › ${subtype}`, () => {
      const event = one({ kind, detail: { reason: 'why' } });
      checkValid(event);
      expect(event.type.code).equal(type);
      expect(codes(event.subtype)).include(subtype);
      expect(event.entity?.[0]?.detail).deep.equal([{ type: 'reason', valueString: 'why' }]);
    });

  it('[AU-01] history is read for one resource, and a query for a type and for all', () => {
    expect(codes(one({ kind: 'history', target: { type: 'Patient', id: 'x' }, patientIds: ['x'] }).subtype)).deep.equal(
      ['history-instance'],
    );
    const ofType = one({ kind: 'history', type: 'Patient', query: 'Patient/_history', patientIds: ['x'] });
    checkValid(ofType);
    expect(codes(ofType.subtype)).deep.equal(['history-type']);
    expect(codes(one({ kind: 'history', query: '_history' }).subtype)).deep.equal(['history-system']);
  });

  it('[AU-01] an operation names itself and what it touched', () => {
    const event = one({
      kind: 'operation',
      operation: '$everything',
      targets: ['Patient/x', 'Encounter/y/_history/2'],
    });
    checkValid(event);
    expect(event.entity?.map((entity) => entity.what?.reference)).include.members([
      'Patient/x',
      'Encounter/y/_history/2',
    ]);
  });
});

describe('audit-event › escape controls [AU-15]', () => {
  for (const [given, wanted] of [
    ['plain', 'plain'],
    ['a\r\nb', 'a\\u000d\\u000ab'],
    ['\u001b[31m', '\\u001b[31m'],
    ['\u202eevil\u2066', '\\u202eevil\\u2066'],
    ['Zoë 😀', 'Zoë 😀'],
    ['\ud800x', '\\ud800x'],
    ['\u0000\u007f\u0085\ufeff\u2028', '\\u0000\\u007f\\u0085\\ufeff\\u2028'],
  ] as const)
    it(JSON.stringify(given), () => expect(escapeControls(given)).equal(wanted));
  it('cuts what is too long', () => expect(escapeControls('x'.repeat(300))).length(257));
});
