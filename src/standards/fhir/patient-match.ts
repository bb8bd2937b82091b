/**
 * How likely it is that two Patients are the same person: the weights of Fellegi and Sunter, one a field, added up.
 * A weight is log2 of how much oftener the fields agree (or differ) in two records of one person than of two.
 * https://hl7.org/fhir/R4/patient-operation-match.html
 */

export type MatchGrade = 'certain' | 'probable' | 'possible' | 'certainly-not';

export interface MatchScore {
  /** 0 to 1 */
  readonly score: number;
  readonly grade: MatchGrade;
}

interface Field {
  /** Undefined where either says nothing. */
  readonly compare: (asked: Person, stored: Person) => 'same' | 'close' | 'other' | undefined;
  readonly same: number;
  readonly close: number;
  readonly other: number;
}

/** What is compared, in one spelling. */
interface Person {
  readonly identifiers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly families: readonly string[];
  readonly givens: readonly string[];
  readonly birthDate: string | undefined;
  readonly gender: string | undefined;
  readonly postcodes: ReadonlySet<string>;
  readonly contacts: ReadonlySet<string>;
}

/** Before anything is compared: one of ten thousand is the one. */
const PRIOR = -13.3;
const CERTAIN = 0.995;
const PROBABLE = 0.8;
const POSSIBLE = 0.2;
const ALIKE = 0.88;

const FIELDS: readonly Field[] = [
  { compare: compareIdentifiers, same: 15, close: 0, other: -9 },
  { compare: (a, b) => compareNames(a.families, b.families), same: 7, close: 4, other: -4 },
  { compare: (a, b) => compareNames(a.givens, b.givens), same: 5, close: 2, other: -3 },
  { compare: compareBirthDates, same: 9, close: 3, other: -6 },
  {
    compare: (a, b) => (a.gender && b.gender ? (a.gender === b.gender ? 'same' : 'other') : undefined),
    same: 1,
    close: 0,
    other: -3,
  },
  { compare: (a, b) => compareSets(a.postcodes, b.postcodes), same: 6, close: 0, other: -1 },
  { compare: (a, b) => compareSets(a.contacts, b.contacts), same: 6, close: 0, other: 0 },
];

/** Scores a stored Patient against the one that is asked for. Both are valid. */
export function scoreMatch(asked: object, stored: object): MatchScore {
  const [a, b] = [personOf(asked), personOf(stored)];
  let weight = PRIOR;
  const results = FIELDS.map(({ compare, same, close, other }) => {
    const result = compare(a, b);
    if (result !== undefined) weight += { same, close, other }[result];
    return result;
  });
  const score = Math.round(1e4 / (1 + 2 ** -weight)) / 1e4;
  return { score, grade: gradeOf(score, results) };
}

/**
 * Certain takes more than a score: nothing that says who somebody is may differ (twins share the rest), and either an
 * identifier agrees with one thing more, as it may have been mistyped, or the whole name and the birth date do.
 */
function gradeOf(score: number, results: readonly ('same' | 'close' | 'other' | undefined)[]): MatchGrade {
  const [identifier, family, given, birthDate, gender] = results;
  const agreed = results.filter((one) => one === 'same').length;
  const isOther = [identifier, family, given, birthDate, gender].includes('other');
  const isNamed = family === 'same' && given === 'same' && birthDate === 'same';
  if (score >= CERTAIN && !isOther && ((identifier === 'same' && agreed >= 2) || (isNamed && agreed >= 4)))
    return 'certain';
  if (score >= PROBABLE) return 'probable';
  return score >= POSSIBLE ? 'possible' : 'certainly-not';
}

function compareIdentifiers(a: Person, b: Person): 'same' | 'other' | undefined {
  let found: 'other' | undefined;
  for (const [system, values] of a.identifiers) {
    const others = b.identifiers.get(system);
    if (!others) continue;
    if ([...values].some((value) => others.has(value))) return 'same';
    found = 'other';
  }
  return found;
}

