/** EPS messages for journeys: made from our own FHIR fixtures, each with ids of its own, signed, and translated to V3. */
import {
  createHash,
  createPrivateKey,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
  X509Certificate,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EpsContext, epsContext } from '../../src/mapping/eps/context.ts';
import { convertToV3 } from '../../src/mapping/eps/convert.ts';
import { prepare } from '../../src/mapping/eps/prepare.ts';
import { parseJson } from '../../src/standards/fhir/json.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Resource = { [name: string]: Json };

const FOLDER = join(import.meta.dirname, '../../fixtures/eps');
const FIXTURE = {
  message: '14bcb614-1cd2-50b9-a403-5a497537a049',
  uuid: '7c051831-2824-5b65-a2e3-e371945b6b15',
  id: '5B7E20-Z99911-8C41D9',
  items: ['94e5fee5-47a0-59da-a009-fda55b98eaca', '526f662e-8fc0-5d93-806c-e165cd3b2d95'],
  pharmacy: 'Z9991P',
  release: '55c1c60f-df11-539c-985e-a073825c5b99',
} as const;
export const PHARMACY = FIXTURE.pharmacy;
export const OTHER_PHARMACY = 'Z9992P';
export const NHS_NUMBER = '9990000034';
const REPEATS = 5;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';

export interface Signer {
  readonly key: KeyObject;
  /** PEM */
  readonly certificate: string;
}

export const readSigner = (files: { readonly certFile: string; readonly keyFile: string }): Signer => ({
  key: createPrivateKey(readFileSync(files.keyFile)),
  certificate: readFileSync(files.certFile, 'utf8'),
});

/** The ids of one prescription, which all messages about it name. */
export interface Prescribed {
  readonly kind: 'acute' | 'repeat' | 'erd';
  readonly id: string;
  readonly uuid: string;
  readonly items: readonly string[];
}

export interface V3Document {
  /** Of the wrapper. */
  readonly id: string;
  readonly v3: string;
  /** The FHIR message it was made of. */
  readonly payload: unknown;
}

const ORDERS = {
  acute: 'prescription-order-acute.json',
  repeat: 'prescription-order-repeat-prescribing.json',
  erd: 'prescription-order-repeat-dispensing-signed.json',
} as const;

export function newPrescription(kind: Prescribed['kind'] = 'acute'): Prescribed {
  const body = `${randomBytes(3).toString('hex')}Z99911${randomBytes(3).toString('hex').slice(0, 5)}`.toUpperCase();
  let rest = 0;
  for (const character of body) rest = ((rest + ALPHABET.indexOf(character)) * 2) % 37;
  const whole = `${body}${ALPHABET[(38 - rest) % 37]}`;
  return {
    kind,
    id: `${whole.slice(0, 6)}-${whole.slice(6, 12)}-${whole.slice(12)}`,
    uuid: randomUUID(),
    items: Array.from({ length: kind === 'erd' ? 1 : 2 }, () => randomUUID()),
  };
}

function read(name: string, { id, uuid, items }: Prescribed, pharmacy: string): Resource {
  let text = readFileSync(join(FOLDER, name), 'utf8')
    .replaceAll(FIXTURE.uuid, uuid)
    .replaceAll(FIXTURE.id, id)
    .replaceAll(`"${FIXTURE.pharmacy}"`, `"${pharmacy}"`);
  for (const [index, item] of FIXTURE.items.entries())
    text = text.replaceAll(item, items[index] ?? '00000000-0000-4000-8000-000000000000');
  return JSON.parse(text) as Resource;
}

const list = (value: Json | undefined): Resource[] => (value ?? []) as Resource[];
const resources = (bundle: Resource, type: string): Resource[] =>
  list(bundle['entry'])
    .map((entry) => entry['resource'] as Resource)
    .filter((resource) => resource['resourceType'] === type);
