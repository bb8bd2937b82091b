/**
 * The pharmacy that a patient has nominated: the UK Core extension on Patient for the current one, and one of ours for
 * those before it, each with its time. https://simplifier.net/guide/ukcoreimplementationguide NominatedPharmacy; MISSION M9
 */
import type { Resource } from '../../ports/resource-store.ts';
import { extensionUrl } from '../../standards/fhir/canonical.ts';

export const NOMINATED_PHARMACY = 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy';
const NOMINATED_AT = extensionUrl('nominated-at');
const EARLIER_NOMINATION = extensionUrl('earlier-nomination');
/** Of the nominations before; versions of the Patient hold them all. */
const EARLIER_MAX = 20;

export interface Nomination {
  /** Of the Organization. */
  readonly pharmacyId: string;
  /** ms UTC; absent where the record came with a nomination that says no time. */
  readonly since?: number;
  /** ms UTC; absent while it is current. */
  readonly until?: number;
}

type Node = Readonly<Record<string, unknown>>;

/** The current nomination; undefined where there is none. */
export function nominatedPharmacyOf(patient: Node): Nomination | undefined {
  const value = current(patient)?.['valueReference'] as Node | undefined;
  const pharmacyId = organizationIn(value);
  if (pharmacyId === undefined) return undefined;
  const since = timeOf(extensionsOf(value).find(({ url }) => url === NOMINATED_AT)?.['valueDateTime']);
  return { pharmacyId, ...(since !== undefined && { since }) };
}

/** Nominations that have ended, newest first. */
export function earlierNominations(patient: Node): readonly Nomination[] {
  return extensionsOf(patient)
    .filter(({ url }) => url === EARLIER_NOMINATION)
    .flatMap((extension) => {
      const part = (name: string): Node | undefined => extensionsOf(extension).find(({ url }) => url === name);
      const pharmacyId = organizationIn(part('pharmacy')?.['valueReference'] as Node | undefined);
      const period = part('period')?.['valuePeriod'] as Node | undefined;
      const [since, until] = [timeOf(period?.['start']), timeOf(period?.['end'])];
      if (pharmacyId === undefined) return [];
      return [{ pharmacyId, ...(since !== undefined && { since }), ...(until !== undefined && { until }) }];
    });
}

/** The Patient with this pharmacy nominated, or none; the very same object where that is so already. */
export function withNomination(patient: Resource, pharmacyId: string | undefined, at: number): Resource {
  const before = nominatedPharmacyOf(patient);
  if (before?.pharmacyId === pharmacyId) return patient;
  const others = extensionsOf(patient).filter(({ url }) => url !== NOMINATED_PHARMACY && url !== EARLIER_NOMINATION);
  const earlier = extensionsOf(patient).filter(({ url }) => url === EARLIER_NOMINATION);
  const ended = before ? [earlierNomination(before, at), ...earlier] : earlier;
  const extension = [
    ...others,
    ...(pharmacyId === undefined ? [] : [nomination(pharmacyId, at)]),
    ...ended.slice(0, EARLIER_MAX),
  ];
  const { extension: _before, ...rest } = patient;
  return { ...rest, resourceType: patient.resourceType, ...(extension.length > 0 && { extension }) };
}

const nomination = (pharmacyId: string, at: number): Node => ({
  url: NOMINATED_PHARMACY,
  valueReference: {
    extension: [{ url: NOMINATED_AT, valueDateTime: new Date(at).toISOString() }],
    reference: `Organization/${pharmacyId}`,
  },
});

const earlierNomination = ({ pharmacyId, since }: Nomination, at: number): Node => ({
  url: EARLIER_NOMINATION,
  extension: [
    { url: 'pharmacy', valueReference: { reference: `Organization/${pharmacyId}` } },
    {
      url: 'period',
      valuePeriod: {
        ...(since !== undefined && { start: new Date(since).toISOString() }),
        end: new Date(at).toISOString(),
      },
    },
  ],
});

const current = (patient: Node): Node | undefined =>
  extensionsOf(patient).find(({ url }) => url === NOMINATED_PHARMACY);

const extensionsOf = (node: Node | undefined): readonly Node[] =>
  Array.isArray(node?.['extension']) ? (node['extension'] as Node[]) : []; // validated where it was stored

const organizationIn = (reference: Node | undefined): string | undefined =>
  /^Organization\/([A-Za-z0-9.-]{1,64})$/.exec(String(reference?.['reference'] ?? ''))?.[1];

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
