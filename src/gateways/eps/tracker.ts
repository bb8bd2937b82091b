/** The tracker's answers as data. eps/REFERENCE section 12.6. */

export interface TrackedItem {
  readonly description: string;
  /** In words: `With Dispenser`. Absent in a summary. */
  readonly itemStatus?: string;
  readonly code?: string;
  readonly quantity?: string;
  readonly uom?: string;
  readonly dosage?: string;
}

export interface TrackedPlace {
  readonly name: string;
  readonly address: string;
  readonly phone: string;
  readonly ods: string;
}

export interface TrackedPrescription {
  readonly prescriptionId: string;
  /** In words: `To Be Dispensed`. */
  readonly status: string;
  readonly treatmentType: string;
  readonly nhsNumber: string;
  /** `YYYYMMDDHHmmss` */
  readonly issueDate: string;
  readonly lastEventDate: string;
  readonly hasPendingCancellations: boolean;
  readonly currentIssue: string;
  readonly totalAuthorised: string;
  readonly dates: {
    readonly downloaded?: string;
    readonly dispensed?: string;
    readonly claimed?: string;
    readonly lastIssueDispensed?: string;
  };
  readonly prescriber?: TrackedPlace;
  readonly nominatedPharmacy?: TrackedPlace;
  readonly dispensingPharmacy?: TrackedPlace;
  /** By the id of the line item, upper case. */
  readonly items: ReadonlyMap<string, TrackedItem>;
}

export type TrackerAnswer =
  | { readonly kind: 'found'; readonly prescriptions: readonly TrackedPrescription[] }
  /** The tracker says no, with its reason. */
  | { readonly kind: 'refused'; readonly statusCode: string; readonly reason: string };

const NOT_PRESCRIPTIONS: readonly string[] = ['version', 'reason', 'statusCode', 'prescriptions'];

/** Undefined when it is no answer of the tracker's. Summaries hold prescriptions in a member, details at the root. */
export function readTrackerAnswer(text: string): TrackerAnswer | undefined {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(root)) return undefined;
  const body = isObject(root['spineResponse']) ? root['spineResponse'] : root;
  const statusCode = body['statusCode'];
  if (typeof statusCode !== 'string') return undefined;
  if (statusCode !== '0') return { kind: 'refused', statusCode, reason: textAt(body, 'reason') };
  const summary = isObject(body['prescriptions']) ? Object.entries(body['prescriptions']) : [];
  const details = Object.entries(body).filter(([name]) => !NOT_PRESCRIPTIONS.includes(name));
  const prescriptions = [...summary, ...details].flatMap(([id, value]) => (isObject(value) ? [read(id, value)] : []));
  return { kind: 'found', prescriptions };
}

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textAt = (value: Json, name: string): string => (typeof value[name] === 'string' ? value[name] : '');

function read(prescriptionId: string, value: Json): TrackedPrescription {
  const repeat = isObject(value['repeatInstance']) ? value['repeatInstance'] : {};
  const dates = [
    ['downloaded', 'prescriptionDownloadDate'],
    ['dispensed', 'prescriptionDispensedDate'],
    ['claimed', 'prescriptionClaimedDate'],
    ['lastIssueDispensed', 'prescriptionLastIssueDispensedDate'],
  ].flatMap(([name = '', member = '']) => (textAt(value, member) === '' ? [] : [[name, textAt(value, member)]]));
  const places = ['prescriber', 'nominatedPharmacy', 'dispensingPharmacy'].flatMap((name) => {
    const place = value[name];
    return isObject(place) && textAt(place, 'ods') !== '' ? [[name, readPlace(place)]] : [];
  });
  return {
    prescriptionId,
    status: textAt(value, 'prescriptionStatus'),
    treatmentType: textAt(value, 'prescriptionTreatmentType'),
    nhsNumber: textAt(value, 'patientNhsNumber'),
    issueDate: textAt(value, 'prescriptionIssueDate'),
    lastEventDate: textAt(value, 'lastEventDate'),
    hasPendingCancellations: textAt(value, 'pendingCancellations') === 'True',
    currentIssue: textAt(repeat, 'currentIssue'),
    totalAuthorised: textAt(repeat, 'totalAuthorised'),
    dates: Object.fromEntries(dates),
    ...Object.fromEntries(places),
    items: new Map(itemsOf(value['lineItems'])),
  };
}

const readPlace = (place: Json): TrackedPlace => ({
  name: textAt(place, 'name'),
  address: textAt(place, 'address'),
  phone: textAt(place, 'phone'),
  ods: textAt(place, 'ods'),
});

/** A summary tells the name of each alone. */
function itemsOf(value: unknown): readonly (readonly [string, TrackedItem])[] {
  if (!isObject(value)) return [];
  return Object.entries(value).map(([id, item]) => {
    if (!isObject(item)) return [id.toUpperCase(), { description: String(item) }] as const;
    const { description } = { description: textAt(item, 'description') };
    const rest = ['itemStatus', 'code', 'quantity', 'uom', 'dosage'].map((name) => [name, textAt(item, name)] as const);
    return [id.toUpperCase(), { description, ...Object.fromEntries(rest) }] as const;
  });
}
