/**
 * What partners are told of patients until the mapping from FHIR writes every message: A28 of a new one, A31 of a changed
 * one, A40 of one that was merged. HL7 v2.5.1 sections 3.3.28, 3.3.31 and 3.3.40; reference 9.1 and 9.2.
 */
import type { Resource } from '../../../ports/resource-store.ts';
import type { FeedEvent, FeedProfile, FormattedV2, FormatV2 } from '../../../ports/v2-feed.ts';
import { formatInstant } from '../../../standards/hl7v2/date-time.ts';
import { STANDARD_ENCODING } from '../../../standards/hl7v2/encoding.ts';
import {
  type ComponentInput,
  createMessage,
  type FieldInput,
  formatMessage,
  formatSegment,
} from '../../../standards/hl7v2/format.ts';

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const GENDERS = new Map([
  ['male', 'M'],
  ['female', 'F'],
  ['unknown', 'U'],
  ['other', 'O'],
]);
const ADDRESS_USES = new Map([
  ['home', 'H'],
  ['work', 'B'],
  ['temp', 'C'],
  ['old', 'BA'],
  ['billing', 'BI'],
]);
const NAME_USES = new Map([
  ['official', 'L'],
  ['usual', 'D'],
  ['maiden', 'M'],
  ['nickname', 'N'],
  ['temp', 'TEMP'],
]);

export const formatPatientMessages: FormatV2 = (event, profile, controlId) => {
  const { type, current, previous } = event;
  if (type !== 'Patient' || current === undefined) return { value: [], issues: [] };
  const survivor = replacedBy(current);
  const isMerge = survivor !== undefined && replacedBy(previous) !== survivor;
  if (!isMerge) {
    const kind = previous === undefined ? 'ADT^A28' : 'ADT^A31';
    const pid = formatSegment('PID', patientFields(current, previous), STANDARD_ENCODING);
    return { value: [message(kind, 'ADT_A05', event, profile, controlId(0), event.id, [pid, 'PV1||N'])], issues: [] };
  }
  const kept = event.related.get(survivor);
  if (kept === undefined)
    return {
      value: [],
      issues: [
        {
          severity: 'warning',
          code: 'not-found',
          diagnostics: 'The survivor of a merge is not there',
          expression: ['Patient.link'],
        },
      ],
    };
  const segments = [
    formatSegment('PID', patientFields(kept, undefined), STANDARD_ENCODING),
    formatSegment(
      'MRG',
      [{ repeat: identifiers(current) }, ...Array<FieldInput>(5).fill(undefined), { repeat: names(current) }],
      STANDARD_ENCODING,
    ),
  ];
  const id = survivor.slice('Patient/'.length);
  return { value: [message('ADT^A40', 'ADT_A39', event, profile, controlId(0), id, segments)], issues: [] };
};

function message(
  kind: string,
  structure: string,
  { at }: FeedEvent,
  profile: FeedProfile,
  controlId: string,
  patientId: string,
  segments: readonly string[],
): FormattedV2 {
  const [code = '', trigger = ''] = kind.split('^');
  const header = formatSegment(
    'MSH',
    [
      profile.sendingApplication,
      profile.sendingFacility,
      profile.receivingApplication,
      profile.receivingFacility,
      formatInstant(at),
      undefined,
      [code, trigger, structure],
      controlId,
      profile.processingId,
      profile.version,
      undefined,
      undefined,
      profile.acceptAcknowledgement,
      profile.applicationAcknowledgement,
      'GBR',
      profile.characterSet,
    ],
    STANDARD_ENCODING,
  );
  const recorded = formatSegment('EVN', [trigger, formatInstant(at)], STANDARD_ENCODING);
  const all = [header, recorded, ...segments];
  return { kind, raw: formatMessage(createMessage(all, STANDARD_ENCODING)), patientId };
}

const replacedBy = (patient: Resource | undefined): string | undefined => {
  const link = list(patient?.['link']).find(({ type }) => type === 'replaced-by');
  return text((link?.['other'] as Json | undefined)?.['reference']);
};