const iso = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}+00:00`;
const contextAt = (at: number, changes: Partial<EpsContext> = {}): EpsContext =>
  epsContext({}, { now: at, newId: randomUUID, ...changes });

function translate(payload: Resource, at: number, changes?: Partial<EpsContext>): V3Document {
  const parsed = parseJson(JSON.stringify(payload));
  const { value, issues } = convertToV3(parsed, contextAt(at, changes));
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return { id: /<id root="([^"]+)"/.exec(value)?.[1] ?? '', v3: value, payload: parsed };
}

/** SHA-256 of the FHIR message. */
export const hashOf = ({ payload }: V3Document): Buffer =>
  createHash('sha256').update(JSON.stringify(payload)).digest();

export interface OrderOptions {
  readonly at: number;
  /** Absent: not signed. */
  readonly signer?: Signer | undefined;
  /** Nobody: not nominated. */
  readonly pharmacy?: string | null;
  /** From when it counts; `at` unless given. */
  readonly from?: number;
}

/** A signed prescription order. */
export function order(
  prescribed: Prescribed,
  { at, signer, pharmacy = PHARMACY, from = at }: OrderOptions,
): V3Document {
  const bundle = read(ORDERS[prescribed.kind], prescribed, pharmacy ?? PHARMACY);
  bundle['identifier'] = { system: 'https://tools.ietf.org/html/rfc4122', value: randomUUID() };
  bundle['entry'] = list(bundle['entry']).filter(
    (entry) => (entry['resource'] as Resource)['resourceType'] !== 'Provenance',
  );
  const requests = resources(bundle, 'MedicationRequest');
  for (const request of requests) {
    const dispense = request['dispenseRequest'] as Resource;
    // eRD: the supply's dates are days; the first is the prescription's own.
    dispense['validityPeriod'] = { start: iso(from), end: iso(from + 365 * 86_400_000) };
    if (pharmacy === null) delete dispense['performer'];
    else
      dispense['performer'] = {
        identifier: { system: 'https://fhir.nhs.uk/Id/ods-organization-code', value: pharmacy },
      };
  }
  if (signer) {
    const prepared = prepare(parseJson(JSON.stringify(bundle)), contextAt(at));
    const parameters = list((prepared.value as unknown as Resource)?.['parameter']);
    const value = (name: string): string =>
      String(parameters.find((parameter) => parameter['name'] === name)?.['valueString']);
    const signedInfo = Buffer.from(value('digest'), 'base64');
    const certificate = new X509Certificate(signer.certificate).raw.toString('base64');
    const signature = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">${signedInfo
      .toString()
      .replace(
        ' xmlns="http://www.w3.org/2000/09/xmldsig#"',
        '',
      )}<SignatureValue>${sign('sha256', signedInfo, signer.key).toString('base64')}</SignatureValue><KeyInfo><X509Data><X509Certificate>${certificate}</X509Certificate></X509Data></KeyInfo></Signature>`;
    const who = (requests[0] as Resource)['requester'] as Resource;
    list(bundle['entry']).push({
      fullUrl: `urn:uuid:${randomUUID()}`,
      resource: {
        resourceType: 'Provenance',
        target: [{ reference: `urn:uuid:${prescribed.items[0]}` }],
        recorded: value('timestamp'),
        agent: [{ who }],
        signature: [
          {
            type: [{ system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' }],
            when: value('timestamp'),
            who,
            data: Buffer.from(signature).toString('base64'),
          },
        ],
      },
    });
  }
  return translate(bundle, at);
}

const NOBODY: Prescribed = { kind: 'acute', id: FIXTURE.id, uuid: FIXTURE.uuid, items: FIXTURE.items };

export const nominatedRelease = (at: number, pharmacy: string = PHARMACY): V3Document =>
  translate(read('release-nominated.json', NOBODY, pharmacy), at);
export const patientRelease = (prescribed: Prescribed, at: number, pharmacy: string = PHARMACY): V3Document =>
  translate(read('release-patient.json', prescribed, pharmacy), at);

