/**
 * People who act for a patient: as a RelatedPerson, for its period, and with a Consent of the patient that names them.
 * What parents see of a child ends on a birthday, unless the young person has said otherwise. SECURITY FA-09
 */
import type { CallerUser, ProxyRight } from '../ports/caller.ts';
import type { Filter } from '../ports/policy.ts';
import { parseDate } from '../standards/fhir/search/date.ts';
import type { Letter } from '../standards/smart/scope.ts';
import { type Asker, forEach, undenied } from './asker.ts';
import { all, any, compartment } from './filters.ts';

/** What a proxy asks for a patient, in words of v3-PurposeOfUse. */
const PURPOSES = ['PATRQT', 'FAMRQT', 'PWATRNY', 'SUPNWK'];

/**
 * Codes of v3-RoleCode of those who are no parents to the patient: partners, children, brothers and sisters, friends, and
 * whoever holds a power of attorney. All others may be: a child's next of kin is mostly one.
 */
const NO_PARENTS: ReadonlySet<string> = new Set(
  (
    'SPS HUSB WIFE DOMPART FMRSPS SIGOTHR CHILD CHLDADOPT DAUADOPT SONADOPT CHLDFOST DAUFOST SONFOST DAUC DAU STPDAU ' +
    'NCHILD SON SONC STPSON STPCHLD CHLDINLAW DAUINLAW SONINLAW SIB BRO SIS NSIB NBRO NSIS HSIB HBRO HSIS STPSIB STPBRO ' +
    'STPSIS SIBINLAW BROINLAW SISINLAW NEPHEW NIECE NIENEPH COUSN GRNDCHILD GRNDDAU GRNDSON FRND NBOR ROOM POWATT DPOWATT HPOWATT SPOWATT'
  ).split(' '),
);

/** What is looked at of a RelatedPerson. */
export interface RelatedShape {
  readonly active?: boolean;
  readonly patient?: { readonly reference?: string };
  readonly relationship?: readonly { readonly coding?: readonly { readonly code?: string }[] }[];
  readonly period?: { readonly start?: string; readonly end?: string };
}

/** What a RelatedPerson makes of somebody; undefined when nothing. */
export async function proxyOf(
  id: string,
  related: RelatedShape,
  readPatient: (id: string) => Promise<{ readonly birthDate?: unknown } | undefined>,
  ageMax: number,
): Promise<ProxyRight | undefined> {
  const patientId = /(?:^|\/)Patient\/([^/]+)/.exec(related.patient?.reference ?? '')?.[1];
  const patient = patientId === undefined || related.active === false ? undefined : await readPatient(patientId);
  if (!patient || patientId === undefined) return undefined;
  const { start, end } = related.period ?? {};
  const [from, until] = [start, end].map((text) => (text === undefined ? undefined : parseDate(text)));
  // A time that cannot be read is none in which somebody may act.
  if ((start !== undefined && !from) || (end !== undefined && !until)) return undefined;
  const codes = (related.relationship ?? []).flatMap(({ coding = [] }) => coding.map(({ code }) => code ?? ''));
  const mayBeParent = codes.length === 0 || !codes.every((code) => NO_PARENTS.has(code));
  return {
    relatedPersonId: id,
    patientId,
    from: from?.low ?? Number.NEGATIVE_INFINITY,
    until: until ? until.high + 1 : Number.POSITIVE_INFINITY,
    ...(mayBeParent && { adultAt: birthday(patient.birthDate, ageMax) }),
  };
}

/** The first moment of a birthday, UTC; long ago where it is not known, and the earliest it may be where it is in part. */
function birthday(birthDate: unknown, age: number): number {
  const born = typeof birthDate === 'string' ? parseDate(birthDate) : undefined;
  if (!born) return Number.NEGATIVE_INFINITY;
  const day = new Date(born.low);
  return Date.UTC(day.getUTCFullYear() + age, day.getUTCMonth(), day.getUTCDate());
}

/** Those for whom the person acts at this moment. */
const inForce = ({ proxies = [] }: CallerUser, now: number): readonly ProxyRight[] =>
  proxies.filter(({ from, until }) => from <= now && now < until);

/** What the person reaches for others of what `patientFilter` says is a patient's own. */
export function ofProxies(
  user: CallerUser,
  now: number,
  letter: Letter,
  labels: readonly string[],
  own: (patientIds: readonly string[]) => Filter = compartment,
): Filter {
  return any(
    ...inForce(user, now).map(({ relatedPersonId, patientId, adultAt }) => {
      const asker: Asker = { actors: [`RelatedPerson/${relatedPersonId}`], purposes: PURPOSES };
      const others = user.patientIds.map((id) => `Patient/${id}`);
      const isByPatient = adultAt !== undefined && now >= adultAt;
      return all(
        own([patientId]),
        forEach(letter, asker, (one) => ({ kind: 'permitted', asker: one, labels, isByPatient })),
        undenied({ ...asker, actors: [...asker.actors, ...others] }, letter),
      );
    }),
  );
}
