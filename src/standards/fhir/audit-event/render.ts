/** AuditEvents in the shape of IHE BALP, rendered from the trail. https://profiles.ihe.net/ITI/BALP/; SECURITY AU-02 to AU-05 */
import type { Coding } from '../outcome.ts';
import { type Pattern, patternOf, profileOf } from './patterns.ts';
import type { AuditRecord, AuditServer } from './record.ts';

/** More patients than this on one page share one event, with a list of them (AU-03). Deviates: BALP has one each. */
const PATIENTS_EACH_MAX = 100;

type Json = Readonly<Record<string, unknown>>;

/** How many AuditEvents one record is. */
export const eventCount = (patients: number): number => (patients > 1 && patients <= PATIENTS_EACH_MAX ? patients : 1);

/** Id of the n-th of them. */
const eventId = (record: AuditRecord, n: number): string =>
  eventCount(record.patientIds.length) === 1 ? record.id : `${record.id}-${n}`;

/** The AuditEvents of one record: one, or one for each patient of a page. */
export const renderAuditEvents = (record: AuditRecord, server: AuditServer): Json[] =>
  Array.from({ length: eventCount(record.patientIds.length) }, (_, n) => renderAuditEvent(record, n, server));

/** The n-th AuditEvent of a record. */
export function renderAuditEvent(record: AuditRecord, n: number, server: AuditServer): Json {
  const isList = record.patientIds.length > PATIENTS_EACH_MAX;
  const patientId = isList ? undefined : record.patientIds[n];
  const pattern = historyOfType(record)
    ? { ...patternOf('search'), subtype: [historySubtype(record)] }
    : record.kind === 'search' && record.type === undefined
      ? { ...patternOf('search'), subtype: [restful('search-system')] }
      : patternOf(record.kind);
  const profile = profileOf(pattern, patientId !== undefined);
  const recorded = new Date(record.at).toISOString();
  return {
    resourceType: 'AuditEvent',
    id: eventId(record, n),
    meta: { versionId: '1', lastUpdated: recorded, ...(profile !== undefined && { profile: [profile] }) },
    type: pattern.type,
    subtype: pattern.subtype,
    action: pattern.action,
    recorded,
    outcome: String(record.outcome),
    ...(record.rule !== undefined && { outcomeDesc: record.rule }),
    ...(record.purpose !== undefined && { purposeOfEvent: purpose(record.purpose) }),
    agent: agents(record, pattern, server),
    source: {
      observer: { display: server.name, identifier: { value: server.baseUrl } },
      type: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/security-source-type',
          code: '4',
          display: 'Application Server',
        },
      ],
    },
    ...withEntities([
      ...data(record, pattern),
      ...(patientId === undefined ? [] : [patientEntity(patientId)]),
      ...(isList ? [patientList(record)] : []),
      ...queryEntity(record),
      ...details(record),
      ...failure(record),
      ...requestId(record),
    ]),
  };
}

const historyOfType = ({ kind, target }: AuditRecord): boolean => kind === 'history' && target === undefined;
const historySubtype = ({ type }: AuditRecord): Coding =>
  restful(type === undefined ? 'history-system' : 'history-type');
const restful = (code: string): Coding => ({
  system: 'http://hl7.org/fhir/restful-interaction',
  code,
  display: code,
});

const withEntities = (entity: readonly Json[]): Json => (entity.length === 0 ? {} : { entity });

const purpose = (code: string): Json[] => [
  { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code }] },
];

const IP_ADDRESS = '2';
const URI = '5';

/** Client, server and person; somebody nobody knows has an address only. */
function agents(record: AuditRecord, { client, server: role }: Pattern, server: AuditServer): Json[] {
  const { agent, address } = record;
  const network = address === undefined ? {} : { network: { address, type: IP_ADDRESS } };
  const serverAgent = {
    type: { coding: [role] },
    who: { display: server.name, identifier: { value: server.baseUrl } },
    requestor: false,
    network: { address: server.baseUrl, type: URI },
  };
  if (agent.kind === 'anonymous') return [{ type: { coding: [client] }, requestor: true, ...network }, serverAgent];
  const clientAgent = {
    type: { coding: [client] },
    who: { identifier: { value: agent.clientId ?? agent.name }, display: agent.name },
    requestor: agent.user === undefined,
    ...(agent.user === undefined && tokenPolicy(record)),
    ...network,
    ...(agent.user === undefined && record.purpose !== undefined && { purposeOfUse: purpose(record.purpose) }),
  };
  return [clientAgent, serverAgent, ...userAgent(record)];
}

