/**
 * MRG: records of one person become one (A18, A30, A34, A39, A40), are linked (A24), take a new number (A46, A47), or
 * give numbers (A43), a visit or an account to another (A35, A41, A44, A45). A29 takes a person out. docs/hl7v2.md "Merges"
 */
import { endsBeforeStart } from '../period-order.ts';
import {
  type FhirResource,
  type Identifier,
  MERGED_INTO,
  MOVES_PATIENT,
  NUMBERS_MOVE_TO,
  PARTED_FROM,
} from '../transaction-bundle.ts';
import { systemUrl } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, SegmentCursor } from './cursor.ts';
import { humanName } from './data-types.ts';
import { keysOf, urlOf } from './entries.ts';
import { cx } from './identifiers.ts';
import { NHS_NUMBER } from './nhs-number.ts';
import { type MappedPatient, mapPatient, readIdentifiers } from './patient.ts';
import { firstOf, sectionsFrom, tellAbout } from './sections.ts';
import type { Translation } from './translation.ts';

/** Each PID with its MRG: the survivor, and the record that gives way to it. */
export function mapMerges(to: Translation): void {
  for (const section of sectionsFrom(to, 'PID')) mapMerge(section);
}

function mapMerge(to: Translation): void {
  const [pid, mrg] = [firstOf(to, 'PID'), firstOf(to, 'MRG')];
  if (pid === undefined || mrg === undefined) {
    if (pid !== undefined) tellAbout(pid, to.reading, 'error', 'structure', 'No MRG follows the patient');
    return;
  }
  const retired = retiredIdentifiers(mrg, to);
  const [retiredKey] = retired.keys;
  if (retiredKey === undefined) {
    mrg.at(1).tell('error', 'required', 'The record to be merged has no number by which it may be found');
    return;
  }
  const survivorKeys = readIdentifiers([...pid.all(3), ...pid.all(2), ...pid.all(4)], to).keys;
  if (survivorKeys.some((key) => retired.keys.some((other) => isSame(key, other)))) {
    mrg.at(1).warn('business-rule', 'The two records have a number in common: they are one already');
    storePatient(pid, {}, to);
    return;
  }
  const other = { reference: urlOf('Patient', retiredKey) };
  const link = [{ other, type: 'replaces' }];
  const survivor = mapPatient(
    pid,
    [],
    to,
    { link },
    { identifiers: formerNumbers(retired.identifiers, pid, to), keys: [] },
  );
  if (survivor === undefined) return;
  const resource = compact({
    resourceType: 'Patient',
    identifier: retired.identifiers,
    active: false,
    name: present([mrg.at(7).isValued ? humanName(mrg.at(7)) : undefined]),
    link: [{ other: survivor.reference, type: 'replaced-by' }],
  }) as FhirResource; // it has its resourceType
  const mark = { url: MERGED_INTO, valueString: String(survivor.reference['reference']) };
  to.entries.store(resource, retired.keys, { defaults: ['name'], marks: [mark] });
}

/** The survivor has the numbers too, as former ones: later messages under them mean it. It has one NHS number. */
function formerNumbers(identifiers: readonly Json[], pid: SegmentCursor, to: Translation): readonly Json[] {
  const own = readIdentifiers(pid.all(3), to).identifiers;
  const hasNational = own.some(({ system }) => system === NHS_NUMBER);
  return identifiers
    .filter(({ system }) => system !== NHS_NUMBER || !hasNational)
    .map((identifier) => ({ use: 'old', ...identifier }));
}

const isSame = (a: Identifier, b: Identifier): boolean => a.system === b.system && a.value === b.value;

/** MRG-1, and MRG-4 of older versions. */
const retiredIdentifiers = (mrg: SegmentCursor, to: Translation): ReturnType<typeof readIdentifiers> =>
  readIdentifiers([...mrg.all(1), ...mrg.all(4)], to);

const storePatient = (pid: SegmentCursor, extra: Json, to: Translation): MappedPatient | undefined =>
  mapPatient(pid, [], to, extra);

interface Half {
  readonly section: Translation;
  readonly pid: SegmentCursor | undefined;
  readonly keys: readonly Identifier[];
  readonly url: string | undefined;
}

/** The two records of a message about two; undefined, with an error, when it is about more or fewer. */
function twoRecords(to: Translation): readonly [Half, Half] | undefined {
  const sections = sectionsFrom(to, 'PID');
  const [first, second] = sections.map((section): Half => {
    const pid = firstOf(section, 'PID');
    const keys = pid === undefined ? [] : readIdentifiers([...pid.all(3), ...pid.all(2), ...pid.all(4)], section).keys;
    return { section, pid, keys, url: keys[0] && urlOf('Patient', keys[0]) };
  });
  if (first !== undefined && second !== undefined && sections.length === 2) return [first, second];
  to.reading.issues.push({
    severity: 'error',
    code: 'structure',
    diagnostics: 'A link is of two patients',
    expression: ['PID[2]'],
  });
  return undefined;
}

/** A24: two records that may be of one person. */
export function mapLinks(to: Translation): void {
  const [first, second] = twoRecords(to) ?? [];
  if (first === undefined || second === undefined) return;
  for (const [one, other] of [
    [first, second],
    [second, first],
  ] as const)
    if (one.pid !== undefined)
      storePatient(
        one.pid,
        other.url === undefined ? {} : { link: [{ other: { reference: other.url }, type: 'seealso' }] },
        one.section,
      );
}

