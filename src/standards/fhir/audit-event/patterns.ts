/**
 * How each kind of event is coded: IHE Basic Audit Log Patterns for REST (https://profiles.ihe.net/ITI/BALP/), DICOM
 * codes for the rest. SECURITY D
 */
import type { Coding } from '../outcome.ts';

const DICOM = 'http://dicom.nema.org/resources/ontology/DCM';
const EVENT_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-event-type';
const INTERACTION = 'http://hl7.org/fhir/restful-interaction';
const PROFILE = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.';
/** Mortar's own names of what happened. */
const KIND_SYSTEM = 'urn:mortar:audit-kind';

export interface Pattern {
  readonly type: Coding;
  readonly subtype: readonly Coding[];
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  /** Name of the profile, without the word `Patient`. */
  readonly profile?: 'Create' | 'Read' | 'Update' | 'Delete' | 'Query';
  readonly client: Coding;
  readonly server: Coding;
  /** Code of object-role for what was acted on. */
  readonly dataRole: string;
}

const dicom = (code: string, display: string): Coding => ({ system: DICOM, code, display });
const SOURCE = dicom('110153', 'Source Role ID');
const DESTINATION = dicom('110152', 'Destination Role ID');
const APPLICATION = dicom('110150', 'Application');
const CUSTODIAN: Coding = {
  system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
  code: 'custodian',
  display: 'Custodian',
};
const REST: Coding = { system: EVENT_TYPE, code: 'rest', display: 'Restful Operation' };

const DOMAIN_RESOURCE = '4';
const JOB = '20';

const rest = (
  interaction: string,
  action: Pattern['action'],
  [client, server]: readonly [Coding, Coding],
  profile?: Pattern['profile'],
): Pattern => ({
  type: REST,
  subtype: [{ system: INTERACTION, code: interaction, display: interaction }],
  action,
  ...(profile && { profile }),
  client,
  server,
  dataRole: DOMAIN_RESOURCE,
});

const WRITES = [SOURCE, DESTINATION] as const;
const READS = [DESTINATION, SOURCE] as const;

const other = (kind: string, action: Pattern['action'], type: Coding, subtype?: Coding, dataRole = JOB): Pattern => ({
  type,
  subtype: [...(subtype ? [subtype] : []), { system: KIND_SYSTEM, code: kind, display: kind }],
  action,
  client: SOURCE,
  server: DESTINATION,
  dataRole,
});

const AUTHENTICATION = dicom('110114', 'User Authentication');
const LOGIN = dicom('110122', 'Login');
const ALERT = dicom('110113', 'Security Alert');
const ACTIVITY = dicom('110100', 'Application Activity');
const EXPORT = dicom('110106', 'Export');
const IMPORT = dicom('110107', 'Import');
const RECORD = dicom('110110', 'Patient Record');
const SECURITY_CONFIGURATION = dicom('110134', 'Security Configuration');

const PATTERNS = new Map<string, Pattern>([
  ['create', rest('create', 'C', WRITES, 'Create')],
  ['read', rest('read', 'R', READS, 'Read')],
  ['vread', rest('vread', 'R', READS, 'Read')],
  ['update', rest('update', 'U', WRITES, 'Update')],
  ['patch', rest('patch', 'U', WRITES, 'Update')],
  ['delete', rest('delete', 'D', [APPLICATION, CUSTODIAN], 'Delete')],
  ['search', rest('search-type', 'E', WRITES, 'Query')],
  ['history', rest('history-instance', 'R', READS, 'Read')],
  ['operation', rest('operation', 'E', WRITES)],
  ['export', other('export', 'R', EXPORT)],
  ['import', other('import', 'C', IMPORT)],
  ['message-in', other('message-in', 'C', IMPORT)],
  ['message-out', other('message-out', 'R', EXPORT)],
  ['login', other('login', 'E', AUTHENTICATION, LOGIN)],
  ['logout', other('logout', 'E', AUTHENTICATION, dicom('110123', 'Logout'))],
  ['mfa', other('mfa', 'E', AUTHENTICATION, LOGIN)],
  ['token', other('token', 'E', AUTHENTICATION)],
  ['token-revoked', other('token-revoked', 'E', AUTHENTICATION)],
  ['token-reuse', other('token-reuse', 'E', ALERT)],
  [
    'consent',
    other('consent', 'E', ALERT, {
      system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType',
      code: 'AuthZ-Consent',
      display: 'Consent Authorization Decision Audit Event',
    }),
  ],
  ['break-glass', other('break-glass', 'E', ALERT, dicom('110127', 'Emergency Override Started'))],
  ['configuration', other('configuration', 'U', ALERT, SECURITY_CONFIGURATION)],
  ['user', other('user', 'U', ALERT, dicom('110137', 'User Security Attributes Changed'))],
  ['client', other('client', 'U', ALERT, SECURITY_CONFIGURATION)],
  ['key', other('key', 'U', ALERT, SECURITY_CONFIGURATION)],
  ['audit-read', other('audit-read', 'R', dicom('110101', 'Audit Log Used'))],
  ['signature', other('signature', 'C', RECORD, undefined, DOMAIN_RESOURCE)],
  ['verification', other('verification', 'R', RECORD, undefined, DOMAIN_RESOURCE)],
  ['dispense', other('dispense', 'U', RECORD, undefined, DOMAIN_RESOURCE)],
  ['start', other('start', 'E', ACTIVITY, dicom('110120', 'Application Start'))],
  ['stop', other('stop', 'E', ACTIVITY, dicom('110121', 'Application Stop'))],
  ['access-refused', other('access-refused', 'E', ALERT)],
  ['alert', other('alert', 'E', ALERT)],
]);

/** How a kind is coded; a kind of a later release as an activity of the application. */
export const patternOf = (kind: string): Pattern => PATTERNS.get(kind) ?? other(kind, 'E', ACTIVITY);

/** Kinds whose pattern is coded so, for searches. */
export const kindsWhere = (fits: (pattern: Pattern) => boolean): string[] =>
  [...PATTERNS].filter(([, pattern]) => fits(pattern)).map(([kind]) => kind);

/** Canonical URL of the profile of an event. */
export const profileOf = ({ profile }: Pattern, hasPatient: boolean): string | undefined =>
  profile && `${PROFILE}${hasPatient ? 'Patient' : ''}${profile}`;