function userAgent(record: AuditRecord): Json[] {
  const { user } = record.agent;
  if (!user) return [];
  return [
    {
      type: {
        coding: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
            code: 'IRCP',
            display: 'information recipient',
          },
        ],
      },
      who: {
        ...(user.fhirUser !== undefined && { reference: user.fhirUser }),
        identifier: { value: user.id },
        display: user.name,
      },
      altId: user.id,
      name: user.name,
      ...(user.roles.length > 0 && {
        role: user.roles.map((code) => ({ coding: [{ system: 'urn:mortar:role', code }] })),
      }),
      requestor: true,
      ...tokenPolicy(record),
      ...(record.purpose !== undefined && { purposeOfUse: purpose(record.purpose) }),
    },
  ];
}

const tokenPolicy = ({ tokenId }: AuditRecord): Json =>
  tokenId === undefined ? {} : { policy: [`urn:ietf:params:oauth:jti:${encodeURIComponent(tokenId)}`] };

const ENTITY_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role';
const PERSON: Coding = { system: ENTITY_TYPE, code: '1', display: 'Person' };
const SYSTEM_OBJECT: Coding = { system: ENTITY_TYPE, code: '2', display: 'System Object' };
const OTHER: Coding = { system: ENTITY_TYPE, code: '4', display: 'Other' };
const role = (code: string, display?: string): Coding => ({
  system: OBJECT_ROLE,
  code,
  ...(display !== undefined && { display }),
});
const text = (type: string, value: string): Json => ({ type, valueString: value });

/** What was acted on, with the versions before and after. */
function data({ kind, target, targets = [] }: AuditRecord, { dataRole }: Pattern): Json[] {
  const several = targets.map((reference) => ({ what: { reference }, type: SYSTEM_OBJECT, role: role(dataRole) }));
  if (!target) return several;
  const { type, id, versionId } = target;
  const isChange = kind === 'create' || kind === 'update' || kind === 'patch' || kind === 'delete';
  const versions =
    isChange && versionId !== undefined
      ? [
          ...(versionId > 1 ? [text('versionBefore', String(versionId - 1))] : []),
          text('versionAfter', String(versionId)),
        ]
      : [];
  return [
    {
      what: { reference: `${type}/${id}${versionId === undefined ? '' : `/_history/${versionId}`}`, type },
      type: SYSTEM_OBJECT,
      role: role(dataRole),
      ...(versions.length > 0 && { detail: versions }),
    },
    ...several,
  ];
}

const patientEntity = (id: string): Json => ({
  what: { reference: `Patient/${id}`, type: 'Patient' },
  type: PERSON,
  role: role('1', 'Patient'),
});

const patientList = ({ id, patientIds }: AuditRecord): Json => ({
  what: { type: 'List', identifier: { system: 'urn:mortar:audit-entry', value: id } },
  type: SYSTEM_OBJECT,
  role: role('16', 'List'),
  name: `${patientIds.length} patients`,
  detail: patientIds.map((patientId) => text('patient', `Patient/${patientId}`)),
});

/** The raw request in base64, as BALP has it; its words without values for people. */
function queryEntity({ query, kind, type }: AuditRecord): Json[] {
  const isQuery = kind === 'search' || (kind === 'history' && query !== undefined);
  const raw = query ?? (isQuery ? (type ?? '') : undefined);
  if (raw === undefined) return [];
  return [
    {
      type: SYSTEM_OBJECT,
      role: role('24', 'Query'),
      description: raw.replaceAll(/=[^&]*/g, '=…'),
      query: Buffer.from(raw).toString('base64'),
    },
  ];
}

const details = ({ kind, operation, detail = {} }: AuditRecord): Json[] => {
  const all = [
    ...(operation === undefined ? [] : [text('operation', operation)]),
    ...Object.entries(detail).map(([name, value]) => text(name, value)),
  ].filter(({ type, valueString }) => type !== '' && valueString !== '');
  return all.length === 0 ? [] : [{ type: OTHER, name: kind, detail: all }];
};

const failure = ({ outcome, rule }: AuditRecord): Json[] =>
  outcome === 0
    ? []
    : [{ what: { type: 'OperationOutcome', display: rule ?? 'failed' }, type: OTHER, description: rule ?? 'failed' }];

const requestId = ({ correlationId }: AuditRecord): Json[] =>
  correlationId === undefined || correlationId === ''
    ? []
    : [
        {
          what: { identifier: { value: correlationId } },
          type: {
            system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType',
            code: 'XrequestId',
            display: 'X-Request-Id',
          },
        },
      ];