function compareNames(a: readonly string[], b: readonly string[]): 'same' | 'close' | 'other' | undefined {
  if (a.length === 0 || b.length === 0) return undefined;
  if (a.some((one) => b.includes(one))) return 'same';
  return a.some((one) => b.some((other) => isClose(one, other))) ? 'close' : 'other';
}

const isClose = (a: string, b: string): boolean =>
  a.length === 1 || b.length === 1 ? a[0] === b[0] : a.startsWith(b) || b.startsWith(a) || similarity(a, b) >= ALIKE;

/** A year or a month alone agrees as far as it goes; day and month may have changed places, or one digit be wrong. */
function compareBirthDates({ birthDate: a }: Person, { birthDate: b }: Person): 'same' | 'close' | 'other' | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a === b) return 'same';
  const length = Math.min(a.length, b.length);
  if (length < 10) return a.slice(0, length) === b.slice(0, length) ? 'close' : 'other';
  const swapped = `${a.slice(0, 5)}${a.slice(8)}-${a.slice(5, 7)}`;
  const wrong = [...a].filter((digit, i) => digit !== b[i]).length;
  return swapped === b || wrong === 1 ? 'close' : 'other';
}

const compareSets = (a: ReadonlySet<string>, b: ReadonlySet<string>): 'same' | 'other' | undefined =>
  a.size === 0 || b.size === 0 ? undefined : [...a].some((one) => b.has(one)) ? 'same' : 'other';

/** Jaro and Winkler's measure, 0 to 1. */
export function similarity(a: string, b: string): number {
  if (a === b) return 1;
  const window = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1);
  const taken = new Array<boolean>(b.length).fill(false);
  const common: string[] = [];
  for (let i = 0; i < a.length; i += 1)
    for (let j = Math.max(0, i - window); j < Math.min(b.length, i + window + 1); j += 1)
      if (!taken[j] && a[i] === b[j]) {
        taken[j] = true;
        common.push(a[i] as string);
        break;
      }
  if (common.length === 0) return 0;
  const others = [...b].filter((_, j) => taken[j]);
  const transposed = common.filter((one, i) => one !== others[i]).length / 2;
  const m = common.length;
  const jaro = (m / a.length + m / b.length + (m - transposed) / m) / 3;
  let prefix = 0;
  while (prefix < 4 && prefix < a.length && a[prefix] === b[prefix]) prefix += 1;
  return jaro + prefix * 0.1 * (1 - jaro);
}

interface RawPatient {
  readonly identifier?: readonly { readonly system?: string; readonly value?: string }[];
  readonly name?: readonly { readonly family?: string; readonly given?: readonly (string | null)[] }[];
  readonly birthDate?: string;
  readonly gender?: string;
  readonly address?: readonly { readonly postalCode?: string }[];
  readonly telecom?: readonly { readonly system?: string; readonly value?: string }[];
}

function personOf(patient: object): Person {
  const { identifier = [], name = [], birthDate, gender, address = [], telecom = [] } = patient as RawPatient; // valid
  const identifiers = new Map<string, Set<string>>();
  for (const { system, value } of identifier) {
    if (system === undefined || value === undefined) continue;
    identifiers.set(system, (identifiers.get(system) ?? new Set()).add(plain(value)));
  }
  return {
    identifiers,
    families: name.flatMap(({ family }) => (family === undefined ? [] : [plain(family)])),
    givens: name.flatMap(({ given = [] }) => given.slice(0, 1).flatMap((one) => (one === null ? [] : [plain(one)]))),
    birthDate,
    gender: gender === 'unknown' ? undefined : gender,
    postcodes: new Set(address.flatMap(({ postalCode }) => (postalCode === undefined ? [] : [plain(postalCode)]))),
    contacts: new Set(
      telecom.flatMap(({ system, value }) =>
        value === undefined
          ? []
          : [system === 'email' ? value.trim().toLowerCase() : value.replace(/\D/g, '').slice(-10)],
      ),
    ),
  };
}

/** Without case, accents, spaces and punctuation. */
const plain = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/[\p{M}\s\p{P}]/gu, '')
    .toLowerCase();
