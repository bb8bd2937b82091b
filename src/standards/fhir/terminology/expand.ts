/** `$expand`: all the codes of a value set. https://hl7.org/fhir/R4/valueset-operation-expand.html */
import { tooCostly } from '../outcome.ts';
import { normaliseText } from '../search/text.ts';
import { type Concept, type Concepts, displayIn } from './concepts.ts';
import type { Contains, Designation, Include, ValueSet } from './resources.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface ExpandOptions {
  /** Words of which each must begin a word of a display, a designation or the code. */
  readonly filter?: string;
  readonly offset?: number;
  readonly count?: number;
  readonly activeOnly?: boolean;
  readonly includeDesignations?: boolean;
  readonly excludeNotForUi?: boolean;
  /** BCP 47 */
  readonly displayLanguage?: string;
  /** Systems whose codes are left out. */
  readonly excludeSystems?: readonly string[];
}

export interface Expansion {
  /** Of the whole, before `offset` and `count`. */
  readonly total: number;
  readonly contains: readonly Contains[];
  /** Code systems that were used, as `url|version`. */
  readonly used: readonly string[];
  /** What the caller should know, such as a code system of which only a part is here. */
  readonly warnings: readonly string[];
}

/** Codes in one answer; a larger expansion is asked for page by page. */
export const EXPANSION_MAX = 5000;

interface Member {
  readonly system: string | undefined;
  readonly version: string | undefined;
  readonly code: string;
  readonly display: string | undefined;
  readonly designations: readonly Designation[];
  readonly isInactive: boolean;
  readonly isAbstract: boolean;
}
type Members = Map<string, Member>;

interface Run {
  readonly vocabulary: Vocabulary;
  readonly used: Set<string>;
  readonly warnings: Set<string>;
}

const keyOf = (system: string | undefined, code: string): string => `${system ?? ''}|${code}`;

/** Throws 400 `too-costly` for what is too large, 422 where a code system or value set that it needs is not here. */
export async function expand(
  vocabulary: Vocabulary,
  valueSet: ValueSet,
  options: ExpandOptions = {},
): Promise<Expansion> {
  const run: Run = { vocabulary, used: new Set(), warnings: new Set() };
  const members = [...(await membersOf(run, valueSet, [])).values()];
  const matches = options.filter === undefined ? undefined : compileText(options.filter);
  const chosen = members.filter(
    (member) =>
      !(options.activeOnly && member.isInactive) &&
      !(options.excludeNotForUi && member.isAbstract) &&
      !options.excludeSystems?.includes(member.system ?? '') &&
      (matches === undefined || matches(member)),
  );
  const { offset = 0, count } = options;
  if (count === undefined && chosen.length - offset > EXPANSION_MAX)
    throw tooCostly(
      `The expansion has ${chosen.length} codes: ask for parts of it with offset and count (${EXPANSION_MAX} at most), or with filter`,
    );
  const page = chosen.slice(offset, offset + Math.min(count ?? EXPANSION_MAX, EXPANSION_MAX));
  return {
    total: chosen.length,
    contains: page.map((member) => formatMember(member, options)),
    used: [...run.used],
    warnings: [...run.warnings],
  };
}

async function membersOf(run: Run, valueSet: ValueSet, path: readonly string[]): Promise<Members> {
  return run.vocabulary.within(valueSet.url, path, async (inner) => {
    const { compose, expansion } = valueSet;
    const members: Members = new Map();
    if (compose === undefined) {
      addContained(members, expansion?.contains ?? []);
      return members;
    }
    for (const include of compose.include)
      for (const [key, member] of await included(run, include, inner)) if (!members.has(key)) members.set(key, member);
    for (const exclude of compose.exclude ?? [])
      for (const key of (await included(run, exclude, inner)).keys()) members.delete(key);
    if (compose.inactive === false) for (const [key, { isInactive }] of members) if (isInactive) members.delete(key);
    run.vocabulary.spend(members.size);
    return members;
  });
}

/** An expansion that is all there is of a value set. */
function addContained(members: Members, contains: readonly Contains[]): void {
  for (const one of contains) {
    if (one.code !== undefined)
      members.set(keyOf(one.system, one.code), {
        system: one.system,
        version: one.version,
        code: one.code,
        display: one.display,
        designations: one.designation ?? [],
        isInactive: one.inactive ?? false,
        isAbstract: one.abstract ?? false,
      });
    addContained(members, one.contains ?? []);
  }
}

/** What an include selects: its system's codes that are in all of its value sets. */
async function included(run: Run, include: Include, path: readonly string[]): Promise<Members> {
  const parts: Members[] = [];
  if (include.system !== undefined) parts.push(await ofSystem(run, include, include.system));
  for (const url of include.valueSet ?? []) parts.push(await membersOf(run, await run.vocabulary.valueSet(url), path));
  const [first = new Map<string, Member>(), ...more] = parts;
  if (more.length === 0) return first;
  return new Map([...first].filter(([key]) => more.every((other) => other.has(key))));
}

async function ofSystem(run: Run, include: Include, system: string): Promise<Members> {
  const { vocabulary, used, warnings } = run;
  const members: Members = new Map();
  // A list of codes stands by itself: the system only adds what it knows.
  const concepts =
    include.concept === undefined
      ? await vocabulary.concepts(system, include.version)
      : await vocabulary.findConcepts(system, include.version);
  used.add(concepts?.version === undefined ? system : `${system}|${concepts.version}`);
  if (concepts !== undefined && (concepts.content === 'fragment' || concepts.content === 'example'))
    warnings.add(`Of the code system ${system} only a part is known here`);
  if (include.concept !== undefined) {
    vocabulary.spend(include.concept.length);
    for (const { code, display, designation } of include.concept) {
      const known = concepts?.find(code);
      const member = memberOf(system, concepts, known, code);
      members.set(keyOf(system, code), {
        ...member,
        display: display ?? member.display,
        designations: [...(designation ?? []), ...member.designations],
      });
    }
    return members;
  }
  if (concepts === undefined) return members;
  vocabulary.spend(concepts.all.size);
  const passes = vocabulary.filter(include, concepts);
  for (const concept of concepts.all.values())
    if (passes(concept)) members.set(keyOf(system, concept.code), memberOf(system, concepts, concept, concept.code));
  return members;
}

const memberOf = (
  system: string,
  concepts: Concepts | undefined,
  concept: Concept | undefined,
  code: string,
): Member => ({
  system,
  version: concepts?.version,
  code,
  display: concept?.display,
  designations: concept?.designations ?? [],
  isInactive: concept?.isInactive ?? false,
  isAbstract: concept?.isAbstract ?? false,
});

const wordsOf = (text: string): string[] =>
  normaliseText(text)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');

function compileText(filter: string): (member: Member) => boolean {
  const wanted = wordsOf(filter);
  return ({ code, display, designations }) => {
    const words = [code, display ?? '', ...designations.map(({ value }) => value)].flatMap(wordsOf);
    return wanted.every((start) => words.some((word) => word.startsWith(start)));
  };
}

function formatMember(member: Member, { displayLanguage, includeDesignations }: ExpandOptions): Contains {
  const { system, version, code, designations, isAbstract, isInactive } = member;
  const display = displayIn(member, displayLanguage);
  return {
    ...(system !== undefined && { system }),
    ...(isAbstract && { abstract: true }),
    ...(isInactive && { inactive: true }),
    ...(version !== undefined && { version }),
    code,
    ...(display !== undefined && { display }),
    ...(includeDesignations && designations.length > 0 && { designation: designations }),
  };
}