export interface Supply {
  readonly at: number;
  /** The prescription's state that it tells. */
  readonly status: string;
  /** Item states, in the order of the items; null where an item is not told of. */
  readonly items: readonly (string | null)[];
  /** Of an eRD prescription. */
  readonly issue?: number;
  /** The message it stands for. */
  readonly replaces?: string;
  readonly pharmacy?: string;
}

const repeatInformation = (issue: number): Json => ({
  url: 'https://fhir.nhs.uk/StructureDefinition/Extension-EPS-RepeatInformation',
  extension: [
    { url: 'numberOfRepeatsAllowed', valueInteger: REPEATS },
    { url: 'numberOfRepeatsIssued', valueInteger: issue - 1 },
  ],
});
const isRepeat = (extension: Resource): boolean => String(extension['url']).endsWith('RepeatInformation');
const replacement = (value: string): Json => ({
  url: 'https://fhir.nhs.uk/StructureDefinition/Extension-replacementOf',
  valueIdentifier: { system: 'https://tools.ietf.org/html/rfc4122', value: value.toLowerCase() },
});

/** `releaseId`: of the release request. */
export function notification(prescribed: Prescribed, releaseId: string, supply: Supply): V3Document {
  const { at, status, items, issue, replaces, pharmacy = PHARMACY } = supply;
  const bundle = read('dispense-notification-amend.json', prescribed, pharmacy);
  bundle['identifier'] = { system: 'https://tools.ietf.org/html/rfc4122', value: randomUUID() };
  const [header] = resources(bundle, 'MessageHeader') as [Resource];
  header['response'] = { identifier: releaseId.toLowerCase(), code: 'ok' };
  header['extension'] = replaces === undefined ? [] : [replacement(replaces)];
  const told = items.flatMap((state, index) => (state === null ? [] : [{ state, index }]));
  const dispenses = list(bundle['entry']).filter(
    (entry) => (entry['resource'] as Resource)['resourceType'] === 'MedicationDispense',
  );
  const chosen = told.map(({ state, index }) => {
    const entry = structuredClone(dispenses[index]) as Resource;
    const resource = entry['resource'] as Resource;
    const itemNumber = randomUUID();
    resource['id'] = itemNumber;
    entry['fullUrl'] = `urn:uuid:${itemNumber}`;
    resource['identifier'] = [
      { system: 'https://fhir.nhs.uk/Id/prescription-dispense-item-number', value: itemNumber },
    ];
    resource['whenHandedOver'] = iso(at);
    const kind = { system: 'https://fhir.nhs.uk/CodeSystem/medicationdispense-type', code: state, display: state };
    resource['type'] = { coding: [kind] };
    if (state !== '0002') delete resource['statusReasonCodeableConcept'];
    const [business] = list(resource['extension']) as [Resource];
    business['valueCoding'] = { ...(business['valueCoding'] as Resource), code: status, display: status };
    const request = list(resource['contained']).find((one) => one['resourceType'] === 'MedicationRequest') as Resource;
    if (issue === undefined) {
      delete request['basedOn'];
      request['extension'] = list(request['extension']).filter((extension) => !isRepeat(extension));
    } else {
      const [basis] = list(request['basedOn']) as [Resource];
      basis['extension'] = [repeatInformation(issue)];
      const [repeat] = list(request['extension']).filter(isRepeat);
      if (repeat) repeat['extension'] = [{ url: 'numberOfPrescriptionsIssued', valueUnsignedInt: issue }];
    }
    return entry;
  });
  bundle['entry'] = [...list(bundle['entry']).filter((entry) => !dispenses.includes(entry)), ...chosen];
  return translate(bundle, at);
}

