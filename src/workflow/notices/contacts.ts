/** Where a person or an organization can be reached, by what their resource says. https://hl7.org/fhir/R4/datatypes.html#ContactPoint */

type Node = Readonly<Record<string, unknown>>;

/** Countries' own spelling of a mobile number, and what it is internationally: the United Kingdom's. */
const NATIONAL = /^07\d{9}$/;
const E164 = /^\+[1-9]\d{6,14}$/;
const EMAIL = /^[^\s@<>"(),:;\\[\]\p{Cc}]{1,64}@[\p{L}\p{N}.-]{1,253}$/u;
const RANK_LAST = 1000;

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // stored: it is valid

/** The first by rank that holds now and is not an old one. */
function pointOf(resource: Node, at: number, fits: (point: Node) => string | undefined): string | undefined {
  const rankOf = ({ rank }: Node): number => (rank === undefined ? RANK_LAST : Number(rank));
  return listOf(resource['telecom'])
    .filter((point) => point['use'] !== 'old' && holdsAt(point['period'] as Node | undefined, at))
    .toSorted((a, b) => rankOf(a) - rankOf(b))
    .map(fits)
    .find((value) => value !== undefined);
}

function holdsAt(period: Node | undefined, at: number): boolean {
  const [start, end] = [String(period?.['start'] ?? ''), String(period?.['end'] ?? '')];
  const today = new Date(at).toISOString();
  // A date that is not given in full holds for all of what it names.
  return (start === '' || start <= today) && (end === '' || end >= today.slice(0, end.length));
}

export const emailOf = (resource: Node, at: number): string | undefined =>
  pointOf(resource, at, ({ system, value }) =>
    system === 'email' && typeof value === 'string' && EMAIL.test(value.trim()) ? value.trim() : undefined,
  );

/** In E.164. A telephone at home or at work gets no text messages. */
export const mobileOf = (resource: Node, at: number): string | undefined =>
  pointOf(resource, at, ({ system, use, value }) => {
    if ((system !== 'phone' && system !== 'sms') || typeof value !== 'string') return undefined;
    const number = value.replace(/^00/, '+').replaceAll(/[\s().-]/g, '');
    const isMobile = system === 'sms' || use === 'mobile' || NATIONAL.test(number) || /^\+447/.test(number);
    const full = NATIONAL.test(number) ? `+44${number.slice(1)}` : number;
    return isMobile && E164.test(full) ? full : undefined;
  });

/** That somebody has died is no time for messages to them. */
export const isDeceased = (patient: Node): boolean =>
  patient['deceasedBoolean'] === true || patient['deceasedDateTime'] !== undefined;

/** The language in which they want to be spoken to, BCP 47. */
export function languageOfPatient(patient: Node): string | undefined {
  const spoken = listOf(patient['communication']);
  const [first] = [...spoken.filter(({ preferred }) => preferred === true), ...spoken];
  const [coding] = listOf((first?.['language'] as Node | undefined)?.['coding']);
  return typeof coding?.['code'] === 'string' ? coding['code'] : undefined;
}