/** A37: two records that were linked, or merged, are of two people. It says who they are and nothing else of them. */
export function mapUnlinks(to: Translation): void {
  const [first, second] = twoRecords(to) ?? [];
  if (first === undefined || second === undefined) return;
  for (const [one, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const [key] = one.keys;
    if (key === undefined || other.url === undefined) {
      one.pid?.at(3).tell('error', 'required', 'The record has no number by which it may be found');
      continue;
    }
    one.pid?.ignore(...DEMOGRAPHICS);
    const resource = { resourceType: 'Patient', identifier: one.keys };
    to.entries.store(resource, one.keys, { marks: [{ url: PARTED_FROM, valueString: other.url }] });
  }
}

const DEMOGRAPHICS = Array.from({ length: 40 }, (_, index) => index + 1);

/** A29: the person is not to be used any more; nothing is deleted. */
export function mapDeletion(to: Translation): void {
  const pid = firstOf(to, 'PID');
  if (pid !== undefined) storePatient(pid, { active: false }, to);
}

/** A46 and A47: MRG-1 was the number of the patient who has PID-3 now. */
export function mapIdentifiers(to: Translation): void {
  for (const section of sectionsFrom(to, 'PID')) {
    const [pid, mrg] = [firstOf(section, 'PID'), firstOf(section, 'MRG')];
    if (pid === undefined || mrg === undefined) continue;
    const { identifiers, keys } = retiredIdentifiers(mrg, section);
    const old = identifiers.map((identifier) => ({ use: 'old', ...identifier, period: endOf(identifier, to) }));
    mapPatient(pid, [], section, {}, { identifiers: present(old.map(compact)), keys });
  }
}

function endOf(identifier: Json, { eventTime }: Translation): Json | undefined {
  const { start, end } = (identifier['period'] ?? {}) as { readonly start?: string; readonly end?: string };
  if (eventTime === undefined) return compact({ start, end });
  const isKept = start !== undefined && !endsBeforeStart(start, eventTime);
  return compact({ start: isKept ? start : undefined, end: eventTime });
}

/** A43: the numbers of MRG-1 were entered for another: from now on they are those of the patient of PID. */
export function mapMovedIdentifiers(to: Translation): void {
  for (const section of sectionsFrom(to, 'PID')) mapMovedIdentifier(section);
}

function mapMovedIdentifier(to: Translation): void {
  const [pid, mrg] = [firstOf(to, 'PID'), firstOf(to, 'MRG')];
  if (pid === undefined) return;
  if (mrg === undefined) {
    tellAbout(pid, to.reading, 'error', 'structure', 'No MRG follows the patient');
    return;
  }
  const moved = readIdentifiers(mrg.all(1), to);
  if (moved.keys.length === 0) {
    mrg.at(1).tell('error', 'required', 'No number is named that is to be moved');
    return;
  }
  const patient = mapPatient(pid, [], to, {}, { identifiers: moved.identifiers, keys: [], findAnother: moved.keys });
  if (patient === undefined) return;
  // Whose they were is known from the record itself.
  mrg.ignore(2, 3, 4, 5, 6, 7);
  mrg
    .at(1)
    .warn('business-rule', 'What is recorded stays where it is, unless the other record has no number left but these');
  const resource = { resourceType: 'Patient', identifier: moved.identifiers };
  const mark = { url: NUMBERS_MOVE_TO, valueString: String(patient.reference['reference']) };
  to.entries.store(resource, moved.keys, { marks: [mark] });
}

/** The visit (MRG-5) or the account (MRG-3) of another patient is that of PID from now on. */
export function mapMoves(to: Translation): void {
  for (const section of sectionsFrom(to, 'PID')) {
    const pid = firstOf(section, 'PID');
    const patient = pid && storePatient(pid, {}, section);
    if (patient === undefined) continue;
    for (const segment of section.message.all('MRG'))
      moveFrom(new SegmentCursor(segment, to.reading), patient, section);
  }
}

const MOVED = { url: MOVES_PATIENT, valueString: 'subject' };

function moveFrom(mrg: SegmentCursor, patient: MappedPatient, to: Translation): void {
  const isVisit = to.message.header.value(9, 2) === 'A45';
  const cursor: Cursor = mrg.at(isVisit ? 5 : 3);
  const number = cursor.isValued
    ? cx(cursor, { fallback: localSystem(to.reading, isVisit ? 'visit' : 'account') })
    : undefined;
  const keys = number === undefined ? [] : keysOf([number]);
  if (number === undefined || keys.length === 0) {
    cursor.tell('error', 'required', isVisit ? 'No visit is named' : 'No account is named');
    return;
  }
  // Whose it was is known from the record itself.
  mrg.ignore(1, 2, 4, 7);
  if (isVisit) {
    const none = { system: systemUrl('v3-NullFlavor'), code: 'UNK' };
    const visit = {
      resourceType: 'Encounter',
      identifier: [number],
      status: 'unknown',
      class: none,
      subject: patient.reference,
    };
    to.entries.store(visit, keys, { defaults: ['status', 'class'], marks: [MOVED] });
  } else {
    const account = { resourceType: 'Account', identifier: [number], status: 'unknown', subject: [patient.reference] };
    to.entries.store(account, keys, { defaults: ['status'], marks: [MOVED] });
  }
}