export function claim(prescribed: Prescribed, supply: Supply): V3Document {
  const { at, status, items, issue, replaces, pharmacy = PHARMACY } = supply;
  const resource = read('claim-amend.json', prescribed, pharmacy);
  resource['identifier'] = [{ system: 'https://tools.ietf.org/html/rfc4122', value: randomUUID() }];
  resource['created'] = iso(at);
  resource['extension'] = replaces === undefined ? [] : [replacement(replaces)];
  const [item] = list(resource['item']) as [Resource];
  const numbered = (extensions: Resource[]): Resource[] => [
    ...extensions.filter((extension) => !isRepeat(extension)),
    ...(issue === undefined ? [] : [repeatInformation(issue) as Resource]),
  ];
  item['extension'] = numbered(list(item['extension']));
  for (const extension of list(item['extension']))
    if (String(extension['url']).endsWith('TaskBusinessStatus'))
      extension['valueCoding'] = { ...(extension['valueCoding'] as Resource), code: status };
  const details = list(item['detail']);
  item['detail'] = items.flatMap((state, index) => {
    const detail = details[index] as Resource;
    if (state === null) return [];
    detail['extension'] = numbered(list(detail['extension']));
    const kind = { system: 'https://fhir.nhs.uk/CodeSystem/medicationdispense-type', code: state, display: state };
    detail['modifier'] = [{ coding: [kind] }];
    return [detail];
  });
  return translate(resource, at);
}

interface TaskOptions {
  readonly at: number;
  readonly issue?: number;
  readonly pharmacy?: string;
  readonly nhsNumber?: string;
  readonly reason?: string;
}

function task(file: string, prescribed: Prescribed, focus: string, options: TaskOptions): V3Document {
  const { at, issue, pharmacy = PHARMACY, nhsNumber = NHS_NUMBER, reason } = options;
  const resource = read(file, prescribed, pharmacy);
  resource['identifier'] = [{ system: 'https://tools.ietf.org/html/rfc4122', value: randomUUID() }];
  resource['focus'] = {
    type: 'Bundle',
    identifier: { system: 'https://tools.ietf.org/html/rfc4122', value: focus.toLowerCase() },
  };
  resource['for'] = { identifier: { system: 'https://fhir.nhs.uk/Id/nhs-number', value: nhsNumber } };
  resource['authoredOn'] = iso(at);
  resource['extension'] = issue === undefined ? [] : [repeatInformation(issue)];
  if (reason !== undefined) {
    const [coding] = list((resource['statusReason'] as Resource)['coding']) as [Resource];
    coding['code'] = reason;
  }
  return translate(resource, at);
}

/** `releaseResponseId`: of the answer that brought the prescription. */
export const returnTask = (prescribed: Prescribed, releaseResponseId: string, options: TaskOptions): V3Document =>
  task('task-return.json', prescribed, releaseResponseId, options);
/** `notificationId`: of the notification that is taken back. */
export const withdrawTask = (prescribed: Prescribed, notificationId: string, options: TaskOptions): V3Document =>
  task('task-withdraw.json', prescribed, notificationId, options);

export interface CancelOptions {
  readonly at: number;
  readonly item?: number;
  /** SDS user id of who cancels, instead of the prescriber. */
  readonly by?: string;
  readonly reason?: string;
  readonly nhsNumber?: string;
}

export function cancellation(prescribed: Prescribed, options: CancelOptions): V3Document {
  const { at, item = 0, by, reason, nhsNumber } = options;
  const chosen = { ...prescribed, items: [prescribed.items[item] ?? randomUUID()] };
  let text = JSON.stringify(read('prescription-order-update.json', chosen, PHARMACY));
  if (by !== undefined) text = text.replaceAll('"999000000111"', `"${by}"`).replaceAll('"999000000112"', `"${by}"`);
  if (nhsNumber !== undefined) text = text.replaceAll(`"${NHS_NUMBER}"`, `"${nhsNumber}"`);
  const bundle = JSON.parse(text) as Resource;
  bundle['identifier'] = { system: 'https://tools.ietf.org/html/rfc4122', value: randomUUID() };
  if (reason !== undefined)
    for (const request of resources(bundle, 'MedicationRequest')) {
      const [coding] = list((request['statusReason'] as Resource)['coding']) as [Resource];
      coding['code'] = reason;
    }
  return translate(bundle, at);
}