/** What was there before and is there no more is sent as `""`. */
function patientFields(patient: Resource, previous: Resource | undefined): FieldInput[] {
  const now = fieldsOf(patient);
  const before = previous === undefined ? [] : fieldsOf(previous);
  return now.map((field, i) => (isEmpty(field) && !isEmpty(before[i]) ? null : field));
}

const isEmpty = (field: FieldInput): boolean =>
  field === undefined ||
  field === null ||
  field === '' ||
  (typeof field === 'object' && 'repeat' in field && field.repeat.length === 0);

function fieldsOf(patient: Resource): FieldInput[] {
  const { birthDate, gender, deceasedDateTime, deceasedBoolean } = patient;
  const fields: FieldInput[] = Array<FieldInput>(30).fill(undefined);
  const set = (n: number, field: FieldInput): void => {
    fields[n - 1] = field;
  };
  set(1, '1');
  set(3, { repeat: identifiers(patient) });
  set(5, { repeat: names(patient) });
  set(7, text(birthDate)?.replaceAll('-', ''));
  set(8, GENDERS.get(String(gender)));
  set(11, { repeat: list(patient['address']).map(address) });
  set(13, { repeat: list(patient['telecom']).flatMap(telecom) });
  set(
    29,
    text(deceasedDateTime)
      ?.replaceAll(/[-:]|\.\d+/g, '')
      .replace('T', '')
      .replace('Z', '+0000'),
  );
  set(
    30,
    deceasedDateTime !== undefined || deceasedBoolean === true ? 'Y' : deceasedBoolean === false ? 'N' : undefined,
  );
  return fields;
}

/** The NHS number first; a system of a sender's own by its last part. */
function identifiers(patient: Resource): readonly ComponentInput[][] {
  const known = list(patient['identifier']).filter(({ value }) => text(value) !== undefined);
  return known
    .toSorted((a, b) => Number(b['system'] === NHS_NUMBER) - Number(a['system'] === NHS_NUMBER))
    .map(({ system, value }) => {
      const isNhs = system === NHS_NUMBER;
      const name = text(system) ?? '';
      const local = name.startsWith('urn:v2:') ? name.split(':').slice(3).join(':') : undefined;
      const authority: ComponentInput = isNhs ? 'NHS' : (local ?? [undefined, name, name === '' ? undefined : 'URI']);
      return [text(value), undefined, undefined, authority, isNhs ? 'NH' : 'MR'];
    });
}

function names(patient: Resource): readonly ComponentInput[][] {
  return list(patient['name'])
    .filter(({ use }) => use !== 'old')
    .toSorted((a, b) => Number(b['use'] === 'official') - Number(a['use'] === 'official'))
    .map(({ family, given, prefix, suffix, use }) => {
      const [first, ...others] = (Array.isArray(given) ? given : []) as string[];
      const joined = (value: unknown): string | undefined => (Array.isArray(value) ? value.join(' ') : undefined);
      const middle = others.length > 0 ? others.join(' ') : undefined;
      return [
        text(family),
        first,
        middle,
        joined(suffix),
        joined(prefix),
        undefined,
        NAME_USES.get(String(use)) ?? 'L',
      ];
    });
}

function address({ line, city, district, postalCode, country, use }: Json): ComponentInput[] {
  const [first, ...others] = (Array.isArray(line) ? line : []) as string[];
  const second = others.length > 0 ? others.join(', ') : undefined;
  return [first, second, text(city), text(district), text(postalCode), text(country), ADDRESS_USES.get(String(use))];
}

function telecom({ system, value, use }: Json): ComponentInput[][] {
  const number = text(value);
  if (number === undefined) return [];
  if (system === 'email') return [[undefined, 'NET', 'Internet', number]];
  if (system !== 'phone') return [];
  return [[number, use === 'work' ? 'WPN' : 'PRN', use === 'mobile' ? 'CP' : 'PH']];
}
